//! Addresses, gateways and routes: each inside its network, and one default gateway of each kind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::Context;
use crate::host::model::{Fixed, Ipv4, Ipv6, Route};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{RawIpv4, RawIpv6, RawRoute, RawStatic, RawStatic6};
use crate::profile::source::Span;
use crate::profile::spanned::{List, Spanned};

/// What was seen of addresses so far.
#[derive(Default)]
pub struct Addresses {
    seen: Vec<(IpAddr, Span)>,
    gateway4: Option<Span>,
    gateway6: Option<Span>,
}

/// A network with an address in it, of either kind.
trait Net: Copy + std::str::FromStr + std::fmt::Display {
    type Address: Copy + Eq + std::fmt::Display;
    const KIND: &'static str;
    const LIKE: &'static str;
    fn address(self) -> Self::Address;
    fn holds(self, address: Self::Address) -> bool;
    fn net(self) -> String;
    fn wrong(self) -> Option<String>;
    fn either(self) -> IpAddr;
}

impl Net for Ipv4Net {
    type Address = Ipv4Addr;
    const KIND: &'static str = "an IPv4 address";
    const LIKE: &'static str = "10.0.0.11/24";

    fn address(self) -> Ipv4Addr {
        self.addr()
    }

    fn holds(self, address: Ipv4Addr) -> bool {
        self.contains(&address)
    }

    fn net(self) -> String {
        self.trunc().to_string()
    }

    fn wrong(self) -> Option<String> {
        not_a_host(self)
    }

    fn either(self) -> IpAddr {
        self.addr().into()
    }
}

impl Net for Ipv6Net {
    type Address = Ipv6Addr;
    const KIND: &'static str = "an IPv6 address";
    const LIKE: &'static str = "2001:db8::11/64";

    fn address(self) -> Ipv6Addr {
        self.addr()
    }

    fn holds(self, address: Ipv6Addr) -> bool {
        // a router's link-local address is on every link (RFC 4291, section 2.5.6)
        self.contains(&address) || address.is_unicast_link_local()
    }

    fn net(self) -> String {
        self.trunc().to_string()
    }

    fn wrong(self) -> Option<String> {
        let address = self.addr();
        let none = self.prefix_len() == 0
            || address.is_unspecified()
            || address.is_multicast()
            || address.is_loopback()
            || address.to_ipv4_mapped().is_some();
        none.then(|| format!("`{self}` is not an address of a host"))
    }

    fn either(self) -> IpAddr {
        self.addr().into()
    }
}

