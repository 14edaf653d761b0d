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

use anyhow::Result;

use super::report::Reporter;
use super::stick::Recorder;
use super::trail::{TRAIL, Trail};
use crate::spec::Code;
use crate::spec::event::What;
use crate::sys::clock::SystemClock;

/// How long the server gets to take the event.
const PATIENCE: Duration = Duration::from_secs(20);

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
