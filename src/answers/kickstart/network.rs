//! `network` in Kickstart: a line a link, cards by their addresses.
//!
//! Anaconda takes an address for `--device`, but only kernel names for the members of bonds and bridges (`create_port_connection` in its
//! `nm_client`; nothing looks an address up there). So those lines, and the VLANs that may stand on such links, are
//! written by `%pre`, which finds the members' names; `--bindto=mac` then ties the members' connections to their addresses,
//! since kernel names change. A bridge takes cards and, from el-9 on, bonds.
//!
//! What a line can't say (more addresses, routes) is added to NetworkManager's connection files by `%post`. The installer
//! itself fetches this file by the first card that has addresses, or by DHCP on the first card: a bond or VLAN isn't there yet.

use std::net::IpAddr;

use serde::Serialize;

use super::line::{Line, Piece};
use crate::grammar::kickstart::Release;
use crate::host::{Bond, Bridge, Fixed, Host, Interface, Ipv4, Ipv6, Link, Refusal, Vlan};
use crate::value::LinkName;

/// The network's commands.
pub struct Commands {
    /// Those that stand in the file.
    pub file: Vec<Line>,
    /// Those that `%pre` writes.
    pub included: Vec<Line>,
    /// Cards whose kernel names `%pre` finds.
    pub cards: Vec<Card>,
    /// What is added to connection files.
    pub additions: Vec<Addition>,
}

/// A card whose kernel name is wanted.
#[derive(Serialize)]
pub struct Card {
    /// The variable that gets it.
    pub variable: String,
    /// The card's address as the kernel prints it.
    pub mac: String,
}

/// Lines for one connection file of NetworkManager.
#[derive(Serialize)]
pub struct Addition {
    /// The card's address; absent for links with names.
    pub mac: Option<String>,
    /// The link's name; absent for cards.
    pub name: Option<String>,
    /// A group of the file each, with its lines; a group that is there already goes on (GLib, key files).
    pub lines: Vec<String>,
}

/// All commands of a host.
pub fn commands(release: Release, host: &Host, refusal: &mut Refusal) -> Commands {
    let network = &host.network;
    let mut composer = Composer { host, told: Told::of(host), refusal };
    composer.judge(release);
    let members = members(host);
    let is_member = |card: &&Interface| card.id.as_ref().is_some_and(|id| members.contains(&id));
    let cards: Vec<_> = network.interfaces.iter().filter(is_member).collect();
    let variable = |number: usize| format!("card{number}");
    let mut file: Vec<Line> = Vec::new();
    if network.interfaces.is_empty() {
        file.push(composer.any_card());
    }
    for card in network.interfaces.iter().filter(|card| !is_member(card)) {
        let line = Line::new("network").option("device", card.mac);
        file.push(composer.link(line, &card.mac.to_string(), &card.link));
    }
    let port = |id: &LinkName| match cards.iter().position(|card| card.id.as_ref() == Some(id)) {
        Some(number) => Piece::Variable(variable(number)),
        None => Piece::Text(id.to_string()),
    };
    let mut links: Vec<Line> = network.bonds.iter().map(|bond| composer.bond(bond, port)).collect();
    links.extend(network.bridges.iter().map(|bridge| composer.bridge(bridge, port)));
    links.extend(network.vlans.iter().map(|vlan| composer.vlan(vlan)));
    let included = if cards.is_empty() {
        file.append(&mut links);
        Vec::new()
    } else {
        links
    };
    if file.is_empty() {
        // a line with the name only brings up nothing
        file.push(Line::new("network").option("hostname", &host.name));
    }
    let card =
        |(number, card): (usize, &&Interface)| Card { variable: variable(number), mac: card.mac.to_string() };
    Commands {
        file,
        included,
        cards: cards.iter().enumerate().map(card).collect(),
        additions: additions(host),
    }
}

/// The names of all members of bonds and bridges.
fn members(host: &Host) -> Vec<&LinkName> {
    let bonds = host.network.bonds.iter().flat_map(|bond| &bond.members);
    bonds.chain(host.network.bridges.iter().flat_map(|bridge| &bridge.members)).collect()
}

/// Which links are told of the name servers: the first with IPv4 of those with IPv4 addresses, and so for IPv6.
struct Told {
    v4: Option<String>,
    v6: Option<String>,
}

