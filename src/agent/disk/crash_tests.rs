//! Power cuts: every state that a disk can be left in is as before, or doesn't boot, or is complete.
//!
//! An install is recorded write by write. A state is made by cutting the record somewhere: what was flushed is there, and
//! of each later write any set of its sectors or pages is. Then a firmware looks at it, and the agent's own eyes must agree
//! with it, or a done disk would be wiped and a dead one left alone. The same judge finds half-written systems that boot
//! when the commit is moved before the blocks, so the test can fail.

use std::ops::Range;

use uuid::Uuid;

use super::install::{Install, install, install_commit_first};
use crate::agent::fixture::{self, Marker, World, random};
use crate::agent::payload::memory_source::MemorySource;
use crate::image::read::{BACKUP_LENGTH, PRIMARY_END};
use crate::spec::Code;
use crate::spec::claim::{self, Claim, Stage};
use crate::sys::block::{MemoryDevice, Operation};
use crate::sys::gpt::{self, Entry, Table};

const DISK_SIZE: u64 = (4 << 20) + 512;
const STATES: usize = 2400;
/// Of the root as it is grown: what no block of the image overwrites.
const BEYOND: Range<usize> = fixture::SIZE as usize..3 << 20;
const RETRIES: usize = 200;

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

/// A disk as it was before, with another system on it that boots, and that has data where the claim record goes.
fn old_system() -> Vec<u8> {
    let mut disk = vec![0x5a; DISK_SIZE as usize];
    let mut table = Table::new(Uuid::from_u128(0x01d));
    let start = 34 * 512;
    let whole = (start, (4 << 20) - 65536 - start);
    let entry = Entry::new(crate::sys::gpt::LINUX_DATA, Uuid::from_u128(0x01d1), whole.0, whole.1, "old");
    table.entries.insert(1, entry);
    let bytes = table.build(DISK_SIZE).unwrap();
    disk[..bytes.primary.len()].copy_from_slice(&bytes.primary);
    disk[bytes.backup_offset as usize..].copy_from_slice(&bytes.backup);
    disk
}

/// What firmware would boot: the partitions of the first table that holds, behind a protective MBR.
fn boots(disk: &[u8]) -> Option<Vec<Range<usize>>> {
    let protective = (0..4).any(|slot| disk[446 + slot * 16 + 4] == 0xee);
    if disk[510..512] != [0x55, 0xaa] || !protective {
        return None;
    }
    let last = disk.len() / 512 - 1;
    table_at(disk, 1).or_else(|| table_at(disk, last))
}

/// The table whose header stands in this block, if both of its checksums hold.
fn table_at(disk: &[u8], block: usize) -> Option<Vec<Range<usize>>> {
    let header = disk.get(block * 512..block * 512 + 92)?;
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| header[at + i]));
    let u64_at =
        |bytes: &[u8], at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i])) as usize;
    let mut summed = header.to_vec();
    summed[16..20].fill(0);
    if &header[..8] != b"EFI PART" || u32_at(16) != crc32fast::hash(&summed) || u64_at(header, 24) != block {
        return None;
    }
    let start = u64_at(header, 72) * 512;
    let entries = disk.get(start..start + (u32_at(80) * u32_at(84)) as usize)?;
    if u32_at(88) != crc32fast::hash(entries) {
        return None;
    }
    let used = entries.chunks(u32_at(84) as usize).filter(|entry| entry[..16] != [0; 16]);
    Some(used.map(|entry| u64_at(entry, 32) * 512..(u64_at(entry, 40) + 1) * 512).collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Firmware boots nothing.
    Closed,
    /// Firmware boots what was there before, and all of it is.
    Before,
    /// Firmware boots the new system, and all of it is there.
    Complete,
    /// Firmware boots something of which a part is missing.
    Half,
}

fn judge(state: &[u8], before: &[u8], complete: &[u8]) -> Verdict {
    let Some(partitions) = boots(state) else { return Verdict::Closed };
    let same = |other: &[u8]| {
        boots(other).as_ref() == Some(&partitions)
            && partitions.iter().all(|range| state[range.clone()] == other[range.clone()])
    };
    match (same(complete), same(before)) {
        (true, _) => Verdict::Complete,
        (false, true) => Verdict::Before,
        (false, false) => Verdict::Half,
    }
}

/// The disk after a cut before operation number `cut`: writes since the last flush survive page by page, by chance.
fn state_at(before: &[u8], operations: &[Operation], cut: usize, seed: &mut u64) -> Vec<u8> {
    let durable = operations[..cut].iter().rposition(|op| *op == Operation::Flush).unwrap_or(0);
    let page = if random(seed).is_multiple_of(2) { 512 } else { 4096 };
    let mut state = before.to_vec();
    for (number, operation) in operations[..cut].iter().enumerate() {
        let zeroes;
        let (offset, bytes) = match operation {
            Operation::Write { offset, bytes } => (offset, bytes),
            // a command may be cut off anywhere, too
            Operation::Zero { offset, length } => {
                zeroes = vec![0; *length as usize];
                (offset, &zeroes)
            }
            Operation::Flush => continue,
        };
        let mut at = *offset as usize;
        if number < durable {
            state[at..at + bytes.len()].copy_from_slice(bytes);
            continue;
        }
        let mut left = &bytes[..];
        while !left.is_empty() {
            let (piece, rest) = left.split_at(left.len().min(page - at % page));
            if random(seed).is_multiple_of(2) {
                state[at..at + piece.len()].copy_from_slice(piece);
            }
            at += piece.len();
            left = rest;
        }
    }
    state
}

/// A place to cut: half of them anywhere, half among the writes that decide, at both ends of the record.
fn pick_cut(count: usize, seed: &mut u64) -> usize {
    let any = random(seed) as usize;
    match random(seed) % 4 {
        0 => any % 12.min(count),
        1 => count - any % 9.min(count),
        _ => any % (count + 1),
    }
}

