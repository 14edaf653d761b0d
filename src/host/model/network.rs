//! The network of a host, whoever installs it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::spec::system as wire;
use crate::value::{HostName, LinkName, Mac, Mtu, VlanId};

/// How the host reaches the network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Network cards; none means: DHCP on every card with a link.
    pub interfaces: Vec<Interface>,
    /// Cards that act as one.
    pub bonds: Vec<Bond>,
    /// Tagged networks on a link.
    pub vlans: Vec<Vlan>,
    /// Links that are joined like by a switch.
    pub bridges: Vec<Bridge>,
    /// Name servers, beside those that DHCP gives.
    pub dns: Vec<IpAddr>,
    /// Search domains.
    pub search: Vec<HostName>,
}

/// One network card, found by its address; kernel names change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name in this model, where something stands on it.
    pub id: Option<LinkName>,
    /// Permanent hardware address.
    pub mac: Mac,
    /// What it carries itself.
    pub link: Link,
}

/// What a link carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// IPv4.
    pub ipv4: Ipv4,
    /// IPv6; absent where the profile doesn't speak of it, and then as the system likes.
    pub ipv6: Option<Ipv6>,
    /// Largest packet.
    pub mtu: Option<Mtu>,
    /// Routes beside the default one.
    pub routes: Vec<Route>,
}

/// IPv4 of one link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ipv4 {
    /// None.
    #[default]
    None,
    /// By DHCP.
    Dhcp,
    /// Fixed.
    Static(Fixed<Ipv4Net, Ipv4Addr>),
}

/// IPv6 of one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ipv6 {
    /// None, not even link-local where that can be had.
    None,
    /// By router advertisements.
    Auto,
    /// By DHCPv6.
    Dhcp,
    /// Fixed.
    Static(Fixed<Ipv6Net, Ipv6Addr>),
}

/// Fixed addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed<Net, Address> {
    /// The first one, with prefix length.
    pub address: Net,
    /// The others.
    pub more: Vec<Net>,
    /// Default gateway, inside one of the networks (of IPv6, or link-local).
    pub gateway: Option<Address>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The network.
    pub to: IpNet,
    /// The router.
    pub via: IpAddr,
    /// Lower wins.
    pub metric: Option<u32>,
}

/// Cards that act as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    /// Its name.
    pub id: LinkName,
    /// Interfaces, at least one; each is in no other bond or bridge and has no addresses.
    pub members: Vec<LinkName>,
    /// How they share the work.
    pub mode: BondMode,
    /// Milliseconds between looks at the members' links.
    pub miimon: u32,
    /// What it carries.
    pub link: Link,
}

/// How a bond's members share the work (the kernel's names).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BondMode {
    /// In turn.
    BalanceRr,
    /// One works, the others wait.
    ActiveBackup,
    /// By a hash of addresses.
    BalanceXor,
    /// LACP.
    Lacp,
}

impl BondMode {
    /// As the kernel, Anaconda and netplan spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BalanceRr => "balance-rr",
            Self::ActiveBackup => "active-backup",
            Self::BalanceXor => "balance-xor",
            Self::Lacp => "802.3ad",
        }
    }
}

/// A tagged network on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// Its name.
    pub id: LinkName,
    /// The link that it is on.
    pub on: LinkName,
    /// Its number.
    pub tag: VlanId,
    /// What it carries.
    pub link: Link,
}

/// Links that are joined like by a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub id: LinkName,
    /// Its links, at least one.
    pub members: Vec<LinkName>,
    /// Whether it speaks the spanning tree protocol.
    pub stp: bool,
    /// What it carries.
    pub link: Link,
}

impl Network {
    /// Every link with a word for it: cards by address, the others by name.
    pub fn links(&self) -> impl Iterator<Item = (String, &Link)> {
        let cards = self.interfaces.iter().map(|card| (card.mac.to_string(), &card.link));
        let bonds = self.bonds.iter().map(|bond| (bond.id.to_string(), &bond.link));
        let vlans = self.vlans.iter().map(|vlan| (vlan.id.to_string(), &vlan.link));
        let bridges = self.bridges.iter().map(|bridge| (bridge.id.to_string(), &bridge.link));
        cards.chain(bonds).chain(vlans).chain(bridges)
    }

    /// The card that is called so.
    pub fn interface(&self, id: &LinkName) -> Option<&Interface> {
        self.interfaces.iter().find(|card| card.id.as_ref() == Some(id))
    }

    /// What the agent is told: cards with one IPv4 configuration. What goes beyond that is refused before, see `native`
    /// in the table of formats.
    pub fn for_agent(&self) -> wire::NetworkSpec {
        let interface = |card: &Interface| {
            let ipv4 = match &card.link.ipv4 {
                Ipv4::Static(Fixed { address, gateway, .. }) => {
                    wire::Ipv4::Static { address: *address, gateway: *gateway }
                }
                Ipv4::Dhcp | Ipv4::None => wire::Ipv4::Dhcp,
            };
            wire::Interface { mac: card.mac, ipv4 }
        };
        wire::NetworkSpec {
            interfaces: self.interfaces.iter().map(interface).collect(),
            dns: self.dns.clone(),
            search: self.search.clone(),
        }
    }
}
