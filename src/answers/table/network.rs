//! Rows of `name`, `match` and `network`.

use super::{Cells, NATIVE, Row, by, native, no, script};
use crate::grammar::kickstart::Release::{Fedora43, Fedora44, Fedora45, Rhel8, Rhel9, Rhel10};
use crate::host::{Host, Ipv4, Ipv6, Link};

const AGENT_ONE: &str = "isn't set up by the agent yet: leave it to the hand-off, or use another `installer`";
const EL8_IFCFG: &str = "can't be told (and keeps its network in ifcfg files, which ironstrap doesn't edit): leave it to the hand-off";
const EL8_SEARCH: &str =
    "has no search domains (`--ipv4-dns-search` came with el-9): leave them to the hand-off";
const CONNECTION_FILES: &str = "they are added to the connection files of NetworkManager";
const INTERFACES: &str =
    "the set-up script writes it to /etc/network/interfaces; d-i itself uses the first card's IPv4";
const RESOLV_CONF: &str =
    "d-i's kernel takes one; `partman/early_command` adds the others to /etc/resolv.conf";
const DEBIAN_OVER_IPV4: &str = "installs over IPv4: give the card an address, or leave the card out";
const DEBIAN_BONDS: &str =
    "has no bonds (netcfg knows single cards): use `installer: native` and the hand-off";
const DEBIAN_VLANS: &str =
    "has no VLANs (netcfg knows single cards): use `installer: native` and the hand-off";
const DEBIAN_BRIDGES: &str = "has no bridges (netcfg knows single cards): leave them to the hand-off";

/// What the agent leaves to others, and debian-installer to a script.
const SIMPLE: Cells =
    Cells { agent: no(AGENT_ONE), kickstart: native(), preseed: script(INTERFACES), autoinstall: native() };

/// The same, and what Kickstart has no words for.
const BEYOND_KICKSTART: Cells = Cells {
    agent: no(AGENT_ONE),
    kickstart: by(|release| match release {
        Rhel8 => no(EL8_IFCFG),
        Rhel9 | Rhel10 | Fedora43 | Fedora44 | Fedora45 => script(CONNECTION_FILES),
    }),
    preseed: script(INTERFACES),
    autoinstall: native(),
};

pub(super) const ROWS: &[Row] = &[
    Row::always("name", NATIVE),
    Row::always("match", NATIVE),
    Row::when("network.interfaces", |host| !host.network.interfaces.is_empty(), NATIVE),
    Row::when(
        "network.interfaces",
        |host| host.network.interfaces.len() > 1,
        Cells { agent: native(), kickstart: native(), preseed: script(INTERFACES), autoinstall: native() },
    )
    .case("[1]"),
    Row::each("network.*.ipv4", |host| links(host, |link| link.ipv4 != Ipv4::None), NATIVE),
    Row::each(
        "network.*.ipv4",
        |host| links(host, |link| link.ipv4 == Ipv4::None),
        Cells {
            agent: no(AGENT_ONE),
            kickstart: native(),
            preseed: no(DEBIAN_OVER_IPV4),
            autoinstall: native(),
        },
    )
    .case(": none"),
    Row::each("network.*.ipv4.more", |host| links(host, has_more_ipv4), BEYOND_KICKSTART),
    Row::each("network.*.ipv6", |host| links(host, |link| link.ipv6 == Some(Ipv6::Auto)), SIMPLE)
        .case(": auto"),
    Row::each("network.*.ipv6", |host| links(host, |link| link.ipv6 == Some(Ipv6::Dhcp)), SIMPLE)
        .case(": dhcp"),
    Row::each("network.*.ipv6", |host| links(host, |link| link.ipv6 == Some(Ipv6::None)), SIMPLE)
        .case(": none"),
    Row::each(
        "network.*.ipv6",
        |host| links(host, |link| matches!(link.ipv6, Some(Ipv6::Static(_)))),
        SIMPLE,
    )
    .case(".address"),
    Row::each("network.*.ipv6.more", |host| links(host, has_more_ipv6), BEYOND_KICKSTART),
    Row::each("network.*.mtu", |host| links(host, |link| link.mtu.is_some()), SIMPLE),
    Row::each("network.*.routes", |host| links(host, |link| !link.routes.is_empty()), BEYOND_KICKSTART),
    Row::each(
        "network.bonds",
        |host| names(host.network.bonds.iter().map(|bond| &bond.id)),
        Cells { agent: no(AGENT_ONE), kickstart: native(), preseed: no(DEBIAN_BONDS), autoinstall: native() },
    ),
    Row::each(
        "network.vlans",
        |host| names(host.network.vlans.iter().map(|vlan| &vlan.id)),
        Cells { agent: no(AGENT_ONE), kickstart: native(), preseed: no(DEBIAN_VLANS), autoinstall: native() },
    ),
    Row::each(
        "network.bridges",
        |host| names(host.network.bridges.iter().map(|bridge| &bridge.id)),
        Cells {
            agent: no(AGENT_ONE),
            kickstart: native(),
            preseed: no(DEBIAN_BRIDGES),
            autoinstall: native(),
        },
    ),
    Row::when("network.dns", |host| !host.network.dns.is_empty(), NATIVE),
    Row::when(
        "network.dns",
        |host| host.network.dns.len() > 1,
        Cells { agent: native(), kickstart: native(), preseed: script(RESOLV_CONF), autoinstall: native() },
    )
    .case("[1]"),
    Row::when(
        "network.search",
        |host| !host.network.search.is_empty(),
        Cells {
            agent: native(),
            kickstart: by(|release| match release {
                Rhel8 => no(EL8_SEARCH),
                Rhel9 | Rhel10 | Fedora43 | Fedora44 | Fedora45 => native(),
            }),
            preseed: native(),
            autoinstall: native(),
        },
    ),
];

/// Names of the links that use something.
fn links(host: &Host, uses: fn(&Link) -> bool) -> Vec<String> {
    names(host.network.links().filter(|(_, link)| uses(link)).map(|(name, _)| name))
}

fn names(names: impl Iterator<Item = impl std::fmt::Display>) -> Vec<String> {
    names.map(|name| name.to_string()).collect()
}

fn has_more_ipv4(link: &Link) -> bool {
    matches!(&link.ipv4, Ipv4::Static(fixed) if !fixed.more.is_empty())
}

fn has_more_ipv6(link: &Link) -> bool {
    matches!(&link.ipv6, Some(Ipv6::Static(fixed)) if !fixed.more.is_empty())
}
