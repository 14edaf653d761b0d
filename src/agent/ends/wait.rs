//! The wait before the next step: anybody can stop it, nobody has to.

use std::time::Duration;

use super::Machine;
use super::next::{HELD, Next};

/// Which keys count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) enum Key {
    /// Any.
    Any,
    /// Enter alone.
    Enter,
}

impl Key {
    /// Whether this byte from a terminal is one of them.
    pub(super) fn counts(self, typed: u8) -> bool {
        self == Self::Any || matches!(typed, b'\r' | b'\n')
    }
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The step is due.
    Out,
    /// Somebody pressed Enter: the machine restarts as its firmware likes.
    Enter,
}

/// Counts down. A key stops it and holds the machine for [`HELD`]; then the step is due all the same.
pub(super) fn wait(next: &Next, machine: &mut dyn Machine) -> Waited {
    let action = next.action();
    let mut left = next.after;
    machine.discard_typed();
    while !left.is_zero() {
        let part = until_next_line(left);
        if machine.typed_within(part, Key::Any) {
            let held = HELD.as_secs();
            machine.line(&format!("stopped; press Enter to restart, or it {action} in {held} s"));
            let enter = machine.typed_within(HELD, Key::Enter);
            return if enter { Waited::Enter } else { Waited::Out };
        }
        left = left.saturating_sub(part);
        if !left.is_zero() {
            machine.line(&format!("{action} in {} s, any key stops it", left.as_secs()));
        }
    }
    Waited::Out
}

/// A line a minute, then one at ten seconds and for each of the last five.
fn until_next_line(left: Duration) -> Duration {
    let seconds = left.as_secs();
    let next = match seconds {
        0..=5 => seconds.saturating_sub(1),
        6..=10 => 5,
        11..=60 => 10,
        _ => (seconds - 1) / 60 * 60,
    };
    left.saturating_sub(Duration::from_secs(next))
}
