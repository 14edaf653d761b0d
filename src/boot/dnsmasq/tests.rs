//! What the files say, and that dnsmasq takes them; `tests/dhcp.rs` starts it.

use std::process::Command;

use super::*;
use crate::spec::system::Interface;

fn host(name: &str, mac: &str, address: Option<&str>) -> DhcpHost {
    let mac = mac.parse().unwrap();
    let ipv4 = address.map_or(Ipv4::Dhcp, |a| Ipv4::Static { address: a.parse().unwrap(), gateway: None });
    DhcpHost {
        host: name.parse().unwrap(),
        matching: HostMatch { macs: vec![mac], ..HostMatch::default() },
        network: NetworkSpec { interfaces: vec![Interface { mac, ipv4 }], ..NetworkSpec::default() },
        server: None,
    }
}

#[test]
fn it_speaks_on_the_networks_that_the_hosts_are_in() {
    let hosts = [
        host("web01.example.com", "52:54:00:12:34:56", Some("10.0.0.11/24")),
        host("web02", "52:54:00:12:34:57", Some("10.0.0.12/24")),
        host("db01", "52:54:00:12:34:58", None),
    ];
    let text = config(Role::Proxy, &hosts).unwrap();
    for line in [
        "dhcp-range=tag:!by-dhcp,10.0.0.0,static,255.255.255.0",
        "dhcp-range=tag:by-dhcp,10.0.0.0,proxy,255.255.255.0",
        "dhcp-host=52:54:00:12:34:56,10.0.0.11,web01",
        "dhcp-host=52:54:00:12:34:58,set:by-dhcp,db01",
    ] {
        assert_eq!(text.matches(&format!("\n{line}\n")).count(), 1, "{line}\n{text}");
    }
    assert!(
        text.lines()
            .filter(|line| line.starts_with("pxe-service"))
            .all(|line| line.contains("=tag:by-dhcp,")),
        "{text}"
    );
    let text = config(Role::Server, &hosts).unwrap();
    assert_eq!(
        text.matches("\ndhcp-range=set:network1,10.0.0.0,static,255.255.255.0\n").count(),
        1,
        "{text}"
    );
    assert!(!text.contains("pxe-service"), "{text}");
    assert!(text.contains("\ndhcp-host=52:54:00:12:34:56,10.0.0.11,web01\n"), "{text}");
    assert!(text.contains("\ndhcp-host=52:54:00:12:34:58,set:by-dhcp,db01\n"), "{text}");
    for role in Role::ALL {
        is_accepted(&config(role, &hosts).unwrap());
        is_accepted(&config(role, &[]).unwrap());
    }
}

#[test]
fn one_address_or_mac_of_two_hosts_is_refused_by_name() {
    let a = host("a", "52:54:00:12:34:56", Some("10.0.0.11/24"));
    let b = host("b", "52:54:00:12:34:57", Some("10.0.0.11/24"));
    let error = config(Role::Server, &[a.clone(), b]).unwrap_err().to_string();
    assert!(error.contains("`a` and `b` both have the address 10.0.0.11"), "{error}");
    let b = host("b", "52:54:00:12:34:56", Some("10.0.0.12/24"));
    let error = config(Role::Server, &[a, b]).unwrap_err().to_string();
    assert!(error.contains("both have the MAC address 52:54:00:12:34:56"), "{error}");
}

#[test]
fn a_pool_takes_nobodys_address_and_a_full_network_is_told() {
    let net: Ipv4Net = "10.0.0.0/24".parse().unwrap();
    let taken = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<BTreeSet<_>>();
    let found = pool(net, &taken(&["10.0.0.1", "10.0.0.11", "10.0.0.250"]), 2).unwrap();
    assert_eq!((found.first.as_str(), found.last.as_str()), ("10.0.0.246", "10.0.0.249"));
    let small: Ipv4Net = "10.0.0.0/30".parse().unwrap();
    assert!(pool(small, &taken(&["10.0.0.1", "10.0.0.2"]), 1).is_err());
    assert!(pool("10.0.0.1/32".parse().unwrap(), &taken(&[]), 1).is_err());
}

fn is_accepted(text: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dnsmasq.conf");
    std::fs::write(&path, text).unwrap();
    let file = format!("--conf-file={}", path.display());
    match Command::new("dnsmasq").args(["--test", &file]).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr))
        }
        Err(_) => crate::expect::missing_program("dnsmasq", "dnsmasq-base"),
    }
}

#[test]
fn a_field_can_not_become_two() {
    for text in ["a,b", "a b", "a\nb", "", "a#b"] {
        assert!(field(text).is_err(), "{text}");
    }
}

#[test]
fn hosts_that_no_file_can_serve_are_told_by_name() {
    let by_dhcp = host("db01", "52:54:00:12:34:58", None);
    let told = shortcomings(std::slice::from_ref(&by_dhcp));
    assert!(told.len() == 1 && told[0].starts_with("db01: `ipv4: dhcp`"), "{told:?}");
    let text = config(Role::Server, std::slice::from_ref(&by_dhcp)).unwrap();
    assert!(text.contains("HOSTS BELOW GET NO ADDRESS"), "{text}");
    let fixed = host("web01", "52:54:00:12:34:56", Some("10.0.0.11/24"));
    assert_eq!(shortcomings(&[by_dhcp.clone(), fixed]), [""; 0]);
    let known = DhcpHost { server: Some("10.0.0.2".parse().unwrap()), ..by_dhcp };
    assert_eq!(shortcomings(std::slice::from_ref(&known)), [""; 0]);
    let mut unnamed = known;
    unnamed.matching.macs.clear();
    unnamed.network.interfaces.clear();
    let told = shortcomings(&[unnamed]);
    assert!(told.len() == 1 && told[0].starts_with("db01: no MAC address"), "{told:?}");
}

#[test]
fn more_hosts_than_dnsmasq_has_leases_get_theirs() {
    let many = |count: u32| {
        let host =
            |n: u32| host(&format!("n{n}"), &format!("52:54:00:00:{:02x}:{:02x}", n / 256, n % 256), None);
        (0..count).map(host).collect::<Vec<_>>()
    };
    for role in Role::ALL {
        let text = config(role, &many(1200)).unwrap();
        assert!(text.contains("\ndhcp-lease-max=2400\n"), "{}", &text[..600]);
        is_accepted(&text);
        assert!(!config(role, &many(5)).unwrap().contains("lease-max"));
    }
}

#[test]
fn names_that_dnsmasq_takes_for_something_else_are_left_out() {
    for (name, is_kept) in
        [("ignore", false), ("infinite", false), ("12h", false), ("3s", false), ("web1h", true), ("h", true)]
    {
        let text = config(Role::Server, &[host(name, "52:54:00:12:34:56", Some("10.0.0.11/24"))]).unwrap();
        let line = format!(
            "\ndhcp-host=52:54:00:12:34:56,10.0.0.11{}\n",
            if is_kept { format!(",{name}") } else { String::new() }
        );
        assert!(text.contains(&line), "{text}");
    }
}
