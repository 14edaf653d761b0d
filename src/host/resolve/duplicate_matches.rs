//! Two hosts that one machine could be.
//!
//! Every key that a host gives must match. So two hosts match the same machine if they share a MAC, the UUID or the serial, and no other key
//! keeps them apart. Of a MAC address that two hosts share without that, `clashes` tells.

use std::collections::{HashMap, HashSet};

use crate::profile::diag::Diagnostic;
use crate::profile::load::Layer;
use crate::profile::raw::{RawMatch, RawProfile};
use crate::profile::rule;
use crate::profile::source::Span;
use crate::spec::order::HostMatch;
use crate::value::{Mac, Pattern};

/// What a host says of its machine, and where.
#[derive(Debug)]
pub struct Claim {
    name: String,
    matching: HostMatch,
    keys: Vec<(Key, Span)>,
}

/// What one machine only has, in words; a MAC address as what it is.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Mac(Mac),
    Other(String),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "MAC address {mac}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// MAC addresses, each with the number of the later host that it makes a rival.
pub type Told = HashSet<(Mac, usize)>;

/// The resolved form, without the demand that it names somebody.
pub fn host_match(raw: &RawMatch) -> HostMatch {
    let mut macs: Vec<_> = raw.mac.items.iter().map(|mac| mac.value).collect();
    macs.sort();
    macs.dedup();
    HostMatch {
        macs,
        uuid: raw.uuid.as_ref().map(|uuid| uuid.value),
        serial: raw.serial.as_ref().map(|serial| serial.value.clone()),
        vendor: raw.vendor.as_ref().map(|vendor| vendor.value.clone()),
        model: raw.model.as_ref().map(|model| model.value.clone()),
    }
}

impl Claim {
    /// Of a host.
    pub fn new(layer: &Layer, raw: &RawProfile) -> Self {
        let raw = &raw.matching.value;
        let mut keys = Vec::new();
        keys.extend(raw.mac.items.iter().map(|mac| (Key::Mac(mac.value), mac.span)));
        keys.extend(raw.uuid.iter().map(|uuid| (Key::Other(format!("UUID {}", uuid.value)), uuid.span)));
        keys.extend(raw.serial.iter().map(|serial| {
            let serial_number = serial.value.to_string().to_ascii_uppercase();
            (Key::Other(format!("serial number {serial_number}")), serial.span)
        }));
        Self { name: layer.name.clone(), matching: host_match(raw), keys }
    }
}

/// Complains of every host that has a rival before it. Returns of which MAC addresses it told.
pub fn check(claims: &[Claim], diagnostics: &mut Vec<Diagnostic>) -> Told {
    let mut told = Told::new();
    let mut owners: HashMap<&Key, Vec<(usize, Span)>> = HashMap::new();
    for (index, claim) in claims.iter().enumerate() {
        for (key, span) in &claim.keys {
            let owners = owners.entry(key).or_default();
            let rival = owners
                .iter()
                .find(|(other, _)| *other == index || !are_apart(&claims[*other].matching, &claim.matching));
            if let Some((other, first)) = rival {
                if let (Key::Mac(mac), true) = (key, *other != index) {
                    told.insert((*mac, index));
                }
                let (message, label) = match *other == index {
                    true => (format!("the {key} stands here a second time"), "the first time".to_owned()),
                    false => (
                        format!("one machine could be `{}` and `{}`: {key}", claims[*other].name, claim.name),
                        format!("also of `{}`", claims[*other].name),
                    ),
                };
                let hosts = [claims[*other].name.clone(), claim.name.clone()];
                let diagnostic = Diagnostic::new(*span, message).related(*first, label);
                diagnostics.push(if *other == index {
                    diagnostic
                } else {
                    diagnostic.rule(&rule::SAME_MACHINE, hosts)
                });
            }
            owners.push((index, *span));
        }
    }
    told
}

/// No machine can be both.
fn are_apart(a: &HostMatch, b: &HostMatch) -> bool {
    let serial =
        |matching: &HostMatch| matching.serial.as_ref().map(|serial| serial.to_string().to_ascii_lowercase());
    differ(a.uuid, b.uuid)
        || differ(serial(a), serial(b))
        || patterns_differ(a.vendor.as_ref(), b.vendor.as_ref())
        || patterns_differ(a.model.as_ref(), b.model.as_ref())
}

fn differ<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if a != b)
}

/// True only if it is certain: one is a plain text that the other doesn't match.
fn patterns_differ(a: Option<&Pattern>, b: Option<&Pattern>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let (text_a, text_b) = (a.to_string(), b.to_string());
    let is_plain = |text: &str| !text.contains(['*', '?', '[']);
    (is_plain(&text_a) && !b.matches(&text_a)) || (is_plain(&text_b) && !a.matches(&text_b))
}
