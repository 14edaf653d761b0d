//! Whole installs on disks in memory: the order of writes, and what every fault leaves behind.

use proptest::prelude::*;

use super::*;
use crate::agent::fixture::{self, Marker, World};
use crate::agent::payload::faults::Fault;
use crate::agent::payload::memory_source::MemorySource;
use crate::image::read::{BACKUP_LENGTH, COMMIT_END};
use crate::spec::claim::{self, Claim};
use crate::spec::event::Step;
use crate::sys::block::{MemoryDevice, Operation};
use crate::sys::gpt;

mod failures;
mod former_lives;
mod growth;

const DISK_SIZE: usize = (4 << 20) + 512;

/// A disk full of somebody's data.
fn used_disk() -> MemoryDevice {
    MemoryDevice::new(vec![0xee; DISK_SIZE])
}

fn attempt(world: &World, source: &MemorySource, device: &MemoryDevice) -> Result<Installed, Failure> {
    attempt_with(world, source, device, &mut Marker::new(device))
}

fn attempt_with(
    world: &World,
    source: &MemorySource,
    device: &MemoryDevice,
    personaliser: &mut dyn Personaliser,
) -> Result<Installed, Failure> {
    let plan = fixture::plan_for(world, &device.content()).unwrap();
    let install = Install {
        device,
        plan: &plan,
        order: &world.order,
        manifest: &world.manifest,
        index: &world.index,
        source,
        leave: &(),
    };
    super::install(&install, personaliser, &mut |_| ())
}

fn lba_0_is_zero(device: &MemoryDevice) -> bool {
    device.content()[..512] == [0; 512]
}

#[test]
fn an_installed_disk_holds_the_image_the_claim_and_a_table_for_its_own_size() {
    let (world, device) = (fixture::world(), used_disk());
    let installed = attempt(&world, &world.source, &device).unwrap();
    let disk = device.content();
    let table = gpt::read_table(&device).unwrap();
    let owner = Owner { order: &world.order.id, host: &world.order.host };
    assert_eq!((table.disk, table.entries.len()), (owner.disk(), 2));
    let layout = &installed.layout;
    assert_eq!((layout.root.offset + layout.root.length, layout.disk), (3 << 20, owner.disk()));
    assert_eq!(installed.personalised.ssh_host_key.as_deref(), Some("SHA256:fake"));
    let claimed = Claim::from_record(&disk[claim::OFFSET as usize..]).unwrap();
    assert_eq!((claimed.grant.order, claimed.attempts), (world.order.id.clone(), 1));
    assert_eq!(Some(claimed.stage), gpt::entries_checksum(&disk).map(|entries| Stage::Ready { entries }));
    // and whatever becomes of the ESP, the order isn't run again
    assert_eq!(fixture::plan_for(&world, &disk).unwrap_err().code, Code::OrderDone);
    // the image, where neither tables nor claim nor the personaliser wrote
    let esp = layout.esp.offset as usize;
    assert_eq!(disk[17408..claim::OFFSET as usize], world.image[17408..claim::OFFSET as usize]);
    assert_eq!(disk[esp..esp + 4096], world.image[esp..esp + 4096]);
    assert_eq!(disk[esp + 4096..esp + 8192], [0xa3; 4096]);
    let (start, end) = (layout.root.offset as usize + 28672, (fixture::SIZE - BACKUP_LENGTH) as usize);
    assert_eq!(disk[start..end], world.image[start..end]);
    // the image's own backup table is gone
    assert!(disk[end..fixture::SIZE as usize].iter().all(|byte| *byte == 0));
}

