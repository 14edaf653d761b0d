//! What each network stack is told, and what is removed.

use super::*;
use crate::spec::system::Interface;

fn fixed() -> NetworkSpec {
    NetworkSpec {
        interfaces: vec![
            Interface {
                mac: "52:54:00:12:34:56".parse().unwrap(),
                ipv4: Ipv4::Static {
                    address: "10.0.0.11/24".parse().unwrap(),
                    gateway: Some("10.0.0.1".parse().unwrap()),
                },
            },
            Interface { mac: "52:54:00:12:34:57".parse().unwrap(), ipv4: Ipv4::Dhcp },
        ],
        dns: vec!["10.0.0.53".parse().unwrap(), "2001:db8::53".parse().unwrap()],
        search: vec!["example.com".parse().unwrap(), "lab.example.com".parse().unwrap()],
    }
}

fn texts(files: &[ConfigFile]) -> Vec<(&str, &str)> {
    files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect()
}

#[test]
fn networkd_matches_permanent_addresses() {
    assert_eq!(
        texts(&networkd::files(&fixed())),
        [
            (
                "/etc/systemd/network/00-ironstrap-0.network",
                "[Match]\nPermanentMACAddress=52:54:00:12:34:56\n\n[Network]\nAddress=10.0.0.11/24\nGateway=10.0.0.1\n\
                 DNS=10.0.0.53\nDNS=2001:db8::53\nDomains=example.com lab.example.com\n"
            ),
            (
                "/etc/systemd/network/00-ironstrap-1.network",
                "[Match]\nPermanentMACAddress=52:54:00:12:34:57\n\n[Network]\nDHCP=ipv4\nDNS=10.0.0.53\n\
                 DNS=2001:db8::53\nDomains=example.com lab.example.com\n\n[DHCPv4]\nClientIdentifier=mac\n"
            ),
        ]
    );
}

#[test]
fn ifupdown_names_its_interfaces_by_address() {
    let files = ifupdown::files(&fixed());
    let find = |path: &str| &files.iter().find(|file| file.path == path).unwrap().text;
    assert_eq!(
        find("/etc/systemd/network/00-ironstrap-1.link"),
        "[Match]\nPermanentMACAddress=52:54:00:12:34:57\n\n[Link]\nName=lan1\n"
    );
    assert_eq!(
        find("/etc/network/interfaces.d/ironstrap"),
        "auto lan0\niface lan0 inet static\n    address 10.0.0.11/24\n    gateway 10.0.0.1\n\
         \x20   dns-nameservers 10.0.0.53 2001:db8::53\n    dns-search example.com lab.example.com\n\
         auto lan1\niface lan1 inet dhcp\n    dns-nameservers 10.0.0.53 2001:db8::53\n\
         \x20   dns-search example.com lab.example.com\n"
    );
}

#[test]
fn network_manager_gets_keyfiles_that_only_root_reads() {
    let files = network_manager::files(&fixed());
    assert!(files.iter().all(|file| (file.mode == 0o600) == file.path.ends_with(".nmconnection")));
    let text = &files[0].text;
    assert!(text.contains("\n[ethernet]\nmac-address=52:54:00:12:34:56\n"), "{text}");
    assert!(
        text.contains(
            "\n[ipv4]\nmethod=manual\naddress1=10.0.0.11/24,10.0.0.1\ndns=10.0.0.53;\ndns-search=example.com;lab.example.com;\n"
        ),
        "{text}"
    );
    assert!(text.ends_with("\n[ipv6]\nmethod=auto\ndns=2001:db8::53;\n"), "{text}");
    assert_eq!(network_manager::files(&fixed()), files);
}

#[test]
fn without_interfaces_every_link_asks_by_dhcp() {
    let any = NetworkSpec::default();
    let networkd = networkd::files(&any);
    assert!(networkd[0].text.starts_with("[Match]\nType=ether\nKind=!*\n\n[Network]\nDHCP=ipv4\n"));
    assert!(networkd[1].text.contains("wait-online --any"));
    let ifupdown = ifupdown::files(&any);
    let map = "/usr/lib/ironstrap/ifupdown-any";
    let stanza =
        format!("allow-hotplug /en* /eth*\nmapping en* eth*\n    script {map}\niface ironstrap inet dhcp\n");
    assert!(ifupdown.iter().any(|file| file.text == stanza));
    assert!(ifupdown.iter().any(|file| file.path == map && file.mode == 0o755));
    let manager = network_manager::files(&any);
    assert!(manager[0].text.contains("multi-connect=3\n") && !manager[0].text.contains("mac-address"));
}

