//! Disks whose ends tell nothing.

use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::agent::fixture;
use crate::probe::disk_probe::{self, LOOK, Seen};
use crate::spec::facts::DiskContent;
use crate::sys::block::MemoryDevice;

fn look(device: &dyn BlockDevice, is_candidate: bool) -> Seen {
    disk_probe::look(device, &fixture::key().alone(), is_candidate)
}

/// A disk of any size that takes no memory: one run of data between blank ends, the rest of one byte; remembers how often it was read.
#[derive(Debug)]
struct OneRun {
    size: u64,
    run: std::ops::Range<u64>,
    blank: u8,
    reads: Mutex<Vec<u64>>,
}

impl OneRun {
    fn new(size: u64, run: std::ops::Range<u64>, blank: u8) -> Self {
        Self { size, run, blank, reads: Mutex::default() }
    }
}

impl BlockDevice for OneRun {
    fn size(&self) -> u64 {
        self.size
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.reads.lock().unwrap().push(offset);
        let end = offset + buffer.len() as u64;
        assert!(end <= self.size, "{offset} + {}", buffer.len());
        buffer.fill(self.blank);
        let data = self.run.start.max(offset)..self.run.end.min(end);
        if data.start < data.end {
            buffer[(data.start - offset) as usize..(data.end - offset) as usize].fill(0x5a);
        }
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::Error::other("nobody writes here"))
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_run_of_the_2048th_part_of_a_disk_is_found_wherever_it_is(
        size in prop_oneof![4_u64 << 20..4 << 30, 4_u64 << 30..30 << 40],
        at in 0_u64..1_000_000,
        blank in prop_oneof![Just(0), Just(0xff)],
    ) {
        let length = (size / 2048).max(2 * 512);
        let start = (u128::from(size - length) * u128::from(at) / 1_000_000) as u64;
        let device = OneRun::new(size, start..start + length, blank);
        let seen = look(&device, true);
        prop_assert!(matches!(seen.content, DiskContent::Foreign { .. }), "{:?}", seen.content);
        let device = OneRun::new(size, 0..0, blank);
        prop_assert_eq!(look(&device, true).content, DiskContent::Blank);
    }
}

#[test]
fn where_is_read_depends_on_the_size_and_not_on_what_is_there() {
    for size in [100 << 20, 5 << 30, 700 << 30] {
        let [blank, data] = [0..0, 3 << 20..size - (3 << 20)].map(|run| {
            let device = OneRun::new(size, run, 0);
            seen(&device);
            device.reads.into_inner().unwrap()
        });
        assert!(blank == data && blank.len() < 9000, "{size}: {} and {} reads", blank.len(), data.len());
    }
}

fn seen(device: &dyn BlockDevice) -> Seen {
    look(device, true)
}

fn words(seen: &Seen) -> &str {
    match &seen.content {
        DiskContent::Foreign { looks_like } => looks_like,
        other => panic!("{other:?} is not foreign"),
    }
}

const MIB: usize = 1 << 20;

#[test]
fn data_between_zeroed_ends_is_found() {
    let mut disk = vec![0x42; 256 * MIB];
    disk[..MIB].fill(0);
    disk[255 * MIB..].fill(0);
    let device = MemoryDevice::new(disk);
    assert_eq!(words(&seen(&device)), "unknown data at byte 1048576");
    // what nobody looked at isn't said to be blank, nor to be anything else
    let ends = look(&device, false);
    assert_eq!((ends.content, ends.samples), (DiskContent::Unsampled, None));
}

#[test]
fn zeroes_and_0xff_are_blank_also_mixed_by_sectors_and_one_other_byte_is_not() {
    let mut disk = vec![0xff; 20 * MIB];
    // what `sgdisk --zap-all` leaves, and a discarded part
    disk[..34 * 512].fill(0);
    disk[20 * MIB - 33 * 512..].fill(0);
    disk[5 * MIB + 512..7 * MIB].fill(0);
    let device = MemoryDevice::new(disk.clone());
    assert_eq!(seen(&device).content, DiskContent::Blank);
    // a disk may change the one into the other by itself
    let zeroes = seen(&MemoryDevice::new(vec![0; 20 * MIB])).samples;
    assert_eq!(seen(&device).samples, zeroes);
    for byte in [0x00, 0xfe] {
        disk[9 * MIB + 77] = byte;
        assert_eq!(words(&seen(&MemoryDevice::new(disk.clone()))), "unknown data at byte 9437184");
    }
}

