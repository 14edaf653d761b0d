//! Installs from servers that do wrong by schedule: whatever happens on the way, the disk is complete or the failure has a code, soon
//! enough; and where a server does nothing that must not be borne, it is complete.
//!
//! Time runs faster here: patience is two seconds and a silent connection is made anew after a tenth of one. A schedule comes from
//! a seed, but in which order requests of several threads arrive is not in it. `IRONSTRAP_ROUNDS=100` runs a hundred times as many.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use super::*;
use crate::agent::disk::firmware_judge::{Verdict, judge, old_system};
use crate::agent::fixture::{self, World};
use crate::agent::payload::Payload;
use crate::sys::block::MemoryDevice;
use crate::sys::block::faults::{Dice, seeds};

mod server;

use server::{Act, Server};

const SCHEDULES: u64 = 100;
/// Installs at a time: they mostly wait.
const AT_ONCE: usize = 24;
const FASTER: Bounds = Bounds {
    patience: Duration::from_secs(2),
    silence: Duration::from_millis(100),
    connect: Duration::from_secs(2),
    pause: Duration::from_millis(10),
};
/// Patience may be used up for each of several streams, and the machine may be busy.
const LONGEST: Duration = Duration::from_secs(40);

/// An image, and a disk before and after it.
struct Case {
    world: World,
    blobs: BTreeMap<String, Vec<u8>>,
    before: Vec<u8>,
    wanted: Vec<u8>,
}

impl Case {
    fn of(world: World, disk: u64) -> Self {
        let path = |bytes: &Vec<u8>| format!("/blobs/{}", Digest::of(bytes));
        let blobs: BTreeMap<_, _> = world.blobs().into_iter().map(|bytes| (path(&bytes), bytes)).collect();
        let mut case = Self { world, blobs, before: old_system(disk), wanted: Vec::new() };
        let (result, device, _) = case.install(Vec::new(), Act::Whole);
        result.unwrap();
        case.wanted = device.content();
        // the judge's measure is the image itself
        let (start, end) = (1 << 20, (1 << 20) + 4096);
        assert!(case.wanted[start..end] == case.world.image[start..end]);
        case
    }

    fn install(&self, acts: Vec<Act>, then: Act) -> (Result<(), Failure>, MemoryDevice, Duration) {
        let server = Server::new(&self.blobs, acts, then).unwrap();
        let base = server.base().parse().unwrap();
        let device = MemoryDevice::new(self.before.clone());
        let begin = Instant::now();
        let result = std::thread::scope(|scope| {
            scope.spawn(|| server.run());
            let source = HttpSource::with_bounds(&base, Arc::new(Consoles::none()), FASTER).unwrap();
            let result = self.world.deliver(&Payload::Server(source), &device).map(drop);
            server.end();
            result
        });
        (result, device, begin.elapsed())
    }

    /// The code and sentence that it ended with, `None` where it is complete; what must never be is an error.
    fn judged(&self, acts: Vec<Act>, then: Act) -> Result<Option<String>, String> {
        let (result, device, took) = self.install(acts, then);
        let disk = device.content();
        let verdict = judge(&disk, &self.before, &self.wanted);
        if took > LONGEST {
            return Err(format!("it took {} s: {result:?}", took.as_secs()));
        }
        match result {
            Ok(()) if disk == self.wanted && verdict == Verdict::Complete => Ok(None),
            Ok(()) => Err(format!("success, and the disk is wrong: {verdict:?}")),
            Err(failure) => {
                let is_coded = [Code::PayloadUnreachable, Code::PayloadDamaged].contains(&failure.code);
                let untouched = device.operations().is_empty() && verdict == Verdict::Before;
                if !is_coded || !(untouched || verdict == Verdict::Closed) {
                    return Err(format!("{failure}, and the disk: {verdict:?}"));
                }
                let source = &self.world.source;
                let again = self.world.install_from(source, &MemoryDevice::new(disk));
                again.map_err(|second| format!("tried again: {second}")).map(|()| Some(failure.to_string()))
            }
        }
    }
}

