//! Partition tables as bytes: read one, build one, for images, sticks and target disks.
//!
//! Promises: the same [`Table`] gives the same bytes; entries keep their slots (the `gpt` crate's own writer renumbers
//! them, so only its parts are used here); a table that is read was checked by both checksums, and no field of it reaches
//! past the device. 512-byte logical blocks and 128 entries of 128 bytes only: what images and sticks have.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use gpt::disk::LogicalBlockSize;
use gpt::header::{Header, HeaderBuilder};
use gpt::mbr::ProtectiveMBR;
use gpt::partition::{Partition, file_read_partitions};
use gpt::partition_types::{OperatingSystem, Type};
use uuid::Uuid;

use super::block::BlockDevice;
use crate::spec::ondisk::partitions::gpt::{
    ALTERNATE_LBA, DISK_GUID, ENTRY_LENGTH as ENTRY, HEADER_CRC32, HEADER_CRC32_END, HEADER_LENGTH,
    HEADER_SIZE, MY_LBA, NUM_PARTITION_ENTRIES, PARTITION_ENTRY_ARRAY_CRC32, PARTITION_ENTRY_LBA, SIGNATURE,
    SIZEOF_PARTITION_ENTRY,
};
use crate::spec::ondisk::partitions::mbr;

/// Logical block size of every table that is read or built here.
pub const BLOCK: u64 = 512;
/// Slots of a table.
pub const SLOTS: u32 = 128;
/// Length of the primary table: protective MBR, header, entries.
pub const PRIMARY_LENGTH: usize = 34 * BLOCK as usize;
/// Length of the backup table at the end of the disk: entries, header.
pub const BACKUP_LENGTH: u64 = 33 * BLOCK;
/// Type of an EFI system partition.
pub const ESP: Uuid = Uuid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b);
/// Type of the partition that GRUB for BIOS is embedded in.
pub const BIOS_BOOT: Uuid = Uuid::from_u128(0x21686148_6449_6e6f_744e_656564454649);
/// Type of a Linux root file system on x86-64, by the Discoverable Partitions Specification.
pub const LINUX_ROOT_X64: Uuid = Uuid::from_u128(0x4f68bce3_e8cd_4db1_96e7_fbcaf984b709);
/// Type of any Linux file system.
#[cfg(test)]
pub const LINUX_DATA: Uuid = Uuid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4);

/// Where the primary header begins.
const HEADER: usize = BLOCK as usize;
/// Where the primary table's entries begin.
const ENTRIES: usize = 2 * BLOCK as usize;
const LB: LogicalBlockSize = LogicalBlockSize::Lb512;

/// A partition table without its place: entries in their slots, and what stands in the MBR beside the protective entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// GUID of the disk.
    pub disk: Uuid,
    /// Bytes 0..446 of the disk: boot code of BIOS machines and the disk signature.
    pub boot_code: Vec<u8>,
    /// Used slots, by number from 1.
    pub entries: BTreeMap<u32, Entry>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Type GUID.
    pub kind: Uuid,
    /// Unique GUID.
    pub guid: Uuid,
    /// First block.
    pub first: u64,
    /// Last block, inclusive.
    pub last: u64,
    /// Attribute bits.
    pub flags: u64,
    /// Name, at most 36 UTF-16 units.
    pub name: String,
}

impl Entry {
    /// An entry by bytes; both must be multiples of 512, and the length not 0.
    pub fn new(kind: Uuid, guid: Uuid, offset: u64, length: u64, name: &str) -> Self {
        debug_assert!(offset.is_multiple_of(BLOCK) && length.is_multiple_of(BLOCK) && length > 0);
        let (first, blocks) = (offset / BLOCK, length / BLOCK);
        Self { kind, guid, first, last: (first + blocks).saturating_sub(1), flags: 0, name: name.to_owned() }
    }

    /// First byte.
    pub fn offset(&self) -> u64 {
        self.first * BLOCK
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        (self.last - self.first + 1) * BLOCK
    }
}

/// A built table: two pieces of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableBytes {
    /// Bytes 0..17408 of the disk.
    pub primary: Vec<u8>,
    /// First byte of the backup table.
    pub backup_offset: u64,
    /// The backup table, up to the disk's last byte.
    pub backup: Vec<u8>,
}