impl Told {
    fn of(host: &Host) -> Self {
        let first =
            |has: fn(&Link) -> bool| host.network.links().find(|(_, link)| has(link)).map(|(name, _)| name);
        Self { v4: first(|link| link.ipv4 != Ipv4::None), v6: first(has_ipv6) }
    }
}

/// A link that the profile leaves alone has IPv6 by router advertisements, unless it has nothing at all.
fn has_ipv6(link: &Link) -> bool {
    match link.ipv6 {
        Some(Ipv6::None) => false,
        Some(Ipv6::Auto | Ipv6::Dhcp | Ipv6::Static(_)) => true,
        None => link.ipv4 != Ipv4::None,
    }
}

struct Composer<'c> {
    host: &'c Host,
    told: Told,
    refusal: &'c mut Refusal,
}

impl Composer<'_> {
    /// DHCP wherever there is a link.
    fn any_card(&self) -> Line {
        let network = &self.host.network;
        let line = Line::new("network").option("device", "link").option("bootproto", "dhcp");
        let line = line.list("nameserver", &network.dns).list("ipv4-dns-search", &network.search);
        line.option("hostname", &self.host.name).option("onboot", "yes").word("--activate")
    }

    fn bond(&self, bond: &Bond, port: impl Fn(&LinkName) -> Piece) -> Line {
        let options = format!("mode={},miimon={}", bond.mode.name(), bond.miimon);
        let line = Line::new("network").option("device", &bond.id);
        let line = line.pieces("bondslaves", bond.members.iter().map(port)).option("bondopts", options);
        self.link(line.option("bindto", "mac"), bond.id.as_str(), &bond.link)
    }

    fn bridge(&self, bridge: &Bridge, port: impl Fn(&LinkName) -> Piece) -> Line {
        let options = if bridge.stp { "stp=yes" } else { "stp=no" };
        let line = Line::new("network").option("device", &bridge.id);
        let line = line.pieces("bridgeslaves", bridge.members.iter().map(port)).option("bridgeopts", options);
        self.link(line.option("bindto", "mac"), bridge.id.as_str(), &bridge.link)
    }

    fn vlan(&self, vlan: &Vlan) -> Line {
        let on = match self.host.network.interface(&vlan.on) {
            Some(card) => card.mac.to_string(),
            None => vlan.on.to_string(),
        };
        let line = Line::new("network").option("device", on).option("vlanid", vlan.tag);
        self.link(line.option("interfacename", &vlan.id), vlan.id.as_str(), &vlan.link)
    }

    /// What every link can say.
    fn link(&self, line: Line, name: &str, link: &Link) -> Line {
        let line = match &link.ipv4 {
            Ipv4::Dhcp => line.option("bootproto", "dhcp"),
            Ipv4::None => line.word("--noipv4"),
            Ipv4::Static(Fixed { address, gateway, .. }) => {
                let line = line.option("bootproto", "static").option("ip", address.addr());
                let line = line.option("netmask", address.netmask());
                gateway.iter().fold(line, |line, gateway| line.option("gateway", gateway))
            }
        };
        let line = match &link.ipv6 {
            // with nothing to get, NetworkManager would give the link up, and what stands on it
            None if link.ipv4 == Ipv4::None => line.word("--noipv6"),
            None => line,
            Some(Ipv6::None) => line.word("--noipv6"),
            Some(Ipv6::Auto) => line.option("ipv6", "auto"),
            Some(Ipv6::Dhcp) => line.option("ipv6", "dhcp"),
            Some(Ipv6::Static(Fixed { address, gateway, .. })) => {
                let line = line.option("ipv6", address);
                gateway.iter().fold(line, |line, gateway| line.option("ipv6gateway", gateway))
            }
        };
        let line = link.mtu.iter().fold(line, |line, mtu| line.option("mtu", mtu));
        let line = self.names(line, name);
        line.option("onboot", "yes").word("--activate")
    }

    /// Name servers, search domains and the host's own name, each said once.
    fn names(&self, line: Line, name: &str) -> Line {
        let network = &self.host.network;
        let (v4, v6) = (self.told.v4.as_deref() == Some(name), self.told.v6.as_deref() == Some(name));
        let mine = |server: &&IpAddr| if server.is_ipv4() { v4 } else { v6 };
        let servers: Vec<_> = network.dns.iter().filter(mine).collect();
        let line = line.list("nameserver", &servers);
        let line = match self.told.v4 {
            Some(_) if v4 => line.list("ipv4-dns-search", &network.search),
            None if v6 => line.list("ipv6-dns-search", &network.search),
            _ => line,
        };
        let first = network.interfaces.iter().find(|card| {
            let members = members(self.host);
            card.id.as_ref().is_none_or(|id| !members.contains(&id))
        });
        match first.is_some_and(|first| first.mac.to_string() == name) {
            true => line.option("hostname", &self.host.name),
            false => line,
        }
    }

    /// What Anaconda would leave out without a word.
    fn judge(&mut self, release: Release) {
        let network = &self.host.network;
        if !network.interfaces.is_empty() {
            let nobody = |server: &&IpAddr| match server.is_ipv4() {
                true => self.told.v4.is_none(),
                false => self.told.v6.is_none(),
            };
            for server in network.dns.iter().filter(nobody).copied().collect::<Vec<_>>() {
                let reason = format_args!("has no link that could ask {server}: none speaks its protocol");
                self.refusal.add("network.dns", reason);
            }
        }
        for bridge in &network.bridges {
            for member in &bridge.members {
                let key = format!("network.bridges[{}]", bridge.id);
                if network.vlans.iter().any(|vlan| vlan.id == *member) {
                    let reason = format_args!(
                        "takes no VLAN into a bridge, and {member} is one: leave the bridge to the hand-off"
                    );
                    self.refusal.add(&key, reason);
                }
                if release == Release::Rhel8 && network.bonds.iter().any(|bond| bond.id == *member) {
                    let reason = format_args!(
                        "takes no bond into a bridge (el-9 does), and {member} is one: leave the bridge to the hand-off"
                    );
                    self.refusal.add(&key, reason);
                }
            }
        }
        let members = members(self.host);
        let cards =
            network.interfaces.iter().filter(|card| card.id.as_ref().is_some_and(|id| members.contains(&id)));
        for card in cards.filter(|card| card.link.mtu.is_some()) {
            let reason = "can't say the packets of a member: give `mtu` to its bond or bridge";
            self.refusal.add(&format!("network[{}].mtu", card.mac), reason);
        }
    }
}

