//! The orders of a site that nobody may carry out any more.
//!
//! The list stands in the site's state, where a running `serve` reads it at each question, and in every tree that is built
//! afterwards, under the tree's signed manifest. It can only keep machines from installing, so whoever finds it believes it,
//! signed or not.

use serde::{Deserialize, Serialize};

use super::FormatVersion;
use crate::value::{HostName, OrderId, Timestamp};

/// Where a tree has the list.
pub const NAME: &str = "revoked.json";

/// All revoked orders, sorted by order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocations {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// The orders.
    pub orders: Vec<Revoked>,
}

/// One revoked order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// The order.
    pub order: OrderId,
    /// Whose it was.
    pub host: HostName,
    /// Since when.
    pub time: Timestamp,
    /// When the order would have ended by itself.
    pub until: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// Why an order was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Its host was disarmed.
    Disarmed,
    /// Its host was armed anew, and has another order.
    Replaced,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Disarmed => "disarmed",
            Self::Replaced => "replaced by a newer order",
        })
    }
}

impl Revocations {
    /// What is known of an order; `None` where it isn't revoked.
    pub fn find(&self, order: &OrderId) -> Option<&Revoked> {
        self.orders.binary_search_by(|revoked| revoked.order.cmp(order)).ok().map(|at| &self.orders[at])
    }

    /// Adds an order. One that is revoked already stays as it is: it was revoked then.
    pub fn add(&mut self, revoked: Revoked) {
        if let Err(at) = self.orders.binary_search_by(|known| known.order.cmp(&revoked.order)) {
            self.orders.insert(at, revoked);
        }
    }

    /// Brings a list that came from elsewhere into order.
    pub fn sorted(mut self) -> Self {
        self.orders.sort_by(|a, b| a.order.cmp(&b.order));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_revoked_once_and_found_again() {
        let revoked = |seed: u8, time| Revoked {
            order: OrderId::from_random([seed; 16]),
            host: "web01".parse().unwrap(),
            time: Timestamp::from_unix(time),
            until: Timestamp::from_unix(99),
            reason: Reason::Disarmed,
        };
        let mut list = Revocations::default();
        for (seed, time) in [(3, 1), (1, 2), (2, 3), (3, 4)] {
            list.add(revoked(seed, time));
        }
        assert_eq!(list.orders.len(), 3);
        assert_eq!(
            list.find(&OrderId::from_random([3; 16])).map(|it| it.time),
            Some(Timestamp::from_unix(1))
        );
        assert_eq!(list.find(&OrderId::from_random([4; 16])), None);
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(serde_json::from_str::<Revocations>(&text).unwrap().sorted(), list);
    }
}