#[test]
fn what_begins_where_partitions_begin_is_named() {
    for (start, at, bytes, name) in [
        (63 * 512, 1080, &[0x53, 0xef][..], "ext2/3/4"),
        (MIB, 0, b"XFSB", "XFS"),
        (MIB, MIB, &[0x0d, 0xd0, 0x01, 0xc0], "VMFS"),
        (MIB, 2 * MIB, &[0x5e, 0xf1, 0xab, 0x2f], "VMFS"),
        (2 * MIB, 65600, b"_BHRfS_M", "btrfs"),
        (4 * MIB, 512, b"LABELONE", "LVM physical volume"),
        (8 * MIB, 4096, &0xa92b_4efc_u32.to_le_bytes(), "Linux md RAID"),
        (16 * MIB, 140 << 10, &0x00ba_b10c_u64.to_le_bytes(), "ZFS"),
        (16 * MIB, 4 * MIB, b"SKUL\xba\xbe", "LUKS (second header)"),
        (16 * MIB, 0, b"bluestore block device\n", "Ceph BlueStore"),
        // where only a whole MiB speaks for it
        (23 * MIB, 0, b"LUKS\xba\xbe\0\x02", "LUKS"),
    ] {
        let mut disk = vec![0; 40 * MIB];
        disk[start + at..][..bytes.len()].copy_from_slice(bytes);
        let found = seen(&MemoryDevice::new(disk));
        assert_eq!(words(&found), format!("{name} at byte {start}"), "{at}");
    }
}

#[test]
fn an_empty_file_system_at_any_whole_mib_of_the_first_4_gib_is_found() {
    for mib in [1_u64, 101, 513, 1537, 4095] {
        let at = mib << 20;
        let found = seen(&OneRun::new(2 << 40, at + 1080..at + 1082, 0));
        assert_eq!(words(&found), format!("unknown data at byte {}", at + 1024));
    }
}

/// Of each file system nothing is left but one copy of its superblock.
#[test]
fn copies_are_found_where_nothing_else_is_left() {
    const GIB: u64 = 1 << 30;
    let copies = [
        (64 * GIB, MIB as u64 + (8 << 20) + 1024, 56),
        (64 * GIB, MIB as u64 + 3 * (32 << 20), 56),
        (64 * GIB, 9 * (128 << 20), 56),
        (600 * GIB, MIB as u64 + (64 << 20), 64),
        (600 * GIB, 63 * 512 + 256 * GIB, 64),
        // allocation groups of a partition from 1 MiB to the last usable block, and to the last whole MiB
        (600 * GIB, MIB as u64 + ((600 * GIB - MIB as u64 - 33 * 512) / 4096).div_ceil(4) * 4096, 0),
        (600 * GIB, MIB as u64 + ((600 * GIB - 2 * MIB as u64) / 4096).div_ceil(4) * 4096 * 3, 0),
        (600 * GIB, (600 * GIB / 4096).div_ceil(2) * 4096, 0),
        // as in a RAID's: the 4th of 8, the 16th of 32
        (600 * GIB, MIB as u64 + ((600 * GIB - MIB as u64 - 33 * 512) / 4096).div_ceil(8) * 4096 * 4, 0),
        (600 * GIB, MIB as u64 + ((600 * GIB - MIB as u64 - 33 * 512) / 4096).div_ceil(32) * 4096 * 16, 0),
        (9 << 40, (2 << 20) + (3 << 40), 0),
    ];
    for (size, at, inside) in copies {
        let device = OneRun::new(size, at + inside..at + inside + 4, 0);
        let found = seen(&device);
        assert_eq!(words(&found), format!("unknown data at byte {}", at / 512 * 512), "{size}");
    }
}

