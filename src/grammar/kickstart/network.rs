//! Addresses that can't work together: `network` lines are checked one by one, as the stock validator checks none of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;

use super::rules;
use super::{Read, Reading, quoted};
use crate::grammar::Finding;
use crate::value::rule::Rule;

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    let (mut devices, mut addresses) = (BTreeMap::new(), BTreeMap::new());
    for read in reading.all("network") {
        let mut wrong = Wrong { line: read.line, found };
        ipv4(read, &mut wrong);
        ipv6(read, &mut wrong);
        link(read, &mut wrong);
        let device = read.arguments.text("--device").map(|device| (device, read.arguments.text("--vlanid")));
        if let Some(line) = device.and_then(|device| devices.insert(device, read.line)) {
            wrong
                .warning(&rules::NETWORK_DUPLICATE, format!("network: the device is in line {line} already"));
        }
        let address = read.arguments.text("--ip").and_then(|ip| ip.parse::<Ipv4Addr>().ok());
        if let Some(line) = address.and_then(|address| addresses.insert(address, read.line)) {
            wrong.warning(
                &rules::NETWORK_DUPLICATE,
                format!("network: the address is in line {line} already"),
            );
        }
    }
}

struct Wrong<'a> {
    line: usize,
    found: &'a mut Vec<Finding>,
}

impl Wrong<'_> {
    fn error(&mut self, rule: &'static Rule, what: impl Into<String>) {
        self.found.push(Finding::error(rule, self.line, what));
    }

    fn warning(&mut self, rule: &'static Rule, what: impl Into<String>) {
        self.found.push(Finding::warning(rule, self.line, what));
    }

    /// Reads an address, or says that it is none.
    fn address<T: std::str::FromStr>(&mut self, option: &str, text: &str) -> Option<T> {
        let address = text.parse().ok();
        if address.is_none() {
            self.error(&rules::ADDRESS, format!("network: {option} {} is no address", quoted(text)));
        }
        address
    }
}

fn ipv4(read: &Read, wrong: &mut Wrong) {
    let given = &read.arguments;
    let fixed = given.value("--bootproto") == Some("static");
    let (ip, mask, gateway) = (given.text("--ip"), given.text("--netmask"), given.text("--gateway"));
    if given.has("--noipv4") {
        return;
    }
    if !fixed {
        if ip.is_some() && given.text("--bootproto").is_some() {
            wrong.warning(&rules::ADDRESS_IGNORED, "network: --ip has no effect without --bootproto=static");
        }
        return;
    }
    let Some(ip) = ip else {
        // a bond or bridge may carry only VLANs, and IPv6 may be all that is wanted
        let other = ["--ipv6", "--bondslaves", "--bridgeslaves", "--teamslaves"];
        let what = "network: --bootproto=static without --ip";
        return if other.iter().any(|option| given.has(option)) {
            wrong.warning(&rules::STATIC_INCOMPLETE, what)
        } else {
            wrong.error(&rules::STATIC_INCOMPLETE, what)
        };
    };
    let Some(mask) = mask else {
        return wrong.error(&rules::STATIC_INCOMPLETE, "network: --bootproto=static without --netmask");
    };
    let (Some(ip), Some(mask)) =
        (wrong.address::<Ipv4Addr>("--ip", ip), wrong.address::<Ipv4Addr>("--netmask", mask))
    else {
        return;
    };
    let Ok(net) = Ipv4Net::with_netmask(ip, mask) else {
        return wrong.error(
            &rules::NETMASK,
            format!("network: --netmask {mask} is no netmask: its ones don't stand together"),
        );
    };
    if net.prefix_len() < 31 && (ip == net.network() || ip == net.broadcast()) {
        wrong.error(
            &rules::ADDRESS_OF_NETWORK,
            format!("network: --ip {ip} is the network's own or broadcast address in {}", net.trunc()),
        );
    }
    let Some(gateway) = gateway.and_then(|text| wrong.address::<Ipv4Addr>("--gateway", text)) else { return };
    if gateway == ip {
        wrong.error(&rules::GATEWAY, format!("network: --gateway {gateway} is the machine itself"));
    } else if !net.contains(&gateway) && net.prefix_len() < 32 {
        wrong.error(&rules::GATEWAY, format!("network: --gateway {gateway} is outside of {}", net.trunc()));
    }
}

fn ipv6(read: &Read, wrong: &mut Wrong) {
    let given = &read.arguments;
    if let Some(text) = given.text("--ipv6").filter(|text| !matches!(*text, "auto" | "dhcp" | "ignore")) {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "64"));
        wrong.address::<Ipv6Addr>("--ipv6", address);
        if !prefix.parse().is_ok_and(|prefix: u8| prefix <= 128) {
            wrong.error(&rules::ADDRESS, "network: the prefix length of --ipv6 must be 0 to 128");
        }
        if given.has("--noipv6") {
            wrong.warning(&rules::ADDRESS_IGNORED, "network: --ipv6 has no effect with --noipv6");
        }
    }
    if let Some(text) = given.text("--ipv6gateway") {
        wrong.address::<Ipv6Addr>("--ipv6gateway", text);
    }
}

fn link(read: &Read, wrong: &mut Wrong) {
    let given = &read.arguments;
    let names_only = !["--bootproto", "--ip", "--ipv6"].iter().any(|option| given.has(option));
    if given.text("--device").is_none() && !names_only {
        let what = "network: no --device: of several cards, the one that the installer booted from or that has a link first";
        wrong.found.push(
            Finding::warning(&rules::NETWORK_DEVICE, wrong.line, what)
                .help("name the card by its address: --device=52:54:00:12:34:56"),
        );
    }
    for server in given.list("--nameserver") {
        if server.parse::<IpAddr>().is_err() {
            wrong.warning(&rules::ADDRESS, format!("network: --nameserver {} is no address", quoted(server)));
        }
    }
    if given.text("--mtu").is_some_and(|mtu| super::arguments::integer(mtu).is_none()) {
        wrong.error(&rules::OPTION_VALUE, "network: --mtu must be a whole number");
    }
    let vlan = given.text("--vlanid").map(str::parse::<u16>);
    if vlan.is_some_and(|vlan| !vlan.is_ok_and(|vlan| (1..=4094).contains(&vlan))) {
        wrong.error(&rules::OPTION_VALUE, "network: --vlanid must be 1 to 4094");
    }
    let name = given.text("--hostname").unwrap_or("localhost");
    let label = |label: &str| {
        let edges = !label.starts_with('-') && !label.ends_with('-');
        edges
            && (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if name.len() > 253 || !name.trim_end_matches('.').split('.').all(label) {
        wrong.warning(&rules::HOSTNAME, format!("network: --hostname {} is no host name", quoted(name)));
    }
}
