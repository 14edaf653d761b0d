//! What comes after the end of a run: the only place that decides it.
//!
//! Pure: from how the run ended, from what the machine has to boot, and from what it remembers. Promises:
//! - every end has a next step that needs no hand, but for an order that failed [`MOST_FAILURES`] times, whose machine rests and
//!   says so, and one that was revoked after its claim;
//! - a key stops what is coming (`super::wait`), for an hour: noise on a serial line presses keys too;
//! - a disk is booted only if all of it is there: it has a partition table, so no install of ours was cut off on it, and no
//!   claim of ours says otherwise; never where the kernel could take another disk's root for its own, unless an order is done on
//!   it: GRUB, where it sees disks, boots that one, too;
//! - no run begins after a failure that nobody counted, so that an order can't wipe for ever.
//!
//! Where several disks boot, the firmware's own boot order decides, as it would have if nobody had started the agent; where it
//! names none of them, nothing is guessed.
//!
//! A try is a restart of the machine: what a medium or a tree carries is read anew by it, controllers and network begin
//! afresh, and the loader may have learnt meanwhile that the order is done. It costs minutes, which is why pauses grow.

use std::time::Duration;

use uuid::Uuid;

use super::boots::Bootable;
use super::tries::{Boot, Tries};
use crate::agent::report::run_state::End;
use crate::spec::Code;
use crate::spec::claim::MOST_FAILURES;
use crate::spec::event::NextStep;
use crate::value::OrderId;

/// How long a key holds a machine.
pub(in crate::agent) const HELD: Duration = Duration::from_secs(3600);
/// Shortest pause before a restart for another try.
const SHORTEST: Duration = Duration::from_secs(60);
/// Longest pause before a restart for another try, unless the order's own is longer.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often the firmware is told at once to boot a disk whose root isn't mounted by it.
const MOST_BOOTS: u32 = 3;
/// How long it is left alone after that; also wherever nobody can count.
pub(super) const BOOT_PAUSE: Duration = Duration::from_secs(600);
/// How often a machine that rests says so.
const TELL: Duration = Duration::from_secs(600);

/// What the decision is made from, beside the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) struct Known {
    /// The order, if one is for this machine.
    pub(in crate::agent) order: Option<OrderId>,
    /// How long a hand is waited for.
    pub(in crate::agent) pause: Duration,
    /// Fixed disks that firmware can boot.
    pub(in crate::agent) disks: Vec<Bootable>,
    /// EFI system partitions in the firmware's boot order.
    pub(in crate::agent) firmware: Vec<Uuid>,
    /// Kernel name of the disk on which the order is done.
    pub(in crate::agent) done: Option<String>,
    /// Failures that the claim of this order on a disk counts now.
    pub(in crate::agent) failures: Option<u32>,
    /// What the machine remembers.
    pub(in crate::agent) tries: Tries,
    /// Whether it can remember anything.
    pub(in crate::agent) remembers: bool,
}

/// What the machine does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) struct Next {
    /// The step.
    pub(in crate::agent) step: Step,
    /// The countdown before it; of [`Step::Rest`], how often it is told.
    pub(in crate::agent) after: Duration,
    /// Why, in words.
    pub(in crate::agent) why: String,
    /// What must be remembered before it.
    pub(in crate::agent) tries: Tries,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) enum Step {
    /// The firmware is told to boot this disk next, and the machine restarts.
    Boot(Bootable),
    /// The machine restarts from what it was started from.
    Restart,
    /// It stays, until somebody presses Enter.
    Rest,
}

impl Next {
    /// One line for the consoles.
    pub(super) fn sentence(&self) -> String {
        let Self { after, why, .. } = self;
        let what = match self.step {
            Step::Rest => {
                let every = after.as_secs();
                return format!(
                    "next: rests, and says so every {every} s; Enter restarts the machine: {why}"
                );
            }
            _ => self.action(),
        };
        match after.as_secs() {
            0 => format!("next: {what} now: {why}"),
            seconds => format!("next: {what} in {seconds} s, any key stops it: {why}"),
        }
    }

    /// The step in words.
    pub(super) fn action(&self) -> String {
        match &self.step {
            Step::Boot(disk) => format!("boots {}", disk.disk),
            Step::Restart => "restarts and tries again".to_owned(),
            Step::Rest => "rests".to_owned(),
        }
    }

    /// The step as events have it.
    pub(super) fn step(&self) -> NextStep {
        match self.step {
            Step::Boot(_) => NextStep::BootDisk,
            Step::Restart => NextStep::Restart,
            Step::Rest => NextStep::Rest,
        }
    }
}

/// Decides.
pub(in crate::agent) fn next(end: &End, known: &Known) -> Next {
    match *end {
        End::Installed => installed(known),
        End::Failed { before } => failed(before, known),
        End::Refused { code } => refused(code, known),
        End::Revoked => {
            rest("its order was revoked after the claim, and its disk doesn't boot".to_owned(), known)
        }
    }
}

fn installed(known: &Known) -> Next {
    match done_disk(known) {
        Some(disk) => boot(disk, Duration::ZERO, "it is installed".to_owned(), known),
        None => Next {
            step: Step::Restart,
            after: Duration::ZERO,
            why: "it is installed".to_owned(),
            tries: known.tries.about(known.order.as_ref()),
        },
    }
}

