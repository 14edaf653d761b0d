//! Answers of hosts that are made here; whole sites are in `tests/answers`.

use proptest::prelude::*;

use super::*;
use crate::grammar;
use crate::grammar::words::words;
use crate::host::{
    Content, Disk, FileSystem, Fixed, Installer, Interface, Ipv4, Layout, Link, Mount, Network, Partition,
    Role, Script, Scripts, Size, TARGET, testing,
};
use crate::spec::system::{RootAccount, Sudo, User};
use crate::value::ByteSize;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const HASH: &str = "$6$abcdefgh$0123456789abcdef";

/// What would refuse a preseed.
fn errors(text: &str) -> Vec<grammar::Finding> {
    let mut found = grammar::preseed::lint(text, grammar::preseed::Release::Debian12);
    found.retain(|finding| finding.severity == grammar::Severity::Error);
    found
}

fn site() -> Site {
    testing::site()
}

fn host() -> Host {
    let user = User {
        name: "ops".parse().unwrap(),
        full_name: None,
        uid: Some(1001),
        password: Some(HASH.parse().unwrap()),
        groups: vec!["adm".parse().unwrap()],
        ssh_keys: vec![KEY.parse().unwrap()],
        sudo: Sudo::Nopasswd,
        shell: "/bin/bash".to_owned(),
    };
    let fixed = Fixed {
        address: "10.0.0.11/24".parse().unwrap(),
        more: Vec::new(),
        gateway: Some("10.0.0.1".parse().unwrap()),
    };
    let link = Link { ipv4: Ipv4::Static(fixed), ..Link::default() };
    Host {
        installer: Installer::Anaconda,
        os: Some(Os::El9),
        target: serde_json::from_str(r#"{"serial":"S1","wwn":"naa.5000C500A1B2C3D4"}"#).unwrap(),
        network: Network {
            interfaces: vec![Interface { id: None, mac: "52:54:00:12:34:56".parse().unwrap(), link }],
            dns: vec!["10.0.0.2".parse().unwrap(), "10.0.0.3".parse().unwrap()],
            search: vec!["example.com".parse().unwrap()],
            ..Network::default()
        },
        root: RootAccount { password: None, ssh_keys: vec![KEY.parse().unwrap()] },
        users: vec![user],
        packages: vec!["vim-minimal".parse().unwrap()],
        mirror: Some("http://mirror.example:8080/dist".parse().unwrap()),
        kernel_args: vec!["console=ttyS0,115200n8".parse().unwrap(), "quiet".parse().unwrap()],
        ..testing::host()
    }
}

fn with_site(name: &str, text: &str) -> Templates {
    Templates::new(|asked| Ok((asked == name).then(|| text.to_owned()))).unwrap()
}

fn try_render(os: Os, host: &Host, seed: &Seed) -> Result<String, RenderError> {
    render(os, &site(), host, &LockFile::default(), seed, &with_site("", "")).map(|answers| answers.text)
}

fn rendered(os: Os, host: &Host) -> String {
    try_render(os, host, &Seed::default()).unwrap()
}

#[test]
fn kickstart_carries_the_whole_host() {
    let text = rendered(Os::El9, &host());
    for line in [
        "url --url=http://mirror.example:8080/dist",
        "network --device=52:54:00:12:34:56 --bootproto=static --ip=10.0.0.11 --netmask=255.255.255.0 --gateway=10.0.0.1 --nameserver=10.0.0.2,10.0.0.3 --ipv4-dns-search=example.com --hostname=web01.example.com --onboot=yes --activate",
        "rootpw --lock",
        &format!(
            "user --name=ops --shell=/bin/bash --uid=1001 --gid=1001 --groups=adm --iscrypted --password='{HASH}'"
        ),
        &format!("sshkey --username=ops '{KEY}'"),
        "vim-minimal",
        "sudo",
        "bootloader --boot-drive=$found --append='console=ttyS0,115200n8 quiet'",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
    }
}

#[test]
fn preseed_carries_the_whole_host() {
    let host = Host { scripted: crate::host::Scripted::Allowed, ..host() };
    let text = rendered(Os::Debian12, &host);
    let document = grammar::preseed::parse(&text);
    let value = |key: &str| document.last(key).map_or("absent", |answer| answer.value.as_str());
    assert_eq!(value("netcfg/hostname"), "web01");
    assert_eq!(value("netcfg/get_domain"), "example.com");
    assert_eq!(value("mirror/http/hostname"), "mirror.example:8080");
    assert_eq!(value("mirror/http/directory"), "/dist");
    assert_eq!(value("passwd/root-password-crypted"), "!");
    assert_eq!(value("pkgsel/include"), "vim-minimal openssh-server sudo");
    assert!(value("partman-auto/expert_recipe").ends_with("mountpoint{ / } ."));
    let early = value("partman/early_command");
    assert!(early.contains("-e s1)") && early.contains("-e 5000c500a1b2c3d4)"), "{early}");
    assert!(words(early).is_some(), "{early}");
    let late = value("preseed/late_command");
    assert!(late.ends_with(" true"), "it must not fail: {late}");
    let (carried, _) = late.split_once(" | base64 -d > /target/var/lib/ironstrap/setup.sh").unwrap();
    let (_, script) = carried.rsplit_once("echo ").unwrap();
    use base64::Engine as _;
    let script = base64::engine::general_purpose::STANDARD.decode(script).unwrap();
    let script = String::from_utf8(script).unwrap();
    for line in [
        &format!("printf '%s\\n' 'ops:{HASH}' | chpasswd --encrypted"),
        "usermod --append --groups adm ops",
        "printf '%s\\n' 'ops ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/ironstrap-ops",
    ] {
        assert!(script.contains(line), "{line} is missing in\n{script}");
    }
}

#[test]
fn the_network_of_the_installer_stands_on_its_kernel_command_line() {
    let args = |os| {
        let mut host = host();
        host.network.dns.truncate(1);
        render(os, &site(), &host, &LockFile::default(), &Seed::default(), &with_site("", ""))
            .unwrap()
            .kernel_args
            .join(" ")
    };
    let kickstart = args(Os::El9);
    assert!(kickstart.contains("BOOTIF=01-52-54-00-12-34-56"), "{kickstart}");
    assert!(kickstart.contains("ip=10.0.0.11::10.0.0.1:255.255.255.0:web01::none"), "{kickstart}");
    let preseed = args(Os::Debian12);
    assert!(preseed.contains("hostname=web01 domain=example.com"), "{preseed}");
    assert!(preseed.contains("netcfg/get_ipaddress=10.0.0.11"), "{preseed}");
}

#[test]
fn all_that_a_format_can_not_say_is_told_at_once() {
    let mut host = host();
    host.mirror = None;
    host.target = serde_json::from_str(r#"{"model":"Samsung*"}"#).unwrap();
    host.locale.timezone = "Europe/Berlin\nreboot".to_owned();
    host.network.interfaces.push(host.network.interfaces[0].clone());
    host.network.search = vec!["other.example".parse().unwrap()];
    host.network.dns.truncate(1);
    let told = try_render(Os::Debian12, &host, &Seed::default()).unwrap_err().to_string();
    for field in [
        "mirror",
        "storage.target",
        "storage.target.model",
        "locale.timezone",
        "network.interfaces",
        "network.search",
    ] {
        let start = format!("web01.example.com: {field}: debian-12 ");
        assert!(told.lines().any(|line| line.starts_with(&start)), "{field} is missing in\n{told}");
    }
    assert_eq!(told.lines().count(), 6, "{told}");
}

#[test]
fn a_site_can_replace_a_template_and_is_told_where_it_is_wrong() {
    let render = |name: &str, text: &str| {
        render(Os::El9, &site(), &host(), &LockFile::default(), &Seed::default(), &with_site(name, text))
            .map(|answers| answers.text)
            .map_err(|error| format!("{error:#}"))
    };
    let own = render("kickstart.j2", "lang {{ locale.lang }}\nautopart\n").unwrap();
    assert_eq!(own, "lang C.UTF-8\nautopart\n");
    let error = render("disk.sh.j2", "\n{{ disk.path }}").unwrap_err();
    assert!(error.contains("templates/disk.sh.j2:2: undefined value"), "{error}");
    let error = render("kickstart.j2", "lang en\n%post\n").unwrap_err();
    assert!(error.contains("line 2: %post has no %end"), "{error}");
    let error = render("kickstart.j2", "installl\n").unwrap_err();
    assert!(error.contains("line 1: `installl` is no command of rhel9"), "{error}");
}

#[test]
fn hashes_do_not_reach_messages_or_debug() {
    let templates = with_site("kickstart.j2", "{{ users[0].password }}{{ users[0].password.x.y }}");
    let error =
        render(Os::El9, &site(), &host(), &LockFile::default(), &Seed::default(), &templates).unwrap_err();
    assert!(!format!("{error:#} {error:?}").contains(HASH));
    let answers =
        render(Os::El9, &site(), &host(), &LockFile::default(), &Seed::default(), &with_site("", ""))
            .unwrap();
    assert!(!format!("{answers:?}").contains(HASH));
}

#[test]
fn refusals_of_kickstart_are_told_beside_a_value_that_no_line_can_carry() {
    let mut host = host();
    host.locale.timezone = "Europe/Berlin\nreboot".to_owned();
    host.mirror = None;
    let told = try_render(Os::Fedora45, &host, &Seed::default()).unwrap_err().to_string();
    assert_eq!(told.lines().count(), 2, "{told}");
}

#[test]
fn dialects_differ_where_the_releases_do() {
    let mut host = host();
    host.locale.ntp = vec!["ntp.example.com".parse().unwrap()];
    host.network.search.clear();
    let old = rendered(Os::El8, &host);
    assert!(
        old.starts_with("#version=RHEL8\n") && old.contains("--utc --ntpservers=ntp.example.com\n"),
        "{old}"
    );
    for os in [Os::El9, Os::El10, Os::Fedora43, Os::Fedora45] {
        let new = rendered(os, &host);
        assert!(
            new.contains("\ntimesource --ntp-server=ntp.example.com\n") && !new.contains("ntpservers"),
            "{new}"
        );
    }
    assert!(!rendered(Os::Fedora43, &host).contains("minimal-environment"));
}

fn tame() -> Vec<Script> {
    vec![Script { name: "scripts/a".to_owned(), content: "#!/bin/sh\n".to_owned() }]
}

fn hostile() -> impl Strategy<Value = String> {
    let parts =
        ["'", "\"", "$(reboot)", "`x`", "{{ host }}", "{% x %}", ";", "\\", "%end", "#", " ", "a", "é"];
    proptest::collection::vec(proptest::sample::select(parts.to_vec()), 1..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn hostile_texts_arrive_as_they_are_or_are_refused(serial in hostile(), content in hostile()) {
        let mut host = host();
        let json = serde_json::json!({ "serial": serial }).to_string();
        let Ok(target) = serde_json::from_str(&json) else { return Ok(()) };
        host.target = target;
        let wanted = host.target.serial().unwrap().to_ascii_lowercase();
        let file = SystemFile { path: format!("/etc/{content}"), mode: 0o644, content: content.clone(), token: None };
        let seed = Seed { files: vec![file], units: Vec::new() };
        let kickstart = try_render(Os::El9, &host, &seed).unwrap();
        let asked = kickstart.lines().find(|line| line.starts_with("hits=")).unwrap();
        let asked = asked.rsplit_once(" -e ").unwrap().1.strip_suffix(");").unwrap();
        prop_assert_eq!(words(asked).unwrap(), vec![wanted]);
        let chmod = kickstart.lines().find(|line| line.starts_with("chmod 0644 ")).unwrap();
        prop_assert_eq!(&words(chmod).unwrap()[2], &format!("/etc/{content}"));
        prop_assert_eq!(kickstart.lines().filter(|line| *line == "%end").count(), 3);
        host.scripted = crate::host::Scripted::Allowed;
        let preseed = try_render(Os::Debian12, &host, &seed).unwrap();
        prop_assert!(errors(&preseed).is_empty());
        let autoinstall = try_render(Os::Ubuntu2404, &unscripted(&host), &seed).unwrap();
        let plain = try_render(Os::Ubuntu2404, &unscripted(&self::host()), &Seed::default()).unwrap();
        let (got, plain) = (document(&autoinstall), document(&plain));
        prop_assert_eq!(keys(&got), keys(&plain));
        let early = got["early-commands"][0].as_str().unwrap();
        let asked = early.lines().find(|line| line.starts_with("hits=")).unwrap();
        let asked = asked.rsplit_once(" -e ").unwrap().1.strip_suffix(");").unwrap();
        prop_assert_eq!(words(asked).unwrap(), vec![host.target.serial().unwrap().to_ascii_lowercase()]);
    }

    #[test]
    fn hostile_scripts_and_disks_stay_what_they_are_in_a_kickstart(text in hostile(), serial in hostile()) {
        let json = serde_json::json!({ "serial": serial }).to_string();
        let Ok(select) = serde_json::from_str(&json) else { return Ok(()) };
        let script = || vec![Script { name: format!("scripts/{text}"), content: format!("#!/bin/sh\n{text}\n%end\n") }];
        let partition = |id: &str, disk: &str, role| Partition {
            id: id.parse().unwrap(),
            disk: disk.parse().unwrap(),
            role,
            size: Size::Exact(ByteSize::bytes(1 << 30)),
        };
        let mount = Mount {
            on: "root".parse().unwrap(),
            what: Content::Files(FileSystem::Xfs, "/".parse().unwrap()),
            options: Vec::new(),
            label: None,
        };
        let host = Host {
            layout: Some(Layout {
                disks: vec![Disk { id: "data".parse().unwrap(), select }],
                partitions: vec![partition("esp", TARGET, Role::Esp), partition("root", "data", Role::Data)],
                mounts: vec![mount],
                ..Layout::default()
            }),
            scripts: Scripts {
                pre: script(), post: script(), post_outside: script(), first_boot: script(), on_error: script(),
            },
            ..host()
        };
        let text_of = try_render(Os::Fedora45, &host, &Seed::default()).unwrap();
        let sections = |text: &str| text.lines().filter(|line| line.starts_with('%')).map(str::to_owned).collect::<Vec<_>>();
        let tame = Host { scripts: Scripts {
            pre: tame(), post: tame(), post_outside: tame(), first_boot: tame(), on_error: tame(),
        }, ..host.clone() };
        prop_assert_eq!(sections(&text_of), sections(&rendered(Os::Fedora45, &tame)));
        for line in text_of.lines().filter(|line| line.starts_with("run ") && !line.starts_with("run()")) {
            let words = words(line.strip_suffix(" <<'IRONSTRAP'").unwrap()).unwrap();
            prop_assert_eq!(&words[1], &format!("scripts/{text}"));
            prop_assert_eq!(words.len(), 3);
            prop_assert!(words[2].chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{:?}", words);
        }
        let asked: Vec<_> = text_of.lines().filter(|line| line.starts_with("hits=")).collect();
        let wanted = host.layout.as_ref().unwrap().disks[0].select.serial().unwrap().to_ascii_lowercase();
        let asked = asked[0].rsplit_once(" -e ").unwrap().1.strip_suffix(");").unwrap();
        prop_assert_eq!(words(asked).unwrap(), vec![wanted]);
    }
}

/// Ubuntu takes kernel arguments by a script only.
fn unscripted(host: &Host) -> Host {
    Host { kernel_args: Vec::new(), ..host.clone() }
}

fn document(text: &str) -> serde_json::Value {
    serde_yaml::from_str::<serde_json::Value>(text).unwrap()["autoinstall"].clone()
}

fn keys(document: &serde_json::Value) -> Vec<String> {
    document.as_object().unwrap().keys().cloned().collect()
}
