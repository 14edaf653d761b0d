//! What only one host can have, and two have: MAC addresses, wherever they stand, IP addresses, disks. And the site's server, if none of the hosts'
//! networks holds it.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::duplicate_matches::Told;
use crate::host::Site;
use crate::host::owners::{Owner, Owners, Thing};
use crate::profile::diag::Diagnostic;
use crate::profile::load::{Layer, Shared};
use crate::profile::raw::{RawIpv4, RawIpv6, RawNetwork, RawProfile, RawTarget};
use crate::profile::rule;
use crate::profile::source::Span;
use crate::profile::spanned::Spanned;
use crate::value::{DiskSelector, Mac};

/// What the hosts so far have.
#[derive(Debug, Default)]
pub struct Clashes {
    owners: Owners<Span>,
    found: Vec<Diagnostic>,
    /// The same of MAC addresses, with the host that has one too: of some `duplicate_matches` tells.
    macs: Vec<(Mac, usize, Diagnostic)>,
    networks: HashSet<IpNet>,
    /// The hosts from which no way leads to the server, with their layers' places.
    lost: Vec<Diagnostic>,
}

impl Clashes {
    /// Takes note of a host.
    pub fn add(&mut self, layer: &Layer, raw: &RawProfile, server: Option<IpAddr>) {
        let owner = self.owners.add(&layer.name);
        let network = &raw.network.value;
        let cards = network.interfaces.items.iter().filter_map(|card| card.value.matching.mac.as_ref());
        let mut own: Vec<Mac> = Vec::new();
        for mac in raw.matching.value.mac.items.iter().chain(cards) {
            if !own.contains(&mac.value) {
                own.push(mac.value);
                self.claim(Thing::Mac(mac.value), owner, mac.span);
            }
        }
        let addresses = addresses(network);
        for (net, span) in &addresses.fixed {
            if !is_link_local(net.addr()) {
                self.claim(Thing::Address(net.addr()), owner, *span);
                self.networks.insert(net.trunc());
            }
        }
        if let Some(server) = server.filter(|server| addresses.is_cut_off_from(*server)) {
            let message = format!("no way leads from this host to the site's server {server}");
            let help = "give the host a gateway or a route, or write the server's address in this network";
            let diagnostic = Diagnostic::new(Span::file(layer.source), message).help(help);
            self.lost.push(diagnostic.rule(&rule::SERVER_ELSEWHERE, [layer.name.clone()]));
        }
        for thing in disks(raw) {
            self.claim(thing.value, owner, thing.span);
        }
    }

    fn claim(&mut self, thing: Thing, owner: Owner, place: Span) {
        let Some(clash) = self.owners.claim(thing, owner, place) else { return };
        let first = clash.place;
        // a host's own network and layout tell what it has twice
        if clash.is_own() {
            return;
        }
        let (rule, help) = match &clash.thing {
            Thing::Mac(_) => (
                &rule::SAME_MAC,
                "no two network cards have one, and the boot file of a card is for one host",
            ),
            Thing::Address(_) => (
                &rule::SAME_ADDRESS,
                "give one of them another; or waive `same-address` in site.yaml where their networks never meet",
            ),
            Thing::Serial(_) => (
                &rule::SAME_DISK,
                "a disk is in one machine; or waive `same-disk` in site.yaml where these are two disks",
            ),
            Thing::Wwn(_) => (
                &rule::SAME_DISK,
                "a disk is in one machine; or waive `same-disk` in site.yaml where it moves between them",
            ),
        };
        let mut diagnostic = Diagnostic::new(place, clash.to_string()).help(help);
        if first != place {
            diagnostic = diagnostic.related(first, format!("of `{}`", clash.first));
        }
        let thing = clash.thing;
        let diagnostic = diagnostic.rule(rule, [clash.first, clash.second]);
        match thing {
            Thing::Mac(mac) => self.macs.push((mac, owner.index(), diagnostic)),
            Thing::Address(_) | Thing::Serial(_) | Thing::Wwn(_) => self.found.push(diagnostic),
        }
    }

    /// What was found, all hosts being in; of the MAC addresses in `told` it was told before.
    pub fn finish(self, shared: &Shared, server: Option<IpAddr>, told: &Told) -> Vec<Diagnostic> {
        let Self { mut found, macs, lost, networks, .. } = self;
        let macs = macs.into_iter().filter(|(mac, host, _)| !told.contains(&(*mac, *host)));
        found.extend(macs.map(|(_, _, diagnostic)| diagnostic));
        let alike = |server: &IpAddr, net: &&IpNet| net.addr().is_ipv4() == server.is_ipv4();
        if let (Some(server), Some(raw)) = (server, &shared.site.server) {
            let known: Vec<_> = networks.iter().filter(|net| alike(&server, net)).collect();
            if !known.is_empty() && lost.is_empty() && !known.iter().any(|net| net.contains(&server)) {
                let message = format!("the server {server} is in none of the hosts' networks");
                let help =
                    "write your server's address; or waive `server-elsewhere` where a router leads there";
                found.push(Diagnostic::new(raw.span, message).help(help).rule(&rule::SERVER_ELSEWHERE, []));
            }
        }
        found.extend(lost);
        found
    }
}

