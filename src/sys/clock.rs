//! The wall clock.

use crate::value::Timestamp;

/// Tells the time. Targets' clocks are often wrong: judge signed times against the later of this and a signed time.
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
