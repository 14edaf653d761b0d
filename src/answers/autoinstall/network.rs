//! The network as netplan's version 2 (netplan reference, YAML configuration).

use serde_json::{Map, Value, json};

use crate::host::{Fixed, Interface, Ipv4, Ipv6, Link, Network};

/// The `network:` section.
pub fn netplan(network: &Network) -> Value {
    let mut links = Links { network, dns_given: false };
    let mut plan = Map::from_iter([("version".to_owned(), json!(2))]);
    let mut cards: Map<String, Value> = Map::new();
    for (number, card) in network.interfaces.iter().enumerate() {
        let mut entry = links.entry(&card.link);
        entry.insert("match".to_owned(), json!({ "macaddress": card.mac.to_string() }));
        cards.insert(name(card, number), entry.into());
    }
    if cards.is_empty() {
        let any = Link { ipv4: Ipv4::Dhcp, ..Link::default() };
        let mut entry = links.entry(&any);
        entry.insert("match".to_owned(), json!({ "name": "e*" }));
        cards.insert("any".to_owned(), entry.into());
    }
    plan.insert("ethernets".to_owned(), cards.into());
    let bonds = network.bonds.iter().map(|bond| {
        let mut entry = links.entry(&bond.link);
        entry.insert("interfaces".to_owned(), json!(texts(&bond.members)));
        let parameters = json!({ "mode": bond.mode.name(), "mii-monitor-interval": bond.miimon });
        entry.insert("parameters".to_owned(), parameters);
        (bond.id.to_string(), entry.into())
    });
    let bonds: Map<_, _> = bonds.collect();
    let vlans = network.vlans.iter().map(|vlan| {
        let mut entry = links.entry(&vlan.link);
        entry.insert("id".to_owned(), json!(vlan.tag.get()));
        entry.insert("link".to_owned(), json!(vlan.on.as_str()));
        (vlan.id.to_string(), entry.into())
    });
    let vlans: Map<_, _> = vlans.collect();
    let bridges = network.bridges.iter().map(|bridge| {
        let mut entry = links.entry(&bridge.link);
        entry.insert("interfaces".to_owned(), json!(texts(&bridge.members)));
        entry.insert("parameters".to_owned(), json!({ "stp": bridge.stp }));
        (bridge.id.to_string(), entry.into())
    });
    let bridges: Map<_, _> = bridges.collect();
    for (kind, entries) in [("bonds", bonds), ("vlans", vlans), ("bridges", bridges)] {
        if !entries.is_empty() {
            plan.insert(kind.to_owned(), entries.into());
        }
    }
    plan.into()
}

/// netplan's own name for a card: the profile's, or its number.
fn name(card: &Interface, number: usize) -> String {
    card.id.as_ref().map_or_else(|| format!("card{number}"), ToString::to_string)
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(T::to_string).collect()
}

struct Links<'n> {
    network: &'n Network,
    /// The profile's name servers hold for the machine, netplan's for a link: the first link with addresses has them.
    dns_given: bool,
}

impl Links<'_> {
    fn entry(&mut self, link: &Link) -> Map<String, Value> {
        let mut entry = Map::from_iter([("dhcp4".to_owned(), json!(link.ipv4 == Ipv4::Dhcp))]);
        let mut set = |key: &str, value: Value| _ = entry.insert(key.to_owned(), value);
        let mut addresses: Vec<String> = Vec::new();
        let mut routes: Vec<Value> = Vec::new();
        if let Ipv4::Static(Fixed { address, more, gateway }) = &link.ipv4 {
            addresses.extend(std::iter::once(address).chain(more).map(ToString::to_string));
            routes.extend(gateway.map(|via| json!({ "to": "default", "via": via.to_string() })));
        }
        match &link.ipv6 {
            None => {}
            Some(Ipv6::Auto) => {
                set("accept-ra", json!(true));
                set("dhcp6", json!(false));
            }
            Some(Ipv6::Dhcp) => set("dhcp6", json!(true)),
            Some(Ipv6::None) => {
                set("accept-ra", json!(false));
                set("link-local", json!([]));
            }
            Some(Ipv6::Static(Fixed { address, more, gateway })) => {
                set("accept-ra", json!(false));
                addresses.extend(std::iter::once(address).chain(more).map(ToString::to_string));
                routes.extend(gateway.map(|via| json!({ "to": "::/0", "via": via.to_string() })));
            }
        }
        for route in &link.routes {
            let mut value = json!({ "to": route.to.to_string(), "via": route.via.to_string() });
            if let (Some(metric), Some(entries)) = (route.metric, value.as_object_mut()) {
                entries.insert("metric".to_owned(), json!(metric));
            }
            routes.push(value);
        }
        let carries = link.ipv4 != Ipv4::None || !addresses.is_empty();
        if !addresses.is_empty() {
            set("addresses", json!(addresses));
        }
        if !routes.is_empty() {
            set("routes", json!(routes));
        }
        if let Some(mtu) = link.mtu {
            set("mtu", json!(mtu.bytes()));
        }
        let Network { dns, search, .. } = self.network;
        if carries && !self.dns_given && !(dns.is_empty() && search.is_empty()) {
            self.dns_given = true;
            set("nameservers", json!({ "addresses": texts(dns), "search": texts(search) }));
        }
        entry
    }
}
