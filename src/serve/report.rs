//! What is told of hosts: for people, for `/v1/status` and for `status --json`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::standing::Standing;
use crate::spec::event::{Reused, Step, What};
use crate::spec::{Code, FormatVersion};
use crate::value::{HostName, ImageRef, OrderId, Timestamp};

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
    pub(super) fn of(what: &What) -> Option<Self> {
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
    pub(super) fn rank(&self) -> u8 {
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
pub(super) fn shortened(text: &str) -> String {
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
    /// What of the image was on its disk already, once it is installed; none where nothing was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Reused>,
    /// When something was last heard, by the server's clock.
    pub heard: Option<Timestamp>,
    /// From where.
    pub client: Option<IpAddr>,
    /// Whether what is told of it was proven: by the order's key, or by what a word of that named. Without an order in the tree
    /// nothing can be, and anybody on the network may have said it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub proven: bool,
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
            reused: None,
            heard: None,
            client: None,
            proven: true,
            standing: None,
        }
    }
}

/// In JSON, what is proven goes without saying.
fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_true(flag: &bool) -> bool {
    *flag
}

/// Somebody who runs the agent and doesn't know which host it is, or says what only that host can prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// From where.
    pub client: IpAddr,
    /// When it was last heard.
    pub heard: Timestamp,
    /// Which host it says it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<HostName>,
    /// How far it says it is.
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
