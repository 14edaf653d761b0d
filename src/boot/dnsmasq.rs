//! Configurations of dnsmasq that start machines from a PXE tree: beside another DHCP server, or as the only one.
//!
//! They are two files, because dnsmasq's two ways don't go together: with `pxe-service` lines a server that also gives addresses
//! makes an offer that UEFI refuses (PXE-E16).
//!
//! Promised of a file that is written: dnsmasq starts with it, offers each named host its address (one of the network's free
//! ones where it has none of its own), and names no router but the profile's. What can't be promised is refused, with names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use ipnet::Ipv4Net;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::template::render;
use crate::spec::order::HostMatch;
use crate::spec::system::{Ipv4, NetworkSpec};
use crate::value::{HostName, Mac};

/// One host as DHCP sees it.
#[derive(Debug, Clone)]
pub struct DhcpHost {
    /// Its name.
    pub host: HostName,
    /// How it is recognised.
    pub matching: HostMatch,
    /// Its network.
    pub network: NetworkSpec,
    /// Where it finds the site's server, if that is said by address.
    pub server: Option<Ipv4Addr>,
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

/// A network as the template shows it.
#[derive(Debug, Serialize)]
struct Network {
    tag: String,
    address: String,
    mask: String,
    pool: Option<Pool>,
    gateway: Option<String>,
    guessed: bool,
}

/// First and last address for hosts that have none of their own.
#[derive(Debug, Serialize)]
struct Pool {
    first: String,
    last: String,
}

#[derive(Debug, Serialize)]
struct Gateway {
    tag: String,
    address: String,
}

/// One `dhcp-host` line: these cards, one at a time, are this host and have this address.
#[derive(Debug, Serialize)]
struct Line {
    macs: Vec<String>,
    tag: Option<String>,
    address: Option<String>,
    name: String,
}

/// The tag of hosts whose address comes from a pool.
const BY_DHCP: &str = "by-dhcp";

/// The configuration for the networks that the hosts are in.
///
/// # Errors
/// Two hosts with one address or one card: dnsmasq would not start, or mistake one for the other. A network with no free
/// address for a host with `ipv4: dhcp`.
pub fn config(role: Role, hosts: &[DhcpHost]) -> Result<String> {
    if role == Role::Server {
        require_distinct(hosts)?;
    }
    let gateways: BTreeSet<_> = hosts.iter().flat_map(fixed).filter_map(|(_, _, gateway)| gateway).collect();
    let gateways: BTreeMap<_, _> = gateways
        .into_iter()
        .zip(1..)
        .map(|(address, number)| (address, format!("gateway{number}")))
        .collect();
    let lines: Vec<_> = hosts.iter().flat_map(|host| lines(host, &gateways)).collect();
    let by_dhcp =
        lines.iter().filter(|line| line.address.is_none()).map(|line| line.macs.len()).sum::<usize>();
    let wanted = if role == Role::Server { by_dhcp } else { 0 };
    let networks = networks(hosts, wanted)?;
    let unknown = wanted > 0 && networks.is_empty();
    let gateways: Vec<_> =
        gateways.into_iter().map(|(address, tag)| Gateway { tag, address: address.to_string() }).collect();
    let values = context! {
        networks => Value::from(Serde(&networks)),
        gateways => Value::from(Serde(&gateways)),
        hosts => Value::from(Serde(&lines)),
        unknown,
    };
    render(role.file(), role.template(), field, values)
}

/// Fixed addresses of a host: card, address, gateway.
fn fixed(host: &DhcpHost) -> impl Iterator<Item = (Mac, Ipv4Net, Option<Ipv4Addr>)> {
    host.network.interfaces.iter().filter_map(|card| match card.ipv4 {
        Ipv4::Static { address, gateway } => Some((card.mac, address, gateway)),
        Ipv4::Dhcp => None,
    })
}

/// The cards of a host, those that only recognise it too.
fn cards(host: &DhcpHost) -> BTreeSet<Mac> {
    let interfaces = host.network.interfaces.iter().map(|card| card.mac);
    host.matching.macs.iter().copied().chain(interfaces).collect()
}

fn require_distinct(hosts: &[DhcpHost]) -> Result<()> {
    let mut addresses: BTreeMap<Ipv4Addr, &HostName> = BTreeMap::new();
    let mut macs: BTreeMap<Mac, &HostName> = BTreeMap::new();
    for host in hosts {
        for (_, net, _) in fixed(host) {
            let address = net.addr();
            match addresses.insert(address, &host.host) {
                Some(other) if *other == host.host => bail!(
                    "{other} has the address {address} at two interfaces: dnsmasq would not start; give each its own"
                ),
                Some(other) => bail!(
                    "{other} and {} both have the address {address}: dnsmasq would not start; give each its own",
                    host.host
                ),
                None => {}
            }
        }
        for mac in cards(host) {
            if let Some(other) = macs.insert(mac, &host.host) {
                bail!(
                    "{other} and {} both have the card {mac}: over the network nothing else tells them apart; correct `match.mac` or `network`",
                    host.host
                );
            }
        }
    }
    Ok(())
}

/// Cards that only recognise a host get the first fixed address, as the host may start from any of them; those with
/// `ipv4: dhcp` one from a pool.
fn lines(host: &DhcpHost, gateways: &BTreeMap<Ipv4Addr, String>) -> Vec<Line> {
    let name = host.host.short().to_owned();
    let own: BTreeSet<_> = host.network.interfaces.iter().map(|card| card.mac).collect();
    let mut spare: Vec<_> = cards(host).difference(&own).map(ToString::to_string).collect();
    let mut lines: Vec<_> = fixed(host)
        .map(|(mac, net, gateway)| {
            let mut macs = vec![mac.to_string()];
            macs.append(&mut spare);
            let tag = gateway.and_then(|gateway| gateways.get(&gateway)).cloned();
            Line { macs, tag, address: Some(net.addr().to_string()), name: name.clone() }
        })
        .collect();
    let dynamic = host.network.interfaces.iter().filter(|card| card.ipv4 == Ipv4::Dhcp);
    let macs = spare.into_iter().chain(dynamic.map(|card| card.mac.to_string()));
    lines.extend(macs.map(|mac| Line {
        macs: vec![mac],
        tag: Some(BY_DHCP.to_owned()),
        address: None,
        name: name.clone(),
    }));
    lines
}

/// The networks of the hosts, each with room for so many that have no address of their own. Nothing says in which network
/// these are, so each could be asked for all.
fn networks(hosts: &[DhcpHost], by_dhcp: usize) -> Result<Vec<Network>> {
    let mut nets: BTreeSet<Ipv4Net> = hosts.iter().flat_map(fixed).map(|(_, net, _)| net.trunc()).collect();
    let servers: BTreeSet<_> = hosts.iter().filter_map(|host| host.server).collect();
    let guessed = nets.is_empty() && by_dhcp > 0;
    if guessed {
        nets.extend(servers.iter().filter_map(|server| Some(Ipv4Net::new(*server, 24).ok()?.trunc())));
    }
    let mut taken = servers;
    for (_, net, gateway) in hosts.iter().flat_map(fixed) {
        taken.insert(net.addr());
        taken.extend(gateway);
    }
    let one = |(net, number): (&Ipv4Net, usize)| {
        let inside: BTreeSet<_> = hosts
            .iter()
            .flat_map(fixed)
            .filter(|(_, own, _)| own.trunc() == *net)
            .map(|(_, _, gateway)| gateway)
            .collect();
        // where they disagree, nobody knows which is right for a further host
        let gateway = match inside.iter().collect::<Vec<_>>().as_slice() {
            [Some(one)] => Some(one.to_string()),
            _ => None,
        };
        Ok(Network {
            tag: format!("network{number}"),
            address: net.network().to_string(),
            mask: net.netmask().to_string(),
            pool: (by_dhcp > 0).then(|| pool(*net, &taken, by_dhcp)).transpose()?,
            gateway,
            guessed,
        })
    };
    nets.iter().zip(1..).map(one).collect()
}

/// Addresses at the end of the longest gap between those that are taken: networks are filled from the start. Twice as many as
/// are wanted, so that one that answers the ping can be passed over.
fn pool(net: Ipv4Net, taken: &BTreeSet<Ipv4Addr>, wanted: usize) -> Result<Pool> {
    let (low, high) = (u32::from(net.network()), u32::from(net.broadcast()));
    // the gateways of most networks that nobody names are at one of the ends
    let edges = if net.prefix_len() <= 28 { 2 } else { 1 };
    let mut limits = vec![low.saturating_add(edges - 1)];
    limits.extend(
        taken.iter().map(|address| u32::from(*address)).filter(|address| (low..=high).contains(address)),
    );
    limits.push(high.saturating_sub(edges - 1));
    limits.sort_unstable();
    let gap =
        limits.windows(2).map(|pair| (pair[1].saturating_sub(pair[0]).saturating_sub(1), pair[1])).max();
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    match gap {
        Some((room, end)) if room >= wanted => {
            let count = wanted.saturating_mul(2).min(room);
            Ok(Pool {
                first: Ipv4Addr::from(end - count).to_string(),
                last: Ipv4Addr::from(end - 1).to_string(),
            })
        }
        _ => bail!(
            "{net} has no {wanted} free addresses side by side for the hosts with `ipv4: dhcp`; give them addresses of their own"
        ),
    }
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
        assert_eq!(text.matches("\ndhcp-range=10.0.0.0,proxy,255.255.255.0\n").count(), 1, "{text}");
        assert!(!text.contains("dhcp-host"), "{text}");
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
    fn one_address_or_card_of_two_hosts_is_refused_by_name() {
        let a = host("a", "52:54:00:12:34:56", Some("10.0.0.11/24"));
        let b = host("b", "52:54:00:12:34:57", Some("10.0.0.11/24"));
        let error = config(Role::Server, &[a.clone(), b]).unwrap_err().to_string();
        assert!(error.contains("a and b both have the address 10.0.0.11"), "{error}");
        let b = host("b", "52:54:00:12:34:56", Some("10.0.0.12/24"));
        let error = config(Role::Server, &[a, b]).unwrap_err().to_string();
        assert!(error.contains("both have the card 52:54:00:12:34:56"), "{error}");
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
