//! What is written for DHCP, run by the programs that it is for: each server in a network namespace of its own, asked by
//! busybox's client, and by one that asks for many machines at once. Needs root.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;
mod command;
#[path = "../support/expect.rs"]
mod expect;
mod family;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ironstrap::boot::dhcp::{Dialect, snippet};
use ironstrap::boot::dnsmasq::{DhcpHost, Role, config};
use ironstrap::spec::order::HostMatch;
use ironstrap::spec::system::{Interface, Ipv4, NetworkSpec};

/// Two namespaces with a cable between them: a server's and a client's.
struct Cable {
    name: String,
    server: Option<Child>,
}

impl Cable {
    /// `None`, and a line that says so, where it can't be made.
    fn new(test: &str, address: &str) -> Option<Self> {
        let cable = Self { name: format!("isdhcp{}-{test}", std::process::id()), server: None };
        let (s, c) = (format!("{}s", cable.name), format!("{}c", cable.name));
        for line in [
            format!("netns add {s}"),
            format!("netns add {c}"),
            format!("-n {s} link add eth0 type veth peer name eth0 netns {c}"),
            format!("-n {s} link set lo up"),
            format!("-n {s} address add {address} dev eth0"),
            format!("-n {s} link set eth0 up"),
            format!("-n {c} link set eth0 up"),
        ] {
            let output = Command::new("ip").args(line.split(' ')).output();
            if !output.is_ok_and(|output| output.status.success()) {
                expect::unavailable(&format!("`ip {line}` (package iproute2, as root) isn't permitted here"));
                return None;
            }
        }
        if Command::new("udhcpc").arg("--help").output().is_err() {
            expect::missing_program("udhcpc", "udhcpc");
            return None;
        }
        Some(cable)
    }

