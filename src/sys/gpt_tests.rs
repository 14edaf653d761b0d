//! What the table module promises, on disks in memory.

use super::*;
use crate::sys::block::MemoryDevice;

const MIB: u64 = 1 << 20;

fn table() -> Table {
    let mut table = Table::new(Uuid::from_u128(0x11));
    table.boot_code[3] = 0x90;
    table.entries.insert(15, Entry::new(ESP, Uuid::from_u128(0x22), MIB, MIB, "esp"));
    table.entries.insert(1, Entry::new(LINUX_ROOT_X64, Uuid::from_u128(0x33), 2 * MIB, 4 * MIB, "Würzel"));
    table
}

fn disk(size: u64) -> MemoryDevice {
    let bytes = table().build(size).unwrap();
    let device = MemoryDevice::new(vec![0; size as usize]);
    device.write_at(0, &bytes.primary).unwrap();
    device.write_at(bytes.backup_offset, &bytes.backup).unwrap();
    device
}

#[test]
fn a_table_reads_back_with_its_slots() {
    assert_eq!(read_table(&disk(8 * MIB)).unwrap(), table());
    assert_eq!(parse_primary(&disk(8 * MIB).content()).unwrap(), table());
}

#[test]
fn a_rebuilt_table_for_a_larger_disk_keeps_the_slots() {
    let mut grown = parse_primary(&disk(8 * MIB).content()).unwrap();
    grown.entries.get_mut(&1).unwrap().last += 2048;
    let bytes = grown.build(16 * MIB).unwrap();
    let read = parse_primary(&bytes.primary).unwrap();
    assert_eq!(read.entries.keys().copied().collect::<Vec<_>>(), [1, 15]);
    assert_eq!(read.entries[&1].length(), 5 * MIB);
    assert_eq!(bytes.backup_offset + bytes.backup.len() as u64, 16 * MIB);
}

#[test]
fn the_backup_is_a_table_that_another_reader_accepts() {
    let device = disk(8 * MIB);
    device.write_at(512, &[0; 512]).unwrap();
    let window = crate::sys::block::Window::new(&device, 0, 8 * MIB);
    let disk = gpt::GptConfig::new().open_from_device(window).unwrap();
    assert!(disk.primary_header().is_err());
    assert_eq!(disk.partitions()[&15].name, "esp");
    assert_eq!(disk.backup_header().unwrap().current_lba, 8 * MIB / BLOCK - 1);
}

#[test]
fn damage_and_cuts_are_found() {
    for byte in [512, 512 + 57, 1024 + 3, 8 * MIB - 512 + 57, 8 * MIB - BACKUP_LENGTH + 3] {
        let device = disk(8 * MIB);
        let mut one = [0];
        device.read_at(byte, &mut one).unwrap();
        device.write_at(byte, &[one[0] ^ 1]).unwrap();
        assert!(read_table(&device).is_err(), "byte {byte}");
    }
    let cut = MemoryDevice::new(disk(8 * MIB).content()[..7 * MIB as usize].to_vec());
    let error = read_table(&cut).unwrap_err().to_string();
    assert!(error.contains("8388608") && error.contains("cut off"), "{error}");
    assert!(read_table(&MemoryDevice::new(vec![0; 8 * MIB as usize])).is_err());
    assert!(read_table(&MemoryDevice::new(vec![0; 100])).is_err());
}

#[test]
fn unusual_headers_are_refused_before_they_can_do_harm() {
    for (at, value) in [(80, u32::MAX), (84, 4096), (84, 0)] {
        let mut bytes = disk(8 * MIB).content();
        bytes[512 + at..512 + at + 4].copy_from_slice(&value.to_le_bytes());
        bytes[512 + 16..512 + 20].fill(0);
        let sum = crc32fast::hash(&bytes[512..512 + 92]);
        bytes[512 + 16..512 + 20].copy_from_slice(&sum.to_le_bytes());
        assert!(parse_primary(&bytes).is_err(), "{at}");
    }
}

#[test]
fn entries_that_can_not_be_are_not_built() {
    let mut overlapping = table();
    overlapping.entries.get_mut(&1).unwrap().first -= 1;
    assert!(overlapping.build(8 * MIB).unwrap_err().to_string().contains("overlap"));
    assert!(table().build(6 * MIB).is_err(), "the backup table needs its place");
    let mut long = table();
    long.entries.get_mut(&1).unwrap().name = "x".repeat(37);
    assert!(long.build(8 * MIB).is_err());
    let mut far = table();
    far.entries.insert(129, far.entries[&15].clone());
    assert!(far.build(8 * MIB).is_err());
}

#[test]
fn a_table_counts_only_behind_a_protective_entry_as_the_kernel_wants_it() {
    let mut disk = disk(8 * MIB).content();
    let has_table = |disk: &[u8]| kernel_table(&MemoryDevice::new(disk.to_vec())).is_some();
    assert!(has_table(&disk));
    // hybrid: the kernel takes the GPT
    disk[446 + 16 + 4] = 0x83;
    assert!(has_table(&disk));
    disk[446 + 4] = 0x83;
    assert!(!has_table(&disk), "a stale table behind a real MBR");
    disk[446 + 4] = 0xee;
    disk[446 + 8] = 63;
    assert!(!has_table(&disk), "an entry that protects nothing");
}

#[test]
fn a_partition_is_found_by_its_type_if_all_of_it_is_there() {
    let whole = disk(8 * MIB);
    assert_eq!(find_partition(&whole, ESP), Some((MIB, MIB)));
    assert_eq!(find_partition(&whole, LINUX_DATA), None);
    let cut = MemoryDevice::new(whole.content()[..3 << 20].to_vec());
    assert_eq!(find_partition(&cut, ESP), Some((MIB, MIB)));
    assert_eq!(find_partition(&cut, LINUX_ROOT_X64), None, "it ends behind the disk");
}
