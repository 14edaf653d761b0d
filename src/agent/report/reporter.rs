//! Where the story goes: the consoles, the stick's recorder, the server.
//!
//! No sink ever stops an install. The server gets events from a thread of its own with a bounded queue: progress is
//! dropped first when it doesn't keep up.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::console::Consoles;
use super::last_screen;
use super::poster::Poster;
use super::recorder::Recorder;
use super::run_state::{Claimed, End, PAUSE, RunState};
use crate::spec::event::{Event, Step, What};
use crate::spec::order::InstallOrder;
use crate::spec::{Code, FormatVersion};
use crate::sys::clock::Clock;
use crate::trust::{Voucher, run_name};
use crate::value::{HttpUrl, OrderId, RunSecret};

/// Tells the story of one run.
pub struct Reporter {
    consoles: Arc<Consoles>,
    clock: Box<dyn Clock>,
    /// The run's name: to derive it takes as long as to sign.
    run: String,
    state: RunState,
    /// Where the state is kept, for whoever speaks if this process can't any more.
    kept_in: Option<PathBuf>,
    recorder: Option<Recorder>,
    server: Option<Poster>,
    /// Events from before a sink was there: it gets them when it comes.
    earlier: Vec<Event>,
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reporter").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Sinks that come later get at most this many events of the past.
const REMEMBERED: usize = 64;

impl Reporter {
    /// A reporter that only knows consoles yet. The run's secret is random.
    pub fn new(consoles: Arc<Consoles>, clock: Box<dyn Clock>, run: RunSecret) -> Self {
        Self::with(consoles, clock, RunState::new(run))
    }

    /// Speaks on for a worker that died, to sinks that are added again; the consoles were told.
    pub fn resume(state: RunState, kept_in: &Path, clock: Box<dyn Clock>) -> Self {
        let reporter = Self::with(Arc::new(Consoles::none()), clock, state);
        Self { kept_in: Some(kept_in.to_owned()), ..reporter }
    }

    fn with(consoles: Arc<Consoles>, clock: Box<dyn Clock>, state: RunState) -> Self {
        let (earlier, run) = (Vec::new(), run_name(&state.run));
        Self { consoles, clock, run, state, kept_in: None, recorder: None, server: None, earlier }
    }

    /// From here on the state is kept in this file, for [`crash_report`](crate::agent::crash_report).
    pub fn keep_state_in(&mut self, path: &Path) {
        self.kept_in = Some(path.to_owned());
    }

    fn keep_state(&self) {
        if let Some(path) = &self.kept_in {
            self.state.keep(path);
        }
    }

    /// The consoles, for what isn't an event.
    pub fn consoles(&self) -> &Arc<Consoles> {
        &self.consoles
    }

    /// From here on events carry host and order, and prove that this machine has the order.
    pub fn identify(&mut self, order: &InstallOrder) {
        self.state.host = Some(order.host.clone());
        self.state.order = Some(order.id.clone());
        self.state.voucher = Some(Voucher::new(&order.events, &order.id, &self.state.run));
        self.keep_state();
    }

    /// From here on it is known how long a machine waits for a hand, in seconds.
    pub fn pause_for(&mut self, seconds: u32) {
        self.state.pause = Some(seconds);
        self.keep_state();
    }

    /// How long the machine waits for a hand.
    pub fn pause(&self) -> Duration {
        self.state.pause.map_or(PAUSE, |seconds| Duration::from_secs(seconds.into()))
    }

    /// The order, if there is one for this machine.
    pub fn order(&self) -> Option<&OrderId> {
        self.state.order.as_ref()
    }

    /// From here on the disk with this kernel name may have a claim of this run, which counts the failures of the runs before.
    pub fn claimed(&mut self, disk: &str, failures: u32) {
        self.state.claimed = Some(Claimed { disk: disk.to_owned(), failures });
        self.keep_state();
    }

    /// How the run ended, once that was told.
    pub fn end(&self) -> Option<End> {
        self.state.end
    }

