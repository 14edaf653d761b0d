//! What a power cut left is tried again: the order ends complete, however often the power fails meanwhile, and no run takes what
//! the first one wouldn't have taken.

use super::testing::{BEYOND, DISK_SIZE, Found, Record, SECTORS, explore_each, in_use, installed, promised};
use crate::agent::disk::firmware_judge::{Verdict, judge, old_system};
use crate::agent::fixture::{self, Marker, World};
use crate::image::read::{BACKUP_LENGTH, PRIMARY_END};
use crate::spec::Code;
use crate::spec::claim::{self, Claim, Stage};
use crate::sys::block::faults::{Dice, rounds};
use crate::sys::block::{MemoryDevice, Operation};

/// States that are tried again, of each kind of disk.
const TRIED: u64 = 120;
/// How often in a row the power fails, at most.
const DEPTH: u64 = 8;

/// What the claim on a disk says of the order of this world.
pub fn claim_of(world: &World, disk: &[u8]) -> Option<Claim> {
    let claim = Claim::from_record(&disk[claim::OFFSET as usize..])?;
    (claim.grant.order == world.order.id).then_some(claim)
}

/// A state is tried again, with no cut; what was written, or nothing where it was complete. A complete disk is done and left alone;
/// any other is installed again, as another attempt where the claim was durable. Where all but the tables was written, no
/// byte of a partition is written again.
pub fn try_again(world: &World, state: Vec<u8>, verdict: Verdict, complete: &[u8]) -> Option<Record> {
    let before = claim_of(world, &state);
    let ready = before.as_ref().is_some_and(|claim| matches!(claim.stage, Stage::Ready { .. }));
    let attempt = before.map_or(1, |claim| claim.attempts + u32::from(!ready));
    if verdict == Verdict::Complete {
        assert_eq!(fixture::plan_for(world, &state).unwrap_err().code, Code::OrderDone);
        return None;
    }
    let device = MemoryDevice::new(state.clone()).with_cheap_zeroes();
    promised(world, &device);
    let operations = device.operations();
    assert!(!ready || operations.iter().all(is_of_tables));
    let disk = device.content();
    assert_eq!(judge(&disk, &[0; 1024], complete), Verdict::Complete);
    assert_eq!(claim_of(world, &disk).unwrap().attempts, attempt);
    Some(Record { before: state, operations, complete: disk, wrong: false })
}

/// Whether no byte of a partition is written.
pub fn is_of_tables(operation: &Operation) -> bool {
    match operation {
        Operation::Write { offset, bytes } => {
            let end = offset + bytes.len() as u64;
            end <= PRIMARY_END || *offset >= DISK_SIZE - BACKUP_LENGTH
        }
        Operation::Zero { .. } => false,
        Operation::Flush => true,
    }
}

/// The power fails, the machine starts again, the power fails again, until the disk is complete or [`DEPTH`] is reached; and
/// each state on the way also ends complete where the power stays.
fn fails_again_and_again(world: &World, before: Vec<u8>, seed: u64, check: impl Fn(&[u8])) {
    let first = Record::of(world, promised, before);
    let dice = &mut Dice::new(seed);
    let (mut found, mut tables, mut deepest) = (Found::default(), 0, 0);
    while found.states() < rounds(TRIED) {
        let sector = SECTORS[dice.below(2) as usize];
        let mut last = None;
        for depth in 1..=DEPTH {
            let record: &Record = last.as_ref().unwrap_or(&first);
            let cut = record.place(dice);
            let story = format!("{found:?} from seed {seed}, cut number {depth} before operation {cut}");
            // what boots is what was there at first, or complete; what a run before has left is neither
            let state = record.cut(cut, sector, dice);
            let (state, verdict) = first.judge(state, &story);
            assert_ne!(verdict, Verdict::Half, "{story}");
            check(&state);
            found.count(verdict);
            deepest = deepest.max(depth);
            last = try_again(world, state, verdict, &first.complete);
            let Some(record) = &last else { break };
            tables += u64::from(record.operations.iter().all(is_of_tables));
        }
    }
    assert!(found.closed > TRIED / 2 && found.complete > 0, "{found:?}");
    assert!(
        tables > 1 && deepest == DEPTH,
        "{tables} times only tables were missing, {deepest} cuts in a row"
    );
}

#[test]
fn a_blank_disk_ends_complete_however_often_the_power_fails() {
    // zeroes, or what discarded disks give; and an order that gives up nothing but what is ours
    let world = fixture::world().armed_again();
    for (blank, seed) in [(0, 14), (0xff, 15)] {
        fails_again_and_again(&world, vec![blank; DISK_SIZE as usize], seed, |_| ());
    }
}

#[test]
fn a_used_disk_ends_complete_however_often_the_power_fails() {
    fails_again_and_again(&fixture::world(), old_system(DISK_SIZE), 16, |_| ());
}

/// Our own install, under a new order: no foreign data, so the claim is written before LBA 0. Whatever is cut off, the disk
/// ends with the marks of both orders: media that carry the old one boot it. Until it is complete, the claim alone knows of
/// the old order.
#[test]
fn a_reinstall_ends_with_both_orders_done_however_often_the_power_fails() {
    let (world, before, old) = in_use();
    assert_eq!(Marker::older_mark(&installed(&world, before.clone()), 0), Some(old.clone()));
    fails_again_and_again(&world, before, 8, |state| {
        let claim = Claim::from_record(&state[claim::OFFSET as usize..]).unwrap();
        assert!(claim.grant.order == old || claim.superseded == [old.clone()], "{claim:?}");
    });
}

/// What lies beyond the image is the old root's until the image was read back. A retry gives it up as it was judged, and not
/// what somebody put there since.
#[test]
fn a_reinstall_that_was_cut_off_gives_up_only_what_was_judged() {
    const CUT: u64 = 200;
    let (world, before, _) = in_use();
    let begun = |state: &[u8]| {
        claim_of(&world, state).is_some_and(|claim| claim.stage == Stage::Begun) && state[..512] == [0; 512]
    };
    let mut tried = 0;
    explore_each(&Record::of(&world, promised, before), CUT, 9, |mut state, _| {
        if begun(&state) {
            assert!(fixture::plan_for(&world, &state).is_ok());
            state[BEYOND.start + 4096] ^= 1;
            let refusal = fixture::plan_for(&world, &state).unwrap_err();
            assert_eq!(refusal.code, Code::ForeignData, "{refusal}");
            tried += 1;
        }
    });
    assert!(tried > CUT / 8, "{tried}");
}

#[test]
fn a_blank_disk_is_retried_without_a_permit_for_foreign_data() {
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
        let state = record.cut(cut, SECTORS[cut % 2], dice);
        match fixture::plan_for(&world, &state) {
            Ok(plan) => assert!(!plan.overwrites_foreign, "cut before operation {cut}"),
            Err(refusal) => {
                assert_eq!(refusal.code, Code::OrderDone, "cut before operation {cut}");
                let verdict = judge(&state, &record.before, &record.complete);
                assert_eq!(verdict, Verdict::Complete, "cut before operation {cut}");
                done += 1;
            }
        }
    }
    assert!(done > 20, "{done}");
}