fn refused(code: Code, known: &Known) -> Next {
    match (code, done_disk(known)) {
        (Code::OrderDone | Code::OrderRevoked, Some(disk)) => {
            boot(disk, Duration::ZERO, "the order is done there".to_owned(), known)
        }
        (Code::OrderFailed, _) => rest(format!("the order failed {MOST_FAILURES} times"), known),
        (Code::ManyDisks | Code::DuplicateRoot, _) => {
            let why = "several disks could be meant, and none is booted on a guess".to_owned();
            again(known.pause, why, known)
        }
        // somebody is there, or was: the machine is theirs for as long as a key holds it
        (Code::Cancelled, _) => own_disk_or_again(HELD.max(known.pause), known),
        _ => own_disk_or_again(known.pause, known),
    }
}

fn own_disk_or_again(pause: Duration, known: &Known) -> Next {
    match own_disk(known) {
        Ok(disk) => boot(disk, pause, "it is what this machine has to boot".to_owned(), known),
        Err(why) => again(pause, why, known),
    }
}

/// A wipe may follow: only after a failure that was counted, by the claim or by the machine's memory.
fn failed(before: u32, known: &Known) -> Next {
    let tries = known.tries.about(known.order.as_ref());
    let by_claim = known.failures.filter(|failures| *failures > before);
    let by_machine = known.remembers.then(|| tries.failures.saturating_add(1));
    let Some(failures) = by_claim.max(by_machine) else {
        return rest("the failure could be counted nowhere, so it could repeat for ever".to_owned(), known);
    };
    let tries = Tries { failures, ..tries };
    let counted = Known { tries, ..known.clone() };
    if failures >= MOST_FAILURES {
        return rest(format!("the order failed {failures} times"), &counted);
    }
    Next {
        step: Step::Restart,
        after: growing(known.pause, failures),
        why: format!("failure {failures} of {MOST_FAILURES} that end the order"),
        tries: counted.tries,
    }
}

fn done_disk(known: &Known) -> Option<&Bootable> {
    known.disks.iter().find(|disk| known.done.as_ref() == Some(&disk.disk))
}

/// The disk that this machine boots when nobody wants anything of it.
fn own_disk(known: &Known) -> Result<&Bootable, String> {
    let whole: Vec<_> = known.disks.iter().filter(|disk| disk.trouble.is_none()).collect();
    match whole.as_slice() {
        [disk] => Ok(*disk),
        [] => {
            let troubles = known.disks.iter().filter_map(|disk| Some((&disk.disk, disk.trouble.as_ref()?)));
            let troubles: Vec<_> = troubles.map(|(disk, trouble)| format!("{disk}: {trouble}")).collect();
            let why = "no fixed disk of this machine boots".to_owned();
            Err(if troubles.is_empty() { why } else { format!("{why} ({})", troubles.join("; ")) })
        }
        several => {
            let named = |esp: &Uuid| several.iter().find(|disk| disk.esp.guid == *esp);
            let names: Vec<_> = several.iter().map(|disk| disk.disk.as_str()).collect();
            known.firmware.iter().find_map(named).copied().ok_or_else(|| {
                format!("{} boot, and the firmware's boot order names none of them", names.join(", "))
            })
        }
    }
}

fn boot(disk: &Bootable, pause: Duration, why: String, known: &Known) -> Next {
    let tries = known.tries.about(known.order.as_ref());
    // a disk of which nothing tells the last mount wasn't mounted, as far as anybody can tell
    let before = tries.boot.as_ref().filter(|boot| boot.disk == disk.name && boot.mounted == disk.mounted);
    let before = before.map_or(0, |boot| boot.tries);
    let (after, why) = if !known.remembers {
        (pause.max(BOOT_PAUSE), format!("{why}; the firmware stores no count of tries"))
    } else if before >= MOST_BOOTS {
        let what =
            format!("the firmware was told to boot it {before} times and its root was not mounted since");
        (pause.max(BOOT_PAUSE), format!("{why}; {what}: it can't be booted, or its system doesn't come up"))
    } else {
        (pause, why)
    };
    let boot =
        Boot { disk: disk.name.clone(), mounted: disk.mounted.clone(), tries: before.saturating_add(1) };
    Next { step: Step::Boot(disk.clone()), after, why, tries: Tries { again: 0, boot: Some(boot), ..tries } }
}

fn again(pause: Duration, why: String, known: &Known) -> Next {
    let tries = known.tries.about(known.order.as_ref());
    let again = tries.again.saturating_add(1);
    let after = if known.remembers { growing(pause, again) } else { pause.max(BOOT_PAUSE) };
    Next { step: Step::Restart, after, why, tries: Tries { again, boot: None, ..tries } }
}

fn rest(why: String, known: &Known) -> Next {
    let tries = known.tries.about(known.order.as_ref());
    Next { step: Step::Rest, after: TELL, why, tries }
}

/// The pause before the `count`th try, from 1: each twice the one before.
fn growing(pause: Duration, count: u32) -> Duration {
    let pause = pause.max(SHORTEST);
    let doublings = count.saturating_sub(1).min(16);
    pause.saturating_mul(1 << doublings).min(LONGEST.max(pause))
}