#[test]
fn a_disk_that_cannot_be_read_everywhere_is_not_blank() {
    let bad = 11 * MIB as u64 + 4096;
    let device = MemoryDevice::new(vec![0; 40 * MIB]).with_bad_range(bad..bad + 1);
    let found = seen(&device);
    let DiskContent::Unreadable { error } = &found.content else { panic!("{found:?}") };
    assert!(error.contains("byte 11534336: input/output error"), "{error}");
    assert!(found.unread.is_some() && found.samples.is_none());
    // its ends are blank all the same
    assert_eq!(look(&device, false).content, DiskContent::Unsampled);
    // what is known of a disk stays known
    let mut disk = vec![0; 40 * MIB];
    disk[..4].copy_from_slice(b"XFSB");
    let found = seen(&MemoryDevice::new(disk).with_bad_range(bad..bad + 1));
    assert_eq!(words(&found), "XFS");
    assert!(found.unread.is_some());
}

#[test]
fn a_file_system_behind_a_table_is_named_with_it_and_unknown_data_isnt() {
    let mut table = crate::sys::gpt::Table::new(uuid::Uuid::from_u128(1));
    let kind = crate::sys::gpt::LINUX_DATA;
    let entry = crate::sys::gpt::Entry::new(kind, uuid::Uuid::from_u128(2), 3 << 19, 8 << 20, "data");
    table.entries.insert(1, entry);
    let mut disk = vec![0; 40 * MIB];
    let built = table.build(disk.len() as u64).unwrap();
    disk[..built.primary.len()].copy_from_slice(&built.primary);
    disk[built.backup_offset as usize..].copy_from_slice(&built.backup);
    assert_eq!(words(&seen(&MemoryDevice::new(disk.clone()))), "GPT (Linux)");
    disk[(3 << 19) + 1080..][..2].copy_from_slice(&[0x53, 0xef]);
    assert_eq!(words(&seen(&MemoryDevice::new(disk.clone()))), "GPT (Linux), ext2/3/4 at byte 1572864");
    // the backup alone, or a table with a wrong checksum, names the place as well
    disk[..34 * 512].fill(0);
    assert_eq!(words(&seen(&MemoryDevice::new(disk.clone()))), "GPT (backup only), ext2/3/4 at byte 1572864");
    let end = disk.len() - 33 * 512;
    disk[end..].fill(0);
    disk[..built.primary.len()].copy_from_slice(&built.primary);
    disk[512 + 88] ^= 1;
    assert_eq!(words(&seen(&MemoryDevice::new(disk))), "GPT (Linux), ext2/3/4 at byte 1572864");
}

/// Four entries of an MBR, of which some are used, with its signature.
fn mbr(entries: &[(u8, u32, u32)]) -> Vec<u8> {
    let mut sector = vec![0; 512];
    for (slot, (kind, first, sectors)) in entries.iter().enumerate() {
        let at = 446 + slot * 16;
        sector[at + 4] = *kind;
        sector[at + 8..at + 12].copy_from_slice(&first.to_le_bytes());
        sector[at + 12..at + 16].copy_from_slice(&sectors.to_le_bytes());
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

#[test]
fn partitions_of_an_mbr_and_of_its_chain_are_looked_at() {
    let mut disk = vec![0; 40 * MIB];
    disk[..512].copy_from_slice(&mbr(&[(0x83, 63, 1000), (0x05, 20_001, 40_000)]));
    disk[20_001 * 512..][..512].copy_from_slice(&mbr(&[(0x83, 63, 1000), (0x05, 10_000, 10_000)]));
    // its link leads to itself: followed a bounded number of times
    disk[30_001 * 512..][..512].copy_from_slice(&mbr(&[(0x82, 63, 1000), (0x05, 10_000, 10_000)]));
    let at = 30_064 * 512;
    disk[at + 4086..][..10].copy_from_slice(b"SWAPSPACE2");
    let found = seen(&MemoryDevice::new(disk));
    assert_eq!(words(&found), format!("MBR (Linux, extended), swap at byte {at}"));
}

#[test]
fn every_size_is_looked_at_without_panic() {
    for size in [0_u64, 1, 511, 512, 513, 4096, 100_000, LOOK - 1, LOOK, LOOK + 1, 3 * LOOK + 77] {
        assert_eq!(seen(&OneRun::new(size, 0..0, 0)).content, DiskContent::Blank, "{size}");
        let data = seen(&OneRun::new(size, 0..size, 0));
        assert_eq!(matches!(data.content, DiskContent::Foreign { .. }), size > 0, "{size}");
    }
}
