//! What a worker leaves behind of itself, in memory-backed `/run`, for [`crate::agent::crash_report`] to tell,
//! and to go on from.
//!
//! The run's secret is in it: it is for root alone, in memory, and gone with the machine's power.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::spec::Code;
use crate::spec::event::What;
use crate::sys::files;
use crate::trust::Voucher;
use crate::value::{HostName, HttpUrl, OrderId, RunSecret};

/// Where the worker keeps its state.
pub const RUN_STATE: &str = "/run/ironstrap-run-state.json";

/// How long a machine waits for a hand where no order says it.
pub const PAUSE: Duration = Duration::from_secs(600);

/// Who tells the story, how far it is, and who listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    /// What signs the run's events, and names it.
    pub run: RunSecret,
    /// Number of the next event. Counted up before an event is told: a number may be missing, and none comes twice.
    pub next: u64,
    /// The host, once it is known.
    pub host: Option<HostName>,
    /// Its order, once it is known.
    pub order: Option<OrderId>,
    /// The order's word that this run is its own.
    pub voucher: Option<Voucher>,
    /// Kernel name of the disk with the recorder.
    pub medium: Option<String>,
    /// The server that hears this run.
    pub server: Option<HttpUrl>,
    /// How long the order lets a machine wait for a hand, in seconds.
    pub pause: Option<u32>,
    /// The disk that was claimed, once the claim is about to be written.
    pub claimed: Option<Claimed>,
    /// How the run ended, once that was told.
    pub end: Option<End>,
    /// The code of what it ended with, where nothing was installed.
    #[serde(default)]
    pub trouble: Option<Code>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum End {
    /// The disk boots.
    Installed,
    /// Nothing was touched; that the order is done is among the reasons. A crash before the claim is [`Code::Internal`].
    Refused {
        /// Why.
        code: Code,
    },
    /// The run broke off in the claim or after it; a crash too.
    Failed {
        /// How many failures the claim had counted before.
        before: u32,
    },
    /// The order was revoked after the claim: the disk doesn't boot, and nothing is to be installed on it.
    Revoked,
}

/// A disk under a claim of this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Its kernel name.
    pub disk: String,
    /// Failures that the claim had counted before.
    pub failures: u32,
}

impl RunState {
    /// Of a run that begins.
    pub fn new(run: RunSecret) -> Self {
        Self {
            run,
            next: 0,
            host: None,
            order: None,
            voucher: None,
            medium: None,
            server: None,
            pause: None,
            claimed: None,
            end: None,
            trouble: None,
        }
    }

    /// Keeps it. A run goes on without.
    pub fn keep(&self, path: &Path) {
        if let Ok(json) = serde_json::to_vec(self) {
            let _ = files::write_whole(path, 0o600, &json);
        }
    }

    /// What a worker left; `None` when it hadn't begun.
    ///
    /// # Errors
    /// When it can't be understood.
    pub fn pick_up(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let json = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&json).map(Some).with_context(|| format!("reading {}", path.display()))
    }
}

impl RunState {
    /// The end that an event tells; `None` for one after which the run goes on. A crash before the claim is told as a failure,
    /// but nothing was touched.
    pub fn end_by(&self, what: &What) -> Option<End> {
        match what {
            What::Committed { .. } | What::Rebooting { .. } | What::TablesMade => Some(End::Installed),
            What::AlreadyDone => Some(End::Refused { code: Code::OrderDone }),
            What::Refused { code, .. } => Some(End::Refused { code: *code }),
            What::Failed { code, .. } => Some(match &self.claimed {
                Some(_) if *code == Code::OrderRevoked => End::Revoked,
                Some(claimed) => End::Failed { before: claimed.failures },
                None => End::Refused { code: *code },
            }),
            What::Started { .. }
            | What::Ordered { .. }
            | What::Planned { .. }
            | What::Claimed { .. }
            | What::Progress { .. }
            | What::Next { .. }
            | What::Converged { .. }
            | What::HandoffFailed { .. }
            | What::Unknown => None,
        }
    }
}