    /// What stands on the screen of a machine that waits because nothing was installed.
    pub fn last_screen(&self) -> Option<String> {
        let code = self.state.trouble?;
        Some(last_screen::screen(code, self.state.host.as_ref(), self.state.server.as_ref()))
    }

    /// The server that hears this run.
    pub fn server(&self) -> Option<&HttpUrl> {
        self.state.server.as_ref()
    }

    /// Whether a server hears this run.
    pub fn has_server(&self) -> bool {
        self.server.is_some()
    }

    /// Adds the recorder of the boot medium, which has this kernel name.
    pub fn record_to(&mut self, medium: &str, mut recorder: Recorder) {
        for event in &self.earlier {
            recorder.append(event);
        }
        self.recorder = Some(recorder);
        self.state.medium = Some(medium.to_owned());
        self.keep_state();
    }

    /// What the recorder remembers; nothing without one.
    pub fn recorded(&self) -> Vec<Event> {
        self.recorder.as_ref().map(Recorder::events).unwrap_or_default()
    }

    /// Adds the server.
    pub fn post_to(&mut self, server: &HttpUrl) {
        let poster = Poster::start(server.join("v1/events").to_string());
        for event in &self.earlier {
            poster.offer(event, &self.state);
        }
        self.server = Some(poster);
        self.state.server = Some(server.clone());
        self.keep_state();
    }

    /// Tells everybody.
    pub fn event(&mut self, what: What) {
        if let Some(line) = what.on_console(self.state.host.as_ref()) {
            self.consoles.line(&line);
        }
        // the first end counts: what is told after it doesn't undo it
        self.state.end = self.state.end.or_else(|| self.state.end_by(&what));
        self.state.trouble = self.state.trouble.or(trouble(&what));
        let event = self.next_event(what);
        if let Some(recorder) = &mut self.recorder {
            recorder.append(&event);
        }
        if let Some(server) = &self.server {
            server.offer(&event, &self.state);
        }
        if self.earlier.len() < REMEMBERED {
            self.earlier.push(event);
        }
    }

    /// Tells the server alone, of what it may have missed.
    pub fn remind(&mut self, what: What) {
        let event = self.next_event(what);
        if let Some(server) = &self.server {
            server.offer(&event, &self.state);
        }
    }

    fn next_event(&mut self, what: What) -> Event {
        let event = Event {
            version: FormatVersion,
            run: self.run.clone(),
            seq: self.state.next,
            time: self.clock.now(),
            host: self.state.host.clone(),
            order: self.state.order.clone(),
            what,
            token: None,
        };
        self.state.next += 1;
        self.keep_state();
        event
    }

    /// A line for the consoles only.
    pub fn note(&self, text: &str) {
        self.consoles.line(text);
    }

    /// Gives the server a bounded time to take what is still queued.
    pub fn finish(self, patience: Duration) {
        if let Some(server) = self.server {
            server.finish(patience);
        }
    }
}

/// The code that an event ends a run with.
fn trouble(what: &What) -> Option<Code> {
    match what {
        What::Refused { code, .. } | What::Failed { code, .. } => Some(*code),
        _ => None,
    }
}

/// Turns a stream of "so many bytes done" into one event for each tenth.
#[derive(Debug, Default)]
pub struct Tenths {
    last: Option<(Step, u64)>,
}

impl Tenths {
    /// Whether this progress begins a tenth that wasn't told yet.
    pub fn is_new(&mut self, step: Step, done: u64, total: u64) -> bool {
        let tenth = (u128::from(done) * 10 / u128::from(total).max(1)) as u64;
        let new = self.last != Some((step, tenth)) && tenth > 0;
        if new || self.last.is_none_or(|(last, _)| last != step) {
            self.last = Some((step, tenth));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_once_a_tenth_and_step() {
        let mut tenths = Tenths::default();
        let told: Vec<u64> = (0..=100).filter(|done| tenths.is_new(Step::Write, *done, 100)).collect();
        assert_eq!(told, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert!(tenths.is_new(Step::ReadBack, 100, 100));
        assert!(!Tenths::default().is_new(Step::Write, 0, 0));
    }
}