/// What is borne, however often.
fn gentle(dice: &mut Dice) -> Act {
    let count = dice.below(3000) as usize;
    let busy =
        ["503 Service Unavailable", "500 Internal Server Error", "429 Too Many Requests", "502 Bad Gateway"];
    match dice.below(18) {
        0 | 1 => Act::Whole,
        2 => Act::HangsUp,
        3 => Act::Cut(count),
        4 => Act::Reset(count),
        5 => Act::Stalls(count),
        6 => Act::Silent,
        7 | 8 => Act::Status(busy[dice.below(4) as usize]),
        9 => Act::Garbage,
        10 => Act::More(count),
        11 => Act::Twice,
        12 => Act::Chunked,
        13 => Act::Unsaid,
        14 => Act::NoRange,
        15 => Act::Less(count),
        16 => Act::Early(count),
        _ => Act::Trickle(count.min(30), Duration::from_millis(2)),
    }
}

/// What is borne once: the bytes are wrong, or can't be the ones that were asked for.
fn wrong(dice: &mut Dice) -> Act {
    let count = dice.below(3000) as usize + 1;
    match dice.below(7) {
        0 | 1 => Act::Flip(dice.next() as usize),
        2 => Act::Late(count),
        3 => Act::Truncated(count),
        4 => Act::Longer(count),
        5 => Act::NoRangeCut(count),
        _ => Act::Gzip,
    }
}

/// What may end an install, when it goes on for ever.
fn last(dice: &mut Dice) -> Act {
    let count = dice.below(3000) as usize;
    match dice.below(14) {
        0 => Act::Cut(count),
        1 => Act::Reset(count),
        2 => Act::Stalls(count),
        3 => Act::Silent,
        4 => Act::Status("503 Service Unavailable"),
        5 => Act::Status("404 Not Found"),
        6 => Act::Status("302 Found"),
        7 => Act::Garbage,
        8 => Act::PackMissing,
        9 => Act::Trickle(usize::MAX, Duration::from_millis(20)),
        _ => wrong(dice),
    }
}

/// A schedule, and whether it stays within what is borne.
fn schedule(dice: &mut Dice) -> (Vec<Act>, Act, bool) {
    let mut acts: Vec<_> = (0..dice.below(9)).map(|_| gentle(dice)).collect();
    if dice.coin() {
        let at = dice.below(acts.len() as u64 + 1) as usize;
        acts.insert(at, wrong(dice));
    }
    match dice.below(3) {
        0 => (acts, last(dice), false),
        _ => (acts, Act::Whole, true),
    }
}

#[test]
fn no_schedule_of_faults_leaves_a_wrong_disk_and_what_stays_within_patience_completes() {
    let cases = [
        Case::of(fixture::small_world(), (2 << 20) + (32 << 10)),
        Case::of(fixture::world(), (4 << 20) + 512),
    ];
    let seeds = seeds(SCHEDULES);
    let next = AtomicU64::new(seeds.start);
    let [borne, completed, ended, went_well] = [const { AtomicUsize::new(0) }; 4];
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min((seeds.end - seeds.start) as usize) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    let (acts, then, is_borne) = schedule(&mut Dice::new(seed));
                    // a few bytes a request are borne as long as they come; of a large image that takes minutes
                    let is_slow = matches!(then, Act::Cut(_) | Act::Reset(_) | Act::Stalls(_));
                    let case = &cases[usize::from(seed.is_multiple_of(8) && !is_slow)];
                    let told = format!("IRONSTRAP_SEED={seed}: {acts:?}, then {then:?}");
                    let count = |of: &AtomicUsize| {
                        of.fetch_add(1, Ordering::Relaxed);
                    };
                    match (case.judged(acts, then), is_borne) {
                        (Err(why), _) => wrong.lock().unwrap().push(format!("{told}: {why}")),
                        (Ok(None), true) => {
                            count(&borne);
                            count(&completed);
                        }
                        (Ok(Some(why)), true) => {
                            eprintln!("did not complete: {told}: {why}");
                            count(&borne);
                        }
                        (Ok(None), false) => count(&went_well),
                        (Ok(Some(_)), false) => count(&ended),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let [borne, completed, ended, went_well] =
        [borne, completed, ended, went_well].map(AtomicUsize::into_inner);
    eprintln!(
        "{} schedules: {completed} of {borne} within patience completed; of the others {ended} ended with a code, {went_well} completed",
        seeds.end - seeds.start
    );
    assert!(completed * 100 >= borne * 95, "{completed} of {borne}");
    assert!(seeds.end - seeds.start < SCHEDULES || ended > 5, "{ended}");
}
