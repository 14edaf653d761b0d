//! A worker that dies can't say so: what it leaves behind for somebody else to say it, and who says it.
//!
//! The worker keeps a [`RunState`] in memory-backed `/run`: its run, its host and order, where its events go, which disk it claimed,
//! and how it ended once that was told. When it crashes, PID 1 starts a child on the route `agent-crash-report` that picks that
//! up, counts a failure into the claim if there is one, tells recorder and server `failed`, and goes on as after any
//! other end (`ends`). An end that the worker told itself isn't told again. The consoles hear of the crash from PID 1.
//!
//! Nothing here touches a disk other than the recorder, but for the claim's count.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::disk::commit;
use super::efi::BootEntries;
use super::ends;
use super::ends::real::RealMachine;
use super::report::console::Consoles;
use super::report::recorder::Recorder;
use super::report::reporter::Reporter;
use super::report::run_state::{Claimed, End, RUN_STATE, RunState};
use super::{Failure, orders, worker};
use crate::spec::Code;
use crate::spec::event::What;
use crate::sys::clock::SystemClock;
use crate::sys::linux::disk;
use crate::value::{OrderId, RunSecret};

/// How long the server gets to take the event.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs in a child of PID 1 after a crash; `how` is a sentence without its full stop. Returns when the machine is to be restarted.
pub(super) fn main(how: &str) -> ExitCode {
    let recorder = |state: &RunState| state.medium.as_deref().and_then(Recorder::open);
    let (end, mut reporter) = tell(Path::new(RUN_STATE), how, recorder, &count);
    let consoles = Consoles::open();
    let mut machine = RealMachine {
        consoles: &consoles,
        firmware: BootEntries::new(Path::new(worker::EFIVARS)),
        keys: orders::site_keys(Path::new(worker::ROOT)).ok(),
        tell: &|_| (),
    };
    ends::after(&end, &mut reporter, &mut machine);
    reporter.finish(PATIENCE);
    ExitCode::SUCCESS
}

/// Counts a failure into the claim of this order.
type Count<'a> = &'a dyn Fn(&Claimed, &OrderId) -> Result<u32, Failure>;

fn count(claimed: &Claimed, order: &OrderId) -> Result<u32, Failure> {
    let node = Path::new("/dev").join(&claimed.disk);
    let device = disk::open_shared(&node)
        .map_err(|error| Failure::disk(format_args!("opening {}", claimed.disk), &error))?;
    commit::count_failure_of(&device, order)
}

/// Tells of the crash, if the worker hadn't told its end, and says how the run is to be taken.
fn tell(
    kept_in: &Path,
    how: &str,
    recorder: impl FnOnce(&RunState) -> Option<Recorder>,
    count: Count<'_>,
) -> (End, Reporter) {
    let (left, uncounted) = match RunState::pick_up(kept_in) {
        Ok(left) => (left, false),
        Err(_) => (None, true),
    };
    let Some(left) = left else {
        let reporter =
            Reporter::new(Arc::new(Consoles::none()), Box::new(SystemClock), RunSecret::from_bytes([0; 32]));
        // nobody knows what it has done: a run that can't be counted isn't tried again
        let end =
            if uncounted { End::Failed { before: u32::MAX } } else { End::Refused { code: Code::Internal } };
        return (end, reporter);
    };
    let (medium, server, told) = (left.medium.clone(), left.server.clone(), left.end);
    let (claimed, order) = (left.claimed.clone(), left.order.clone());
    let recorder = recorder(&left);
    let mut reporter = Reporter::resume(left, kept_in, Box::new(SystemClock));
    if let Some((medium, recorder)) = medium.zip(recorder) {
        reporter.record_to(&medium, recorder);
    }
    if let Some(server) = server {
        reporter.post_to(&server);
    }
    if let Some(told) = told {
        return (told, reporter);
    }
    let mut message = how.to_owned();
    if let Some((claimed, order)) = claimed.zip(order)
        && let Err(failure) = count(&claimed, &order)
    {
        message += &format!("; and the failure could not be counted ({})", failure.message);
    }
    reporter.event(What::Failed { code: Code::Internal, message });
    (reporter.end().unwrap_or(End::Failed { before: u32::MAX }), reporter)
}

#[cfg(test)]
#[path = "crash_report_tests.rs"]
mod tests;
