//! `network:` → [`Network`]: cards, what stands on them, and that no link is used twice or stands on itself.

mod addresses;
mod stack;

use super::Context;
use crate::host::model::{Bond, BondMode, Bridge, Interface, Ipv4, Link, Network, Vlan};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{
    RawBond, RawBondMode, RawBridge, RawInterface, RawIpv4, RawIpv6, RawNetwork, RawRoute, RawVlan,
};
use crate::profile::source::Span;
use crate::profile::spanned::{List, Section, Spanned};
use crate::value::{LinkName, Mac, Mtu};
use addresses::Addresses;
use stack::Stack;

/// How often a bond looks at its members' links, in milliseconds: what all distributions recommend.
const MIIMON: u32 = 100;

/// Checks and completes the network.
pub fn resolve(
    context: &Context<'_>,
    raw: Section<RawNetwork>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Network {
    let stack = Stack::new(context, &raw.value, diagnostics);
    let RawNetwork { interfaces, bonds, vlans, bridges, dns, search } = raw.value;
    let mut work = Work { context, stack, addresses: Addresses::default(), macs: Vec::new(), diagnostics };
    Network {
        interfaces: interfaces.items.into_iter().filter_map(|card| work.interface(card)).collect(),
        bonds: bonds.items.into_iter().filter_map(|bond| work.bond(bond)).collect(),
        vlans: vlans.items.into_iter().filter_map(|vlan| work.vlan(vlan)).collect(),
        bridges: bridges.items.into_iter().filter_map(|bridge| work.bridge(bridge)).collect(),
        dns: values(dns),
        search: values(search),
    }
}

pub(super) fn values<T>(list: List<T>) -> Vec<T> {
    list.items.into_iter().map(|item| item.value).collect()
}

/// What every kind of link can say.
struct Parts {
    ipv4: Option<Spanned<RawIpv4>>,
    ipv6: Option<Spanned<RawIpv6>>,
    mtu: Option<Spanned<Mtu>>,
    routes: List<RawRoute>,
}

struct Work<'w> {
    context: &'w Context<'w>,
    stack: Stack,
    addresses: Addresses,
    macs: Vec<(Mac, Span)>,
    diagnostics: &'w mut Vec<Diagnostic>,
}

