//! Who may stop a countdown, what is said meanwhile, and what the firmware is told.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::super::wait::Key;
use super::super::{Machine, after};
use super::*;
use crate::agent::report::console::Consoles;
use crate::agent::report::reporter::Reporter;
use crate::spec::event::What;
use crate::sys::clock::SystemClock;
use crate::value::RunSecret;

/// A machine whose time passes as fast as it is asked for.
pub(super) struct Simulated {
    pub(super) known: Known,
    /// Seconds since it was switched on.
    pub(super) now: u64,
    /// Seconds at which somebody presses a key, and whether it is Enter.
    pub(super) keys: Vec<(u64, bool)>,
    /// Whether the firmware stores variables.
    pub(super) stores: bool,
    pub(super) told: Vec<String>,
    said: RefCell<Vec<String>>,
}

impl Simulated {
    pub(super) fn new(known: Known) -> Self {
        let (told, said) = (Vec::new(), RefCell::default());
        Self { known, now: 0, keys: Vec::new(), stores: true, told, said }
    }

    pub(super) fn go_on(&mut self, end: &End) {
        self.told.clear();
        let mut reporter =
            Reporter::new(Arc::new(Consoles::none()), Box::new(SystemClock), RunSecret::from_bytes([7; 32]));
        after(end, &mut reporter, self);
    }

    fn says(&self, text: &str) -> bool {
        self.said.borrow().iter().any(|line| line.contains(text))
    }
}

impl Machine for Simulated {
    fn look(&mut self, _: Option<&OrderId>, _: Duration) -> Known {
        self.known.clone()
    }

    fn remember(&mut self, tries: &Tries) -> Result<()> {
        if !self.stores {
            bail!("no space left");
        }
        self.known.tries = Tries::from_bytes(&tries.to_bytes());
        Ok(())
    }

    fn boot_next(&mut self, disk: &Bootable) -> Result<()> {
        if !self.stores {
            bail!("no space left");
        }
        self.told.push(disk.disk.clone());
        Ok(())
    }

    fn boot_same(&mut self) -> Result<()> {
        self.told.push("same".to_owned());
        Ok(())
    }

    fn reach_server(&mut self, _: &mut Reporter) {}

    fn line(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }

    fn picture(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }

    fn discard_typed(&mut self) {
        self.keys.retain(|(at, _)| *at > self.now);
    }

    fn typed_within(&mut self, time: Duration, key: Key) -> bool {
        let end = self.now + time.as_secs();
        let counts = |(at, enter): &(u64, bool)| *at <= end && (*enter || key == Key::Any);
        let first = self.keys.iter().copied().filter(counts).min();
        self.now = first.map_or(end, |(at, _)| at);
        self.keys.retain(|(at, _)| *at > self.now);
        first.is_some()
    }
}

const EXPIRED: End = End::Refused { code: Code::OrderExpired };

#[test]
fn an_own_disk_is_booted_after_the_countdown() {
    let mut machine = Simulated::new(with(&["sda"]));
    machine.go_on(&EXPIRED);
    assert_eq!((machine.now, machine.told.as_slice()), (600, &["sda".to_owned()][..]));
    for line in ["next: boots sda in 600 s, any key stops it", "boots sda in 60 s", "boots sda in 1 s"] {
        assert!(machine.says(line), "{line}: {:?}", machine.said);
    }
    assert!(machine.said.borrow().len() < 30, "{:?}", machine.said);
}

#[test]
fn a_key_holds_a_machine_for_an_hour_and_no_longer() {
    let mut machine = Simulated::new(with(&["sda"]));
    machine.keys = vec![(300, false), (320, false)];
    machine.go_on(&EXPIRED);
    assert_eq!((machine.now, machine.told.as_slice()), (300 + 3600, &["sda".to_owned()][..]));
    assert!(machine.says("stopped; press Enter to restart, or it boots sda in 3600 s"));

    // Enter leaves it to the firmware
    let mut machine = Simulated::new(with(&["sda"]));
    machine.keys = vec![(300, false), (400, true)];
    machine.go_on(&EXPIRED);
    assert_eq!((machine.now, machine.told.len()), (400, 0));

    // what was typed before the countdown doesn't count
    let mut machine = Simulated::new(with(&["sda"]));
    machine.keys = vec![(0, true)];
    machine.go_on(&EXPIRED);
    assert_eq!(machine.now, 600);
}

#[test]
fn a_machine_without_a_disk_comes_back_to_what_it_was_started_from() {
    let mut machine = Simulated::new(with(&[]));
    machine.go_on(&EXPIRED);
    assert_eq!((machine.now, machine.told.as_slice()), (600, &["same".to_owned()][..]));
}

#[test]
fn firmware_that_stores_nothing_is_not_asked_without_a_pause() {
    let done = End::Refused { code: Code::OrderDone };
    let mut machine = Simulated::new(Known { done: Some("sda".to_owned()), ..with(&["sda"]) });
    machine.stores = false;
    machine.go_on(&done);
    assert_eq!((machine.now, machine.told.len()), (600, 0));
    assert!(machine.says("boot order unchanged: no space left"), "{:?}", machine.said);
    machine.stores = true;
    machine.go_on(&done);
    assert_eq!((machine.now, machine.told.as_slice()), (600, &["sda".to_owned()][..]), "at once");
}

#[test]
fn a_machine_that_rests_says_so_until_enter() {
    let mut machine = Simulated::new(with(&["sda"]));
    machine.keys = vec![(50_000, false), (86_400, true)];
    machine.go_on(&End::Refused { code: Code::OrderFailed });
    assert_eq!((machine.now, machine.told.len()), (86_400, 0));
    assert_eq!(machine.said.borrow().iter().filter(|line| line.starts_with("next: rests")).count(), 144);
}

#[test]
fn a_machine_that_waits_shows_why_and_one_that_goes_on_at_once_does_not() {
    let screen = |what: What, known: Known| {
        let mut machine = Simulated::new(known);
        let mut reporter =
            Reporter::new(Arc::new(Consoles::none()), Box::new(SystemClock), RunSecret::from_bytes([7; 32]));
        reporter.event(what);
        after(&reporter.end().unwrap(), &mut reporter, &mut machine);
        machine.said.into_inner().into_iter().find(|text| text.contains('█'))
    };
    let refused = |code| What::Refused { code, message: "no".to_owned() };
    let shown = screen(refused(Code::ForeignData), with(&["sda"])).unwrap();
    assert!(shown.contains("IS-203") && shown.contains("What to do: "), "{shown}");
    let failed = What::Failed { code: Code::DiskIo, message: "no".to_owned() };
    assert!(screen(failed, with(&["sda"])).unwrap().contains("IS-401"));
    let done = Known { done: Some("sda".to_owned()), ..with(&["sda"]) };
    assert_eq!(screen(What::AlreadyDone, done), None);
}
