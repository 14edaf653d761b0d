//! Configurations of dnsmasq that start machines from a PXE tree: beside another DHCP server, or as the only one.
//!
//! Promised of a file that is written: dnsmasq starts with it, offers each named host its address (as the only server, one of the
//! network's free ones where it has none of its own), names no router but the profile's, and answers no machine that isn't named.
//! What can't be promised is refused or told, with names.
//!
//! Beside another server, a host with a fixed address is still offered it: Debian's GRUB takes the TFTP server from the message that
//! gave the address and never from a proxy's. `pxe-service` lines must not match such a host: with them, dnsmasq makes an
//! offer that UEFI refuses (PXE-E16).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use ipnet::Ipv4Net;
use minijinja::context;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::template::render;
use crate::host::Host;
use crate::host::owners::{Owners, Thing};
use crate::spec::order::HostMatch;
use crate::spec::system::{Ipv4, NetworkSpec};
use crate::value::{HostName, HttpUrl, Mac};

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

/// The address of the site's server, where that isn't a name.
pub fn address(server: Option<&HttpUrl>) -> Option<Ipv4Addr> {
    server?.host().parse().ok()
}

/// What no file of dnsmasq can do for these hosts, a sentence each; empty where the files do all that they promise.
pub fn shortcomings(hosts: &[DhcpHost]) -> Vec<String> {
    let nameless: Vec<_> = hosts.iter().filter(|host| macs(host).is_empty()).collect();
    let told = (!nameless.is_empty()).then(|| {
        format!(
            "{}: no MAC address is known, so the files for dnsmasq can't name them and start none of them; add `match.mac`",
            names(&nameless)
        )
    });
    told.into_iter().chain(astray(hosts)).collect()
}

/// That nothing says in which network the hosts with `ipv4: dhcp` are.
pub fn astray(hosts: &[DhcpHost]) -> Option<String> {
    let is_known = hosts.iter().any(|host| host.server.is_some() || fixed(host).next().is_some());
    let asking: Vec<_> = hosts.iter().filter(|host| asks(host)).collect();
    (!is_known && !asking.is_empty()).then(|| {
        format!(
            "{}: `ipv4: dhcp`, while no host has a fixed address and `server` of site.yaml is no IPv4 address: nothing says which network that is, so the files for dnsmasq start none of them; write `server` as an address, or the range into the file",
            names(&asking)
        )
    })
}

/// The names of these hosts, of many only the first.
fn names(hosts: &[&DhcpHost]) -> String {
    let names: Vec<_> = hosts.iter().map(|host| host.host.as_str()).collect();
    match names.split_at_checked(5) {
        Some((some, rest)) if rest.len() > 1 => format!("{} and {} more", some.join(", "), rest.len()),
        _ => names.join(", "),
    }
}

/// What dnsmasq is to its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Another server gives the addresses; this one says what to boot, and offers fixed addresses to the firmware of their hosts.
    Proxy,
    /// The only server: it gives hosts their addresses too.
    Server,
}

