//! `ironstrap dhcp`, and what `check` says of hosts whose network nothing tells.

use std::path::Path;
use std::process::{Command, Output};

use super::is_there;

/// A site with a host that has a fixed address, if one is given, and one that hasn't.
fn site(server: &str, address: Option<&str>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: String| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let host = |name: &str, number: u8, ipv4: String| {
        let mac = format!("52:54:00:12:34:0{number}");
        let cards = format!("interfaces: [{{ match: {{ mac: \"{mac}\" }}, ipv4: {ipv4} }}]");
        format!(
            "name: {name}\nmatch: {{ mac: [\"{mac}\"] }}\nimage: test@1\nstorage: {{ target: {{ serial: D{number} }} }}\n\
             network: {{ {cards} }}\n"
        )
    };
    write("site.yaml", format!("name: test\nserver: {server}\n"));
    write("hosts/db01.yaml", host("db01", 1, "dhcp".to_owned()));
    if let Some(address) = address {
        write("hosts/web01.yaml", host("web01", 2, format!("{{ address: {address} }}")));
    }
    dir
}

fn ironstrap(site: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironstrap")).current_dir(site).args(args).output().unwrap()
}

fn printed(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_snippet_has_the_sites_values_and_an_untested_one_says_so() {
    let site = site("http://10.0.0.2", Some("10.0.0.11/24"));
    for (server, word) in [
        ("kea", "\"next-server\": \"10.0.0.2\""),
        ("isc", "next-server 10.0.0.2;"),
        ("windows", "-OptionId 66 -Value \"10.0.0.2\""),
        ("opnsense", "10.0.0.2"),
        ("unifi", "10.0.0.2"),
    ] {
        let (out, err) = printed(&ironstrap(site.path(), &["dhcp", server]));
        assert!(out.contains(word) && out.contains("bootx64.efi"), "{server}: {out}{err}");
        let tested = ["kea", "isc"].contains(&server);
        assert_eq!(err.contains("UNTESTED") && out.contains("UNTESTED"), !tested, "{server}: {out}{err}");
        let (out, _) = printed(&ironstrap(site.path(), &["dhcp", server, "--tftp", "192.0.2.9"]));
        assert!(out.contains("192.0.2.9") && !out.contains("10.0.0.2"), "{server}: {out}");
    }
    if !is_there("dnsmasq", "dnsmasq-base") {
        return;
    }
    for server in ["dnsmasq", "dnsmasq-dhcp"] {
        let (out, err) = printed(&ironstrap(site.path(), &["dhcp", server]));
        assert!(
            out.contains("dhcp-host=52:54:00:12:34:02,10.0.0.11,web01\n") && err.is_empty(),
            "{out}{err}"
        );
        let file = site.path().join("dnsmasq.conf");
        std::fs::write(&file, &out).unwrap();
        let file = format!("--conf-file={}", file.display());
        let judged = Command::new("dnsmasq").args(["--test", &file]).output().unwrap();
        assert!(judged.status.success(), "{judged:?}\n{out}");
    }
}

#[test]
fn a_server_by_name_is_refused_where_only_an_address_will_do() {
    let site = site("http://deploy.example", None);
    let refused = ironstrap(site.path(), &["dhcp", "kea"]);
    let (out, err) = printed(&refused);
    assert!(
        refused.status.code() == Some(1) && out.is_empty() && err.contains("--tftp ADDRESS"),
        "{out}{err}"
    );
    let (out, _) = printed(&ironstrap(site.path(), &["dhcp", "kea", "--tftp", "10.0.0.2"]));
    assert!(out.contains("\"10.0.0.2\""), "{out}");
}

#[test]
fn hosts_whose_network_nothing_tells_are_told_by_check_and_by_the_command() {
    let told = "db01: `ipv4: dhcp`, while no host has a fixed address and `server`";
    let lost = site("http://deploy.example", None);
    let (_, err) = printed(&ironstrap(lost.path(), &["check"]));
    assert!(err.contains(&format!("note: {told}")), "{err}");
    let (out, _) = printed(&ironstrap(lost.path(), &["--json", "check"]));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(answer["dhcp"].as_str().unwrap().starts_with(told), "{out}");
    let (out, err) = printed(&ironstrap(lost.path(), &["dhcp", "dnsmasq-dhcp"]));
    assert!(
        out.contains("HOSTS BELOW GET NO ADDRESS") && err.contains(&format!("warning: {told}")),
        "{out}{err}"
    );
    for known in [site("http://10.0.0.2", None), site("http://deploy.example", Some("10.0.0.11/24"))] {
        let (_, err) = printed(&ironstrap(known.path(), &["check"]));
        assert!(!err.contains("`ipv4: dhcp`"), "{err}");
    }
}
