//! Netplan's part: interfaces by their addresses, and what stands on them.

use super::Given;
use crate::grammar::autoinstall::yaml::Node;
use crate::import::Reading;
use crate::import::draft::item;
use crate::import::machine::{ANY_INTERFACE, unknown_interface};
use crate::value::{LinkName, Mac};

/// Reads `network`.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    // older files nest it
    let at = if given.get("network.network").is_some() { "network.network" } else { "network" };
    let Some(network) = given.get(at) else { return };
    for (name, interface) in network.get("ethernets").into_iter().flat_map(Node::entries) {
        ethernet(&format!("{at}.ethernets.{}", name.text), &name.text, interface, given, reading);
    }
    for (kind, list) in [("bonds", "interfaces"), ("bridges", "interfaces")] {
        for (name, link) in network.get(kind).into_iter().flat_map(Node::entries) {
            let path = format!("{at}.{kind}.{}", name.text);
            let place = format!("network.{kind}[{}]", name.text);
            if !is_name(&name.text, &path, given, reading) {
                continue;
            }
            put(&place, "id", name.text.as_str().into(), &path, given, reading);
            for member in link.get(list).into_iter().flat_map(Node::items).filter_map(Node::text) {
                let id = given.id(&format!("{path}.{list}"));
                reading.draft.push(&format!("{place}.members"), member, id);
            }
            taken_all(&format!("{path}.{list}"), link.get(list), given, reading);
            parameters(kind, &place, &path, link, given, reading);
            addresses(&place, &path, link, given, reading);
        }
    }
    for (name, link) in network.get("vlans").into_iter().flat_map(Node::entries) {
        let path = format!("{at}.vlans.{}", name.text);
        let place = format!("network.vlans[{}]", name.text);
        if !is_name(&name.text, &path, given, reading) {
            continue;
        }
        put(&place, "id", name.text.as_str().into(), &path, given, reading);
        if let Some(on) = link.get("link").and_then(Node::text) {
            put(&place, "link", on.into(), &format!("{path}.link"), given, reading);
        }
        if let Some(tag) = number(link, "id", &path, given, reading) {
            put(&place, "tag", tag.into(), &format!("{path}.id"), given, reading);
        }
        addresses(&place, &path, link, given, reading);
    }
}

fn put(
    place: &str,
    key: &str,
    value: serde_json::Value,
    path: &str,
    given: &Given<'_>,
    reading: &mut Reading<'_>,
) {
    let id = given.id(path);
    reading.put(&format!("{place}.{key}"), value, id);
}

/// Whether a link can be called so in a profile; if not, its line says why.
fn is_name(name: &str, path: &str, given: &Given<'_>, reading: &mut Reading<'_>) -> bool {
    let why = name.parse::<LinkName>().err();
    if let Some(why) = &why {
        reading.report.refuse(given.id(path), why.to_string());
    }
    why.is_none()
}

/// A number of a link; what is none is refused.
fn number(link: &Node, key: &str, path: &str, given: &Given<'_>, reading: &mut Reading<'_>) -> Option<u32> {
    let text = link.get(key)?.text()?;
    let number = text.parse().ok();
    if number.is_none() {
        let why = format!("`{}` is no number", text.escape_debug());
        reading.report.refuse_part(given.id(&format!("{path}.{key}")), why);
    }
    number
}

fn taken_all(path: &str, node: Option<&Node>, given: &Given<'_>, reading: &mut Reading<'_>) {
    for number in 0..node.map_or(0, |node| node.items().len()) {
        reading.report.taken(given.id(&format!("{path}[{number}]")));
    }
}

fn ethernet(path: &str, name: &str, interface: &Node, given: &Given<'_>, reading: &mut Reading<'_>) {
    let id = given.id(path);
    let written = interface.get("match").and_then(|rule| rule.get("macaddress")).and_then(Node::text);
    let named = reading.machine().interfaces.get(name).copied();
    let Some(mac) = written.and_then(|text| text.parse::<Mac>().ok()).or(named) else {
        // DHCP wherever there is a link is what a profile without interfaces says
        if interface.get("dhcp4").is_some_and(Node::is_true) && interface.get("addresses").is_none() {
            reading.report.note(id, ANY_INTERFACE);
            reading.report.taken(given.id(&format!("{path}.dhcp4")));
            for key in ["match", "match.name"].map(|key| given.id(&format!("{path}.{key}"))) {
                reading.report.taken(key);
                reading.report.note(key, ANY_INTERFACE);
            }
            return;
        }
        let why = match interface.get("match") {
            Some(_) => {
                let name = name.escape_debug();
                format!("more than one card may be meant by `{name}`: import with --card {name}=MAC")
            }
            None => unknown_interface(name),
        };
        return reading.report.refuse(id, why);
    };
    let place = format!("network.interfaces[{mac}]");
    if reading.draft.has(&place) {
        return reading.report.refuse(id, format!("{mac} is another card's already"));
    }
    if !is_name(name, path, given, reading) {
        return;
    }
    put(&place, "match.mac", mac.to_string().into(), &format!("{path}.match.macaddress"), given, reading);
    put(&place, "id", name.into(), path, given, reading);
    reading.macs.push((mac, id));
    addresses(&place, path, interface, given, reading);
}