    fn run_in(&self, side: char) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}{side}", self.name)]).stdin(Stdio::null());
        command
    }

    fn dnsmasq(&mut self, text: &str, dir: &Path) {
        self.start_dnsmasq(text, dir, &[]);
        std::thread::sleep(Duration::from_millis(700));
        self.require_dnsmasq(dir);
    }

    /// The same in place of one that runs already, for a client that asks again while it begins.
    fn dnsmasq_at_once(&mut self, text: &str, dir: &Path) {
        if let Some(mut child) = self.server.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let file = format!("--conf-file={}", dir.join("dnsmasq.conf").display());
        std::fs::write(dir.join("dnsmasq.conf"), text).unwrap();
        let judged = Command::new("dnsmasq").args(["--test", &file]).output().unwrap();
        assert!(judged.status.success(), "{judged:?}\n{text}");
        self.start_dnsmasq(text, dir, &["--no-ping"]);
    }

    fn start_dnsmasq(&mut self, text: &str, dir: &Path, more: &[&str]) {
        let (path, log) = (dir.join("dnsmasq.conf"), dir.join("log"));
        std::fs::write(&path, text).unwrap();
        let mut command = self.run_in('s');
        command.args(["dnsmasq", "--no-daemon", "--user=root", "--leasefile-ro", "--pid-file="]).args(more);
        command.arg(format!("--conf-file={}", path.display())).arg(format!("--tftp-root={}", dir.display()));
        self.server = Some(command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap());
    }

    /// That it hasn't ended.
    fn require_dnsmasq(&mut self, dir: &Path) {
        let ended = self.server.as_mut().unwrap().try_wait().unwrap();
        assert!(ended.is_none(), "{}", std::fs::read_to_string(dir.join("log")).unwrap());
    }

    /// Gives the server these addresses in place of those it has.
    fn readdress(&self, addresses: &[&str]) {
        let mut lines = vec!["address flush dev eth0".to_owned()];
        lines.extend(addresses.iter().map(|address| format!("address add {address} dev eth0")));
        for line in lines {
            let output = self.run_in('s').arg("ip").args(line.split(' ')).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
    }

    /// What a machine with this card, an x86-64 UEFI, gets: the client's variables; `None` when nobody offers.
    fn ask(&self, mac: &str, dir: &Path) -> Option<BTreeMap<String, String>> {
        self.ask_as(mac, "0007", dir)
    }

    /// The same for a machine of this architecture (option 93).
    fn ask_as(&self, mac: &str, arch: &str, dir: &Path) -> Option<BTreeMap<String, String>> {
        let arch = format!("0x5d:{arch}");
        let script = dir.join("script");
        std::fs::write(&script, format!("#!/bin/sh\n[ \"$1\" != bound ] || env >{}/got\n", dir.display()))
            .unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let _ = std::fs::remove_file(dir.join("got"));
        let link = self.run_in('c').args(["ip", "link", "set", "eth0", "address", mac]).status().unwrap();
        assert!(link.success());
        let mut client = self.run_in('c');
        client.args(["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "3", "-T", "2", "-x", &arch, "-s"]);
        client.arg(&script).output().unwrap();
        let text = std::fs::read_to_string(dir.join("got")).ok()?;
        Some(
            text.lines()
                .filter_map(|line| line.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
        )
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        for side in ['s', 'c'] {
            let _ = Command::new("ip").args(["netns", "delete", &format!("{}{side}", self.name)]).output();
        }
    }
}

/// A card and its fixed address with a gateway.
type Card<'a> = (&'a str, Option<(&'a str, Option<&'a str>)>);

fn host(name: &str, spare: &[&str], cards: &[Card<'_>]) -> DhcpHost {
    let interfaces = cards.iter().map(|(mac, ipv4)| Interface {
        mac: mac.parse().unwrap(),
        ipv4: ipv4.map_or(Ipv4::Dhcp, |(address, gateway)| Ipv4::Static {
            address: address.parse().unwrap(),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        }),
    });
    DhcpHost {
        host: name.parse().unwrap(),
        matching: HostMatch {
            macs: spare.iter().map(|mac| mac.parse().unwrap()).collect(),
            ..HostMatch::default()
        },
        network: NetworkSpec { interfaces: interfaces.collect(), ..NetworkSpec::default() },
        server: Some("10.0.0.2".parse().unwrap()),
    }
}

const A: &str = "52:54:00:12:34:01";
const B: &str = "52:54:00:12:34:02";
const C: &str = "52:54:00:12:34:03";
const D: &str = "52:54:00:12:34:04";

#[test]
fn each_named_host_gets_its_address_and_the_profiles_gateway() {
    let Some(mut cable) = Cable::new("all", "10.0.0.2/24") else { return };
    let dir = tempfile::tempdir().unwrap();
    let hosts = [
        host("web01", &[B], &[(A, Some(("10.0.0.11/24", Some("10.0.0.1"))))]),
        host("web02", &[], &[(C, Some(("10.0.0.12/24", None)))]),
        host("db01", &[], &[(D, None)]),
    ];
    cable.dnsmasq(&config(Role::Server, &hosts).unwrap(), dir.path());
    let got = cable.ask(A, dir.path()).unwrap();
    assert_eq!((got["ip"].as_str(), got["router"].as_str()), ("10.0.0.11", "10.0.0.1"), "{got:?}");
    assert_eq!(got["boot_file"], "bootx64.efi", "{got:?}");
    let got = cable.ask(C, dir.path()).unwrap();
    assert_eq!((got["ip"].as_str(), got.get("router")), ("10.0.0.12", None), "{got:?}");
    let got = cable.ask(D, dir.path()).unwrap();
    assert!(
        got["ip"].starts_with("10.0.0.") && !["10.0.0.1", "10.0.0.2"].contains(&got["ip"].as_str()),
        "{got:?}"
    );
    let got = cable.ask(B, dir.path()).unwrap();
    assert_eq!(got["ip"], "10.0.0.11", "the second card: {got:?}");
    assert_eq!(cable.ask("52:54:00:12:34:99", dir.path()), None, "a stranger");
}

#[test]
fn hosts_without_fixed_addresses_get_some_of_the_servers_network() {
    let Some(mut cable) = Cable::new("dhcp", "10.0.0.2/24") else { return };
    let dir = tempfile::tempdir().unwrap();
    let hosts = [host("db01", &[], &[(A, None)]), host("db02", &[B], &[])];
    cable.dnsmasq(&config(Role::Server, &hosts).unwrap(), dir.path());
    for mac in [A, B] {
        let got = cable.ask(mac, dir.path()).unwrap();
        assert!(got["ip"].starts_with("10.0.0.") && !got.contains_key("router"), "{got:?}");
    }
    assert_eq!(cable.ask(C, dir.path()), None, "a stranger");
}

/// What is written for a server that is there; the tree is at 10.0.0.2.
fn written(dialect: Dialect) -> String {
    snippet(dialect, "10.0.0.2".parse().unwrap()).unwrap()
}

/// Whether a server's program is there; says so if not.
fn is_there(program: &str, package: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        expect::missing_program(program, package);
    }
    there
}

/// The three values reach UEFI x86-64, and nobody else is told a boot file.
fn starts_uefi_only(cable: &Cable, dir: &Path) {
    for (arch, file) in [("0007", Some("bootx64.efi")), ("0009", Some("bootx64.efi")), ("0000", None)] {
        let got = cable.ask_as(A, arch, dir).unwrap();
        assert_eq!(got.get("boot_file").map(String::as_str), file, "{arch}: {got:?}");
        assert_eq!(got.get("siaddr").map(String::as_str), file.map(|_| "10.0.0.2"), "{arch}: {got:?}");
    }
}

#[test]
fn the_snippet_makes_kea_start_uefi_machines() {
    let Some(mut cable) = Cable::new("kea", "10.0.0.1/24") else { return };
    if !is_there("kea-dhcp4", "kea-dhcp4-server") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&written(Dialect::Kea)).unwrap();
    let path = dir.path().join("kea.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let places = [("KEA_PIDFILE_DIR", dir.path()), ("KEA_LOCKFILE_DIR", dir.path())];
    let judged = Command::new("kea-dhcp4").arg("-t").arg(&path).envs(places).output().unwrap();
    assert!(judged.status.success(), "{judged:?}");
    config["Dhcp4"]["interfaces-config"] = serde_json::json!({ "interfaces": ["eth0"] });
    config["Dhcp4"]["lease-database"] = serde_json::json!({ "type": "memfile", "persist": false });
    config["Dhcp4"]["subnet4"] =
        serde_json::json!([{ "subnet": "10.0.0.0/24", "pools": [{ "pool": "10.0.0.100-10.0.0.120" }] }]);
    std::fs::write(&path, config.to_string()).unwrap();
    // the interface is up a moment after its link
    std::thread::sleep(Duration::from_secs(1));
    let mut command = cable.run_in('s');
    command.args(["kea-dhcp4", "-c"]).arg(&path).envs(places).stdout(Stdio::null());
    cable.server = Some(command.spawn().unwrap());
    std::thread::sleep(Duration::from_secs(3));
    starts_uefi_only(&cable, dir.path());
}

#[test]
fn the_snippet_makes_isc_dhcpd_start_uefi_machines() {
    let Some(mut cable) = Cable::new("isc", "10.0.0.1/24") else { return };
    if !is_there("dhcpd", "isc-dhcp-server") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (path, leases) = (dir.path().join("dhcpd.conf"), dir.path().join("leases"));
    let subnet = "subnet 10.0.0.0 netmask 255.255.255.0 { range 10.0.0.100 10.0.0.120; }\n";
    std::fs::write(&path, written(Dialect::Isc) + subnet).unwrap();
    std::fs::write(&leases, "").unwrap();
    let judged = Command::new("dhcpd").args(["-t", "-cf"]).arg(&path).output().unwrap();
    assert!(judged.status.success(), "{judged:?}");
    let mut command = cable.run_in('s');
    command.args(["dhcpd", "-f", "--no-pid", "-cf"]).arg(&path).arg("-lf").arg(&leases).arg("eth0");
    cable.server = Some(command.stderr(Stdio::null()).spawn().unwrap());
    std::thread::sleep(Duration::from_secs(2));
    starts_uefi_only(&cable, dir.path());
}
