//! The time on a target: what its clock says, who else tells it, and the system clock that everything else goes by.
//!
//! The system clock is set to what is believed, forward or from a year that can't be, so that events and files of the new system
//! carry a time that can be. What the machine's own clock says is told by the difference, which is kept for as long as this boot lasts: a time that was believed for
//! want of a better one must not be taken for a reading later. The firmware's clock is left as it is.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::plan;
use crate::spec::facts::{Voucher, VoucherSource};
use crate::sys::clock::SettableClock;
use crate::value::Timestamp;

/// Where the difference is kept, in seconds: memory-backed, like all that ends with this boot.
pub(super) const STEP: &str = "/run/ironstrap-clock-step";

/// Keeps the time of one run.
#[derive(Debug)]
pub(super) struct Timekeeper<C> {
    clock: C,
    floor: Timestamp,
    /// Seconds by which the system clock was set forward in this boot; negative where it was set back.
    step: i64,
    kept_in: PathBuf,
    server: Option<(Timestamp, Instant)>,
    recorder: Option<Timestamp>,
}

impl<C: SettableClock> Timekeeper<C> {
    /// A keeper that knows no voucher yet. The system clock may have been set forward by another run in this boot.
    pub(super) fn new(clock: C, floor: Timestamp, kept_in: &Path) -> Self {
        let kept = std::fs::read_to_string(kept_in).ok();
        let step = kept.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self { clock, floor, step, kept_in: kept_in.to_owned(), server: None, recorder: None }
    }

    /// What the machine's own clock says.
    pub(super) fn machine_clock(&self) -> Timestamp {
        Timestamp::from_unix(self.clock.now().as_unix().saturating_sub(self.step))
    }

    /// Whether that is wrong, so that somebody has to vouch for the time.
    pub(super) fn is_out(&self) -> bool {
        plan::is_out(self.machine_clock(), self.floor)
    }

    /// Sets the system clock to this time, if it is earlier or so far ahead that it can't be right.
    ///
    /// # Errors
    /// The kernel's refusal, or the difference can't be kept: then the clock stays as it is.
    pub(super) fn set_to(&mut self, time: Timestamp) -> io::Result<()> {
        let now = self.clock.now();
        if now >= time && !plan::is_out(now, self.floor) {
            return Ok(());
        }
        let step = self.step.saturating_add(time.as_unix() - now.as_unix());
        std::fs::write(&self.kept_in, format!("{step}\n"))?;
        if let Err(error) = self.clock.set(time) {
            let _ = std::fs::write(&self.kept_in, format!("{}\n", self.step));
            return Err(error);
        }
        self.step = step;
        Ok(())
    }

    /// What a server told just now.
    pub(super) fn hear_server(&mut self, time: Option<Timestamp>) {
        self.server = time.map(|time| (time, Instant::now())).or(self.server);
    }

    /// The newest time that was believed by an install from this medium.
    pub(super) fn hear_recorder(&mut self, time: Option<Timestamp>) {
        self.recorder = time;
    }

    /// Whether a server told the time.
    pub(super) fn has_reading(&self) -> bool {
        self.server.is_some()
    }

    /// Who vouches for the time. What a server told has gone on since.
    pub(super) fn vouchers(&self) -> Vec<Voucher> {
        let server = self.server.map(|(time, heard)| Voucher {
            source: VoucherSource::Server,
            time: time.plus_seconds(heard.elapsed().as_secs()),
        });
        let recorder = self.recorder.map(|time| Voucher { source: VoucherSource::Recorder, time });
        server.into_iter().chain(recorder).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::sys::clock::Clock;

    const FLOOR: i64 = 1_795_000_000;

    #[derive(Debug, Clone)]
    struct Dead(Rc<Cell<i64>>, bool);

    impl Clock for Dead {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix(self.0.get())
        }
    }

    impl SettableClock for Dead {
        fn set(&self, time: Timestamp) -> io::Result<()> {
            if self.1 {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            self.0.set(time.as_unix());
            Ok(())
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds)
    }

    #[test]
    fn what_the_machine_s_clock_says_survives_being_set_and_another_run() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("step");
        let clock = Dead(Rc::new(Cell::new(100)), false);
        let mut time = Timekeeper::new(clock.clone(), at(FLOOR), &kept);
        assert!(time.is_out());
        time.set_to(at(FLOOR)).unwrap();
        assert_eq!((clock.now(), time.machine_clock()), (at(FLOOR), at(100)));
        // it goes on; a later time was believed, and an earlier one moves nothing
        clock.0.set(FLOOR + 50);
        time.set_to(at(FLOOR + 3600)).unwrap();
        time.set_to(at(FLOOR)).unwrap();
        assert_eq!((clock.now(), time.machine_clock()), (at(FLOOR + 3600), at(150)));
        let again = Timekeeper::new(clock, at(FLOOR), &kept);
        assert_eq!(again.machine_clock(), at(150));
        assert!(again.is_out(), "a clock that we set is none that can be believed");
    }

    #[test]
    fn a_clock_of_2070_is_set_back() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("step");
        let clock = Dead(Rc::new(Cell::new(3_155_760_100)), false);
        let mut time = Timekeeper::new(clock.clone(), at(FLOOR), &kept);
        time.set_to(at(FLOOR)).unwrap();
        assert_eq!((clock.now(), time.machine_clock()), (at(FLOOR), at(3_155_760_100)));
        assert!(Timekeeper::new(clock, at(FLOOR), &kept).is_out());
    }

    #[test]
    fn a_clock_that_can_t_be_set_is_told_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("step");
        let clock = Dead(Rc::new(Cell::new(100)), true);
        let mut time = Timekeeper::new(clock.clone(), at(FLOOR), &kept);
        time.set_to(at(FLOOR)).unwrap_err();
        assert_eq!(time.machine_clock(), at(100));
        assert_eq!(Timekeeper::new(clock, at(FLOOR), &kept).machine_clock(), at(100));
    }

    #[test]
    fn a_server_that_is_silent_later_is_not_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Dead(Rc::new(Cell::new(100)), false);
        let mut time = Timekeeper::new(clock, at(FLOOR), dir.path());
        assert!(time.vouchers().is_empty() && !time.has_reading());
        time.hear_recorder(Some(at(FLOOR + 5)));
        time.hear_server(Some(at(FLOOR + 9)));
        time.hear_server(None);
        let told: Vec<_> = time.vouchers().iter().map(|voucher| voucher.source).collect();
        assert_eq!(told, [VoucherSource::Server, VoucherSource::Recorder]);
        assert!(time.vouchers()[0].time >= at(FLOOR + 9));
    }
}
