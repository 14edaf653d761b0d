//! Disks larger than the image: what becomes of the rest of them.

use super::*;
use crate::agent::disk::signatures::testing::{Former, at_the_end, at_the_start};
use crate::sys::block::BlockDevice;

const LARGE: u64 = (24 << 20) + 512;
const ROOT_END: u64 = 23 << 20;

/// A large disk that was much: things at the starts and ends of partitions of theirs.
fn with_former_lives(disk: &MemoryDevice) -> Vec<(u64, Former)> {
    let mut put = Vec::new();
    // where its own root will be, the whole disk, and a partition of theirs to its last whole MiB
    let root = fixture::manifest().partitions[0].offset;
    for (start, end) in [(root, ROOT_END), (0, LARGE), (1 << 20, ROOT_END), (fixture::SIZE, LARGE)] {
        let (last, first) = (at_the_end(end - start), at_the_start());
        for former in last.into_iter().chain(first) {
            former.put(disk, start);
            put.push((start, former));
        }
    }
    put
}

fn large() -> MemoryDevice {
    MemoryDevice::new(vec![0xee; LARGE as usize])
}

#[test]
fn of_former_lives_nothing_is_left_where_anybody_looks() {
    for device in [large(), large().with_cheap_zeroes(), large().with_refused_zeroes()] {
        let former = with_former_lives(&device);
        let world = fixture::world();
        let installed = attempt(&world, &world.source, &device).unwrap();
        let root = &installed.layout.root;
        assert_eq!(root.offset + root.length, ROOT_END);
        let disk = device.content();
        for (start, former) in &former {
            for (at, bytes) in &former.writes {
                let place = (start + at) as usize;
                assert!(disk[place..place + bytes.len()] != bytes[..], "{} at {place}", former.name);
            }
        }
        // between the root's last MiB, which the personaliser wrote to, and the backup table
        let backup = (LARGE - BACKUP_LENGTH) as usize;
        assert!(disk[ROOT_END as usize..backup].iter().all(|byte| *byte == 0));
        let cleared = disk[fixture::SIZE as usize..(ROOT_END - 65536) as usize].iter().all(|byte| *byte == 0);
        let is_beyond =
            |op: &Operation| matches!(op, Operation::Zero { offset, .. } if *offset >= fixture::SIZE);
        let by_command = device.operations().iter().any(is_beyond);
        assert_eq!(cleared, by_command);
    }
}

/// Whoever stops an install in time has lost no more than what the image overwrites, and the disk's last MiB.
#[test]
fn before_all_blocks_are_verified_nothing_behind_the_image_is_touched() {
    let world = fixture::world();
    let (esp, size) = (world.manifest.partitions[1].offset, fixture::SIZE as usize);
    let device = large().with_cheap_zeroes().with_weak_byte(esp + 5 * 4096 + 7, 9);
    assert_eq!(attempt(&world, &world.source, &device).unwrap_err().code, Code::ReadBack);
    let disk = device.content();
    assert!(disk[size..(LARGE - (1 << 20)) as usize].iter().all(|byte| *byte == 0xee));
}

#[test]
fn a_disk_as_large_as_the_image_has_no_growth() {
    let world = fixture::world();
    let device = MemoryDevice::new(vec![0xee; fixture::SIZE as usize]).with_cheap_zeroes();
    let installed = attempt(&world, &world.source, &device).unwrap();
    assert_eq!(installed.layout.root.length, world.manifest.partitions[0].length);
    let is_beyond = |op: &Operation| matches!(op, Operation::Zero { offset, .. } if *offset >= fixture::SIZE);
    assert!(!device.operations().iter().any(is_beyond));
    assert!(gpt::read_table(&device).is_ok());
}

#[test]
fn a_signature_that_stands_again_before_the_commit_leaves_lba_0_zeroed() {
    /// One that leaves what a disk that doesn't keep zeroes would.
    struct Haunted<'a>(&'a MemoryDevice);
    impl Personaliser for Haunted<'_> {
        fn personalise(&mut self, layout: &DiskLayout) -> Result<Personalised, Failure> {
            at_the_end(layout.root.length)[0].put(self.0, layout.root.offset);
            at_the_end(layout.root.length)[2].put(self.0, layout.root.offset);
            Ok(Personalised::default())
        }
    }
    let (world, device) = (fixture::world(), large());
    let failure = attempt_with(&world, &world.source, &device, &mut Haunted(&device)).unwrap_err();
    assert_eq!(failure.code, Code::ReadBack);
    assert!(failure.message.contains("partition 1 carries a signature of "), "{failure}");
    assert!(lba_0_is_zero(&device) && gpt::read_table(&device).is_err());
    assert_eq!(device.size(), LARGE);
    // the same order again, and nothing haunts
    attempt(&world, &world.source, &device).unwrap();
}
