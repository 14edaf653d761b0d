//! Power cuts: every state that a disk can be left in is as before, or doesn't boot, or is complete.
//!
//! An install is recorded write by write. A state is made by cutting the record somewhere, as the
//! [fault model](crate::sys::block::faults) has power cuts. Then a firmware looks at it, and the agent's own eyes must agree
//! with it, or a done disk would be wiped and a dead one left alone. The same judge finds half-written systems that boot
//! where the order of writes is a wrong one, so the test can fail. `IRONSTRAP_ROUNDS=20` looks at twenty times as many
//! states as usual.
//!
//! The engine writes from several threads: each record has another order, and how many states are of which kind differs a little.

use std::ops::Range;

use super::firmware_judge::{Verdict, boots, judge, old_system};
use super::install::{Install, install, install_commit_first};
use crate::agent::fixture::{self, Marker, World};
use crate::agent::payload::memory_source::MemorySource;
use crate::image::read::{BACKUP_LENGTH, PRIMARY_END};
use crate::spec::Code;
use crate::spec::claim::{self, Claim, Stage};
use crate::sys::block::faults::{Dice, after_cut, rounds};
use crate::sys::block::{MemoryDevice, Operation};
use crate::sys::gpt;

const DISK_SIZE: u64 = (4 << 20) + 512;
const STATES: u64 = 2400;
/// What both common kinds of disks have.
const SECTOR: u64 = 512;
/// Of the root as it is grown: what no block of the image overwrites.
const BEYOND: Range<usize> = fixture::SIZE as usize..3 << 20;
const RETRIES: u64 = 200;

/// How an install is run.
type Run = fn(&World, &MemorySource, &MemoryDevice);

fn promised(world: &World, source: &MemorySource, device: &MemoryDevice) {
    with(world, source, device, |install_, marker| drop(install(install_, marker, &mut |_| ()).unwrap()));
}

fn commit_first(world: &World, source: &MemorySource, device: &MemoryDevice) {
    with(world, source, device, |install, marker| drop(install_commit_first(install, marker).unwrap()));
}

fn with(
    world: &World,
    source: &MemorySource,
    device: &MemoryDevice,
    run: impl FnOnce(&Install<'_>, &mut Marker<'_>),
) {
    let plan = &fixture::plan_for(world, &device.content()).unwrap();
    let World { order, manifest, index, .. } = world;
    run(&Install { device, plan, order, manifest, index, source, leave: &() }, &mut Marker::of(device, plan));
}

/// What an install did to a disk.
struct Record {
    before: Vec<u8>,
    operations: Vec<Operation>,
    complete: Vec<u8>,
    /// In another order than was promised.
    wrong: bool,
}

impl Record {
    fn of(world: &World, run: Run, before: Vec<u8>) -> Self {
        let device = MemoryDevice::new(before.clone()).with_cheap_zeroes();
        run(world, &world.source, &device);
        let (operations, complete) = (device.operations(), device.content());
        assert_eq!(judge(&complete, &before, &complete), Verdict::Complete);
        Self { before, operations, complete, wrong: false }
    }

    /// The disk after a cut before this operation.
    fn cut(&self, at: usize, dice: &mut Dice) -> Vec<u8> {
        after_cut(self.before.clone(), &self.operations, at, SECTOR, dice)
    }

    /// Where the power fails for state number `number`: a quarter of them at one flush after the other, when all before it is
    /// at stake; half among the writes that decide, at both ends of the record; the rest anywhere.
    fn place(&self, number: u64, dice: &mut Dice) -> usize {
        let count = self.operations.len();
        let flushes = || self.operations.iter().enumerate().filter(|(_, op)| **op == Operation::Flush);
        let below = |dice: &mut Dice, end: usize| dice.below(end as u64) as usize;
        match number % 4 {
            0 => flushes().nth(number as usize / 4 % flushes().count()).unwrap().0,
            1 => below(dice, 12.min(count)),
            2 => count - below(dice, 9.min(count)),
            _ => below(dice, count + 1),
        }
    }
}

#[derive(Default)]
struct Found {
    states: Vec<(Vec<u8>, Verdict)>,
    closed: usize,
    before: usize,
    complete: usize,
    half: usize,
}

fn blank_disk() -> Record {
    Record::of(&fixture::world(), promised, vec![0; DISK_SIZE as usize])
}

fn used_disk() -> Record {
    Record::of(&fixture::world(), promised, old_system(DISK_SIZE))
}

