//! A worker that dies can't say so: what it leaves behind for somebody else to say it, and who says it.
//!
//! The worker keeps a [`Trail`] in memory-backed `/run`: its run, its host and order, where its events go. When it crashes,
//! PID 1 starts a child on the route `agent-obituary` that picks the trail up and tells recorder and server `failed`. An end
//! that the worker told itself takes the trail away, so that a run has one end. The consoles are PID 1's business.
//!
//! Nothing in the trail is secret, and nothing here touches a disk other than the recorder.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::report::Reporter;
use super::stick::Recorder;
use crate::spec::Code;
use crate::spec::event::What;
use crate::sys::clock::SystemClock;
use crate::sys::files;
use crate::value::{HostName, HttpUrl, OrderId};

/// Where the worker keeps its trail.
pub(super) const TRAIL: &str = "/run/ironstrap-trail.json";
/// How long the server gets to take the event.
const PATIENCE: Duration = Duration::from_secs(20);

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
    fn pick_up(path: &Path) -> Result<Option<Self>> {
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

/// Runs in a child of PID 1 after a crash; `how` is a sentence without its full stop.
pub(super) fn main(how: &str) -> ExitCode {
    let recorder = |trail: &Trail| trail.medium.as_deref().and_then(Recorder::open);
    match tell(Path::new(TRAIL), how, recorder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn tell(trail: &Path, how: &str, recorder: impl FnOnce(&Trail) -> Option<Recorder>) -> Result<()> {
    let Some(left) = Trail::pick_up(trail)? else { return Ok(()) };
    let (medium, server) = (left.medium.clone(), left.server.clone());
    let recorder = recorder(&left);
    let mut reporter = Reporter::resume(left, trail, Box::new(SystemClock));
    if let Some((medium, recorder)) = medium.zip(recorder) {
        reporter.record_to(&medium, recorder);
    }
    if let Some(server) = server {
        reporter.post_to(&server);
    }
    reporter.event(What::Failed { code: Code::Internal, message: how.to_owned() });
    reporter.finish(PATIENCE);
    Ok(())
}

#[cfg(test)]
#[path = "obituary_tests.rs"]
mod tests;