impl DhcpHost {
    /// A host of the site, whose server is found there.
    pub fn of(host: &Host, server: Option<Ipv4Addr>) -> Self {
        let (name, matching) = (host.name.clone(), host.matching.clone());
        Self { host: name, matching, network: host.network.for_agent(), server }
    }
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

/// One `dhcp-host` line: these interfaces, one at a time, are this host and have this address.
#[derive(Debug, Serialize)]
struct Line {
    words: Vec<String>,
    #[serde(skip)]
    by_dhcp: bool,
}

/// So many leases dnsmasq gives unless it is told.
const USUAL_LEASES: usize = 1000;

/// The tag of hosts whose address comes from a pool.
const BY_DHCP: &str = "by-dhcp";

/// The configuration for the networks that the hosts are in.
///
/// # Errors
/// Two hosts with one address or one interface: dnsmasq would not start, or mistake one for the other. A network with no free
/// address for a host with `ipv4: dhcp`.
pub fn config(role: Role, hosts: &[DhcpHost]) -> Result<String> {
    require_distinct(hosts)?;
    let gateways: BTreeSet<_> = hosts.iter().flat_map(fixed).filter_map(|(_, _, gateway)| gateway).collect();
    let gateways: BTreeMap<_, _> = gateways
        .into_iter()
        .zip(1..)
        .map(|(address, number)| (address, format!("gateway{number}")))
        .collect();
    let lines: Vec<_> = hosts.iter().flat_map(|host| lines(host, &gateways)).collect();
    let by_dhcp = lines.iter().filter(|line| line.by_dhcp).count();
    let interfaces: usize = hosts.iter().map(|host| macs(host).len()).sum();
    let networks = networks(hosts, by_dhcp, role)?;
    let unknown = by_dhcp > 0 && networks.is_empty();
    let gateways: Vec<_> =
        gateways.into_iter().map(|(address, tag)| Gateway { tag, address: address.to_string() }).collect();
    let values = context! {
        networks => Value::from(Serde(&networks)),
        gateways => Value::from(Serde(&gateways)),
        hosts => Value::from(Serde(&lines)),
        unknown,
        by_dhcp => by_dhcp > 0,
        leases => (interfaces > USUAL_LEASES / 2).then(|| (interfaces * 2).to_string()),
    };
    render(role.file(), role.template(), field, values)
}

/// Fixed addresses of a host: its MAC, address, gateway.
fn fixed(host: &DhcpHost) -> impl Iterator<Item = (Mac, Ipv4Net, Option<Ipv4Addr>)> {
    host.network.interfaces.iter().filter_map(|interface| match interface.ipv4 {
        Ipv4::Static { address, gateway } => Some((interface.mac, address, gateway)),
        Ipv4::Dhcp => None,
    })
}

/// Some interface of it gets its address from a pool.
fn asks(host: &DhcpHost) -> bool {
    let by_dhcp = host.network.interfaces.iter().any(|interface| interface.ipv4 == Ipv4::Dhcp);
    by_dhcp || (fixed(host).next().is_none() && !macs(host).is_empty())
}

/// The MACs of a host, those that only recognise it too.
fn macs(host: &DhcpHost) -> BTreeSet<Mac> {
    let interfaces = host.network.interfaces.iter().map(|interface| interface.mac);
    host.matching.macs.iter().copied().chain(interfaces).collect()
}

/// What `check` finds too, for sites that waive it and for trees of some hosts.
fn require_distinct(hosts: &[DhcpHost]) -> Result<()> {
    let mut owners = Owners::default();
    for host in hosts {
        let owner = owners.add(host.host.as_str());
        for (_, net, _) in fixed(host) {
            if let Some(clash) = owners.claim(Thing::Address(net.addr().into()), owner, ()) {
                bail!(
                    "{clash}: dnsmasq would not start for anybody; give each its own, or make a tree for each with `bundle --host`"
                );
            }
        }
        for mac in macs(host) {
            if let Some(clash) = owners.claim(Thing::Mac(mac), owner, ()) {
                bail!(
                    "{clash}: over the network nothing else tells them apart; correct `match.mac` or `network`"
                );
            }
        }
    }
    Ok(())
}

/// Whether dnsmasq reads it as something else than a name: `ignore`, or the time of a lease.
fn is_dnsmasqs(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let number = name.strip_suffix(['s', 'm', 'h', 'd', 'w']).unwrap_or(&name);
    ["ignore", "infinite"].contains(&name.as_str())
        || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Interfaces that only recognise a host get the first fixed address, as the host may start from any of them; those with
/// `ipv4: dhcp` one from a pool.
fn lines(host: &DhcpHost, gateways: &BTreeMap<Ipv4Addr, String>) -> Vec<Line> {
    let name = Some(host.host.short()).filter(|name| !is_dnsmasqs(name)).map(str::to_owned);
    let own: BTreeSet<_> = host.network.interfaces.iter().map(|interface| interface.mac).collect();
    let mut spare: Vec<_> = macs(host).difference(&own).map(ToString::to_string).collect();
    let mut lines: Vec<_> = fixed(host)
        .map(|(mac, net, gateway)| {
            let mut words = vec![mac.to_string()];
            words.append(&mut spare);
            let tag = gateway.and_then(|gateway| gateways.get(&gateway));
            words.extend(tag.map(|tag| format!("set:{tag}")));
            words.push(net.addr().to_string());
            words.extend(name.clone());
            Line { words, by_dhcp: false }
        })
        .collect();
    let dynamic = host.network.interfaces.iter().filter(|interface| interface.ipv4 == Ipv4::Dhcp);
    let macs = spare.into_iter().chain(dynamic.map(|interface| interface.mac.to_string()));
    lines.extend(macs.map(|mac| {
        let words = [mac, format!("set:{BY_DHCP}")].into_iter().chain(name.clone()).collect();
        Line { words, by_dhcp: true }
    }));
    lines
}

/// The networks of the hosts, each with room for so many that have no address of their own. Nothing says in which network
/// these are, so each could be asked for all.
fn networks(hosts: &[DhcpHost], by_dhcp: usize, role: Role) -> Result<Vec<Network>> {
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
            pool: (role == Role::Server && by_dhcp > 0).then(|| pool(*net, &taken, by_dhcp)).transpose()?,
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
mod tests;