#[test]
fn the_claim_is_the_first_write_and_the_commit_the_last() {
    const CLAIM: (u64, u64) = (claim::OFFSET, 4096);
    let (world, device) = (fixture::world(), MemoryDevice::new(vec![0; DISK_SIZE]));
    attempt(&world, &world.source, &device).unwrap();
    let operations = device.operations();
    let place = |operation: &Operation| match operation {
        Operation::Write { offset, bytes } => Some((*offset, bytes.len() as u64)),
        Operation::Zero { .. } | Operation::Flush => None,
    };
    let places: Vec<_> = operations.iter().map(place).collect();
    assert_eq!(places[..4], [Some(CLAIM), None, Some((0, 512)), None]);
    let last = places.len() - 1;
    assert_eq!(places[last - 1..], [Some((0, COMMIT_END)), None]);
    let backup = DISK_SIZE as u64 - BACKUP_LENGTH;
    assert_eq!(
        places[last - 7..last - 1],
        [None, Some(CLAIM), None, Some((backup, BACKUP_LENGTH)), Some((512, PRIMARY_END - 512)), None]
    );
    // between closing and committing, nothing but zeroes goes to the tables, and to the claim only that the image is placed
    for operation in &operations[4..last - 7] {
        let Operation::Write { offset, bytes } = operation else { continue };
        let end = offset + bytes.len() as u64;
        assert!(*offset >= PRIMARY_END || bytes.iter().all(|byte| *byte == 0), "tables at {offset}");
        let outside = end <= claim::OFFSET || *offset >= claim::OFFSET + 4096;
        let placed = || Claim::from_record(bytes).is_some_and(|claim| claim.stage == Stage::Placed);
        assert!(outside || (*offset == claim::OFFSET && placed()), "claim at {offset}");
    }
}

/// The claim's place may be inside a file system of theirs: a system that misses 4 KiB must not boot.
#[test]
fn foreign_data_can_not_be_booted_any_more_when_the_claim_is_written() {
    let (world, device) = (fixture::world(), used_disk());
    attempt(&world, &world.source, &device).unwrap();
    let operations = device.operations();
    assert_eq!(operations[..2], [Operation::Write { offset: 0, bytes: vec![0; 512] }, Operation::Flush]);
    let Operation::Write { offset: claim::OFFSET, .. } = operations[2] else { panic!("{:?}", operations[2]) };
}

