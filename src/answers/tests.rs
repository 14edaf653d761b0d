//! Answers of hosts that are made here; whole sites are in `tests/answers`.

use proptest::prelude::*;

use super::*;
use crate::grammar::preseed::answers;
use crate::grammar::words::words;
use crate::host::{Fixed, Interface, Ipv4, Link, Network, testing};
use crate::spec::system::{RootAccount, Sudo, User};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const HASH: &str = "$6$abcdefgh$0123456789abcdef";

fn site() -> Site {
    Site { name: "lab".to_owned(), server: None, order_validity: 3600 }
}

fn host() -> Host {
    let user = User {
        name: "ops".parse().unwrap(),
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
        packages: vec!["vim-minimal".to_owned()],
        mirror: Some("http://mirror.example:8080/dist".parse().unwrap()),
        kernel_args: vec!["console=ttyS0,115200n8".parse().unwrap(), "quiet".parse().unwrap()],
        ..testing::host()
    }
}

fn with_site(name: &str, text: &str) -> Templates {
    Templates::new(|asked| Ok((asked == name).then(|| text.to_owned()))).unwrap()
}

fn try_render(os: Os, host: &Host, seed: &Seed) -> Result<String> {
    render(os, &site(), host, seed, &with_site("", "")).map(|answers| answers.text)
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
    let answers: Vec<_> = answers(&text).into_iter().map(|(_, answer)| answer.unwrap()).collect();
    let value = |key: &str| {
        answers.iter().find(|(_, have, ..)| have == key).map(|(.., value)| value.as_str()).unwrap_or("absent")
    };
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
        render(os, &site(), &host, &Seed::default(), &with_site("", "")).unwrap().kernel_args.join(" ")
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
        render(Os::El9, &site(), &host(), &Seed::default(), &with_site(name, text))
            .map(|answers| answers.text)
            .map_err(|error| format!("{error:#}"))
    };
    assert_eq!(render("kickstart.j2", "lang {{ locale.lang }}\n").unwrap(), "lang C.UTF-8\n");
    let error = render("disk.sh.j2", "\n{{ disk.path }}").unwrap_err();
    assert!(error.contains("templates/disk.sh.j2:2: undefined value"), "{error}");
    let error = render("kickstart.j2", "lang en\n%post\n").unwrap_err();
    assert!(error.contains("line 2: %post without %end"), "{error}");
    let error = render("kickstart.j2", "installl\n").unwrap_err();
    assert!(error.contains("line 1: `installl` is no command of EL 9"), "{error}");
}

#[test]
fn hashes_do_not_reach_messages_or_debug() {
    let templates = with_site("kickstart.j2", "{{ users[0].password }}{{ users[0].password.x.y }}");
    let error = render(Os::El9, &site(), &host(), &Seed::default(), &templates).unwrap_err();
    assert!(!format!("{error:#} {error:?}").contains(HASH));
    let answers = render(Os::El9, &site(), &host(), &Seed::default(), &with_site("", "")).unwrap();
    assert!(!format!("{answers:?}").contains(HASH));
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
        let file = SystemFile { path: format!("/etc/{content}"), mode: 0o644, content: content.clone() };
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
        prop_assert!(grammar::preseed::lint(&preseed).is_empty());
    }
}