struct Found {
    states: Vec<(Vec<u8>, Verdict)>,
    closed: usize,
    before: usize,
    complete: usize,
    half: usize,
}

/// Makes this many states, and keeps them where `keep` says so.
fn explore(world: &World, run: Run, before: &[u8], states: usize, keep: bool, seed: u64) -> Found {
    let device = MemoryDevice::new(before.to_vec()).with_cheap_zeroes();
    run(world, &world.source, &device);
    let (operations, complete) = (device.operations(), device.content());
    assert_eq!(judge(&complete, before, &complete), Verdict::Complete);
    let seed = &mut { seed };
    let mut found = Found { states: Vec::new(), closed: 0, before: 0, complete: 0, half: 0 };
    for _ in 0..states {
        let cut = pick_cut(operations.len(), seed);
        let state = state_at(before, &operations, cut, seed);
        let verdict = judge(&state, before, &complete);
        // Linux finds partitions through an intact primary table only, and so does the agent
        let device = MemoryDevice::new(state);
        assert_eq!(
            gpt::kernel_table(&device).is_some(),
            verdict != Verdict::Closed,
            "cut before operation {cut}"
        );
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
    let found = explore(&fixture::world(), promised, &vec![0; DISK_SIZE as usize], STATES, false, 1);
    assert_eq!((found.half, found.before), (0, 0));
    assert!(found.closed > 1000 && found.complete > 100, "{} {}", found.closed, found.complete);
}

#[test]
fn no_power_cut_leaves_a_used_disk_half_bootable() {
    let found = explore(&fixture::world(), promised, &old_system(), STATES, false, 2);
    assert_eq!(found.half, 0);
    assert!(found.closed > 1000 && found.complete > 100, "{} {}", found.closed, found.complete);
    assert!(found.before > 20, "{}", found.before);
}

/// So large that some of what the root grows into is zeroed by command, and by pieces of a command.
#[test]
fn no_power_cut_while_the_growth_is_cleared_leaves_a_disk_half_bootable() {
    const SIZE: usize = (14 << 20) + 512;
    let world = fixture::world();
    let before = vec![0x5a; SIZE];
    let device = MemoryDevice::new(before.clone()).with_cheap_zeroes();
    promised(&world, &world.source, &device);
    let operations = device.operations();
    let zero = operations.iter().position(|operation| matches!(operation, Operation::Zero { .. })).unwrap();
    let found = explore(&world, promised, &before, STATES / 8, false, 9);
    assert_eq!((found.half, found.before), (0, 0));
    assert!(found.closed > 100 && found.complete > 10, "{} {}", found.closed, found.complete);
    // in the middle of the command, and before anything after it was durable
    let seed = &mut 10;
    let torn = (0..9).any(|_| {
        let state = state_at(&before, &operations, zero + 1, seed);
        assert_eq!(boots(&state), None);
        let Operation::Zero { offset, length } = operations[zero] else { return false };
        let range = &state[offset as usize..][..length as usize];
        range.contains(&0) && range.contains(&0x5a)
    });
    assert!(torn);
}

#[test]
fn with_the_commit_moved_first_half_bootable_states_are_found() {
    for before in [vec![0; DISK_SIZE as usize], old_system()] {
        let found = explore(&fixture::world(), commit_first, &before, STATES / 4, false, 3);
        assert!(found.half > 100, "{}", found.half);
    }
}

#[test]
fn after_any_power_cut_the_same_order_ends_complete() {
    let blank = |byte| vec![byte; DISK_SIZE as usize];
    for (before, seed) in [(blank(0), 4), (blank(0xff), 10), (old_system(), 5)] {
        let world = fixture::world();
        let complete = installed(&world, before.clone());
        let found = explore(&world, promised, &before, RETRIES / 2, true, seed);
        assert_eq!(found.states.len(), RETRIES / 2);
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
    let found = explore(&world, promised, &before, STATES, false, 7);
    assert_eq!(found.half, 0);
    assert!(found.closed > 1000 && found.complete > 100 && found.before > 20);
    for (state, verdict) in explore(&world, promised, &before, RETRIES / 2, true, 8).states {
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
    for (mut state, _) in explore(&world, promised, &before, RETRIES, true, 9).states {
        if begun(&state) {
            assert!(fixture::plan_for(&world, &state).is_ok());
            state[BEYOND.start + 4096] ^= 1;
            let refusal = fixture::plan_for(&world, &state).unwrap_err();
            assert_eq!(refusal.code, Code::ForeignData, "{refusal}");
            tried += 1;
        }
    }
    assert!(tried > RETRIES / 8, "{tried}");
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
    let device = MemoryDevice::new(vec![blank; DISK_SIZE as usize]);
    promised(&world, &world.source, &device);
    let operations = device.operations();
    let seed = &mut 6;
    let complete = device.content();
    let last = operations.len();
    let mut done = 0;
    for cut in (0..=last).chain([1, 2, 3, 4, 5, 6].repeat(20)).chain([last - 1, last].repeat(20)) {
        let before = vec![blank; DISK_SIZE as usize];
        let state = state_at(&before, &operations, cut, seed);
        match fixture::plan_for(&world, &state) {
            Ok(plan) => assert!(!plan.overwrites_foreign, "cut before operation {cut}"),
            Err(refusal) => {
                assert_eq!(refusal.code, Code::OrderDone, "cut before operation {cut}");
                assert_eq!(
                    judge(&state, &before, &complete),
                    Verdict::Complete,
                    "cut before operation {cut}"
                );
                done += 1;
            }
        }
    }
    assert!(done > 20, "{done}");
}
