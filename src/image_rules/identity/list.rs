//! The list itself: data, nothing else. Each entry says where to look it up.

use super::Fate::{Anew, FirstBoot, Removed};
use super::Place::{Esp, Inside, Named, Path};
use super::{Fate, Maker, Place, Trace};

const fn trace(what: &'static str, places: &'static [Place], fate: Fate) -> Trace {
    Trace { what, places, fate }
}

const fn begins(directory: &'static str, prefix: &'static str) -> Place {
    Named { directory, prefix, suffix: "", except: &[] }
}

/// Everything of one machine's that an image may carry. Import tells it and the handbook shows it in this order.
pub const TRACES: &[Trace] = &[
    // machine-id(5), dbus-uuidgen(1)
    trace("machine id", &[Path("/etc/machine-id")], Anew(Maker::MachineId)),
    trace("D-Bus machine id", &[Path("/var/lib/dbus/machine-id")], Anew(Maker::MachineIdLink)),
    // https://systemd.io/BUILDING_IMAGES; systemd-random-seed.service(8), systemd-creds(1), bootctl(1)
    trace("random seed", &[Path("/var/lib/systemd/random-seed")], Anew(Maker::RandomSeed)),
    trace("random seed of systemd-boot", &[Esp("/loader/random-seed")], Removed("`bootctl` makes one")),
    trace(
        "key of systemd's credentials",
        &[Path("/var/lib/systemd/credential.secret")],
        FirstBoot("systemd-creds, when it is asked for"),
    ),
    // systemd-tpm2-setup.service(8): complains when the TPM is another one
    trace(
        "public key of the TPM's storage root",
        &[begins("/var/lib/systemd", "tpm2-srk-public-key.")],
        FirstBoot("systemd-tpm2-setup"),
    ),
    trace("SSH host keys", &[begins("/etc/ssh", "ssh_host_")], Anew(Maker::SshKeys)),
    // RFC 7143, 4.2.7; iscsi-iname(8)
    trace("iSCSI initiator name", &[Path("/etc/iscsi/initiatorname.iscsi")], Anew(Maker::IscsiName)),
    // NVM Express base specification 2.0, 4.5; nvme-gen-hostnqn(1)
    trace("NVMe host name", &[Path("/etc/nvme/hostnqn")], Anew(Maker::NvmeName)),
    trace("NVMe host id", &[Path("/etc/nvme/hostid")], Anew(Maker::NvmeId)),
    trace("host id", &[Path("/etc/hostid")], Anew(Maker::HostId)),
    // make-ssl-cert(8)
    trace(
        "self-signed certificate and key of ssl-cert",
        &[Path("/etc/ssl/private/ssl-cert-snakeoil.key"), Path("/etc/ssl/certs/ssl-cert-snakeoil.pem")],
        Anew(Maker::Snakeoil),
    ),
    trace(
        "self-signed certificate and key of httpd",
        &[Path("/etc/pki/tls/private/localhost.key"), Path("/etc/pki/tls/certs/localhost.crt")],
        FirstBoot("httpd-init"),
    ),
    // cockpit-tls(8)
    trace(
        "self-signed certificate and key of Cockpit",
        &[begins("/etc/cockpit/ws-certs.d", "0-self-signed")],
        FirstBoot("Cockpit"),
    ),
    // DHCP: RFC 8415, 11; dhclient.leases(5), dhcpcd(8), NetworkManager(8)
    trace(
        "DHCP leases and DUIDs of dhclient, dhcpcd, dhcp6c and wicked",
        &[
            Inside("/var/lib/dhclient"),
            Inside("/var/lib/dhcp"),
            Inside("/var/lib/dhcpcd"),
            Inside("/var/lib/dhcpcd5"),
            Inside("/var/db/dhcpcd"),
            Path("/etc/dhcpcd.duid"),
            Path("/etc/dhcpcd.secret"),
            Inside("/var/lib/dhcpv6"),
            Inside("/var/lib/wicked"),
        ],
        FirstBoot("the DHCP client"),
    ),
    trace(
        "leases, DUID and secret of NetworkManager",
        &[
            Path("/var/lib/NetworkManager/secret_key"),
            Path("/var/lib/NetworkManager/seen-bssids"),
            Path("/var/lib/NetworkManager/timestamps"),
            Named { directory: "/var/lib/NetworkManager", prefix: "", suffix: ".lease", except: &[] },
        ],
        FirstBoot("NetworkManager"),
    ),
    trace(
        "state of systemd-networkd",
        &[Path("/var/lib/systemd/network"), Inside("/var/lib/private/systemd/network")],
        FirstBoot("systemd-networkd"),
    ),
    trace("name servers", &[Path("/etc/resolv.conf")], Anew(Maker::Resolver)),
    // cloud-init clean
    trace(
        "instance cache of cloud-init",
        &[
            Path("/var/lib/cloud/data"),
            Path("/var/lib/cloud/instance"),
            Path("/var/lib/cloud/instances"),
            Path("/var/lib/cloud/seed"),
            Path("/var/lib/cloud/sem"),
            Path("/etc/cloud/cloud-init.disabled"),
            Path("/var/log/cloud-init.log"),
            Path("/var/log/cloud-init-output.log"),
        ],
        Removed("another host is another instance"),
    ),
    // subiquity writes the answers of its own install there, the account's password among them
    trace(
        "user data that Ubuntu's installer left for cloud-init",
        &[Path("/etc/cloud/cloud.cfg.d/99-installer.cfg")],
        Removed("the order says who the host is"),
    ),
    // configuration management and agents: each tool's own words on cloned machines
    trace(
        "key and id of the Salt minion",
        &[
            Path("/etc/salt/pki/minion/minion.pem"),
            Path("/etc/salt/pki/minion/minion.pub"),
            Path("/etc/salt/minion_id"),
        ],
        FirstBoot("salt-minion; the master's key stays"),
    ),
    trace(
        "keys and certificates of the Puppet agent",
        &[
            Inside("/etc/puppetlabs/puppet/ssl/private_keys"),
            Inside("/etc/puppetlabs/puppet/ssl/public_keys"),
            Inside("/etc/puppetlabs/puppet/ssl/certificate_requests"),
            Named {
                directory: "/etc/puppetlabs/puppet/ssl/certs",
                prefix: "",
                suffix: ".pem",
                except: &["ca.pem"],
            },
            Inside("/var/lib/puppet/ssl/private_keys"),
            Inside("/var/lib/puppet/ssl/public_keys"),
            Inside("/var/lib/puppet/ssl/certificate_requests"),
            Named { directory: "/var/lib/puppet/ssl/certs", prefix: "", suffix: ".pem", except: &["ca.pem"] },
        ],
        FirstBoot("the Puppet agent; the authority's certificate stays"),
    ),
    trace(
        "key of the Chef client",
        &[Path("/etc/chef/client.pem"), Path("/etc/cinc/client.pem")],
        FirstBoot("the client, with the validation key"),
    ),
    trace(
        "key of CFEngine",
        &[
            Path("/var/cfengine/ppkeys/localhost.priv"),
            Path("/var/cfengine/ppkeys/localhost.pub"),
            Path("/var/lib/cfengine3/ppkeys/localhost.priv"),
            Path("/var/lib/cfengine3/ppkeys/localhost.pub"),
        ],
        FirstBoot("CFEngine"),
    ),
    trace(
        "engine id of Docker",
        &[Path("/etc/docker/key.json"), Path("/var/lib/docker/engine-id")],
        FirstBoot("dockerd"),
    ),
    trace("node id of Consul", &[Path("/opt/consul/node-id")], FirstBoot("Consul")),
    trace("node key of Tailscale", &[Inside("/var/lib/tailscale")], Removed("the host has to log in")),
    trace(
        "identity of ZeroTier",
        &[Path("/var/lib/zerotier-one/identity.secret"), Path("/var/lib/zerotier-one/identity.public")],
        FirstBoot("zerotier-one"),
    ),
    trace("registration at Wazuh", &[Path("/var/ossec/etc/client.keys")], Removed("the host has to enrol")),
    // virt-sysprep: kerberos-hostkeytab, sssd-db-log, samba-db-log
    trace("Kerberos host keys", &[Path("/etc/krb5.keytab")], Removed("the host has to join its realm")),
    trace(
        "cache and secrets of SSSD",
        &[Inside("/var/lib/sss/db"), Inside("/var/lib/sss/secrets"), Inside("/var/lib/sss/keytabs")],
        FirstBoot("sssd"),
    ),
    trace(
        "machine account and SID of Samba",
        &[Path("/var/lib/samba/private/secrets.tdb"), Path("/var/lib/samba/private/secrets.ldb")],
        FirstBoot("Samba; a domain's member has to join again"),
    ),
    // virt-sysprep: rh-subscription-manager, rhn-systemid, yum-uuid
    trace(
        "subscription of RHEL",
        &[
            Inside("/etc/pki/consumer"),
            Inside("/etc/pki/entitlement"),
            Inside("/var/lib/rhsm/facts"),
            Path("/etc/insights-client/machine-id"),
            Path("/etc/sysconfig/rhn/systemid"),
            Path("/var/lib/yum/uuid"),
        ],
        Removed("the host has to register"),
    ),
    trace("host id of popularity-contest", &[Path("/etc/popularity-contest.conf")], Anew(Maker::PopconId)),
    // virt-sysprep: lvm-system-devices, blkid-tab, udev-persistent-net; lvmdevices(8), multipath(8)
    trace(
        "names of another machine's disks and network cards",
        &[
            Path("/etc/lvm/devices/system.devices"),
            Path("/etc/multipath/wwids"),
            Path("/etc/multipath/bindings"),
            Path("/etc/zfs/zpool.cache"),
            Path("/etc/blkid.tab"),
            Path("/etc/blkid/blkid.tab"),
            Path("/etc/udev/rules.d/70-persistent-net.rules"),
            Path("/etc/udev/rules.d/70-persistent-cd.rules"),
        ],
        Removed("the host has others"),
    ),
    trace(
        "journals and logins",
        &[
            Inside("/var/log/journal"),
            Inside("/run/log/journal"),
            Path("/var/log/wtmp"),
            Path("/var/log/btmp"),
            Path("/var/log/lastlog"),
            Path("/var/lib/wtmpdb/wtmp.db"),
            Path("/var/lib/lastlog/lastlog2.db"),
        ],
        Removed("they tell of another machine"),
    ),
    trace("an earlier install's state", &[Path("/var/lib/ironstrap")], Removed("it is this install's")),
];
