//! What the tests of power cuts share: an install as it was recorded, the states that a cut can leave of it, and their verdicts.
//!
//! States are cut at each flush first, on both sides of it and for both kinds of physical sectors; the rest is by chance. Nothing
//! here decides what is right: a firmware does (`firmware_judge`), and the agent's own eyes must agree with it.

use std::ops::Range;

use crate::agent::disk::firmware_judge::{Verdict, judge, old_system};
use crate::agent::disk::install::{Install, install, install_commit_first};
use crate::agent::fixture::{self, Marker, World};
use crate::sys::block::faults::{Dice, after_cut};
use crate::sys::block::{MemoryDevice, Operation};
use crate::sys::gpt;
use crate::value::OrderId;

pub const DISK_SIZE: u64 = (4 << 20) + 512;
/// States of one record, before `IRONSTRAP_ROUNDS`.
pub const STATES: u64 = 2400;
/// What disks write whole or not at all: those that say 512 for both, and those that emulate it on sectors of 4 KiB.
pub const SECTORS: [u64; 2] = [512, 4096];

/// Of the root as it is grown: what no block of the image overwrites.
pub const BEYOND: Range<usize> = fixture::SIZE as usize..3 << 20;

/// How an install is run.
pub type Run = fn(&World, &MemoryDevice);

pub fn promised(world: &World, device: &MemoryDevice) {
    with(world, device, |install_, marker| drop(install(install_, marker, &mut |_| ()).unwrap()));
}

pub fn commit_first(world: &World, device: &MemoryDevice) {
    with(world, device, |install, marker| drop(install_commit_first(install, marker).unwrap()));
}

fn with(world: &World, device: &MemoryDevice, run: impl FnOnce(&Install<'_>, &mut Marker<'_>)) {
    let plan = &fixture::plan_for(world, &device.content()).unwrap();
    let World { order, manifest, index, source, .. } = world;
    run(&Install { device, plan, order, manifest, index, source, leave: &() }, &mut Marker::of(device, plan));
}

/// The disk that an install makes of this one.
pub fn installed(world: &World, before: Vec<u8>) -> Vec<u8> {
    let device = MemoryDevice::new(before);
    promised(world, &device);
    device.content()
}

/// What an install did to a disk.
pub struct Record {
    pub before: Vec<u8>,
    pub operations: Vec<Operation>,
    pub complete: Vec<u8>,
    /// In another order than was promised.
    pub wrong: bool,
}

impl Record {
    pub fn of(world: &World, run: Run, before: Vec<u8>) -> Self {
        let device = MemoryDevice::new(before.clone()).with_cheap_zeroes();
        run(world, &device);
        let (operations, complete) = (device.operations(), device.content());
        assert_eq!(judge(&complete, &before, &complete), Verdict::Complete);
        Self { before, operations, complete, wrong: false }
    }

    /// The disk after a cut before this operation, made of such sectors.
    pub fn cut(&self, at: usize, sector: u64, dice: &mut Dice) -> Vec<u8> {
        after_cut(self.before.clone(), &self.operations, at, sector, dice)
    }

    fn flushes(&self) -> impl Iterator<Item = usize> {
        self.operations.iter().enumerate().filter(|(_, op)| **op == Operation::Flush).map(|(at, _)| at)
    }

    /// Both sides of each flush: all before it is at stake, and nothing is.
    pub fn boundaries(&self) -> Vec<usize> {
        self.flushes().flat_map(|at| [at, at + 1]).collect()
    }

    /// Where the power fails: a quarter of the times at a flush, when all before it is at stake; half among the writes that
    /// decide, at both ends of the record; else anywhere.
    pub fn place(&self, dice: &mut Dice) -> usize {
        let count = self.operations.len();
        let below = |dice: &mut Dice, end: usize| dice.below(end as u64) as usize;
        match dice.below(4) {
            0 => self.flushes().nth(below(dice, self.flushes().count())).unwrap(),
            1 => below(dice, 12.min(count)),
            2 => count - below(dice, 9.min(count)),
            _ => below(dice, count + 1),
        }
    }

    /// What a firmware makes of a state of this disk. Linux finds partitions through an intact primary table only, and so does
    /// the agent: it must see what the firmware sees, or a done disk would be wiped and a dead one left alone.
    pub fn judge(&self, state: Vec<u8>, story: &str) -> (Vec<u8>, Verdict) {
        let verdict = judge(&state, &self.before, &self.complete);
        let device = MemoryDevice::new(state);
        let agreed = gpt::kernel_table(&device).is_some() == (verdict != Verdict::Closed);
        assert!(
            agreed || self.wrong,
            "{story}: the firmware says {verdict:?}, and the agent sees another thing"
        );
        (device.content(), verdict)
    }
}

pub fn blank_disk() -> Record {
    Record::of(&fixture::world(), promised, vec![0; DISK_SIZE as usize])
}

pub fn used_disk() -> Record {
    Record::of(&fixture::world(), promised, old_system(DISK_SIZE))
}

/// A disk of ours whose root was in use and is full, its host armed anew, and the older order.
pub fn in_use() -> (World, Vec<u8>, OrderId) {
    let first = fixture::world();
    let old = first.order.id.clone();
    let mut before = installed(&first, vec![0; DISK_SIZE as usize]);
    assert_eq!(Marker::older_mark(&before, 0), None);
    before[BEYOND].fill(0x77);
    (first.armed_again(), before, old)
}

/// How many states were what.
#[derive(Debug, Default)]
pub struct Found {
    pub closed: u64,
    pub before: u64,
    pub complete: u64,
    pub half: u64,
}

impl Found {
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Closed => self.closed += 1,
            Verdict::Before => self.before += 1,
            Verdict::Complete => self.complete += 1,
            Verdict::Half => self.half += 1,
        }
    }

    pub fn states(&self) -> u64 {
        self.closed + self.before + self.complete + self.half
    }
}

/// Looks at this many states of a record.
pub fn explore(record: &Record, states: u64, seed: u64) -> Found {
    explore_each(record, states, seed, |_, _| ())
}

/// Looks at this many states of a record, and lets somebody else look at each.
pub fn explore_each(
    record: &Record,
    states: u64,
    seed: u64,
    mut each: impl FnMut(Vec<u8>, Verdict),
) -> Found {
    let dice = &mut Dice::new(seed);
    let boundaries = record.boundaries();
    assert!(states >= 2 * boundaries.len() as u64, "{} flushes aren't all looked at", boundaries.len() / 2);
    let mut found = Found::default();
    for number in 0..states {
        let sector = SECTORS[(number % 2) as usize];
        let cut = match boundaries.get(number as usize / 2) {
            Some(cut) => *cut,
            None => record.place(dice),
        };
        let story = format!("state {number} from seed {seed}, a cut before operation {cut}");
        let (state, verdict) = record.judge(record.cut(cut, sector, dice), &story);
        found.count(verdict);
        each(state, verdict);
    }
    found
}
