//! After the end of a run: the machine goes on by itself.
//!
//! [`next`] decides, and nothing else does; what it is decided from is looked up anew, since the run may have ended before it
//! knew its disks. Every end is told: console, recorder and server hear what comes next, when, and why. `docs/ends.md` has the
//! table of it, which a test compares with the code.

use std::time::Duration;

use anyhow::Result;

use super::report::reporter::Reporter;
use super::report::run_state::End;
use crate::spec::event::What;
use crate::value::OrderId;

pub(super) mod boots;
pub(super) mod next;
pub(super) mod real;
pub(super) mod tries;
pub(super) mod wait;

use self::boots::Bootable;
use self::next::{Known, Next, Step};
use self::tries::Tries;
use self::wait::{Key, Waited, wait};

/// Brings the network up, if it comes at once, and gives the reporter its server.
pub(super) type Tell<'a> = &'a dyn Fn(&mut Reporter);

/// What an end needs of the machine: its disks, its firmware's memory, its consoles, its time.
pub(super) trait Machine {
    /// What the decision is made from, as it is now.
    fn look(&mut self, order: Option<&OrderId>, pause: Duration) -> Known;

    /// Keeps this over restarts.
    ///
    /// # Errors
    /// The firmware stores nothing.
    fn remember(&mut self, tries: &Tries) -> Result<()>;

    /// Tells the firmware to boot this disk next.
    ///
    /// # Errors
    /// The firmware stores nothing.
    fn boot_next(&mut self, disk: &Bootable) -> Result<()>;

    /// Tells the firmware to boot next what it booted now.
    ///
    /// # Errors
    /// The firmware stores nothing, or doesn't say what that was.
    fn boot_same(&mut self) -> Result<()>;

    /// Connects the reporter with the server if nobody did, and if the network allows it.
    fn reach_server(&mut self, reporter: &mut Reporter);

    /// One line on the consoles.
    fn line(&self, text: &str);

    /// A screenful on the consoles, which stays in sight.
    fn picture(&self, text: &str);

    /// Forgets what was typed so far.
    fn discard_typed(&mut self);

    /// Lets time pass, until a key is pressed that counts.
    fn typed_within(&mut self, time: Duration, key: Key) -> bool;
}

/// Returns when the machine is to be restarted.
pub(super) fn after(end: &End, reporter: &mut Reporter, machine: &mut dyn Machine) {
    let (order, pause) = (reporter.order().cloned(), reporter.pause());
    let known = machine.look(order.as_ref(), pause);
    let next = remembered(end, known, machine);
    // whoever comes to a machine that waits sees why
    if let Some(screen) = reporter.last_screen().filter(|_| !next.after.is_zero()) {
        machine.picture(&screen);
    }
    tell(&next, reporter, machine);
    match (&next.step, next.after) {
        (Step::Rest, every) => rest(&next, every, reporter, machine),
        _ => match wait(&next, machine) {
            Waited::Enter => {}
            Waited::Out => prepare(&next, machine),
        },
    }
}

/// The decision, once what it rests on is kept: where nothing can be kept, another one is made.
fn remembered(end: &End, known: Known, machine: &mut dyn Machine) -> Next {
    let next = next::next(end, &known);
    if next.tries == known.tries {
        return next;
    }
    match machine.remember(&next.tries) {
        Ok(()) => next,
        Err(error) => {
            machine.line(&format!("the firmware remembers nothing: {error:#}"));
            next::next(end, &Known { remembers: false, ..known })
        }
    }
}

fn tell(next: &Next, reporter: &mut Reporter, machine: &dyn Machine) {
    machine.line(&next.sentence());
    let (step, seconds, why) = (next.step(), next.after.as_secs(), next.why.clone());
    reporter.event(What::Next { step, seconds, why });
}

/// Until somebody presses Enter. Only the server is told again: a recorder has an end.
fn rest(next: &Next, every: Duration, reporter: &mut Reporter, machine: &mut dyn Machine) {
    machine.discard_typed();
    while !machine.typed_within(every, Key::Enter) {
        machine.reach_server(reporter);
        machine.line(&next.sentence());
        let (step, seconds, why) = (next.step(), next.after.as_secs(), next.why.clone());
        reporter.remind(What::Next { step, seconds, why });
    }
}

/// What the firmware is told before the restart. What it doesn't take is said; the machine restarts all the same, but not at
/// once: it would be here again in a minute.
fn prepare(next: &Next, machine: &mut dyn Machine) {
    let told = match &next.step {
        Step::Boot(disk) => machine.boot_next(disk),
        Step::Restart | Step::Rest => machine.boot_same(),
    };
    let Err(error) = told else { return };
    let pause = next::BOOT_PAUSE;
    if matches!(next.step, Step::Boot(_)) && next.after < pause {
        machine.line(&format!("boot order unchanged: {error:#}; restarts in {} s", pause.as_secs()));
        machine.typed_within(pause, Key::Enter);
    } else {
        machine.line(&format!("boot order unchanged: {error:#}"));
    }
}

#[cfg(test)]
mod tests;
