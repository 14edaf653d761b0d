//! What only one machine can have, and who had it first: cards, addresses, disks. The one finder of doubled things, for `check`
//! with places in files, and for what is written for other programs without them.
//!
//! Of each thing only its first owner is remembered, so that a site of 100,000 hosts stays small.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use crate::value::Mac;

/// What belongs to one machine only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Thing {
    /// A network card.
    Mac(Mac),
    /// An address of the network.
    Address(IpAddr),
    /// A disk by its serial number, in lower case.
    Serial(Box<str>),
    /// A disk by its world-wide name, without the prefixes that tools give it.
    Wwn(Box<str>),
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "the MAC address {mac}"),
            Self::Address(address) => write!(f, "the address {address}"),
            Self::Serial(serial) => write!(f, "the disk with the serial number {}", serial.to_uppercase()),
            Self::Wwn(wwn) => write!(f, "the disk with the world-wide name {wwn}"),
        }
    }
}

/// A host among those that were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner(u32);

impl Owner {
    /// Its number, from 0, in the order in which they were added.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the hosts so far have; `P` is where that is said.
#[derive(Debug)]
pub struct Owners<P> {
    names: Vec<Box<str>>,
    first: HashMap<Thing, (Owner, P)>,
}

/// A thing that had an owner when it was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash<P> {
    /// What it is.
    pub thing: Thing,
    /// Its first owner's name.
    pub first: String,
    /// Where that is said.
    pub place: P,
    /// The name of the one that claims it too; the same for one that claims it twice.
    pub second: String,
}

impl<P> Default for Owners<P> {
    fn default() -> Self {
        Self { names: Vec::new(), first: HashMap::new() }
    }
}

impl<P: Copy> Owners<P> {
    /// A further host.
    pub fn add(&mut self, name: &str) -> Owner {
        self.names.push(name.into());
        Owner(u32::try_from(self.names.len() - 1).unwrap_or(u32::MAX))
    }

    /// Says that the host has this; who had it before, itself perhaps.
    pub fn claim(&mut self, thing: Thing, owner: Owner, place: P) -> Option<Clash<P>> {
        let (first, place) = match self.first.get(&thing) {
            Some(first) => *first,
            None => {
                self.first.insert(thing, (owner, place));
                return None;
            }
        };
        let name = |owner: Owner| self.names.get(owner.index()).map(ToString::to_string).unwrap_or_default();
        Some(Clash { thing, first: name(first), place, second: name(owner) })
    }
}

impl<P> Clash<P> {
    /// One host has it twice.
    pub fn is_own(&self) -> bool {
        self.first == self.second
    }
}

impl<P> fmt::Display for Clash<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thing, first, second, .. } = self;
        match self.is_own() {
            true => write!(f, "`{first}` has {thing} twice"),
            false => write!(f, "`{first}` and `{second}` both have {thing}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_owner_learns_of_the_first_and_a_host_of_itself() {
        let mut owners = Owners::default();
        let (a, b) = (owners.add("a"), owners.add("b"));
        let address = Thing::Address("10.0.0.1".parse().unwrap());
        assert_eq!(owners.claim(address.clone(), a, 1), None);
        let clash = owners.claim(address.clone(), b, 2).unwrap();
        assert_eq!(
            (clash.to_string().as_str(), clash.place),
            ("`a` and `b` both have the address 10.0.0.1", 1)
        );
        let clash = owners.claim(address, a, 3).unwrap();
        assert!(clash.is_own() && clash.to_string() == "`a` has the address 10.0.0.1 twice", "{clash}");
        assert_eq!(owners.claim(Thing::Serial("s1".into()), b, 4), None);
    }
}
