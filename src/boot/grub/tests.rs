//! GRUB's own parser judges what is written.

use std::process::Command;

use super::*;

fn host(name: &str, order: u8) -> BootHost {
    BootHost {
        host: name.parse().unwrap(),
        order: OrderId::from_random([order; 16]),
        matching: HostMatch { macs: vec!["52:54:00:12:34:56".parse().unwrap()], ..HostMatch::default() },
        interfaces: Vec::new(),
        start: AgentStart::Kernel,
        kernel_args: vec!["net.ifnames=0".parse().unwrap(), "odd=[a]*#%~".parse().unwrap()],
    }
}

/// Whether GRUB's parser takes the script.
fn parses(text: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("grub.cfg");
    std::fs::write(&path, text).unwrap();
    match Command::new("grub-script-check").arg(&path).output() {
        Ok(output) => output.status.success(),
        Err(_) => {
            crate::expect::missing_program("grub-script-check", "grub-common");
            true
        }
    }
}

#[test]
fn a_stick_looks_for_every_done_file_before_it_offers_to_install() {
    let text = usb(AgentStart::Kernel, &[host("web01", 1), host("db01", 2)]).unwrap();
    assert!(parses(&text), "{text}");
    let marks = ["01", "02"].map(|byte| format!("'/EFI/ironstrap/done-{}'", byte.repeat(16))).join(" ");
    let find = format!("\nfind_done {marks}\n");
    assert!(text.find(&find).unwrap() < text.find("menuentry").unwrap(), "{text}");
    assert!(text.contains("initrd '/ironstrap/initramfs' '/ironstrap/orders.cpio'\n"), "{text}");
    assert!(text.contains("linux '/ironstrap/kernel' 'ironstrap=usb' "), "{text}");
    assert_eq!(text.matches("'net.ifnames=0'").count(), 1, "arguments of two hosts are given once");
}

#[test]
fn pxe_finds_a_host_by_every_address_and_by_uuid() {
    let mut web = host("web01", 1);
    web.matching.macs.push("52:54:00:AB:cd:ef".parse().unwrap());
    web.matching.uuid = Some("8B3F12AC-7D01-4A7E-9F44-0C5B1F0A2D33".parse().unwrap());
    let scripts = pxe(&[web]).unwrap();
    let paths: Vec<_> = scripts.iter().map(|script| script.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "hosts/52-54-00-12-34-56.cfg",
            "hosts/52-54-00-ab-cd-ef.cfg",
            "hosts/8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33.cfg",
            "grub/grub.cfg"
        ]
    );
    for script in &scripts {
        assert!(parses(&script.text), "{}:\n{}", script.path, script.text);
    }
    assert!(scripts[0].text.contains("initrd '/initramfs' '/orders/web01.cpio'\n"));
    assert!(scripts[0].text.contains("linux '/kernel' 'ironstrap=pxe' "), "{}", scripts[0].text);
    assert!(scripts[3].text.contains("--get-uuid 8"));
}

/// dnsmasq answers at every interface of a host, so GRUB must know the host at every one.
#[test]
fn pxe_finds_a_host_at_interfaces_that_it_is_not_matched_by_and_by_its_serial() {
    let (mut web, mut db) = (host("web01", 1), host("db01", 2));
    db.matching.macs = vec!["52:54:00:00:00:0d".parse().unwrap()];
    let shared = "52:54:00:00:00:5a".parse().unwrap();
    // db01's own address stays db01's, and one that two hosts have is nobody's
    web.interfaces =
        vec![web.matching.macs[0], "52:54:00:00:00:0b".parse().unwrap(), db.matching.macs[0], shared];
    db.interfaces = vec![shared];
    web.matching.serial = Some("CZ1".parse().unwrap());
    db.matching.serial = Some("CZ~22".parse().unwrap());
    let scripts = pxe(&[web, db]).unwrap();
    let text_of =
        |path: &str| scripts.iter().find(|script| script.path == path).map(|script| &script.text[..]);
    let host_of = |path: &str| text_of(path).map(|text| text.contains("/orders/web01.cpio"));
    assert_eq!(host_of("hosts/52-54-00-12-34-56.cfg"), Some(true));
    assert_eq!(host_of("hosts/52-54-00-00-00-0b.cfg"), Some(true));
    assert_eq!(host_of("hosts/52-54-00-00-00-0d.cfg"), Some(false));
    assert_eq!(host_of("hosts/52-54-00-00-00-5a.cfg"), None);
    assert_eq!(host_of("hosts/serial-web01.cfg"), Some(true));
    assert_eq!(host_of("hosts/serial-db01.cfg"), None, "found by its address");
    let main = text_of("grub/grub.cfg").unwrap();
    assert!(main.contains("source '/hosts/serial-web01.cfg'") && parses(main), "{main}");
}