impl Work<'_> {
    fn missing(&mut self, span: Span, message: &str, help: &str) {
        self.context.missing(self.diagnostics, Some(span), message, help);
    }

    fn interface(&mut self, Spanned { value, span }: Spanned<RawInterface>) -> Option<Interface> {
        let RawInterface { id, matching, ipv4, ipv6, mtu, routes } = value;
        let Some(mac) = matching.mac else {
            let help = "add `match: { mac: \"52:54:00:12:34:56\" }`; kernel names change";
            self.missing(span, "nothing tells which interface this is", help);
            return None;
        };
        match self.macs.iter().find(|(known, _)| *known == mac.value) {
            Some((_, first)) => {
                let message = format!("the interface {} stands here a second time", mac.value);
                self.diagnostics.push(Diagnostic::new(mac.span, message).related(*first, "the first time"));
            }
            None => self.macs.push((mac.value, mac.span)),
        }
        let link = self.link(id.as_ref().map(|id| &id.value), Parts { ipv4, ipv6, mtu, routes });
        Some(Interface { id: id.map(|id| id.value), mac: mac.value, link })
    }

    fn bond(&mut self, Spanned { value, span }: Spanned<RawBond>) -> Option<Bond> {
        let RawBond { id, members, mode, miimon, ipv4, ipv6, mtu, routes } = value;
        let id = self.name(id, span, "a bond")?;
        if members.items.is_empty() {
            self.missing(span, "a bond without members", "add `members: [ID, ID]`, the `id`s of interfaces");
        }
        let link = self.link(Some(&id), Parts { ipv4, ipv6, mtu, routes });
        let mode = match mode.map(|mode| mode.value) {
            None | Some(RawBondMode::ActiveBackup) => BondMode::ActiveBackup,
            Some(RawBondMode::BalanceRr) => BondMode::BalanceRr,
            Some(RawBondMode::BalanceXor) => BondMode::BalanceXor,
            Some(RawBondMode::Lacp) => BondMode::Lacp,
        };
        Some(Bond { id, members: values(members), mode, miimon: miimon.map_or(MIIMON, |ms| ms.value), link })
    }

    fn vlan(&mut self, Spanned { value, span }: Spanned<RawVlan>) -> Option<Vlan> {
        let RawVlan { id, link: on, tag, ipv4, ipv6, mtu, routes } = value;
        let id = self.name(id, span, "a VLAN")?;
        let link = self.link(Some(&id), Parts { ipv4, ipv6, mtu, routes });
        let (Some(on), Some(tag)) = (on, tag) else {
            self.missing(span, "a VLAN needs its link and its number", "add `link: ID` and `tag: 100`");
            return None;
        };
        Some(Vlan { id, on: on.value, tag: tag.value, link })
    }

    fn bridge(&mut self, Spanned { value, span }: Spanned<RawBridge>) -> Option<Bridge> {
        let RawBridge { id, members, stp, ipv4, ipv6, mtu, routes } = value;
        let id = self.name(id, span, "a bridge")?;
        if members.items.is_empty() {
            self.missing(span, "a bridge without members", "add `members: [ID]`, the `id`s of links");
        }
        let link = self.link(Some(&id), Parts { ipv4, ipv6, mtu, routes });
        Some(Bridge { id, members: values(members), stp: stp.is_some_and(|stp| stp.value), link })
    }

    fn name(&mut self, id: Option<Spanned<LinkName>>, span: Span, what: &str) -> Option<LinkName> {
        if id.is_none() {
            self.missing(span, &format!("{what} without a name"), "add `id: NAME`");
        }
        id.map(|id| id.value)
    }

    /// What a link carries. One that others stand on has no addresses unless the profile gives them; the others take DHCP.
    fn link(&mut self, id: Option<&LinkName>, parts: Parts) -> Link {
        let user = id.and_then(|id| self.stack.member_of(id));
        let carrier = user.is_some() || id.is_some_and(|id| self.stack.carries(id));
        if let Some(user) = user {
            self.refuse_addresses(&parts, &user);
        }
        let quiet = parts.ipv4.is_none() && (carrier || parts.ipv6.is_some());
        let Parts { ipv4, ipv6, mtu, routes } = parts;
        let ipv4 = match ipv4 {
            None if quiet => Ipv4::None,
            None => Ipv4::Dhcp,
            Some(ipv4) => self.addresses.ipv4(self.context, ipv4, self.diagnostics).unwrap_or_default(),
        };
        let ipv6 = ipv6.and_then(|ipv6| self.addresses.ipv6(self.context, ipv6, self.diagnostics));
        let routes = addresses::routes(self.context, routes, (&ipv4, ipv6.as_ref()), self.diagnostics);
        Link { ipv4, ipv6, mtu: mtu.map(|mtu| mtu.value), routes }
    }

    fn refuse_addresses(&mut self, parts: &Parts, user: &LinkName) {
        let ipv4 = parts.ipv4.as_ref().filter(|ipv4| ipv4.value != RawIpv4::None).map(|ipv4| ipv4.span);
        let ipv6 = parts.ipv6.as_ref().filter(|ipv6| ipv6.value != RawIpv6::None).map(|ipv6| ipv6.span);
        let route = parts.routes.items.first().map(|route| route.span);
        for span in [ipv4, ipv6, route].into_iter().flatten() {
            let message = format!("a member of `{user}` has no addresses or routes of its own");
            self.diagnostics.push(Diagnostic::new(span, message).help(format!("give them to `{user}`")));
        }
    }
}