impl Table {
    /// An empty table without boot code.
    pub fn new(disk: Uuid) -> Self {
        Self { disk, boot_code: vec![0; mbr::ENTRIES], entries: BTreeMap::new() }
    }

    /// The table as it stands on a disk of this many bytes.
    ///
    /// # Errors
    /// An entry that doesn't fit the disk, overlaps another, has no slot, or has a name that is too long.
    pub fn build(&self, disk_size: u64) -> Result<TableBytes> {
        let blocks = disk_size / BLOCK;
        ensure!(
            disk_size.is_multiple_of(BLOCK) && blocks > 2 * 34,
            "a disk of {disk_size} bytes can't hold a partition table"
        );
        let last = blocks - 1;
        let mut header = HeaderBuilder::new()
            .disk_guid(self.disk)
            .backup_lba(last)
            .build(LB)
            .context("building the partition table")?;
        self.check(header.first_usable, header.last_usable)?;
        let mut primary = vec![0; PRIMARY_LENGTH];
        primary[..512].copy_from_slice(
            &ProtectiveMBR::with_lb_size(u32::try_from(last).unwrap_or(u32::MAX)).to_bytes(),
        );
        let code = self.boot_code.len().min(mbr::ENTRIES);
        primary[..code].copy_from_slice(&self.boot_code[..code]);
        let mut place = Cursor::new(primary);
        for (slot, entry) in &self.entries {
            entry.to_crate().write_to_device(&mut place, u64::from(slot - 1), 2, LB, ENTRY as u32)?;
        }
        header.write_primary(&mut place, LB).context("building the partition table")?;
        let primary = place.into_inner();
        let backup = backup_of(&primary, &header);
        Ok(TableBytes { primary, backup_offset: disk_size - BACKUP_LENGTH, backup })
    }

    fn check(&self, first_usable: u64, last_usable: u64) -> Result<()> {
        let mut by_place: Vec<_> = self.entries.iter().collect();
        by_place.sort_by_key(|(_, entry)| entry.first);
        for (slot, entry) in &by_place {
            ensure!((1..=SLOTS).contains(*slot), "partition number {slot} is not in 1..=128");
            ensure!(!entry.kind.is_nil(), "partition {slot} has no type");
            ensure!(
                first_usable <= entry.first && entry.first <= entry.last && entry.last <= last_usable,
                "partition {slot} (blocks {}–{}) reaches out of the disk's usable blocks {first_usable}–{last_usable}",
                entry.first,
                entry.last
            );
            let units = entry.name.encode_utf16().count();
            ensure!(units <= 36, "the name of partition {slot} has {units} UTF-16 units, the limit is 36");
        }
        for pair in by_place.windows(2) {
            ensure!(pair[0].1.last < pair[1].1.first, "partitions {} and {} overlap", pair[0].0, pair[1].0);
        }
        Ok(())
    }
}

impl Entry {
    fn to_crate(&self) -> Partition {
        Partition {
            part_type_guid: Type { guid: self.kind, os: OperatingSystem::None },
            part_guid: self.guid,
            first_lba: self.first,
            last_lba: self.last,
            flags: self.flags,
            name: self.name.clone(),
        }
    }

    fn from_crate(part: Partition) -> Self {
        Self {
            kind: part.part_type_guid.guid,
            guid: part.part_guid,
            first: part.first_lba,
            last: part.last_lba,
            flags: part.flags,
            name: part.name,
        }
    }
}

/// The backup table of a built primary one: the entries, then the header with the two places exchanged.
fn backup_of(primary: &[u8], header: &Header) -> Vec<u8> {
    let entries = SLOTS as usize * ENTRY;
    let mut backup = Vec::with_capacity(BACKUP_LENGTH as usize);
    backup.extend_from_slice(&primary[ENTRIES..ENTRIES + entries]);
    let mut block = primary[HEADER..ENTRIES].to_vec();
    let mut put = |at: usize, number: u64| block[at..at + 8].copy_from_slice(&number.to_le_bytes());
    put(MY_LBA, header.backup_lba);
    put(ALTERNATE_LBA, header.current_lba);
    put(PARTITION_ENTRY_LBA, header.last_usable + 1);
    block[HEADER_CRC32..HEADER_CRC32_END].fill(0);
    let sum = crc32fast::hash(&block[..HEADER_LENGTH]);
    block[HEADER_CRC32..HEADER_CRC32_END].copy_from_slice(&sum.to_le_bytes());
    backup.extend_from_slice(&block);
    backup
}

