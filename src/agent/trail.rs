//! What a worker leaves behind of itself, in memory-backed `/run`, for [`super::obituary`] to tell.
//!
//! Nothing in it is secret.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::spec::event::What;
use crate::sys::files;
use crate::value::{HostName, HttpUrl, OrderId};

/// Where the worker keeps its trail.
pub(super) const TRAIL: &str = "/run/ironstrap-trail.json";

/// Who tells the story, how far it is, and who listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trail {
    /// Name of the run.
    pub(super) run: String,
    /// Number of the next event. Counted up before an event is told: a number may be missing, and none comes twice.
    pub(super) next: u64,
    /// The host, once it is known.
    pub(super) host: Option<HostName>,
    /// Its order, once it is known.
    pub(super) order: Option<OrderId>,
    /// Kernel name of the disk with the recorder.
    pub(super) medium: Option<String>,
    /// The server that hears this run.
    pub(super) server: Option<HttpUrl>,
}

impl Trail {
    /// Keeps it. A run goes on without.
    pub(super) fn keep(&self, path: &Path) {
        if let Ok(json) = serde_json::to_vec(self) {
            let _ = files::write_whole(path, 0o600, &json);
        }
    }

    /// After an end that was told there is nothing left to say.
    pub(super) fn end(path: &Path) {
        let _ = std::fs::remove_file(path);
    }

    /// What a worker left; `None` when it told its end, or hadn't begun.
    ///
    /// # Errors
    /// When it can't be understood.
    pub(super) fn pick_up(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let json = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&json).map(Some).with_context(|| format!("reading {}", path.display()))
    }
}

/// Whether an event is the last word of a run: after it, a crash changes nothing for the machine.
pub(super) fn is_end(what: &What) -> bool {
    match what {
        What::Committed { .. }
        | What::Rebooting { .. }
        | What::AlreadyDone
        | What::TablesMade
        | What::Refused { .. }
        | What::Failed { .. } => true,
        What::Started { .. }
        | What::Ordered { .. }
        | What::Planned { .. }
        | What::Claimed { .. }
        | What::Progress { .. }
        | What::Converged { .. }
        | What::HandoffFailed { .. }
        | What::Unknown => false,
    }
}
