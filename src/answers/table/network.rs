//! Rows of `name`, `match` and `network`.

use super::short::*;
use crate::host::{Host, Ipv4, Ipv6, Link};

const AGENT_ONE: &str = "isn't set up by the agent yet: leave it to the hand-off, or use another `installer`";

const EL8_IFCFG: &str = "can't be told (and keeps its network in ifcfg files, which ironstrap doesn't edit): leave it to the hand-off";
const CONNECTION_FILES: &str = "they are added to the connection files of NetworkManager";
const INTERFACES: &str =
    "the set-up script writes it to /etc/network/interfaces; d-i itself uses the first card's IPv4";

pub(super) const ROWS: &[Row] = &[
    Row { key: "name", used: |_| once("name", true), cell: |_| N },
    Row { key: "match", used: |_| once("match", true), cell: |_| N },
    Row {
        key: "network.interfaces",
        used: |host| once("network.interfaces", !host.network.interfaces.is_empty()),
        cell: |_| N,
    },
    Row {
        key: "network.interfaces[1]",
        used: |host| once("network.interfaces", host.network.interfaces.len() > 1),
        cell: |target| match target {
            On(Debian12 | Debian13) => S(INTERFACES),
            _ => N,
        },
    },
    Row {
        key: "network.*.ipv4",
        used: |host| links(host, "ipv4", |link| link.ipv4 != Ipv4::None),
        cell: |_| N,
    },
    Row {
        key: "network.*.ipv4: none",
        used: |host| links(host, "ipv4", |link| link.ipv4 == Ipv4::None),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => {
                X("installs over IPv4: give the card an address, or leave the card out")
            }
            On(_) => N,
        },
    },
    Row {
        key: "network.*.ipv4.more",
        used: |host| {
            links(
                host,
                "ipv4.more",
                |link| matches!(&link.ipv4, Ipv4::Static(fixed) if !fixed.more.is_empty()),
            )
        },
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(El8) => X(EL8_IFCFG),
            On(Debian12 | Debian13) => S(INTERFACES),
            On(Ubuntu2204 | Ubuntu2404) => N,
            On(_) => S(CONNECTION_FILES),
        },
    },
    Row {
        key: "network.*.ipv6: auto",
        used: |host| links(host, "ipv6", |link| link.ipv6 == Some(Ipv6::Auto)),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => S(INTERFACES),
            On(_) => N,
        },
    },
    Row {
        key: "network.*.ipv6: dhcp",
        used: |host| links(host, "ipv6", |link| link.ipv6 == Some(Ipv6::Dhcp)),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => S(INTERFACES),
            On(_) => N,
        },
    },
    Row {
        key: "network.*.ipv6: none",
        used: |host| links(host, "ipv6", |link| link.ipv6 == Some(Ipv6::None)),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => S(INTERFACES),
            On(_) => N,
        },
    },
    Row {
        key: "network.*.ipv6.address",
        used: |host| links(host, "ipv6", |link| matches!(link.ipv6, Some(Ipv6::Static(_)))),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => S(INTERFACES),
            On(_) => N,
        },
    },
    Row {
        key: "network.*.ipv6.more",
        used: |host| {
            links(
                host,
                "ipv6.more",
                |link| matches!(&link.ipv6, Some(Ipv6::Static(fixed)) if !fixed.more.is_empty()),
            )
        },
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(El8) => X(EL8_IFCFG),
            On(Debian12 | Debian13) => S(INTERFACES),
            On(Ubuntu2204 | Ubuntu2404) => N,
            On(_) => S(CONNECTION_FILES),
        },
    },
    Row {
        key: "network.*.mtu",
        used: |host| links(host, "mtu", |link| link.mtu.is_some()),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => S(INTERFACES),
            On(_) => N,
        },
    },
    Row {
        key: "network.*.routes",
        used: |host| links(host, "routes", |link| !link.routes.is_empty()),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(El8) => X(EL8_IFCFG),
            On(Debian12 | Debian13) => S(INTERFACES),
            On(Ubuntu2204 | Ubuntu2404) => N,
            On(_) => S(CONNECTION_FILES),
        },
    },
    Row {
        key: "network.bonds",
        used: |host| named("network.bonds", host.network.bonds.iter().map(|bond| &bond.id)),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => {
                X("has no bonds (netcfg knows single cards): use `installer: native` and the hand-off")
            }
            On(_) => N,
        },
    },
    Row {
        key: "network.vlans",
        used: |host| named("network.vlans", host.network.vlans.iter().map(|vlan| &vlan.id)),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => {
                X("has no VLANs (netcfg knows single cards): use `installer: native` and the hand-off")
            }
            On(_) => N,
        },
    },
    Row {
        key: "network.bridges",
        used: |host| named("network.bridges", host.network.bridges.iter().map(|bridge| &bridge.id)),
        cell: |target| match target {
            Agent => X(AGENT_ONE),
            On(Debian12 | Debian13) => {
                X("has no bridges (netcfg knows single cards): leave them to the hand-off")
            }
            On(_) => N,
        },
    },
    Row { key: "network.dns", used: |host| once("network.dns", !host.network.dns.is_empty()), cell: |_| N },
    Row {
        key: "network.dns[1]",
        used: |host| once("network.dns", host.network.dns.len() > 1),
        cell: |target| match target {
            On(Debian12 | Debian13) => {
                S("d-i's kernel takes one; `partman/early_command` adds the others to /etc/resolv.conf")
            }
            _ => N,
        },
    },
    Row {
        key: "network.search",
        used: |host| once("network.search", !host.network.search.is_empty()),
        cell: |target| match target {
            On(El8) => {
                X("has no search domains (`--ipv4-dns-search` came with el-9): leave them to the hand-off")
            }
            _ => N,
        },
    },
];

/// Keys of the links that use something.
fn links(host: &Host, what: &str, uses: fn(&Link) -> bool) -> Vec<String> {
    let used = host.network.links().filter(|(_, link)| uses(link));
    used.map(|(name, _)| format!("network[{name}].{what}")).collect()
}

/// Keys of things with names.
fn named<'h, T: std::fmt::Display + 'h>(key: &str, names: impl Iterator<Item = &'h T>) -> Vec<String> {
    names.map(|name| format!("{key}[{name}]")).collect()
}
