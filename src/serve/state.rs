//! What the events add up to: where each host is, which orders are done, how often each was claimed.
//!
//! Pure: the same events in the same order give the same state of the fleet, so it is rebuilt from the file at start. Events come
//! late, twice and from anyone; the rules below keep a late one from undoing what a newer one said:
//! - an event is known by its run and number and counts once;
//! - within a run, a lower number than the highest seen no longer moves the host;
//! - an event that isn't proven changes no host of which something can be proven: it shows a stranger;
//! - what anyone may invent (hosts, runs, long sentences) is remembered up to a bound; hosts and orders that are expected are
//!   remembered always;
//! - under one order a host that has committed only goes on to rebooting, hand-off and converged, and converged is the end; its
//!   first word of what was committed stands.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::report::{HostStatus, Phase, Report, Stranger, says_done, shortened};
use crate::spec::FormatVersion;
use crate::spec::event::{Event, Outcomes, What};
use crate::value::{HostName, OrderId, Timestamp};

mod forget;
mod runs;
#[cfg(test)]
mod tests;

use runs::Runs;

/// What stands behind an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The sender had the host's order; or a server of a version that didn't ask has stored it.
    #[default]
    Proven,
    /// Nothing, and nothing could: it is of a host that has no order.
    Open,
    /// Nothing, where something could.
    Stranger,
}

impl Trust {
    /// Whether it needs no saying.
    pub fn is_proven(&self) -> bool {
        *self == Self::Proven
    }
}

/// An event as the server got it.
#[derive(Debug, Clone)]
pub struct Received {
    /// By the server's clock.
    pub time: Timestamp,
    /// From where.
    pub client: IpAddr,
    /// What stands behind it.
    pub trust: Trust,
    /// What the sender said.
    pub event: Event,
}

/// Most strangers that are remembered.
const MAX_STRANGERS: usize = 100;
/// Most hosts that are remembered though nobody expects them and nothing of them was proven.
const MAX_OTHERS: usize = 20_000;

/// The sum of all events.
#[derive(Debug, Clone, Default)]
pub struct FleetState {
    expected_hosts: BTreeSet<HostName>,
    expected_orders: BTreeSet<OrderId>,
    hosts: BTreeMap<HostName, HostStatus>,
    /// Done orders, of whom, and when that was heard last.
    done: BTreeMap<OrderId, (HostName, Timestamp)>,
    claims: BTreeMap<OrderId, u32>,
    /// What the first word of what was committed said of the hand-off.
    committed: BTreeMap<OrderId, Option<Outcomes>>,
    proven_runs: BTreeMap<Option<OrderId>, Runs>,
    other_runs: Runs,
    strangers: Vec<(String, Stranger)>,
    forgotten: BTreeMap<HostName, Timestamp>,
}