#[test]
fn frames_are_streamed_and_progress_ends_at_the_total() {
    let (world, device) = (fixture::world(), used_disk());
    let plan = fixture::plan_for(&world, &device.content()).unwrap();
    let World { order, manifest, index, source, .. } = &world;
    let install = Install { device: &device, plan: &plan, order, manifest, index, source, leave: &() };
    preflight(&install).unwrap();
    assert_eq!(device.operations(), []);
    let mut seen = Vec::new();
    super::install(&install, &mut Marker::new(&device), &mut |progress| seen.push(progress)).unwrap();
    assert_eq!(seen[0], Progress::Claimed { disk: "serial:S1".to_owned(), attempt: 1 });
    for wanted in [Step::Write, Step::ReadBack] {
        let of_step = |progress: &Progress| match progress {
            Progress::Bytes { step, done, total } if *step == wanted => Some((*done, *total)),
            _ => None,
        };
        let steps: Vec<_> = seen.iter().filter_map(of_step).collect();
        assert!(steps.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(steps.last().is_some_and(|(done, total)| done == total));
    }
    // preflight and install read the head; writing is one stream a pack; reading back asks for two shared chunks
    assert!(source.opened().len() <= 8, "{:?}", source.opened());
}

#[test]
fn what_is_left_of_raid_at_the_end_of_the_disk_is_erased() {
    let (world, device) = (fixture::world(), used_disk());
    attempt(&world, &world.source, &device).unwrap();
    let disk = device.content();
    let (from, to) = (DISK_SIZE - (1 << 20), (4 << 20) - 65536);
    assert!(disk[from..to].iter().all(|byte| *byte == 0));
}

#[test]
fn every_fault_of_the_payload_has_its_code_and_leaves_lba_0_zeroed() {
    let clean = fixture::world();
    for (number, pack) in clean.manifest.packs.iter().enumerate() {
        for at in [pack.size - 1, pack.size / 2] {
            let blob = pack.digest;
            for (fault, code) in [
                (Fault::Cut { blob, at }, Code::PayloadUnreachable),
                (Fault::Stall { blob, at }, Code::PayloadUnreachable),
                (Fault::Flip { blob, at, once: false }, Code::PayloadDamaged),
            ] {
                let world = fixture::world();
                let source = fixture::world().source.with_fault(fault);
                let device = used_disk();
                let failure = attempt(&world, &source, &device).unwrap_err();
                assert_eq!(failure.code, code, "{number} {fault:?}: {failure}");
                assert!(failure.message.contains(&blob.to_string()), "{failure}");
                assert!(lba_0_is_zero(&device), "{fault:?}");
                // the same disk, once the payload is whole
                assert_eq!(fixture::plan_for(&world, &device.content()).unwrap().attempt, 2);
                attempt(&world, &world.source, &device).unwrap();
                assert!(gpt::read_table(&device).is_ok());
            }
        }
    }
}

#[test]
fn a_damaged_first_chunk_is_found_before_anything_is_written() {
    let world = fixture::world();
    let blob = world.manifest.packs[0].digest;
    let device = used_disk();
    for (fault, code) in [
        (Fault::Flip { blob, at: 9, once: false }, Code::PayloadDamaged),
        (Fault::Cut { blob, at: 9 }, Code::PayloadUnreachable),
    ] {
        let source = fixture::world().source.with_fault(fault);
        assert_eq!(attempt(&world, &source, &device).unwrap_err().code, code);
        assert_eq!(device.operations(), []);
    }
}

#[test]
fn a_chunk_that_was_damaged_on_the_way_is_fetched_again() {
    let world = fixture::world();
    let blob = world.manifest.packs[1];
    let fault = Fault::Flip { blob: blob.digest, at: blob.size / 2, once: true };
    let device = used_disk();
    attempt(&world, &fixture::world().source.with_fault(fault), &device).unwrap();
}

/// Writes that reach this place of a used disk, up to the one with its content: tables are zeroed before.
fn writes_until_content(world: &World, at: u64) -> u32 {
    let device = used_disk();
    attempt(world, &world.source, &device).unwrap();
    let (mut count, mut reached) = (0, false);
    for operation in device.operations() {
        let Operation::Write { offset, bytes } = operation else { continue };
        if (offset..offset + bytes.len() as u64).contains(&at) && !reached {
            count += 1;
            reached = bytes.iter().any(|byte| *byte != 0);
        }
    }
    count
}

#[test]
fn a_byte_that_was_stored_wrong_once_is_repaired_and_twice_is_a_broken_disk() {
    let world = fixture::world();
    let (esp, root) = (world.manifest.partitions[1].offset, world.manifest.partitions[0].offset);
    // in data, in zeroes, and in the chunk that the backup table cuts short
    let blocks = [esp + 5 * 4096 + 7, PRIMARY_END + 5, root, fixture::SIZE - 20480 - 1];
    // in the boot code, the header, an entry, and both parts of the backup table
    let (backup, end) = (DISK_SIZE as u64 - BACKUP_LENGTH, DISK_SIZE as u64);
    for at in blocks.into_iter().chain([3, 511, 512 + 60, 1024 + 40, backup + 9, end - 500]) {
        let device = used_disk().with_weak_byte(at, writes_until_content(&world, at));
        attempt(&world, &world.source, &device).unwrap();
        let device = used_disk().with_weak_byte(at, 9);
        let failure = attempt(&world, &world.source, &device).unwrap_err();
        assert_eq!(failure.code, Code::ReadBack, "{at}");
        assert!(failure.message.contains(&format!("byte {at} ")), "{failure}");
        assert!(lba_0_is_zero(&device) || at < 512, "{at}");
        assert!(gpt::read_table(&device).is_err() || at < 512, "{at}");
    }
}

#[test]
fn a_failed_personalisation_leaves_lba_0_zeroed() {
    struct Broken;
    impl Personaliser for Broken {
        fn personalise(&mut self, _: &DiskLayout) -> Result<Personalised, Failure> {
            Err(Failure::new(Code::Personalise, "editing /etc/passwd: no space"))
        }
    }
    let (world, device) = (fixture::world(), used_disk());
    let failure = attempt_with(&world, &world.source, &device, &mut Broken).unwrap_err();
    assert_eq!(failure, Failure::new(Code::Personalise, "editing /etc/passwd: no space"));
    assert!(lba_0_is_zero(&device));
    assert!(gpt::read_table(&device).is_err());
}

#[test]
fn another_disk_than_the_planned_one_is_not_touched() {
    let world = fixture::world();
    let plan = fixture::plan_for(&world, &vec![0; DISK_SIZE]).unwrap();
    let device = MemoryDevice::new(vec![0xee; DISK_SIZE + 512]);
    let World { order, manifest, index, source, .. } = &world;
    let install = Install { device: &device, plan: &plan, order, manifest, index, source, leave: &() };
    assert_eq!(
        super::install(&install, &mut Marker::new(&device), &mut |_| ()).unwrap_err().code,
        Code::Internal
    );
    assert_eq!(device.operations(), []);
}

#[test]
fn a_claim_that_cannot_be_written_was_told_before() {
    let world = fixture::world();
    let device = used_disk().with_bad_range(claim::OFFSET..claim::OFFSET + 1);
    let plan = fixture::plan_for(&world, &device.content()).unwrap();
    let World { order, manifest, index, source, .. } = &world;
    let install = Install { device: &device, plan: &plan, order, manifest, index, source, leave: &() };
    let mut seen = Vec::new();
    let failure =
        super::install(&install, &mut Marker::new(&device), &mut |progress| seen.push(progress)).unwrap_err();
    assert_eq!(failure.code, Code::DiskIo);
    assert!(failure.message.contains("the claim record"), "{failure}");
    assert_eq!(seen, [Progress::Claimed { disk: "serial:S1".to_owned(), attempt: 1 }]);
    // foreign data was given up, and doesn't boot without all of it
    assert_eq!(device.operations(), [Operation::Write { offset: 0, bytes: vec![0; 512] }, Operation::Flush]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_disk_with_a_bad_place_fails_by_name_and_does_not_boot(start in 0..DISK_SIZE as u64, length in 1..9000_u64) {
        let world = fixture::world();
        let bad = start..(start + length).min(DISK_SIZE as u64);
        let device = used_disk().with_bad_range(bad.clone());
        match attempt(&world, &world.source, &device) {
            Ok(_) => prop_assert!(bad.start >= fixture::SIZE, "{:?} was never touched", bad),
            Err(failure) => {
                let by_name = failure.code == Code::DiskIo && failure.message.contains("byte ");
                prop_assert!(by_name || failure.code == Code::Personalise, "{}", failure);
                // where LBA 0 itself is bad, it still holds what nobody can read
                let claimed = Claim::from_record(&device.content()[claim::OFFSET as usize..]).is_some();
                prop_assert!(!claimed || lba_0_is_zero(&device) || bad.start < 512, "{:?}", bad);
                prop_assert!(claimed || device.operations().is_empty() || lba_0_is_zero(&device));
            }
        }
    }

    #[test]
    fn a_payload_that_fails_anywhere_never_makes_a_disk_bootable(pack in 0..2_usize, part in 0..1000_u64, kind in 0..3) {
        let world = fixture::world();
        let pack = world.manifest.packs[pack];
        let (blob, at) = (pack.digest, pack.size * part / 1000);
        let (fault, code) = match kind {
            0 => (Fault::Cut { blob, at }, Code::PayloadUnreachable),
            1 => (Fault::Stall { blob, at }, Code::PayloadUnreachable),
            _ => (Fault::Flip { blob, at, once: false }, Code::PayloadDamaged),
        };
        let device = used_disk();
        let failure = attempt(&world, &fixture::world().source.with_fault(fault), &device).unwrap_err();
        prop_assert_eq!(failure.code, code, "{}", failure);
        prop_assert!(lba_0_is_zero(&device) || device.operations().is_empty());
        prop_assert!(gpt::read_table(&device).is_err());
    }
}
