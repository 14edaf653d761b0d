//! Waits for devices: buses and controllers find theirs one after the other, some of them after seconds.
//!
//! "Exactly one disk" is judged on what is there when the wait ends. So it ends early only where the order names its disk by
//! serial number or world-wide name and that disk is there; a pattern or a size could be met by a disk that is still
//! spinning up.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::modules::Loader;
use super::{disks, facts};
use crate::agent::orders::Orders;
use crate::agent::payload::stick::StickSource;
use crate::agent::report::console::Consoles;
use crate::spec::boot::StartedFrom;
use crate::spec::facts::Disk;
use crate::spec::order::InstallOrder;
use crate::sys::block::BlockDevice;
use crate::sys::linux::disk;
use crate::trust::TrustedKeys;

/// Nothing new for this long means that all is there, if what the order needs is there.
const QUIET: Duration = Duration::from_secs(3);
/// Longest wait for what isn't there, since the last device that appeared.
const LONGEST: Duration = Duration::from_secs(15);
/// Longest wait at all: a port that comes and goes must not hold the machine for ever.
const DEADLINE: Duration = Duration::from_secs(120);

/// Returns when what an install needs is there and no device has appeared for a while, when none appears any more, or when
/// devices have come and gone for too long.
pub fn wait(
    loader: &mut Loader,
    orders: &Orders,
    keys: &TrustedKeys,
    started: Option<StartedFrom>,
    consoles: &Consoles,
) {
    let mut seen = Vec::new();
    let mut quiet = Quiet::since(Instant::now());
    loop {
        let changed = loader.load_new_devices(Path::new("/sys"));
        let now = (disks::names(Path::new("/sys")), facts::machine(Path::new("/")).nics.len());
        if changed || seen.first() != Some(&now) {
            seen = vec![now];
            quiet.broken(Instant::now());
        }
        match quiet.judge(Instant::now(), || is_enough(orders, keys, started)) {
            Wait::Over => return,
            Wait::GivenUp => {
                let seconds = DEADLINE.as_secs();
                return consoles
                    .line(&format!("devices come and go since {seconds} s: going on with those there are"));
            }
            Wait::GoesOn => std::thread::sleep(Duration::from_millis(250)),
        }
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

/// Whether there is an order for this machine, its disk, and the medium if its payload may only be there.
fn is_enough(orders: &Orders, keys: &TrustedKeys, started: Option<StartedFrom>) -> bool {
    let Some(order) = orders.first_match(&facts::machine(Path::new("/"))) else { return false };
    let wanted = &order.image.manifest;
    let has_medium =
        || StickSource::find(Path::new("/sys"), Some(wanted)).is_some_and(|stick| stick.has(wanted));
    // the stick has the recorder too, and no network may be where it is used
    let remote = order.payload.is_some() && started != Some(StartedFrom::Stick);
    // whether it is there, not what it holds
    is_the_disk(order, &live_disks(keys, &|_| false)) && (remote || has_medium())
}

/// Whether the one disk that can be meant is among these.
fn is_the_disk(order: &InstallOrder, disks: &[Disk]) -> bool {
    let named = order.target.serial().is_some() || order.target.wwn().is_some();
    named && disks.iter().any(|disk| order.target.matches(disk.identity()) && !disk.removable)
}

/// Opens the disk with this kernel name for reading.
///
/// # Errors
/// No such device, no medium.
pub fn open(name: &str) -> io::Result<Box<dyn BlockDevice>> {
    Ok(Box::new(disk::open_to_read(&Path::new("/dev").join(name))?))
}

/// All disks of this machine as they are now; candidates are read all over, which takes a while.
pub fn live_disks(keys: &TrustedKeys, is_candidate: disks::Candidate<'_>) -> Vec<Disk> {
    disks::look(Path::new("/sys"), &disks::Look { open: &open, keys, is_candidate })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::fixture;

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

    #[test]
    fn a_disk_that_fits_a_pattern_is_waited_for_with_all_others() {
        let mut order = fixture::order(&fixture::manifest());
        let disks = fixture::facts(1 << 30).disks;
        assert!(is_the_disk(&order, &disks));
        assert!(!is_the_disk(&order, &[]));
        order.target = serde_json::from_str(r#"{"model":"QEMU*","min_size":"1M"}"#).unwrap();
        assert!(!is_the_disk(&order, &disks), "a second one may be spinning up");
    }
}