/// Whether these last 33 blocks are a valid copy of the primary table. Usable ranges may differ in what other tools write.
fn is_backup_of(primary: &[u8], backup: &[u8], blocks: u64) -> bool {
    let (entries, header) = backup.split_at(SLOTS as usize * ENTRY);
    let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| header[at + i]));
    let same = |fields: Range<usize>| header[fields.clone()] == primary[HEADER..][fields];
    let mut summed = header[..HEADER_LENGTH].to_vec();
    summed[HEADER_CRC32..HEADER_CRC32_END].fill(0);
    header.starts_with(SIGNATURE)
        && header[HEADER_SIZE..HEADER_CRC32] == (HEADER_LENGTH as u32).to_le_bytes()
        && header[HEADER_CRC32..HEADER_CRC32_END] == crc32fast::hash(&summed).to_le_bytes()
        && (u64_at(MY_LBA), u64_at(ALTERNATE_LBA), u64_at(PARTITION_ENTRY_LBA)) == (blocks - 1, 1, blocks - 33)
        && same(DISK_GUID..DISK_GUID + 16)
        // number, size and checksum of the entries; the entries
        && same(NUM_PARTITION_ENTRIES..HEADER_LENGTH)
        && entries == &primary[ENTRIES..]
}

/// CRC-32 of the partition entries as the primary header in these first bytes of a disk has it (UEFI 2.10, section 5.3.2);
/// `None` where no header is.
pub fn entries_checksum(bytes: &[u8]) -> Option<u32> {
    let header = bytes.get(BLOCK as usize..)?;
    let field = header.get(PARTITION_ENTRY_ARRAY_CRC32..HEADER_LENGTH)?.try_into().ok()?;
    header.starts_with(SIGNATURE).then(|| u32::from_le_bytes(field))
}

/// CRC-32 of the partition entries as this block has it, if it is a header of this kind of table whose own checksum is right;
/// the primary one or the backup. The entries aren't looked at.
pub fn intact_entries_checksum(block: &[u8]) -> Option<u32> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(block.get(at..at + 4)?.try_into().ok()?));
    let length = u32_at(HEADER_SIZE)? as usize;
    if !block.starts_with(SIGNATURE) || !(HEADER_LENGTH..=BLOCK as usize).contains(&length) {
        return None;
    }
    let mut summed = block.get(..length)?.to_vec();
    summed[HEADER_CRC32..HEADER_CRC32_END].fill(0);
    (crc32fast::hash(&summed) == u32_at(HEADER_CRC32)?).then(|| u32_at(PARTITION_ENTRY_ARRAY_CRC32)).flatten()
}

fn u64_in_header(primary: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| primary[HEADER + at + i]))
}

/// Reads the table from the first 17408 bytes of a disk. Its place and size on the disk are for the caller to judge.
///
/// # Errors
/// Not a GPT for 512-byte blocks, damaged, or of an unusual form; the message says which.
pub fn parse_primary(bytes: &[u8]) -> Result<Table> {
    let bytes = bytes.get(..PRIMARY_LENGTH).context("the partition table is cut off")?;
    ensure!(bytes[HEADER..].starts_with(SIGNATURE), "there is no GPT partition table for 512-byte blocks");
    // judged before the crate sees them: it asserts on the one and reads as much as the other says
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[HEADER + at + i]));
    let (slots, entry) = (u32_at(NUM_PARTITION_ENTRIES), u32_at(SIZEOF_PARTITION_ENTRY));
    let start = u64_in_header(bytes, PARTITION_ENTRY_LBA);
    ensure!(
        slots == SLOTS && entry as usize == ENTRY && start == 2,
        "the partition table has {slots} entries of {entry} bytes at block {start}; 128 of 128 bytes at block 2 is what firmware and ironstrap expect"
    );
    let mut place = Cursor::new(bytes);
    let header = gpt::header::read_header_from_arbitrary_device(&mut place, LB)
        .context("reading the primary partition table")?;
    let parts =
        file_read_partitions(&mut place, &header, LB).context("reading the primary partition table")?;
    let mut table = Table::new(header.disk_guid);
    table.boot_code.copy_from_slice(&bytes[..mbr::ENTRIES]);
    for (slot, part) in parts.into_iter().filter(|(_, part)| part.is_used()) {
        if part.first_lba > part.last_lba || part.last_lba > u64::MAX / BLOCK - 1 {
            bail!("partition {slot} ends before it begins");
        }
        table.entries.insert(slot, Entry::from_crate(part));
    }
    Ok(table)
}

