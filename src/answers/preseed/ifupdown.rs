//! What netcfg doesn't know, in the words of `/etc/network/interfaces` (interfaces(5)): further cards and addresses, IPv6, routes,
//! packet sizes. netcfg writes the first card's IPv4; these stanzas stand after its own and are for the installed system only.
//! The kernel's name of a card is found by its address on the machine, so lines hold `$IFACE`, which ifupdown sets.

use serde::Serialize;

use crate::host::{Fixed, Host, Interface, Ipv4, Ipv6, Route};

/// One card with what is to be added.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Card {
    /// As in `/sys/class/net/NAME/address`.
    pub mac: String,
    /// Whether netcfg doesn't know the card at all.
    pub further: bool,
    pub stanzas: Vec<Stanza>,
}

/// Family and method, and the lines below.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Stanza {
    pub head: String,
    pub lines: Vec<String>,
}

impl Stanza {
    fn new(head: &str, lines: impl IntoIterator<Item = String>) -> Self {
        Self { head: head.to_owned(), lines: lines.into_iter().collect() }
    }
}

/// The cards that need something.
pub fn cards(host: &Host) -> Vec<Card> {
    let cards = host.network.interfaces.iter().enumerate().map(|(number, card)| {
        let further = number > 0;
        Card { mac: card.mac.to_string(), further, stanzas: stanzas(card, further) }
    });
    cards.filter(|card| !card.stanzas.is_empty()).collect()
}

fn stanzas(card: &Interface, further: bool) -> Vec<Stanza> {
    let link = &card.link;
    let mut stanzas = Vec::new();
    match &link.ipv4 {
        Ipv4::Dhcp if further => stanzas.push(Stanza::new("inet dhcp", [])),
        Ipv4::Dhcp | Ipv4::None => {}
        Ipv4::Static(Fixed { address, more, gateway }) => {
            if further {
                stanzas.push(fixed("inet", address.to_string(), gateway.map(|gateway| gateway.to_string())));
            }
            stanzas.extend(more.iter().map(|more| fixed("inet", more.to_string(), None)));
        }
    }
    match &link.ipv6 {
        None => {}
        Some(Ipv6::Auto) => stanzas.push(Stanza::new("inet6 auto", [])),
        Some(Ipv6::Dhcp) => stanzas.push(Stanza::new("inet6 dhcp", [])),
        Some(Ipv6::None) => {
            let off = "up echo 1 > /proc/sys/net/ipv6/conf/$IFACE/disable_ipv6".to_owned();
            stanzas.push(Stanza::new("inet manual", [off]));
        }
        Some(Ipv6::Static(Fixed { address, more, gateway })) => {
            stanzas.push(fixed("inet6", address.to_string(), gateway.map(|gateway| gateway.to_string())));
            stanzas.extend(more.iter().map(|more| fixed("inet6", more.to_string(), None)));
        }
    }
    let mtu = link.mtu.map(|mtu| format!("up ip link set dev $IFACE mtu {mtu}"));
    let rest: Vec<_> = mtu.into_iter().chain(link.routes.iter().map(route)).collect();
    if !rest.is_empty() {
        stanzas.push(Stanza::new("inet manual", rest));
    }
    stanzas
}

fn fixed(family: &str, address: String, gateway: Option<String>) -> Stanza {
    let gateway = gateway.map(|gateway| format!("gateway {gateway}"));
    Stanza::new(&format!("{family} static"), [format!("address {address}")].into_iter().chain(gateway))
}

fn route(Route { to, via, metric }: &Route) -> String {
    let metric = metric.map(|metric| format!(" metric {metric}")).unwrap_or_default();
    format!("up ip route replace {to} via {via} dev $IFACE{metric}")
}