fn tree() -> (tempfile::TempDir, RootedDir) {
    let dir = tempfile::tempdir().unwrap();
    let root = RootedDir::open(dir.path()).unwrap();
    (dir, root)
}

fn put(root: &RootedDir, path: &str, text: &str) {
    root.make_dirs(path.rsplit_once('/').unwrap().0, Attributes::root(0o755)).unwrap();
    root.write(path, Attributes::root(0o644), text.as_bytes()).unwrap();
}

#[test]
fn leftovers_of_another_machine_go() {
    let (_dir, root) = tree();
    let ethernet = "/etc/NetworkManager/system-connections/eth.nmconnection";
    let vpn = "/etc/NetworkManager/system-connections/vpn.nmconnection";
    let script = "/etc/sysconfig/network-scripts/ifcfg-eth0";
    put(&root, ethernet, "[connection]\ntype = ethernet\n");
    put(&root, vpn, "[connection]\ntype=vpn\n");
    put(&root, script, "DEVICE=eth0\n");
    put(&root, "/etc/cloud/cloud.cfg.d/90_dpkg.cfg", "x\n");
    apply(&root, NetworkStack::NetworkManager, &fixed()).unwrap();
    assert!(!root.exists(ethernet) && !root.exists(script) && root.exists(vpn));
    assert!(root.exists("/etc/cloud/cloud.cfg.d/99-ironstrap-network.cfg"));
    assert!(!root.exists("/etc/resolv.conf"));
}

#[test]
fn the_resolver_is_whoever_the_image_runs() {
    let (_dir, root) = tree();
    put(&root, "/etc/resolv.conf", "nameserver 192.0.2.1 # the builder's\n");
    apply(&root, NetworkStack::Networkd, &fixed()).unwrap();
    assert_eq!(
        root.read_text("/etc/resolv.conf").unwrap().unwrap(),
        "# Written by ironstrap.\nsearch example.com lab.example.com\nnameserver 10.0.0.53\nnameserver 2001:db8::53\n"
    );
    put(&root, "/etc/systemd/system/sysinit.target.wants/systemd-resolved.service", "");
    apply(&root, NetworkStack::Networkd, &fixed()).unwrap();
    assert_eq!(
        root.read_link("/etc/resolv.conf").unwrap().unwrap(),
        "../run/systemd/resolve/stub-resolv.conf"
    );
}

#[test]
fn name_servers_of_the_image_never_stay() {
    use NetworkStack::{Ifupdown, NetworkManager, Networkd};
    let dhcp = NetworkSpec::default();
    let none = NetworkSpec { dns: Vec::new(), ..fixed() };
    let ours = "# Written by ironstrap.\n";
    let cases = [
        (Networkd, &dhcp, None),
        (Networkd, &none, None),
        (Networkd, &fixed(), Some(ours)),
        (Ifupdown, &dhcp, None),
        (Ifupdown, &fixed(), None),
        (NetworkManager, &fixed(), None),
    ];
    for (stack, network, expected) in cases {
        let (_dir, root) = tree();
        put(&root, "/etc/resolv.conf", "nameserver 192.0.2.1\n");
        apply(&root, stack, network).unwrap();
        let text = root.read_text("/etc/resolv.conf").unwrap();
        assert_eq!(text.is_some(), expected.is_some(), "{stack:?} {text:?}");
        assert!(text.is_none_or(|text| text.starts_with(ours) && !text.contains("192.0.2.1")));
    }
}

#[test]
fn a_link_of_the_resolver_stays_where_its_writer_runs() {
    use NetworkStack::{Ifupdown, NetworkManager, Networkd};
    let manager = "/run/NetworkManager/resolv.conf";
    let resolvconf = "../run/resolvconf/resolv.conf";
    let cases = [
        (manager, NetworkManager, None, true),
        (manager, Networkd, None, false),
        (resolvconf, Ifupdown, Some("/usr/sbin/resolvconf"), true),
        (resolvconf, Ifupdown, None, false),
        ("../run/systemd/resolve/stub-resolv.conf", NetworkManager, None, false),
        ("/etc/resolv.conf.golden", NetworkManager, None, false),
    ];
    for (target, stack, program, stays) in cases {
        let (_dir, root) = tree();
        root.make_dirs("/etc", Attributes::root(0o755)).unwrap();
        root.symlink(target, "/etc/resolv.conf", 0, 0).unwrap();
        program.iter().for_each(|program| put(&root, program, ""));
        apply(&root, stack, &NetworkSpec::default()).unwrap();
        assert_eq!(root.read_link("/etc/resolv.conf").unwrap().is_some(), stays, "{target} {stack:?}");
    }
}

