//! The wall clock.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::value::Timestamp;

/// Tells the time. Targets' clocks are often wrong: the agent's plan says when one is believed.
pub trait Clock {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(jiff::Timestamp::now().as_second())
    }
}

/// A file's time in whole seconds.
pub fn whole_seconds(time: SystemTime) -> Timestamp {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Timestamp::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// A clock that can be set.
pub trait SettableClock: Clock {
    /// Sets it. Timers that count from a start go on undisturbed.
    ///
    /// # Errors
    /// Not privileged.
    fn set(&self, time: Timestamp) -> io::Result<()>;
}

impl SettableClock for SystemClock {
    fn set(&self, time: Timestamp) -> io::Result<()> {
        let time = rustix::time::Timespec { tv_sec: time.as_unix(), tv_nsec: 0 };
        Ok(rustix::time::clock_settime(rustix::time::ClockId::Realtime, time)?)
    }
}
