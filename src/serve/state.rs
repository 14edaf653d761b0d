//! What the events add up to: where each host is, which orders are done, how often each was claimed.
//!
//! Pure: the same events in the same order give the same story, so it is rebuilt from the file at start. Events come
//! late, twice and from anyone; the rules below keep a late one from undoing what a newer one said:
//! - an event is known by its run and number and counts once;
//! - within a run, a lower number than the highest seen no longer moves the host;
//! - what anyone may invent (hosts, runs, orders, long sentences) is remembered up to a bound; hosts and orders that are
//!   expected are remembered always;
//! - under one order a host that has committed only goes on to rebooting, hand-off and converged, and converged is the end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::standing::Standing;
use crate::spec::event::{Event, Step, What};
use crate::spec::{Code, FormatVersion};
use crate::value::{HostName, ImageRef, OrderId, Timestamp};

/// An event as the server got it.
#[derive(Debug, Clone)]
pub struct Received {
    /// By the server's clock.
    pub time: Timestamp,
    /// From where.
    pub client: IpAddr,
    /// What the sender said.
    pub event: Event,
}

/// How far a host is under its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing was heard of it.
    Waiting,
    /// The agent runs; nothing is written.
    Started,
    /// The claim is on the disk.
    Claimed,
    /// Blocks are written.
    Writing {
        /// Of the bytes, rounded down.
        percent: u8,
    },
    /// Blocks are read back.
    ReadingBack {
        /// Of the bytes, rounded down.
        percent: u8,
    },
    /// The disk boots.
    Committed,
    /// The agent restarted the machine.
    Rebooting,
    /// Configuration management reported success. The end.
    Converged {
        /// What ran.
        by: String,
    },
    /// Configuration management reported failure.
    HandoffFailed {
        /// Why, as far as it said.
        message: String,
    },
    /// Nothing was touched.
    Refused {
        /// Stable code.
        code: Code,
        /// A sentence.
        message: String,
    },
    /// The install broke off.
    Failed {
        /// Stable code.
        code: Code,
        /// A sentence.
        message: String,
    },
}

impl Phase {
    /// What an event says about where its host is; `None` when nothing.
    fn of(what: &What) -> Option<Self> {
        Some(match what {
            What::Started { .. } | What::Ordered { .. } | What::Planned { .. } => Self::Started,
            What::Claimed { .. } => Self::Claimed,
            What::Progress { step: Step::Write, done, total } => {
                Self::Writing { percent: percent(*done, *total) }
            }
            What::Progress { step: Step::ReadBack, done, total } => {
                Self::ReadingBack { percent: percent(*done, *total) }
            }
            What::Committed { .. } | What::AlreadyDone | What::TablesMade => Self::Committed,
            What::Rebooting { .. } => Self::Rebooting,
            What::Refused { code, message } => Self::Refused { code: *code, message: shortened(message) },
            What::Failed { code, message } => Self::Failed { code: *code, message: shortened(message) },
            What::Converged { by } => Self::Converged { by: shortened(by) },
            What::HandoffFailed { message, .. } => Self::HandoffFailed { message: shortened(message) },
            What::Next { .. } | What::Unknown => return None,
        })
    }

    /// Steps from which there is no way back under one order.
    fn rank(&self) -> u8 {
        match self {
            Self::Committed => 1,
            Self::Rebooting => 2,
            Self::HandoffFailed { .. } => 3,
            Self::Converged { .. } => 4,
            _ => 0,
        }
    }
}

/// Whether this event makes its order a done one.
pub fn says_done(what: &What) -> bool {
    matches!(what, What::Committed { .. } | What::Converged { .. } | What::AlreadyDone | What::TablesMade)
}

/// What a sender wrote, up to a length that is worth showing.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 1000;
    text.chars().take(LONGEST).collect()
}

fn percent(done: u64, total: u64) -> u8 {
    let share = (u128::from(done) * 100).checked_div(u128::from(total)).unwrap_or(100);
    u8::try_from(share.min(100)).unwrap_or(100)
}

/// One host, for people and for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Its name.
    pub host: HostName,
    /// The order that the rest is about.
    pub order: Option<OrderId>,
    /// How far it is.
    #[serde(flatten)]
    pub phase: Phase,
    /// How often a disk was claimed under this order.
    pub claims: u32,
    /// Which disk, once chosen.
    pub disk: Option<String>,
    /// Which image, once known.
    pub image: Option<ImageRef>,
    /// Fingerprint of its SSH host key, once it has one.
    pub ssh_host_key: Option<String>,
    /// When something was last heard, by the server's clock.
    pub heard: Option<Timestamp>,
    /// From where.
    pub client: Option<IpAddr>,
    /// How its permit stands, as far as whoever made the report knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

impl HostStatus {
    /// A host of which nothing was heard.
    pub fn waiting(host: HostName, order: Option<OrderId>) -> Self {
        Self {
            host,
            order,
            phase: Phase::Waiting,
            claims: 0,
            disk: None,
            image: None,
            ssh_host_key: None,
            heard: None,
            client: None,
            standing: None,
        }
    }
}

/// A machine that runs the agent and doesn't know who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// From where.
    pub client: IpAddr,
    /// When it was last heard.
    pub heard: Timestamp,
    /// How far it is: started, refused or failed.
    #[serde(flatten)]
    pub phase: Phase,
}

/// The answer of `/v1/status` and of `status --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// Hosts by name.
    pub hosts: Vec<HostStatus>,
    /// Machines without a host, the latest last.
    pub strangers: Vec<Stranger>,
}