/// Enables a unit as the image's packages do.
fn want(root: &RootedDir, target: &str, unit: &str) {
    let wants = format!("/etc/systemd/system/{target}.target.wants");
    root.make_dirs(&wants, Attributes::root(0o755)).unwrap();
    root.symlink(&format!("/lib/systemd/system/{unit}"), &format!("{wants}/{unit}"), 0, 0).unwrap();
}

fn is_masked(root: &RootedDir, unit: &str) -> bool {
    root.read_link(&format!("/etc/systemd/system/{unit}")).unwrap().as_deref() == Some("/dev/null")
}

/// All that there is, in one image.
fn crowded() -> (tempfile::TempDir, RootedDir) {
    let (dir, root) = tree();
    for unit in ["NetworkManager.service", "systemd-networkd.service", "networking.service", "dhcpcd.service"]
    {
        want(&root, "multi-user", unit);
    }
    want(&root, "sockets", "systemd-networkd.socket");
    want(&root, "network-online", "NetworkManager-wait-online.service");
    want(&root, "network-online", "systemd-networkd-wait-online.service");
    put(&root, "/etc/network/interfaces", "auto ens3\niface ens3 inet dhcp\n");
    put(&root, "/etc/network/interfaces.d/ens4", "auto ens4\niface ens4 inet dhcp\n");
    put(&root, "/etc/netplan/01-netcfg.yaml", "network: {ethernets: {ens3: {dhcp4: true}}}\n");
    put(&root, "/etc/netplan/01-manager.yaml", "network: {renderer: NetworkManager}\n");
    put(&root, "/etc/NetworkManager/NetworkManager.conf", "[main]\n");
    let globally = "/usr/lib/NetworkManager/conf.d/10-globally-managed-devices.conf";
    put(&root, globally, "[keyfile]\nunmanaged-devices=*,except:type:wifi\n");
    (dir, root)
}

#[test]
fn of_many_stacks_only_ours_is_heard() {
    use NetworkStack::{Ifupdown, NetworkManager, Networkd};
    let manager: &[&str] = &["NetworkManager.service", "NetworkManager-wait-online.service"];
    let networkd: &[&str] =
        &["systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service"];
    for (ours, heard) in [(NetworkManager, manager), (Networkd, networkd), (Ifupdown, &[])] {
        let (_dir, root) = crowded();
        apply(&root, ours, &fixed()).unwrap();
        for unit in manager.iter().chain(networkd).chain(&["dhcpcd.service"]) {
            assert_eq!(is_masked(&root, unit), !heard.contains(unit), "{ours:?} {unit}");
        }
        assert!(!is_masked(&root, "networking.service"), "`lo` is its");
        let names = |directory: &str| -> Vec<String> {
            root.list(directory).unwrap().into_iter().map(|(name, _)| name).collect()
        };
        assert!(!root.read_text("/etc/network/interfaces").unwrap().unwrap().contains("ens3"));
        let stanzas: &[&str] = if ours == Ifupdown { &["ironstrap"] } else { &[] };
        assert_eq!(names("/etc/network/interfaces.d"), stanzas);
        assert_eq!(names("/etc/netplan"), ["01-manager.yaml"]);
        let files: &[&str] = match ours {
            NetworkManager => &["10-globally-managed-devices.conf", "99-ironstrap.conf"],
            _ => &["99-ironstrap-unmanaged.conf"],
        };
        assert_eq!(names("/etc/NetworkManager/conf.d"), files);
        let text = root.read_text(&format!("/etc/NetworkManager/conf.d/{}", files[0])).unwrap().unwrap();
        assert_eq!(text.contains("\nunmanaged-devices=*\n"), ours != NetworkManager);
    }
}

#[test]
fn what_import_chose_is_never_masked_and_a_second_time_changes_nothing() {
    let (_dir, root) = crowded();
    let ours = stacks::choose(&root).unwrap();
    apply(&root, ours, &fixed()).unwrap();
    assert_eq!(stacks::choose(&root).unwrap(), ours);
    let competing = stacks::competing_units(ours, &root).unwrap();
    apply(&root, ours, &fixed()).unwrap();
    assert_eq!(stacks::competing_units(ours, &root).unwrap(), competing);
    assert!(competing.iter().all(|unit| is_masked(&root, unit)));
}

#[test]
fn an_unknown_stack_is_refused() {
    let (_dir, root) = tree();
    assert!(apply(&root, NetworkStack::Unknown, &fixed()).is_err());
}
