//! Answer files that others wrote hold passwords, keys and tokens: `lint` and `import` quote none, also where the key is
//! misspelt, the value is of the wrong kind or the line is broken. `X` stands for the secret. What stands behind a known key that
//! holds no secret (a device, a choice) is quoted where it is wrong. `import` shows each line of its file, without what a name of a
//! secret stands before: of lines that begin with `!` no name tells, and only `lint` is asked about them.

use ironstrap::grammar::detect::{self, Grammar};
use ironstrap::import::{self, NamedMachine, Request};

use super::{CANARY, printed};

const KICKSTART: &[&str] = &[
    "rootpw --plaintext X",
    "rootpw --palintext X",
    "rootpw X",
    "rootpw X X",
    "rootpw \"X",
    "rotpw X",
    "rootpw --iscrypted $6$X",
    "!rootpw --lock=X",
    "sshpw --username=a --plaintext X",
    "sshpw --usrname=a X",
    "user --name=a --password=X",
    "user --name=a --pasword=X",
    "user --name=a --password X --plaintext",
    "user --name=a --password=X --iscrypted --uid=b",
    "bootloader --password=X",
    "bootloader --pasword=X",
    "bootloader --password=X --iscrypted",
    "bootloader --append=\"inst.password=X a;b\"",
    "part / --size=1 --encrypted --passphrase=X",
    "part / --size=1 --encrypted --pasphrase=X",
    "part / --size=1 --encrypted --passphrase X --backuppassphrase=X",
    "autopart --encrypted --passphrase=X",
    "autopart --encrypted --passprase X",
    "raid / --device=md0 --level=9 --passphrase=X a b",
    "logvol / --vgname=a --name=b --size=1 --passphrase=X",
    "rhsm --organization=1 --activation-key=X",
    "rhsm --organization=1 --activation-keys=X",
    "rhsm --organization=1 --activation-key X --proxy=http://u:X@h:1",
    "rhsm --organization=1 --activatoin-key=X",
    "url --url=http://u:X@h/",
    "url --url=http://h/ --proxy=http://u:X@h",
    "url --ulr=http://u:X@h/",
    "repo --name=a --baseurl=http://u:X@h/",
    "repo --name=a --baseurl=http://h/ --prox=http://u:X@h/",
    "liveimg --url=http://u:X@h/ --checksum=a",
    "ostreecontainer --url=http://u:X@h/a",
    "ostreesetup --osname=a --remote=b --url=http://u:X@h/ --ref=c",
    "network --device=w --essid=a --wpakey=X",
    "network --device=w --essid=a --wepkey=X",
    "network --device=w --essid=a --wpaky=X",
    "network --bootproto=dhpc --wpakey=X",
    "iscsi --ipaddr=10.0.0.1 --user=a --password=X --reverse-user=b --reverse-password=X",
    "iscsi --ipaddr=10.0.0.1 --user=a --passwd=X",
    "realm join --one-time-password=X d.example",
    "realm join --one-time-pasword=X d.example",
    "vnc --password=X",
    "vnc --pasword=X",
    "rdp --password=X --username=a",
    "driverdisk --source=ftp://u:X@h/",
    "nfs --server=h --dir=/a --opts=password=X",
    "%pre\necho X | passwd --stdin root",
    "!%pst X\n%end",
    "!%post --interpreter=X\n%end",
    "%addon org_a --password=X\npassword = X\n%end",
    "%include http://u:X@h/a",
    "# rootpw X",
];

const PRESEED: &[&str] = &[
    "d-i passwd/root-password password X",
    "d-i passwd/root-password-again password X",
    "d-i passwd/root-pasword password X",
    "d-i passwd/user-password-crypted password X",
    "d-i passwd/user-password X",
    "d-i passwd/user-password passwrd X",
    "d-i passwd/user-password password",
    "d-i passwd/user-password password \\\nX",
    "d-i partman-crypto/passphrase password X",
    "d-i partman-crypto/pasphrase password X",
    "d-i netcfg/wireless_wpa string X",
    "d-i netcfg/wireless_wep string X",
    "d-i netcfg/wireles_wpa string X",
    "d-i mirror/http/proxy string http://u:X@h:1",
    "d-i mirror/htp/proxy string http://u:X@h:1",
    "d-i mirror/http/hostname string u:X@h",
    "d-i grub-installer/password password X",
    "d-i grub-installer/pasword password X",
    "d-i network-console/password password X",
    "d-i partman-iscsi/login/password password X",
    "!d-i open-iscsi/chap string X",
    "d-i preseed/late_command string echo root:X | chpasswd",
    "d-i preseed/early_comand string echo root:X | chpasswd",
    "d-i preseed/url string http://u:X@h/",
    "d-i preseed/include string http://u:X@h/",
    "d-i apt-setup/local0/repository string http://u:X@h/ a b",
    "d-i debian-installer/add-kernel-opts string rootpw=X;b",
    "d-i debian-installer/add-kernel-opts string rootpw='X",
    "mysql-server mysql-server/root_password password X",
    "d-i passwd/root-password boolean X",
    "d-i a/token boolean X",
    "!X",
    "!d-i X",
    "#d-i passwd/root-password password X",
];