/// Most strangers that are remembered.
const MAX_STRANGERS: usize = 100;
/// Most hosts that are remembered though nobody expects them.
const MAX_OTHERS: usize = 20_000;
/// Most orders that are remembered though nobody expects them.
const MAX_OTHER_ORDERS: usize = 100_000;
/// Most runs whose events are told from new ones: those of the machines that install at one time.
const MAX_RUNS: usize = 4096;
/// Most events of a run that count; an install has a few hundred.
const MAX_EVENTS_OF_RUN: usize = 4096;

/// The sum of all events.
#[derive(Debug, Clone, Default)]
pub struct Story {
    expected_hosts: BTreeSet<HostName>,
    expected_orders: BTreeSet<OrderId>,
    hosts: BTreeMap<HostName, HostStatus>,
    /// Done orders, of whom, and when that was heard last.
    done: BTreeMap<OrderId, (HostName, Timestamp)>,
    claims: BTreeMap<OrderId, u32>,
    runs: HashMap<String, Run>,
    /// The names of the runs, the oldest first.
    run_ages: VecDeque<String>,
    strangers: Vec<(String, Stranger)>,
    forgotten: BTreeMap<HostName, Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct Run {
    seen: HashSet<u64>,
    highest: u64,
}

impl Story {
    /// An empty one, which always has room for these hosts and orders.
    pub fn expecting<'a>(orders: impl IntoIterator<Item = (&'a HostName, &'a OrderId)>) -> Self {
        let (expected_hosts, expected_orders) =
            orders.into_iter().map(|(host, order)| (host.clone(), order.clone())).unzip();
        Self { expected_hosts, expected_orders, ..Self::default() }
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
    pub fn knows(&self, event: &Event) -> bool {
        let full = |run: &Run| run.seen.len() >= MAX_EVENTS_OF_RUN;
        self.runs.get(&event.run).is_some_and(|run| run.seen.contains(&event.seq) || full(run))
    }

    /// Counts an event, once.
    pub fn add(&mut self, received: &Received) {
        let event = &received.event;
        if self.knows(event) || self.is_forgotten(received) {
            return;
        }
        let room = self.room_for(event.order.as_ref(), self.claims.len());
        let run = self.run(&event.run);
        run.seen.insert(event.seq);
        let late = event.seq < run.highest;
        run.highest = run.highest.max(event.seq);
        if let (Some(order), What::Claimed { .. }, true) = (&event.order, &event.what, room) {
            *self.claims.entry(order.clone()).or_default() += 1;
        }
        match &event.host {
            Some(host) => self.add_for_host(host, received, late),
            None if !late => self.add_stranger(received),
            None => {}
        }
    }

    /// A run, known or new; the oldest is forgotten where there are too many.
    fn run(&mut self, name: &str) -> &mut Run {
        if !self.runs.contains_key(name) {
            self.run_ages.push_back(name.to_owned());
            if self.run_ages.len() > MAX_RUNS
                && let Some(oldest) = self.run_ages.pop_front()
            {
                self.runs.remove(&oldest);
            }
        }
        self.runs.entry(name.to_owned()).or_default()
    }

    fn room_for(&self, order: Option<&OrderId>, remembered: usize) -> bool {
        remembered < MAX_OTHER_ORDERS || order.is_some_and(|order| self.expected_orders.contains(order))
    }

    /// Makes room for a host that is new and not expected, by forgetting the one that was silent for longest.
    fn make_room(&mut self, host: &HostName) {
        if self.hosts.contains_key(host)
            || self.expected_hosts.contains(host)
            || self.hosts.len() < MAX_OTHERS + self.expected_hosts.len()
        {
            return;
        }
        let others = self.hosts.iter().filter(|(host, _)| !self.expected_hosts.contains(*host));
        let silent = others.min_by_key(|(_, status)| status.heard).map(|(host, _)| host.clone());
        silent.map(|host| self.hosts.remove(&host));
    }

    fn add_for_host(&mut self, host: &HostName, received: &Received, late: bool) {
        let Received { time, client, event } = received;
        self.strangers.retain(|(run, _)| *run != event.run);
        self.make_room(host);
        let status = self
            .hosts
            .entry(host.clone())
            .or_insert_with(|| HostStatus::waiting(host.clone(), event.order.clone()));
        let order = event.order.clone().or_else(|| status.order.clone());
        if let (Some(order), true) = (&order, says_done(&event.what))
            && (self.done.len() < MAX_OTHER_ORDERS || self.expected_orders.contains(order))
        {
            self.done.insert(order.clone(), (host.clone(), *time));
        }
        if order != status.order && !late {
            *status = HostStatus::waiting(host.clone(), order.clone());
        }
        status.heard = Some(*time);
        status.client = Some(*client);
        if order != status.order {
            return;
        }
        match &event.what {
            What::Planned { disk, .. } => status.disk = Some(shortened(disk)),
            What::Ordered { image, .. } => status.image = Some(image.clone()),
            What::Committed { ssh_host_key, .. } => {
                status.ssh_host_key = ssh_host_key.as_deref().map(shortened)
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
        let stranger = Stranger { client: received.client, heard: received.time, phase };
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
            let heard = hosts
                .entry(host.clone())
                .or_insert_with(|| HostStatus::waiting(host.clone(), Some(order.clone())));
            if heard.order.as_ref().is_some_and(|last| last != order) {
                *heard = HostStatus::waiting(host.clone(), Some(order.clone()));
            }
        }
        for status in hosts.values_mut() {
            status.claims =
                status.order.as_ref().and_then(|order| self.claims.get(order)).copied().unwrap_or(0);
        }
        let strangers = self.strangers.iter().map(|(_, stranger)| stranger.clone()).collect();
        Report { version: FormatVersion, hosts: hosts.into_values().collect(), strangers }
    }
}

mod forget;
#[cfg(test)]
mod tests;