impl Addresses {
    /// IPv4 of a link; `None` where it is wrong.
    pub fn ipv4(
        &mut self,
        context: &Context<'_>,
        raw: Spanned<RawIpv4>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Ipv4> {
        let RawStatic { address, more, gateway } = match raw.value {
            RawIpv4::Dhcp => return Some(Ipv4::Dhcp),
            RawIpv4::None => return Some(Ipv4::None),
            RawIpv4::Static(fixed) => fixed,
        };
        let fixed = self.fixed::<Ipv4Net>(context, address, more, gateway.as_ref(), raw.span, diagnostics);
        one_gateway(&mut self.gateway4, gateway.map(|gateway| gateway.span), diagnostics);
        fixed.map(Ipv4::Static)
    }

    /// IPv6 of a link; `None` where it is wrong.
    pub fn ipv6(
        &mut self,
        context: &Context<'_>,
        raw: Spanned<RawIpv6>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Ipv6> {
        let RawStatic6 { address, more, gateway } = match raw.value {
            RawIpv6::Auto => return Some(Ipv6::Auto),
            RawIpv6::Dhcp => return Some(Ipv6::Dhcp),
            RawIpv6::None => return Some(Ipv6::None),
            RawIpv6::Static(fixed) => fixed,
        };
        let fixed = self.fixed::<Ipv6Net>(context, address, more, gateway.as_ref(), raw.span, diagnostics);
        one_gateway(&mut self.gateway6, gateway.map(|gateway| gateway.span), diagnostics);
        fixed.map(Ipv6::Static)
    }

    fn fixed<N: Net>(
        &mut self,
        context: &Context<'_>,
        address: Option<Spanned<String>>,
        more: List<String>,
        gateway: Option<&Spanned<N::Address>>,
        span: Span,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Fixed<N, N::Address>> {
        let Some(address) = address else {
            let help = format!("add `address: {}`, or write `dhcp`", N::LIKE);
            context.missing(diagnostics, Some(span), "a fixed configuration without an address", help);
            return None;
        };
        let place = address.span;
        let first = self.address::<N>(address, diagnostics)?;
        let more: Vec<N> = more.items.into_iter().filter_map(|net| self.address(net, diagnostics)).collect();
        if let Some(gateway) = gateway {
            let message = if !std::iter::once(&first).chain(&more).any(|net| net.holds(gateway.value)) {
                Some(format!("the gateway {} is outside of {}", gateway.value, first.net()))
            } else if gateway.value == first.address() {
                Some(format!("the gateway {} is the host itself", gateway.value))
            } else {
                None
            };
            diagnostics.extend(
                message.map(|message| Diagnostic::new(gateway.span, message).related(place, "the address")),
            );
        }
        Some(Fixed { address: first, more, gateway: gateway.map(|gateway| gateway.value) })
    }

    fn address<N: Net>(&mut self, text: Spanned<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<N> {
        let Some(net) = text.value.contains('/').then(|| text.value.parse::<N>().ok()).flatten() else {
            let message =
                format!("`{}` is not {} with its prefix length", text.value.escape_debug(), N::KIND);
            diagnostics
                .push(Diagnostic::new(text.span, message).help(format!("write it like `{}`", N::LIKE)));
            return None;
        };
        if let Some(message) = net.wrong() {
            diagnostics.push(Diagnostic::new(text.span, message));
        }
        match self.seen.iter().find(|(known, _)| *known == net.either()) {
            Some((address, first)) => {
                let message = format!("the address {address} stands here a second time");
                diagnostics.push(Diagnostic::new(text.span, message).related(*first, "the first time"));
            }
            None => self.seen.push((net.either(), text.span)),
        }
        Some(net)
    }
}

fn one_gateway(first: &mut Option<Span>, this: Option<Span>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(this) = this else { return };
    match *first {
        Some(first) => diagnostics
            .push(Diagnostic::new(this, "a second default gateway").related(first, "the first one")),
        None => *first = Some(this),
    }
}

/// Routes of a link with these addresses.
pub fn routes(
    context: &Context<'_>,
    raw: List<RawRoute>,
    link: (&Ipv4, Option<&Ipv6>),
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Route> {
    let mut routes = Vec::new();
    for Spanned { value: RawRoute { to, via, metric }, span } in raw.items {
        let (Some(to), Some(via)) = (to, via) else {
            let help = "add `to: 10.9.0.0/16` and `via: 10.0.0.254`";
            context.missing(diagnostics, Some(span), "a route needs its network and its router", help);
            continue;
        };
        let Ok(net) = to.value.parse::<IpNet>() else {
            let message = format!("`{}` is not a network", to.value.escape_debug());
            diagnostics.push(Diagnostic::new(to.span, message).help("write it like `10.9.0.0/16`"));
            continue;
        };
        if net.prefix_len() == 0 {
            let diagnostic = Diagnostic::new(to.span, "this is the default route");
            diagnostics.push(diagnostic.help("write it as the `gateway` of the link's address"));
        } else if net.trunc() != net {
            let message = format!("`{net}` is an address in a network, not the network itself");
            diagnostics.push(Diagnostic::new(to.span, message).help(format!("write `{}`", net.trunc())));
        }
        if net.addr().is_ipv4() != via.value.is_ipv4() {
            let message = format!("{} can't lead to {net}: one is IPv4, the other IPv6", via.value);
            diagnostics.push(Diagnostic::new(via.span, message));
        } else if is_unreachable(via.value, link) {
            let message = format!("the router {} is on no network of this link", via.value);
            diagnostics.push(Diagnostic::new(via.span, message));
        }
        routes.push(Route { to: net, via: via.value, metric: metric.map(|metric| metric.value) });
    }
    routes
}

/// Whether no fixed address of the link is in the router's network; what DHCP will give nobody knows.
fn is_unreachable(via: IpAddr, (ipv4, ipv6): (&Ipv4, Option<&Ipv6>)) -> bool {
    match via {
        IpAddr::V4(via) => match ipv4 {
            Ipv4::Static(Fixed { address, more, .. }) => {
                !std::iter::once(address).chain(more).any(|net| net.holds(via))
            }
            Ipv4::Dhcp => false,
            Ipv4::None => true,
        },
        IpAddr::V6(via) => match ipv6 {
            Some(Ipv6::Static(Fixed { address, more, .. })) => {
                !std::iter::once(address).chain(more).any(|net| net.holds(via))
            }
            Some(Ipv6::None) => true,
            Some(Ipv6::Auto | Ipv6::Dhcp) | None => false,
        },
    }
}

/// Why no host can have this address.
fn not_a_host(net: Ipv4Net) -> Option<String> {
    let address = net.addr();
    if net.prefix_len() == 0 || address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return Some(format!("`{net}` is not an address of a host"));
    }
    if net.prefix_len() >= 31 {
        return None;
    }
    if address == net.network() {
        return Some(format!("{address} is the network itself, not a host in it"));
    }
    (address == net.broadcast()).then(|| format!("{address} is the broadcast address of {}", net.trunc()))
}