/// Below `autoinstall:`.
const AUTOINSTALL: &[&str] = &[
    "identity: {hostname: a, username: b, password: X}",
    "identity: {hostname: a, username: b, pasword: X}",
    "identity: {hostname: a, username: b, password: [X]}",
    "!identity: X",
    "proxy: http://u:X@h",
    "prox: http://u:X@h",
    "!proxy: [X]",
    "apt: {primary: [{arches: [default], uri: 'http://u:X@h/'}]}",
    "!apt: {http_proxy: 'http://u:X@h/', conf: X}",
    "!apt: {sources: {a: {source: 'deb http://u:X@h/ a b', keyy: X}}}",
    "ubuntu-pro: {token: X}",
    "ubuntu-pro: {tken: X}",
    "!ubuntu-pro: X",
    "ubuntu-advantage: {token: X}",
    "active-directory: {admin-name: a, domain-name: b, password: X}",
    "network: {version: 2, wifis: {w: {access-points: {a: {password: X}}}}}",
    "network: {version: 2, wifis: {w: {access-points: {a: {pasword: X}}}}}",
    "network: {version: 2, wifis: {w: {access-points: {a: {auth: {key-management: psk, password: X}}}}}}",
    "network: {version: 2, ethernets: {e: {auth: {client-key-password: X}}}}",
    "network: {version: 2, tunnels: {t: {mode: wireguard, key: X, keys: {private: X}}}}",
    "!network: {version: 2, modems: {m: {pin: X, password: X}}}",
    "storage: {layout: {name: lvm, password: X}}",
    "storage: {layout: {name: lvm, passwrd: X}}",
    "storage: {config: [{type: dm_crypt, id: c, volume: p, key: X}]}",
    "!storage: {config: [{type: dm_crypt, id: c, volume: p, kye: X}]}",
    "storage: {config: [{type: nvme_controller, id: n, tls_key: X}]}",
    "reporting: {hook: {type: webhook, endpoint: 'http://u:X@h', consumer_key: X, token_secret: X}}",
    "!reporting: {hook: {typ: X, token_secret: X}}",
    "late-commands: ['echo root:X | chpasswd']",
    "late-commands: ['curl -u a:X http://h/']",
    "!late-commands: {a: X}",
    "!early-commands: X",
    "debconf-selections: 'd-i passwd/root-password password X'",
    "!debconf-selections: [X]",
    "!ssh: {authorized-keys: [X], alow-pw: X}",
    "source: {id: 'http://u:X@h/'}",
    "source: {url: 'http://u:X@h/'}",
    "snaps: [{name: a, token: X}]",
    "user-data: {password: X}",
    "user-data: {password: [X]}",
    "user-data: {chpasswd: {list: X}}",
    "user-data: {chpasswd: {users: [{name: a, password: X, typ: X}]}}",
    "user-data: {users: [{name: a, passwd: X, plain_text_passwd: X}]}",
    "!user-data:\n    runcmd: X",
    "user-data:\n    chpasswd:\n      list: |\n        root:X",
    "user-data:\n    ubuntu_pro: {token: X, tken: X}",
    "user-data:\n    rh_subscription: {password: X, activation-key: [X]}",
    "user-data:\n    salt_minion: {private_key: [X]}",
    "!user-data:\n    wireguard: {interfaces: [{name: a, content: [X]}]}",
    "!user-data:\n    phone_home: {url: 'http://u:X@h', post: X}",
    "!user-data: \"X",
    "identity: {password: \"X",
    "identity: {password: X, password: X}",
    "identity: {password: !X y}",
    "identity: {password: *X}",
    "!kernel: {package: [X]}",
];

/// After `#cloud-config`.
const CLOUD_CONFIG: &[&str] =
    &["password: X", "pasword: X", "chpasswd: {list: [X]}", "users: [{name: [X], passwd: X}]", "a: \"X"];