/// Makes this many states, and keeps them where `keep` says so.
fn explore(record: &Record, states: u64, keep: bool, seed: u64) -> Found {
    let dice = &mut Dice::new(seed);
    let mut found = Found::default();
    for number in 0..states {
        let cut = record.place(number, dice);
        let state = record.cut(cut, dice);
        let verdict = judge(&state, &record.before, &record.complete);
        // Linux finds partitions through an intact primary table only, and so does the agent
        let device = MemoryDevice::new(state);
        let agreed = gpt::kernel_table(&device).is_some() == (verdict != Verdict::Closed);
        assert!(agreed || record.wrong, "state {number} from seed {seed}, a cut before operation {cut}");
        match verdict {
            Verdict::Closed => found.closed += 1,
            Verdict::Before => found.before += 1,
            Verdict::Complete => found.complete += 1,
            Verdict::Half => found.half += 1,
        }
        if keep {
            found.states.push((device.content(), verdict));
        }
    }
    found
}

#[test]
fn no_power_cut_leaves_a_blank_disk_half_bootable() {
    let found = explore(&blank_disk(), rounds(STATES), false, 1);
    assert_eq!((found.half, found.before), (0, 0));
    assert!(found.closed > 1000 && found.complete > 50, "{} {}", found.closed, found.complete);
}

#[test]
fn no_power_cut_leaves_a_used_disk_half_bootable() {
    let found = explore(&used_disk(), rounds(STATES), false, 2);
    assert_eq!(found.half, 0);
    assert!(found.closed > 1000 && found.complete > 50, "{} {}", found.closed, found.complete);
    assert!(found.before > 20, "{}", found.before);
}

/// So large that some of what the root grows into is zeroed by command, and by pieces of a command.
#[test]
fn no_power_cut_while_the_growth_is_cleared_leaves_a_disk_half_bootable() {
    const SIZE: usize = (14 << 20) + 512;
    let world = fixture::world();
    let record = Record::of(&world, promised, vec![0x5a; SIZE]);
    let is_growth = |op: &Operation| matches!(op, Operation::Zero { offset, .. } if *offset >= fixture::SIZE);
    let zero = record.operations.iter().position(is_growth).unwrap();
    let found = explore(&record, rounds(STATES / 8), false, 9);
    assert_eq!((found.half, found.before), (0, 0));
    assert!(found.closed > 100 && found.complete > 1, "{} {}", found.closed, found.complete);
    // in the middle of the command, and before anything after it was durable
    let dice = &mut Dice::new(10);
    let torn = (0..9).any(|_| {
        let state = record.cut(zero + 1, dice);
        assert_eq!(boots(&state), None);
        let Operation::Zero { offset, length } = record.operations[zero] else { return false };
        let range = &state[offset as usize..][..length as usize];
        range.contains(&0) && range.contains(&0x5a)
    });
    assert!(torn);
}

#[test]
fn with_the_commit_moved_first_half_bootable_states_are_found() {
    for before in [vec![0; DISK_SIZE as usize], old_system(DISK_SIZE)] {
        let found = explore(&Record::of(&fixture::world(), commit_first, before), STATES / 4, false, 3);
        assert!(found.half > 100, "{}", found.half);
    }
}

/// The last write is the right one, but the disk may carry it out first.
#[test]
fn without_the_flushes_before_the_commit_half_bootable_states_are_found() {
    for mut record in [blank_disk(), used_disk()] {
        record.wrong = true;
        let count = record.operations.len();
        let mut number = 0;
        record.operations.retain(|operation| {
            number += 1;
            *operation != Operation::Flush || number == count
        });
        let found = explore(&record, STATES / 4, false, 4);
        assert!(found.half > 20, "{}", found.half);
    }
}

/// What was there before boots while its blocks are overwritten.
#[test]
fn without_the_gate_closed_first_half_bootable_states_are_found() {
    let mut record = Record { wrong: true, ..used_disk() };
    let opened = record.operations.len() - 2;
    let mut number = 0;
    record.operations.retain(|operation| {
        number += 1;
        !matches!(operation, Operation::Write { offset: 0, .. }) || number > opened
    });
    let found = explore(&record, STATES / 4, false, 5);
    assert!(found.half > 100, "{}", found.half);
}

#[test]
fn after_any_power_cut_the_same_order_ends_complete() {
    let blank = |byte| vec![byte; DISK_SIZE as usize];
    for (before, seed) in [(blank(0), 4), (blank(0xff), 10), (old_system(DISK_SIZE), 5)] {
        let world = fixture::world();
        let complete = installed(&world, before.clone());
        let found = explore(&Record::of(&world, promised, before), RETRIES / 2, true, seed);
        assert_eq!(found.states.len() as u64, RETRIES / 2);
        for (state, verdict) in found.states {
            retry(&world, state, verdict, &complete);
        }
    }
}

fn installed(world: &World, before: Vec<u8>) -> Vec<u8> {
    let device = MemoryDevice::new(before);
    promised(world, &world.source, &device);
    device.content()
}