#[test]
fn a_host_without_address_and_uuid_is_found_by_its_serial_in_any_case() {
    let mut web = host("web01", 1);
    web.matching = HostMatch { serial: Some("CZ-31 a.1".parse().unwrap()), ..HostMatch::default() };
    let scripts = pxe(&[web.clone()]).unwrap();
    assert_eq!(scripts[0].path, "hosts/serial-web01.cfg");
    assert!(scripts[1].text.contains("'^ *[cC][zZ][-]31[ ][aA][.]1 *$' \"$serial\""), "{}", scripts[1].text);
    assert!(scripts[1].text.contains("source '/hosts/serial-web01.cfg'"));
    assert!(parses(&scripts[1].text));
    web.matching.serial = Some("a'; exit; '1".parse().unwrap());
    let refused = require_found(&web).unwrap_err().to_string();
    assert_eq!(pxe(&[web.clone()]).unwrap_err().to_string(), refused, "`check` and `bundle` say the same");
    assert!(refused.contains("web01"), "{refused}");
    web.interfaces = vec!["52:54:00:00:00:0b".parse().unwrap()];
    require_found(&web).unwrap();
}

/// A `search` asks every disk, and asks again before it gives up: sixty hosts would be sixty such rounds.
#[test]
fn disks_are_asked_for_done_files_once_however_many_hosts_there_are() {
    let hosts: Vec<_> = (1..=60).map(|number| host(&format!("web{number}"), number)).collect();
    let text = usb(AgentStart::Kernel, &hosts).unwrap();
    assert!(parses(&text), "{text}");
    assert_eq!(text.matches("'/EFI/ironstrap/done-").count(), 60);
    let commands = |name: &str| text.lines().filter(|line| line.trim_start().starts_with(name)).count();
    assert_eq!((commands("search"), commands("find_done ")), (0, 1), "{text}");
    let finds = text.split_once("function find_done {").unwrap().1.split_once("\n}\n").unwrap().0;
    assert_eq!(finds.matches("(hd*)").count(), 1, "{finds}");
}

#[test]
fn an_unknown_machine_starts_its_own_system_and_never_the_agent() {
    let scripts = pxe(&[host("web01", 1)]).unwrap();
    let main = &scripts.last().unwrap().text;
    assert!(!main.contains("linux "), "{main}");
    let unknown = main.split_once("menuentry 'Boot from disk").unwrap().1;
    assert!(unknown.contains("--id disk {\n    start_installed\n"), "{main}");
    assert!(unknown.contains("\n    exit 1\n  }"), "{main}");
    // the first loader found there may be any stick's
    assert!(!main.contains("(hd*)/EFI/BOOT") && main.contains("regexp '/EFI/[Bb][Oo][Oo][Tt]/'"), "{main}");
}

/// What GRUB says to the firmware when it ends: a success would end in the setup menu.
#[test]
fn no_script_ends_with_success() {
    let mut texts = vec![usb(AgentStart::Kernel, &[host("web01", 1)]).unwrap()];
    texts.extend(pxe(&[host("web01", 1)]).unwrap().into_iter().map(|script| script.text));
    for text in texts {
        let ends: Vec<_> = text.lines().map(str::trim).filter(|line| line.starts_with("exit")).collect();
        assert_eq!(ends, ["exit 1"], "{text}");
    }
}

#[test]
fn no_value_leaves_its_quotes() {
    assert_eq!(quote("a'b; reboot").unwrap(), r"'a'\''b; reboot'");
    assert!(quote("a\nreboot").is_err());
    for text in ["$root", "`x`", "{ x }", "a\\", "#c", "'", "''", "\"", "ü"] {
        let line = format!("echo {} end\n", quote(text).unwrap());
        assert!(parses(&line), "{line}");
    }
    assert!(!parses("echo 'open\n") || Command::new("grub-script-check").arg("-V").output().is_err());
}
