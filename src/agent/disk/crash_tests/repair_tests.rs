//! All is written but the tables: a cut at the very end of an install, or a system in use whose LBA 0 was zeroed since. The tables
//! are made anew, the power fails meanwhile, and no byte of a partition is ever touched.

use super::again_tests::{is_of_tables, try_again};
use super::testing::{DISK_SIZE, Record, SECTORS, installed, promised};
use crate::agent::disk::firmware_judge::{Verdict, boots, old_system};
use crate::agent::fixture::{self, World};
use crate::sys::block::faults::{Dice, rounds};

/// How often each cut of the first repair is made, before `IRONSTRAP_ROUNDS`.
const ROUNDS: u64 = 1;

/// A system in use, and the same one without LBA 0.
fn without_lba_0(world: &World, before: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    let mut in_use = installed(world, before);
    let partitions = boots(&in_use).unwrap();
    let root = partitions.iter().max_by_key(|range| range.end - range.start).unwrap().clone();
    // its users have changed it, behind what the agent looks at
    in_use[root.end - (256 << 10)..root.end - (128 << 10)].fill(0x33);
    let mut broken = in_use.clone();
    broken[..512].fill(0);
    (in_use, broken)
}

#[test]
fn a_repair_of_the_tables_ends_complete_however_often_the_power_fails_and_touches_no_partition() {
    let world = fixture::world();
    let dice = &mut Dice::new(21);
    let (mut states, mut closed, mut complete) = (0, 0, 0);
    for before in [vec![0; DISK_SIZE as usize], old_system(DISK_SIZE)] {
        let (in_use, broken) = without_lba_0(&world, before);
        let first = Record::of(&world, promised, broken);
        assert!(first.operations.iter().all(is_of_tables));
        assert!(first.complete == in_use, "the repair has made another disk");
        let all = (0..=first.operations.len()).flat_map(|cut| SECTORS.map(|sector| (cut, sector)));
        for (mut cut, sector) in all.collect::<Vec<_>>().repeat(rounds(ROUNDS) as usize) {
            let mut last = None;
            loop {
                let record: &Record = last.as_ref().unwrap_or(&first);
                let story = format!("state {states}, a cut before operation {cut}");
                let (state, verdict) = first.judge(record.cut(cut, sector, dice), &story);
                states += 1;
                match verdict {
                    Verdict::Closed => closed += 1,
                    Verdict::Complete => complete += 1,
                    _ => panic!("{story}: {verdict:?}"),
                }
                for partition in boots(&in_use).unwrap() {
                    assert!(
                        state[partition.clone()] == in_use[partition],
                        "{story}: a partition was touched"
                    );
                }
                last = try_again(&world, state, verdict, &in_use);
                let Some(record) = &last else { break };
                cut = record.place(dice);
            }
        }
    }
    assert!(
        closed > states / 4 && complete > states / 10,
        "{states} states: {closed} closed, {complete} complete"
    );
}