/// More addresses and routes, as NetworkManager's key files spell them (nm-settings-keyfile(5)).
fn additions(host: &Host) -> Vec<Addition> {
    let network = &host.network;
    let cards = network.interfaces.iter().map(|card| (Some(card.mac.to_string()), None, &card.link));
    let bonds = network.bonds.iter().map(|bond| (&bond.id, &bond.link));
    let vlans = network.vlans.iter().map(|vlan| (&vlan.id, &vlan.link));
    let bridges = network.bridges.iter().map(|bridge| (&bridge.id, &bridge.link));
    let named = bonds.chain(vlans).chain(bridges).map(|(id, link)| (None, Some(id.to_string()), link));
    let addition = |(mac, name, link): (Option<String>, Option<String>, &Link)| {
        let mut lines = Vec::new();
        let more4: Vec<_> = match &link.ipv4 {
            Ipv4::Static(fixed) => fixed.more.iter().map(ToString::to_string).collect(),
            Ipv4::Dhcp | Ipv4::None => Vec::new(),
        };
        let more6: Vec<_> = match &link.ipv6 {
            Some(Ipv6::Static(fixed)) => fixed.more.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        for (group, more, is_ipv4) in [("[ipv4]", more4, true), ("[ipv6]", more6, false)] {
            // the first address is the installer's own
            let addresses = (2..).zip(more).map(|(number, address)| format!("address{number}={address}"));
            let routes = link.routes.iter().filter(|route| route.via.is_ipv4() == is_ipv4);
            let routes = (1..).zip(routes).map(|(number, route)| {
                let metric = route.metric.map(|metric| format!(",{metric}")).unwrap_or_default();
                format!("route{number}={},{}{metric}", route.to, route.via)
            });
            let mut added: Vec<_> = addresses.chain(routes).collect();
            if !added.is_empty() {
                lines.push(group.to_owned());
                lines.append(&mut added);
            }
        }
        (!lines.is_empty()).then_some(Addition { mac, name, lines })
    };
    cards.chain(named).filter_map(addition).collect()
}