/// Our own install, under a new order: no foreign data, so the claim is written before LBA 0. Whatever is cut off, the disk
/// ends with the marks of both orders: media that carry the old one boot it. Until it is complete, the claim alone knows of
/// the old order.
#[test]
fn after_any_power_cut_of_a_reinstall_both_orders_end_done() {
    let first = fixture::world();
    let old = first.order.id.clone();
    let mut before = installed(&first, vec![0; DISK_SIZE as usize]);
    assert_eq!(Marker::older_mark(&before, 0), None);
    // its root was in use, and is full
    before[BEYOND].fill(0x77);
    let world = first.armed_again();
    let complete = installed(&world, before.clone());
    assert_eq!(Marker::older_mark(&complete, 0), Some(old.clone()));
    let record = Record::of(&world, promised, before);
    let found = explore(&record, rounds(STATES), false, 7);
    assert_eq!(found.half, 0);
    assert!(found.closed > 1000 && found.complete > 50 && found.before > 20);
    for (state, verdict) in explore(&record, RETRIES / 2, true, 8).states {
        let claim = Claim::from_record(&state[claim::OFFSET as usize..]).unwrap();
        assert!(claim.grant.order == old || claim.superseded == [old.clone()], "{claim:?}");
        retry(&world, state, verdict, &complete);
    }
}

/// What lies beyond the image is the old root's until the image was read back. A retry gives it up as it was judged, and not
/// what somebody put there since.
#[test]
fn a_reinstall_that_was_cut_off_gives_up_only_what_was_judged() {
    let first = fixture::world();
    let mut before = installed(&first, vec![0; DISK_SIZE as usize]);
    before[BEYOND].fill(0x77);
    let world = first.armed_again();
    let begun = |state: &[u8]| {
        let claim = Claim::from_record(&state[claim::OFFSET as usize..]).unwrap();
        claim.grant.order == world.order.id && claim.stage == Stage::Begun && state[..512] == [0; 512]
    };
    let mut tried = 0;
    for (mut state, _) in explore(&Record::of(&world, promised, before), RETRIES, true, 9).states {
        if begun(&state) {
            assert!(fixture::plan_for(&world, &state).is_ok());
            state[BEYOND.start + 4096] ^= 1;
            let refusal = fixture::plan_for(&world, &state).unwrap_err();
            assert_eq!(refusal.code, Code::ForeignData, "{refusal}");
            tried += 1;
        }
    }
    assert!(tried > RETRIES as usize / 8, "{tried}");
}

/// A complete disk is done and left alone; any other is installed again, as another attempt where the claim was durable.
fn retry(world: &World, state: Vec<u8>, verdict: Verdict, complete: &[u8]) {
    let own = |claim: &Claim| claim.grant.order == world.order.id;
    let claim = |disk: &[u8]| Claim::from_record(&disk[claim::OFFSET as usize..]).filter(own);
    let before = claim(&state);
    let ready = before.as_ref().is_some_and(|claim| matches!(claim.stage, Stage::Ready { .. }));
    let attempt = before.map_or(1, |claim| claim.attempts + u32::from(!ready));
    if verdict == Verdict::Complete {
        assert_eq!(fixture::plan_for(world, &state).unwrap_err().code, Code::OrderDone);
        return;
    }
    let device = MemoryDevice::new(state);
    promised(world, &world.source, &device);
    if ready {
        // no byte of a partition is written again
        let tables = |operation: &Operation| match operation {
            Operation::Write { offset, bytes } => {
                let end = offset + bytes.len() as u64;
                end <= PRIMARY_END || *offset >= DISK_SIZE - BACKUP_LENGTH
            }
            Operation::Zero { .. } => false,
            Operation::Flush => true,
        };
        assert!(device.operations().iter().all(tables));
    }
    let disk = device.content();
    assert_eq!(judge(&disk, &[0; 1024], complete), Verdict::Complete);
    assert_eq!(claim(&disk).unwrap().attempts, attempt);
}

#[test]
fn a_blank_disk_is_retried_without_a_permit_for_foreign_data() {
    // zeroes, or what discarded disks give
    for blank in [0, 0xff] {
        retried_without_a_permit(blank);
    }
}

fn retried_without_a_permit(blank: u8) {
    let world = fixture::world();
    let record = Record::of(&world, promised, vec![blank; DISK_SIZE as usize]);
    let dice = &mut Dice::new(6);
    let last = record.operations.len();
    let mut done = 0;
    for cut in (0..=last).chain([1, 2, 3, 4, 5, 6].repeat(20)).chain([last - 1, last].repeat(20)) {
        let state = record.cut(cut, dice);
        match fixture::plan_for(&world, &state) {
            Ok(plan) => assert!(!plan.overwrites_foreign, "cut before operation {cut}"),
            Err(refusal) => {
                assert_eq!(refusal.code, Code::OrderDone, "cut before operation {cut}");
                assert_eq!(
                    judge(&state, &record.before, &record.complete),
                    Verdict::Complete,
                    "cut before operation {cut}"
                );
                done += 1;
            }
        }
    }
    assert!(done > 20, "{done}");
}