/// The server's address, where that isn't a name.
pub fn server(site: &Site) -> Option<IpAddr> {
    let host = site.server.as_ref()?.host();
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Addresses of a host, whatever link they are on.
#[derive(Default)]
struct Addresses {
    fixed: Vec<(IpNet, Span)>,
    /// Some link asks somebody for its address, and for the way.
    asks: bool,
    has_gateway: bool,
    routes: Vec<IpNet>,
}

impl Addresses {
    fn is_cut_off_from(&self, server: IpAddr) -> bool {
        let alike = self.fixed.iter().any(|(net, _)| net.addr().is_ipv4() == server.is_ipv4());
        let nets = self.fixed.iter().map(|(net, _)| net).chain(&self.routes);
        alike && !self.asks && !self.has_gateway && !nets.into_iter().any(|net| net.contains(&server))
    }

    fn text(&mut self, text: &Spanned<String>) {
        self.fixed.extend(text.value.parse().ok().map(|net: IpNet| (net, text.span)));
    }

    fn link(&mut self, ipv4: Option<&Spanned<RawIpv4>>, ipv6: Option<&Spanned<RawIpv6>>) {
        match ipv4.map(|ipv4| &ipv4.value) {
            Some(RawIpv4::Static(fixed)) => {
                fixed.address.iter().chain(&fixed.more.items).for_each(|text| self.text(text));
                self.has_gateway |= fixed.gateway.is_some();
            }
            Some(RawIpv4::Dhcp) => self.asks = true,
            Some(RawIpv4::None) => {}
            None => self.asks |= ipv6.is_none(),
        }
        match ipv6.map(|ipv6| &ipv6.value) {
            Some(RawIpv6::Static(fixed)) => {
                fixed.address.iter().chain(&fixed.more.items).for_each(|text| self.text(text));
                self.has_gateway |= fixed.gateway.is_some();
            }
            Some(RawIpv6::Auto | RawIpv6::Dhcp) => self.asks = true,
            Some(RawIpv6::None) | None => {}
        }
    }
}

fn addresses(raw: &RawNetwork) -> Addresses {
    let mut found = Addresses::default();
    let RawNetwork { interfaces, bonds, vlans, bridges, .. } = raw;
    let mut routes = Vec::new();
    for card in &interfaces.items {
        // one that others stand on has none of its own
        if card.value.id.is_none() || card.value.ipv4.is_some() || card.value.ipv6.is_some() {
            found.link(card.value.ipv4.as_ref(), card.value.ipv6.as_ref());
        }
        routes.extend(&card.value.routes.items);
    }
    for bond in &bonds.items {
        if bond.value.ipv4.is_some() || bond.value.ipv6.is_some() {
            found.link(bond.value.ipv4.as_ref(), bond.value.ipv6.as_ref());
        }
        routes.extend(&bond.value.routes.items);
    }
    for vlan in &vlans.items {
        found.link(vlan.value.ipv4.as_ref(), vlan.value.ipv6.as_ref());
        routes.extend(&vlan.value.routes.items);
    }
    for bridge in &bridges.items {
        found.link(bridge.value.ipv4.as_ref(), bridge.value.ipv6.as_ref());
        routes.extend(&bridge.value.routes.items);
    }
    found.asks |= interfaces.items.is_empty();
    found.routes = routes.iter().filter_map(|route| route.value.to.as_ref()?.value.parse().ok()).collect();
    found
}

/// The disks that a host names.
fn disks(raw: &RawProfile) -> Vec<Spanned<Thing>> {
    let storage = &raw.storage.value;
    let others = storage.disks.items.iter().map(|disk| &disk.value.select.value);
    let mut found = Vec::new();
    for RawTarget { serial, wwn, .. } in std::iter::once(&storage.target.value).chain(others) {
        match (serial, wwn) {
            (_, Some(wwn)) => {
                let value = Thing::Wwn(DiskSelector::plain_wwn(&wwn.value).into());
                found.push(Spanned { value, span: wwn.span });
            }
            (Some(serial), None) => {
                let value = Thing::Serial(serial.value.trim().to_ascii_lowercase().into());
                found.push(Spanned { value, span: serial.span });
            }
            (None, None) => {}
        }
    }
    found
}
