//! `network:` → [`NetworkSpec`].

use ipnet::Ipv4Net;

use super::Context;
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{RawInterface, RawIpv4, RawNetwork, RawStatic};
use crate::profile::source::Span;
use crate::profile::spanned::{List, Section, Spanned};
use crate::spec::system::{Interface, Ipv4, NetworkSpec};
use crate::value::Mac;

/// Checks and completes the network.
pub fn resolve(
    context: &Context<'_>,
    raw: Section<RawNetwork>,
    diagnostics: &mut Vec<Diagnostic>,
) -> NetworkSpec {
    let RawNetwork { interfaces, dns, search } = raw.value;
    let mut seen: Vec<(Mac, Span)> = Vec::new();
    let mut gateway: Option<Span> = None;
    let mut resolved = Vec::new();
    for Spanned { value: RawInterface { matching, ipv4 }, span } in interfaces.items {
        let Some(mac) = matching.mac else {
            let help = "add `match: { mac: \"52:54:00:12:34:56\" }`; kernel names change";
            context.missing(diagnostics, Some(span), "nothing tells which interface this is", help);
            continue;
        };
        match seen.iter().find(|(known, _)| *known == mac.value) {
            Some((_, first)) => {
                let message = format!("the interface {} stands here a second time", mac.value);
                diagnostics.push(Diagnostic::new(mac.span, message).related(*first, "the first time"));
            }
            None => seen.push((mac.value, mac.span)),
        }
        if let Some(RawIpv4::Static(RawStatic { gateway: Some(this), .. })) =
            ipv4.as_ref().map(|ipv4| &ipv4.value)
        {
            match gateway {
                Some(first) => diagnostics.push(
                    Diagnostic::new(this.span, "a second default gateway").related(first, "the first one"),
                ),
                None => gateway = Some(this.span),
            }
        }
        let ipv4 = match ipv4 {
            None | Some(Spanned { value: RawIpv4::Dhcp, .. }) => Some(Ipv4::Dhcp),
            Some(Spanned { value: RawIpv4::Static(raw), span }) => fixed(context, raw, span, diagnostics),
        };
        resolved.extend(ipv4.map(|ipv4| Interface { mac: mac.value, ipv4 }));
    }
    NetworkSpec { interfaces: resolved, dns: values(dns), search: values(search) }
}

fn values<T>(list: List<T>) -> Vec<T> {
    list.items.into_iter().map(|item| item.value).collect()
}

fn fixed(
    context: &Context<'_>,
    raw: RawStatic,
    span: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Ipv4> {
    let RawStatic { address, gateway } = raw;
    let Some(address) = address else {
        let help = "add `address: 10.0.0.11/24`, or write `ipv4: dhcp`";
        context.missing(diagnostics, Some(span), "a fixed configuration without an address", help);
        return None;
    };
    let Ok(net) = address.value.parse::<Ipv4Net>() else {
        let shown = address.value.escape_debug();
        let message = format!("`{shown}` is not an IPv4 address with its prefix length");
        diagnostics.push(Diagnostic::new(address.span, message).help("write it like `10.0.0.11/24`"));
        return None;
    };
    if let Some(message) = not_a_host(net) {
        diagnostics.push(Diagnostic::new(address.span, message));
    }
    if let Some(gateway) = &gateway {
        let message = if !net.contains(&gateway.value) {
            Some(format!("the gateway {} is outside of {}", gateway.value, net.trunc()))
        } else if gateway.value == net.addr() {
            Some(format!("the gateway {} is the host itself", gateway.value))
        } else {
            None
        };
        diagnostics.extend(
            message
                .map(|message| Diagnostic::new(gateway.span, message).related(address.span, "the address")),
        );
    }
    Some(Ipv4::Static { address: net, gateway: gateway.map(|gateway| gateway.value) })
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