fn parameters(
    kind: &str,
    place: &str,
    path: &str,
    link: &Node,
    given: &Given<'_>,
    reading: &mut Reading<'_>,
) {
    for (key, value) in link.get("parameters").into_iter().flat_map(Node::entries) {
        let path = format!("{path}.parameters.{}", key.text);
        let number = value.text().and_then(|text| text.trim_end_matches("ms").parse::<u32>().ok());
        match (kind, key.text.as_str(), number) {
            ("bonds", "mode", _) => {
                put(place, "mode", value.text().unwrap_or_default().into(), &path, given, reading)
            }
            ("bonds", "mii-monitor-interval", Some(number)) => {
                put(place, "miimon", number.into(), &path, given, reading)
            }
            ("bridges", "stp", _) => put(place, "stp", value.is_true().into(), &path, given, reading),
            _ => {}
        }
    }
}

fn addresses(place: &str, path: &str, link: &Node, given: &Given<'_>, reading: &mut Reading<'_>) {
    let texts = |key: &str| -> Vec<(usize, String)> {
        let items = link.get(key).map(Node::items).unwrap_or_default();
        items
            .iter()
            .enumerate()
            .filter_map(|(number, item)| Some((number, item.text()?.to_owned())))
            .collect()
    };
    let (mut v4, mut v6) = (0, 0);
    for (number, address) in texts("addresses") {
        let id = given.id(&format!("{path}.addresses[{number}]"));
        let (family, count) = if address.contains(':') { ("ipv6", &mut v6) } else { ("ipv4", &mut v4) };
        match *count {
            0 => _ = reading.draft.put(&format!("{place}.{family}.address"), address, id),
            _ => reading.draft.push(&format!("{place}.{family}.more"), address, id),
        }
        *count += 1;
        reading.report.taken(id);
    }
    for (key, family, used) in [("dhcp4", "ipv4", v4), ("dhcp6", "ipv6", v6)] {
        let Some(node) = link.get(key) else { continue };
        let id = given.id(&format!("{path}.{key}"));
        match (node.is_true(), used) {
            (true, 0) => _ = reading.draft.put(&format!("{place}.{family}"), "dhcp", id),
            (true, _) => reading.report.lose(id, "a profile's link has DHCP or fixed addresses, not both"),
            (false, 0) if family == "ipv4" => _ = reading.draft.put(&format!("{place}.{family}"), "none", id),
            (false, _) => {}
        }
        reading.report.taken(id);
    }
    for (key, family, used) in [("gateway4", "ipv4", v4), ("gateway6", "ipv6", v6)] {
        if let Some(gateway) = link.get(key).and_then(Node::text).filter(|_| used > 0) {
            put(
                &format!("{place}.{family}"),
                "gateway",
                gateway.into(),
                &format!("{path}.{key}"),
                given,
                reading,
            );
        }
    }
    routes(place, path, link, (v4 > 0, v6 > 0), given, reading);
    if let Some(mtu) = number(link, "mtu", path, given, reading) {
        put(place, "mtu", mtu.into(), &format!("{path}.mtu"), given, reading);
    }
    for (key, list) in [("addresses", "network.dns"), ("search", "network.search")] {
        let servers = link.get("nameservers").and_then(|servers| servers.get(key));
        for (number, server) in servers.map(Node::items).unwrap_or_default().iter().enumerate() {
            let id = given.id(&format!("{path}.nameservers.{key}[{number}]"));
            if let Some(server) = server.text() {
                reading.push(list, server, id);
            }
        }
    }
}

fn routes(
    place: &str,
    path: &str,
    link: &Node,
    fixed: (bool, bool),
    given: &Given<'_>,
    reading: &mut Reading<'_>,
) {
    for (number, route) in link.get("routes").map(Node::items).unwrap_or_default().iter().enumerate() {
        let id = given.id(&format!("{path}.routes[{number}]"));
        let text = |key: &str| route.get(key).and_then(Node::text);
        let (Some(to), Some(via)) = (text("to"), text("via")) else { continue };
        let (family, has) = if via.contains(':') { ("ipv6", fixed.1) } else { ("ipv4", fixed.0) };
        match to {
            "default" | "0.0.0.0/0" | "::/0" if has => {
                _ = reading.draft.put(&format!("{place}.{family}.gateway"), via, id)
            }
            "default" | "0.0.0.0/0" | "::/0" => continue,
            to => {
                let place = format!("{place}.routes[{}]", item(to));
                reading.draft.put(&format!("{place}.to"), to, id);
                reading.draft.put(&format!("{place}.via"), via, id);
                match text("metric").map(str::parse::<u32>) {
                    Some(Ok(metric)) => _ = reading.draft.put(&format!("{place}.metric"), metric, id),
                    Some(Err(_)) => reading.report.lose(id, "its metric is no number"),
                    None => {}
                }
            }
        }
        reading.report.taken(id);
    }
}