impl FleetState {
    /// An empty one, which always has room for these hosts and orders.
    pub fn expecting<'a>(orders: impl IntoIterator<Item = (&'a HostName, &'a OrderId)>) -> Self {
        let mut fleet = Self::default();
        fleet.expect(orders);
        fleet
    }

    /// From now on these are expected, as another tree took the former one's place.
    pub fn expect<'a>(&mut self, orders: impl IntoIterator<Item = (&'a HostName, &'a OrderId)>) {
        (self.expected_hosts, self.expected_orders) =
            orders.into_iter().map(|(host, order)| (host.clone(), order.clone())).unzip();
    }

    /// The orders of the expected hosts.
    pub fn expected_orders(&self) -> &BTreeSet<OrderId> {
        &self.expected_orders
    }

    /// Whether this event was counted already (same run, same number), or comes from a run without end.
    pub fn knows(&self, event: &Event, trust: Trust) -> bool {
        let runs = match trust {
            Trust::Proven => self.proven_runs.get(&event.order),
            Trust::Open | Trust::Stranger => Some(&self.other_runs),
        };
        runs.is_some_and(|runs| runs.know(&event.run, event.seq))
    }

    /// Whether something was proven in this run under this order.
    pub fn knows_run(&self, run: &str, order: &OrderId) -> bool {
        self.proven_runs.get(&Some(order.clone())).is_some_and(|runs| runs.have(run))
    }

    /// What proves how the hand-off of this order ends.
    pub fn outcomes(&self, order: &OrderId) -> Option<&Outcomes> {
        self.committed.get(order)?.as_ref()
    }

    /// Whose done order this is.
    pub fn host_of(&self, order: &OrderId) -> Option<&HostName> {
        self.done.get(order).map(|(host, _)| host)
    }

    /// Whether something can be proven of this host, or was.
    pub fn has_order(&self, host: &HostName) -> bool {
        self.expected_hosts.contains(host) || self.hosts.get(host).is_some_and(|status| status.proven)
    }

    /// Counts an event, once.
    pub fn add(&mut self, received: &Received) {
        let event = &received.event;
        if self.knows(event, received.trust) || self.is_forgotten(received) {
            return;
        }
        let runs = match received.trust {
            Trust::Proven => self.proven_runs.entry(event.order.clone()).or_insert_with(Runs::of_an_order),
            Trust::Open | Trust::Stranger => &mut self.other_runs,
        };
        let late = runs.add(&event.run, event.seq);
        match (&event.host, received.trust) {
            (Some(host), Trust::Proven) => self.add_proven(host, received, late),
            (Some(host), Trust::Open) if !self.has_order(host) => self.add_for_host(host, received, late),
            _ if !late => self.add_stranger(received),
            _ => {}
        }
    }

    /// Makes room for a host that is new and not expected, by forgetting the one that was silent for longest.
    fn make_room(&mut self, host: &HostName) {
        let others = || self.hosts.iter().filter(|(_, status)| !status.proven);
        if self.hosts.contains_key(host) || self.hosts.len() < MAX_OTHERS || others().count() < MAX_OTHERS {
            return;
        }
        let silent = others().min_by_key(|(_, status)| status.heard).map(|(host, _)| host.clone());
        silent.map(|host| self.hosts.remove(&host));
    }

    fn add_proven(&mut self, host: &HostName, received: &Received, late: bool) {
        let (what, run) = (&received.event.what, &received.event.run);
        self.strangers.retain(|(known, _)| known != run);
        if let Some(order) = &received.event.order {
            if matches!(what, What::Claimed { .. }) {
                *self.claims.entry(order.clone()).or_default() += 1;
            }
            if says_done(what) {
                self.done.insert(order.clone(), (host.clone(), received.time));
            }
        }
        // what anybody could have said is no beginning
        if self.hosts.get(host).is_some_and(|status| !status.proven) {
            self.hosts.remove(host);
        }
        self.add_for_host(host, received, late);
    }

    fn add_for_host(&mut self, host: &HostName, received: &Received, late: bool) {
        let Received { time, client, trust, event } = received;
        let proven = trust.is_proven();
        if !proven {
            self.make_room(host);
        }
        let waiting = |order| HostStatus { proven, ..HostStatus::waiting(host.clone(), order) };
        let status = self.hosts.entry(host.clone()).or_insert_with(|| waiting(event.order.clone()));
        let order = event.order.clone().or_else(|| status.order.clone());
        if order != status.order && !late {
            *status = waiting(order.clone());
        }
        status.heard = Some(*time);
        status.client = Some(*client);
        if order != status.order {
            return;
        }
        match &event.what {
            What::Planned { disk, .. } => status.disk = Some(shortened(disk)),
            What::Ordered { image, .. } => status.image = Some(image.clone()),
            What::Committed { ssh_host_key, outcomes, reused, .. } => {
                let known = order.as_ref().is_some_and(|order| self.committed.contains_key(order));
                if let (Some(order), true) = (order, proven && !known) {
                    self.committed.insert(order, outcomes.clone());
                }
                if !known {
                    status.ssh_host_key = ssh_host_key.as_deref().map(shortened);
                    status.reused = *reused;
                }
            }
            _ => {}
        }
        if let Some(phase) = Phase::of(&event.what) {
            let forward = phase.rank() > status.phase.rank();
            if forward || (!late && phase.rank() == status.phase.rank()) {
                status.phase = phase;
            }
        }
    }

    fn add_stranger(&mut self, received: &Received) {
        let Some(phase) = Phase::of(&received.event.what) else { return };
        let run = &received.event.run;
        self.strangers.retain(|(known, _)| known != run);
        let says = received.event.host.clone();
        let stranger = Stranger { client: received.client, heard: received.time, says, phase };
        self.strangers.push((run.clone(), stranger));
        if self.strangers.len() > MAX_STRANGERS {
            self.strangers.remove(0);
        }
    }

    /// Whether a host installed under this order boots its own disk: committed or converged was seen.
    pub fn is_done(&self, order: &OrderId) -> bool {
        self.done.contains_key(order)
    }

    /// All of it, with the hosts of which nothing was heard and which are known to be expected under an order.
    pub fn report<'a>(&self, expected: impl IntoIterator<Item = (&'a HostName, &'a OrderId)>) -> Report {
        let mut hosts = self.hosts.clone();
        for (host, order) in expected {
            let waiting = || HostStatus::waiting(host.clone(), Some(order.clone()));
            let heard = hosts.entry(host.clone()).or_insert_with(waiting);
            if !heard.proven || heard.order.as_ref().is_some_and(|last| last != order) {
                *heard = waiting();
            }
        }
        for status in hosts.values_mut() {
            let claims = status.order.as_ref().and_then(|order| self.claims.get(order));
            status.claims = claims.copied().unwrap_or(0);
        }
        let strangers = self.strangers.iter().map(|(_, stranger)| stranger.clone()).collect();
        Report { version: FormatVersion, hosts: hosts.into_values().collect(), strangers }
    }
}
