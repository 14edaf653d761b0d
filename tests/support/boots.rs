//! What a firmware makes of a disk: the judge wherever power is cut or disks fail, in memory and in emulated machines.
//!
//! It shares no code with what it judges. A disk boots nothing unless LBA 0 is a protective MBR and one of both partition tables
//! holds; what it boots is then all there, or the judgement is [`Verdict::Half`].

use std::ops::Range;

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
