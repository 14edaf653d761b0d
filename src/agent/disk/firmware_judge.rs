//! What a firmware makes of a disk: the judge of tests that cut the power or break the disk. It shares no code with the agent.

use std::ops::Range;

use uuid::Uuid;

use crate::sys::gpt::{Entry, LINUX_DATA, Table};

/// A disk as it was before, with another system on it that boots, and that has data where the claim record goes.
pub fn old_system(size: u64) -> Vec<u8> {
    let mut disk = vec![0x5a; size as usize];
    let mut table = Table::new(Uuid::from_u128(0x01d));
    let start = 34 * 512;
    let whole = (start, size / 4096 * 4096 - 65536 - start);
    let entry = Entry::new(LINUX_DATA, Uuid::from_u128(0x01d1), whole.0, whole.1, "old");
    table.entries.insert(1, entry);
    let bytes = table.build(size).unwrap();
    disk[..bytes.primary.len()].copy_from_slice(&bytes.primary);
    disk[bytes.backup_offset as usize..].copy_from_slice(&bytes.backup);
    disk
}

/// What firmware would boot: the partitions of the first table that holds, behind a protective MBR.
pub fn boots(disk: &[u8]) -> Option<Vec<Range<usize>>> {
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

/// The judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Firmware boots nothing.
    Closed,
    /// Firmware boots what was there before, and all of it is.
    Before,
    /// Firmware boots the new system, and all of it is there.
    Complete,
    /// Firmware boots something of which a part is missing.
    Half,
}

/// What becomes of a machine with this disk; `before` is what it was, `complete` what it should be.
pub fn judge(state: &[u8], before: &[u8], complete: &[u8]) -> Verdict {
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
