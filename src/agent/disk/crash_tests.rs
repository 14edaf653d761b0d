//! Power cuts: every state that a disk can be left in is as before, or doesn't boot, or is complete.
//!
//! An install is recorded write by write. A state is made by cutting the record somewhere, as the
//! [fault model](crate::sys::block::faults) has power cuts. Then a firmware looks at it, and the agent's own eyes must agree
//! with it. The same judge finds half-written systems that boot where the order of writes is a wrong one, so the test can fail.
//! `IRONSTRAP_ROUNDS=20` looks at twenty times as many states as usual.
//!
//! Here states are looked at. In `again_tests` each is tried again, and the power fails once more meanwhile; in `repair_tests` it
//! fails while nothing but the tables is missing.
//!
//! The engine writes from several threads: each record has another order, and how many states are of which kind differs a little.

mod again_tests;
mod repair_tests;
mod testing;

use super::firmware_judge::{boots, old_system};
use crate::agent::fixture;
use crate::sys::block::Operation;
use crate::sys::block::faults::{Dice, rounds};
use testing::{
    DISK_SIZE, Record, SECTORS, STATES, blank_disk, commit_first, explore, in_use, promised, used_disk,
};

#[test]
fn no_power_cut_leaves_a_blank_disk_half_bootable() {
    let found = explore(&blank_disk(), rounds(STATES), 1);
    assert_eq!((found.half, found.before), (0, 0));
    assert!(found.closed > 1000 && found.complete > 50, "{found:?}");
}

#[test]
fn no_power_cut_leaves_a_used_disk_half_bootable() {
    let found = explore(&used_disk(), rounds(STATES), 2);
    assert_eq!(found.half, 0);
    assert!(found.closed > 1000 && found.complete > 50 && found.before > 20, "{found:?}");
}

/// Our own install, under a new order: no foreign data, so the claim is written before LBA 0.
#[test]
fn no_power_cut_of_a_reinstall_leaves_a_disk_half_bootable() {
    let (world, before, _) = in_use();
    let found = explore(&Record::of(&world, promised, before), rounds(STATES), 7);
    assert_eq!(found.half, 0);
    assert!(found.closed > 1000 && found.complete > 50 && found.before > 20, "{found:?}");
}

/// So large that some of what the root grows into is zeroed by command, and by pieces of a command.
#[test]
fn no_power_cut_while_the_growth_is_cleared_leaves_a_disk_half_bootable() {
    const SIZE: usize = (14 << 20) + 512;
    let world = fixture::world();
    let record = Record::of(&world, promised, vec![0x5a; SIZE]);
    let is_growth = |op: &Operation| matches!(op, Operation::Zero { offset, .. } if *offset >= fixture::SIZE);
    let zero = record.operations.iter().position(is_growth).unwrap();
    let found = explore(&record, rounds(STATES / 8), 9);
    assert_eq!((found.half, found.before), (0, 0));
    assert!(found.closed > 100 && found.complete > 1, "{found:?}");
    // in the middle of the command, and before anything after it was durable
    for sector in SECTORS {
        let dice = &mut Dice::new(10);
        let torn = (0..9).any(|_| {
            let state = record.cut(zero + 1, sector, dice);
            assert_eq!(boots(&state), None);
            let Operation::Zero { offset, length } = record.operations[zero] else { return false };
            let range = &state[offset as usize..][..length as usize];
            range.contains(&0) && range.contains(&0x5a)
        });
        assert!(torn, "sectors of {sector} bytes");
    }
}

#[test]
fn with_the_commit_moved_first_half_bootable_states_are_found() {
    for before in [vec![0; DISK_SIZE as usize], old_system(DISK_SIZE)] {
        let found = explore(&Record::of(&fixture::world(), commit_first, before), STATES / 4, 3);
        assert!(found.half > 100, "{found:?}");
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
        let found = explore(&record, STATES / 4, 4);
        assert!(found.half > 20, "{found:?}");
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
    let found = explore(&record, STATES / 4, 5);
    assert!(found.half > 100, "{found:?}");
}