/// Reads the table of a whole disk or image and checks that primary and backup agree and that it was made for this size.
///
/// # Errors
/// As [`parse_primary`]; a backup table that is missing or differs; a table for a disk of another size.
pub fn read_table(device: &dyn BlockDevice) -> Result<Table> {
    let size = device.size();
    ensure!(size > 2 * PRIMARY_LENGTH as u64, "{size} bytes are too few for a disk with a partition table");
    let mut primary = vec![0; PRIMARY_LENGTH];
    device.read_at(0, &mut primary).context("reading the partition table")?;
    let table = parse_primary(&primary)?;
    let said = u64_in_header(&primary, ALTERNATE_LBA);
    let size_said = said.saturating_add(1).saturating_mul(BLOCK);
    ensure!(
        size_said == size,
        "the partition table is for a disk of {size_said} bytes, but there are {size}: the file is cut off or was grown"
    );
    let blocks = size / BLOCK;
    table.check(PRIMARY_LENGTH as u64 / BLOCK, blocks - BACKUP_LENGTH / BLOCK - 1)?;
    let mut backup = vec![0; BACKUP_LENGTH as usize];
    device.read_at(size - BACKUP_LENGTH, &mut backup).context("reading the backup partition table")?;
    ensure!(
        is_backup_of(&primary, &backup, blocks),
        "the backup partition table at the end is damaged or differs from the primary one"
    );
    Ok(table)
}

/// The table as a kernel sees it: of a disk with 512-byte blocks, intact at its start, behind a protective MBR. Without that MBR
/// firmware and kernel see no partitions: an install that was cut off just before its end has a whole table and still
/// isn't done.
pub fn kernel_table(device: &dyn BlockDevice) -> Option<Table> {
    let mut bytes = vec![0; PRIMARY_LENGTH];
    device.read_at(0, &mut bytes).ok()?;
    // as the kernel judges it: a real MBR that happens to have such an entry elsewhere hides a stale table
    let entries = &bytes[mbr::ENTRIES..mbr::SIGNATURE_AT];
    let protected = entries.chunks_exact(mbr::ENTRY_LENGTH).any(|entry| {
        entry[mbr::SYS_IND] == mbr::PROTECTIVE && entry[mbr::START_SECT..mbr::NR_SECTS] == [1, 0, 0, 0]
    });
    if !bytes[mbr::SIGNATURE_AT..].starts_with(&mbr::SIGNATURE) || !protected {
        return None;
    }
    parse_primary(&bytes).ok()
}

/// First byte and length of the first partition of this type that a kernel sees, if all of it is on the disk.
pub fn find_partition(device: &dyn BlockDevice, kind: Uuid) -> Option<(u64, u64)> {
    let table = kernel_table(device)?;
    let entry = table.entries.into_values().find(|entry| entry.kind == kind)?;
    let end = entry.offset().checked_add(entry.length())?;
    (end <= device.size()).then(|| (entry.offset(), entry.length()))
}

/// Whether a disk has the table of a 4096-byte-block disk, which can't be used as an image.
pub fn is_4kn(device: &dyn BlockDevice) -> bool {
    let mut magic = [0; 8];
    device.read_at(4096, &mut magic).is_ok() && magic == *SIGNATURE
}

#[cfg(test)]
#[path = "gpt_tests.rs"]
mod tests;
