//! Configurations of dnsmasq that start machines from a PXE tree: beside another DHCP server, or as the only one.
//!
//! They are two files, because dnsmasq's two ways don't go together: with `pxe-service` lines a server that also gives addresses
//! makes an offer that UEFI refuses (PXE-E16).

use std::collections::BTreeSet;

use anyhow::Result;
use ipnet::Ipv4Net;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::template::render;
use crate::spec::order::HostMatch;
use crate::spec::system::{Ipv4, NetworkSpec};
use crate::value::HostName;

/// One host as DHCP sees it.
#[derive(Debug, Clone)]
pub struct DhcpHost {
    /// Its name.
    pub host: HostName,
    /// How it is recognised.
    pub matching: HostMatch,
    /// Its network.
    pub network: NetworkSpec,
}

/// What dnsmasq is to its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Another server gives the addresses; this one only says what to boot.
    Proxy,
    /// The only server: it gives hosts their addresses too.
    Server,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Proxy, Self::Server];

    /// Name of the file in the tree.
    pub fn file(self) -> &'static str {
        match self {
            Self::Proxy => "dnsmasq.conf",
            Self::Server => "dnsmasq-dhcp.conf",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Proxy => include_str!("../../netboot/dnsmasq.conf"),
            Self::Server => include_str!("../../netboot/dnsmasq-dhcp.conf"),
        }
    }
}

/// The configuration for the networks that the hosts are in.
///
/// # Errors
/// Only by a mistake in the template.
pub fn config(role: Role, hosts: &[DhcpHost]) -> Result<String> {
    #[derive(Serialize)]
    struct Network {
        address: String,
        mask: String,
    }
    #[derive(Serialize)]
    struct Line {
        mac: String,
        address: Option<String>,
        name: String,
    }
    let mut networks: BTreeSet<Ipv4Net> = BTreeSet::new();
    let mut lines = Vec::new();
    for host in hosts {
        let interfaces = &host.network.interfaces;
        let fixed = |ipv4: &Ipv4| match ipv4 {
            Ipv4::Static { address, .. } => Some(*address),
            Ipv4::Dhcp => None,
        };
        networks.extend(interfaces.iter().filter_map(|i| fixed(&i.ipv4)).map(|net| net.trunc()));
        let macs: BTreeSet<_> =
            host.matching.macs.iter().copied().chain(interfaces.iter().map(|i| i.mac)).collect();
        for mac in macs {
            let own = interfaces.iter().find(|i| i.mac == mac).and_then(|i| fixed(&i.ipv4));
            let address = own.map(|net| net.addr().to_string());
            lines.push(Line { mac: mac.to_string(), address, name: host.host.short().to_owned() });
        }
    }
    let networks: Vec<_> = networks
        .into_iter()
        .map(|net| Network { address: net.network().to_string(), mask: net.netmask().to_string() })
        .collect();
    let values = context! { networks => Value::from(Serde(&networks)), hosts => Value::from(Serde(&lines)) };
    render(role.file(), role.template(), field, values)
}

/// One field of a dnsmasq line. Addresses and names are all that goes in; anything else is a mistake of ours.
fn field(text: &str) -> Result<String, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || ".:-".contains(c);
    if text.is_empty() || !text.chars().all(good) {
        return Err(format!("`{}` is no field of a dnsmasq line", text.escape_debug()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::spec::system::Interface;

    fn host(name: &str, mac: &str, address: Option<&str>) -> DhcpHost {
        let mac = mac.parse().unwrap();
        let ipv4 =
            address.map_or(Ipv4::Dhcp, |a| Ipv4::Static { address: a.parse().unwrap(), gateway: None });
        DhcpHost {
            host: name.parse().unwrap(),
            matching: HostMatch { macs: vec![mac], ..HostMatch::default() },
            network: NetworkSpec { interfaces: vec![Interface { mac, ipv4 }], ..NetworkSpec::default() },
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
        assert_eq!(text.matches("\ndhcp-range=10.0.0.0,proxy,255.255.255.0\n").count(), 1, "{text}");
        assert!(!text.contains("dhcp-host"), "{text}");
        let text = config(Role::Server, &hosts).unwrap();
        assert_eq!(text.matches("\ndhcp-range=10.0.0.0,static,255.255.255.0\n").count(), 1, "{text}");
        assert!(!text.contains("pxe-service"), "{text}");
        assert!(text.contains("\ndhcp-host=52:54:00:12:34:56,10.0.0.11,web01\n"), "{text}");
        assert!(text.contains("\ndhcp-host=52:54:00:12:34:58,db01\n"), "{text}");
        for role in Role::ALL {
            is_accepted(&config(role, &hosts).unwrap());
            is_accepted(&config(role, &[]).unwrap());
        }
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
            Err(_) => crate::skip_tests::missing("dnsmasq", "dnsmasq-base"),
        }
    }

    #[test]
    fn a_field_can_not_become_two() {
        for text in ["a,b", "a b", "a\nb", "", "a#b"] {
            assert!(field(text).is_err(), "{text}");
        }
    }
}
