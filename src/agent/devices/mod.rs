//! Waits for devices: buses and controllers find theirs one after the other, some of them after seconds.
//!
//! "Exactly one disk" is judged on what is there when the wait ends. So it ends early only where its caller says that nothing
//! more is needed.

pub mod modules;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::probe::{disks, facts};

use modules::Loader;

/// Nothing new for this long means that all is there, if what the order needs is there.
const QUIET: Duration = Duration::from_secs(3);
/// Longest wait for what isn't there, since the last device that appeared.
const LONGEST: Duration = Duration::from_secs(15);
/// Longest wait at all: a port that comes and goes must not hold the machine for ever.
const DEADLINE: Duration = Duration::from_secs(120);

/// Returns when what an install needs is there and no device has appeared for a while, when none appears any more, or when
/// devices have come and gone for too long.
///
/// # Errors
/// The last of these; what is there is there.
pub fn wait(loader: &mut Loader, is_enough: &dyn Fn() -> bool) -> Result<(), Restless> {
    let mut seen = Vec::new();
    let mut quiet = Quiet::since(Instant::now());
    loop {
        let changed = loader.load_new_devices(Path::new("/sys"));
        let now = (disks::names(Path::new("/sys")), facts::machine(Path::new("/")).nics.len());
        if changed || seen.first() != Some(&now) {
            seen = vec![now];
            quiet.broken(Instant::now());
        }
        match quiet.judge(Instant::now(), is_enough) {
            Wait::Over => return Ok(()),
            Wait::GivenUp => return Err(Restless),
            Wait::GoesOn => std::thread::sleep(Duration::from_millis(250)),
        }
    }
}

/// Devices have come and gone for too long.
#[derive(Debug)]
pub struct Restless;

impl std::fmt::Display for Restless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = DEADLINE.as_secs();
        write!(f, "devices come and go since {seconds} s: going on with those there are")
    }
}

/// How a look at the devices ends.
#[derive(Debug, PartialEq, Eq)]
enum Wait {
    GoesOn,
    Over,
    GivenUp,
}

/// How long nothing has changed.
struct Quiet {
    began: Instant,
    last_change: Instant,
    enough: bool,
}

impl Quiet {
    fn since(now: Instant) -> Self {
        Self { began: now, last_change: now, enough: false }
    }

    fn broken(&mut self, now: Instant) {
        (self.last_change, self.enough) = (now, false);
    }

    /// Asks whether what is there is enough only after a while without news: the answer takes a look at every disk.
    fn judge(&mut self, now: Instant, is_enough: impl FnOnce() -> bool) -> Wait {
        let quiet = now.duration_since(self.last_change);
        if quiet >= QUIET {
            self.enough = self.enough || is_enough();
            if self.enough || quiet >= LONGEST {
                return Wait::Over;
            }
        }
        if now.duration_since(self.began) >= DEADLINE { Wait::GivenUp } else { Wait::GoesOn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_ends_early_only_when_nothing_more_is_needed() {
        let start = Instant::now();
        let mut quiet = Quiet::since(start);
        assert_eq!(quiet.judge(start + QUIET / 2, || panic!("too early to ask")), Wait::GoesOn);
        assert_eq!(quiet.judge(start + QUIET, || false), Wait::GoesOn);
        assert_eq!(quiet.judge(start + QUIET * 2, || true), Wait::Over);
        quiet.broken(start + QUIET * 2);
        assert_eq!(quiet.judge(start + QUIET * 3, || false), Wait::GoesOn);
        assert_eq!(quiet.judge(start + QUIET * 2 + LONGEST, || false), Wait::Over);
    }

    #[test]
    fn devices_that_come_and_go_do_not_hold_the_machine() {
        let start = Instant::now();
        let mut quiet = Quiet::since(start);
        for second in 1..DEADLINE.as_secs() {
            let now = start + Duration::from_secs(second);
            quiet.broken(now);
            assert_eq!(quiet.judge(now, || true), Wait::GoesOn, "{second}");
        }
        assert_eq!(quiet.judge(start + DEADLINE, || true), Wait::GivenUp);
    }
}