const GRUB: &[&str] = &[
    "password root X",
    "passwrd root X",
    "password_pbkdf2 root grub.pbkdf2.X",
    "password root \"X",
    "password root X; }",
    "cryptomount -a -p X",
    "set password=X",
    "set pass-word=X",
    "export X=1",
    "menuentry a {\nlinux /k passwd/root-password=X ds=nocloud;s=http://u:X@h/\n}",
    "menuentry a {\nlinux /k inst.ks=http://u:X@h/a;b\n}",
    "menuentry a {\nlinux /k rootpw='X\n}",
    "if [ x = X ]; then",
];

const CMDLINE: &[&str] = &[
    "passwd/root-password=X",
    "passwd/root-pasword=X",
    "passwd/root-password=\"X",
    "passwd/root-password=a\"X\"",
    "ds=nocloud;s=http://u:X@h/",
    "auto=true url=http://u:X@h/ preseed/ur=http://u:X@h/",
    "inst.ks=http://u:X@h/a password='X'",
    "proxy=http://u:X@h inst.proxy='http://u:X@h'",
    "rd.iscsi.password=X netroot=iscsi:u:X@h::::iqn",
    "ip=X:X",
    "rd.luks.key=X\\ a",
];

/// Secrets that YAML 1.1 reads as numbers, and one that is a word.
const SPELLINGS: [&str; 4] = [CANARY, "0777123", "57:43:21", "7_654_321"];

/// A file, and whether a name tells of its secret.
struct File {
    kind: Grammar,
    text: String,
    named: bool,
}

fn files() -> Vec<File> {
    let mut files = Vec::new();
    for spelling in SPELLINGS {
        let mut add = |kind, lines: &[&str], before: &str| {
            files.extend(lines.iter().map(|line| {
                let (line, named) = line.strip_prefix('!').map_or((*line, true), |line| (line, false));
                File { kind, text: format!("{before}{}\n", line.replace('X', spelling)), named }
            }));
        };
        add(Grammar::Kickstart, KICKSTART, "lang en_US\n");
        add(Grammar::Preseed, PRESEED, "#_preseed_V1\n");
        add(Grammar::Autoinstall, AUTOINSTALL, "#cloud-config\nautoinstall:\n  version: 1\n  ");
        add(Grammar::CloudConfig, CLOUD_CONFIG, "#cloud-config\n");
        add(Grammar::Grub, GRUB, "");
        add(Grammar::Cmdline, CMDLINE, "");
    }
    files
}

fn shows(text: &str) -> bool {
    SPELLINGS.iter().any(|spelling| text.contains(spelling))
}

#[test]
fn lint_shows_no_secret_of_an_answer_file() {
    let mut wrong = Vec::new();
    for File { kind, text, .. } in files() {
        for finding in detect::lint(kind, &text, None).unwrap() {
            if shows(&format!("{finding}")) {
                wrong.push(format!("{}: {finding}", kind.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn import_reports_no_secret_of_an_answer_file() {
    let mut wrong = Vec::new();
    for File { kind, text, .. } in files().into_iter().filter(|file| file.named) {
        let os = match kind {
            Grammar::Kickstart => "el-9",
            Grammar::Preseed => "debian-12",
            Grammar::Autoinstall => "ubuntu-24.04",
            _ => continue,
        };
        let request = Request {
            file: "a",
            text: &text,
            os: os.parse().unwrap(),
            name: None,
            machine: NamedMachine::default(),
        };
        let imported = import::import(&request);
        for entry in imported.report.entries {
            if shows(&serde_json::to_string(&entry).unwrap()) {
                wrong.push(format!("{text}\n{entry:?}"));
            }
        }
        wrong.extend(imported.report.open.into_iter().filter(|open| shows(open)));
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_commands_print_none_either() {
    let site = super::site(super::HOST);
    for (name, text) in [
        ("a.ks", "lang en_US\nrootpw --palintext X\nuser --name=a --pasword=X\n"),
        (
            "preseed.cfg",
            "#_preseed_V1\nd-i passwd/root-pasword password X\nd-i passwd/user-password passwrd X\n",
        ),
        (
            "user-data",
            "#cloud-config\nautoinstall:\n  version: 1\n  identity: {password: X, pasword: X}\n  user-data:\n    password: [X]\n",
        ),
    ] {
        std::fs::write(site.path().join(name), text.replace('X', CANARY)).unwrap();
        for arguments in [
            &["lint", name][..],
            &["lint", name, "--json"],
            &["import", name, "--dry-run"],
            &["import", name, "--dry-run", "--json"],
        ] {
            let shown = printed(site.path(), arguments);
            assert!(shown.contains(name) && !shown.contains("canary"), "{shown}");
        }
    }
}
