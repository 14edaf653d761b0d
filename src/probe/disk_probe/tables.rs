//! Partition tables, read leniently: what they are called, and where the partitions begin that a whole, damaged or half-erased
//! one still names.
//!
//! Nothing here says which partitions a disk has: that is `sys::gpt`'s.

use crate::spec::ondisk::partitions::gpt as table;
use crate::spec::ondisk::partitions::mbr::{self, PROTECTIVE};
use crate::sys::block::BlockDevice;
use crate::sys::gpt;

/// LBA 0 of a disk with 512-byte blocks, and the unit of an MBR.
const SECTOR: usize = 512;
const GPT_MAGIC: &[u8] = table::SIGNATURE;
const GPT_ENTRY: usize = table::ENTRY_LENGTH;
const GPT_ENTRIES: usize = table::ENTRIES * GPT_ENTRY;
/// Partitions of one table that are looked for.
const MOST_PARTITIONS: usize = 32;

/// An entry of an MBR that is in use: type, first sector, sectors.
#[derive(Debug, Clone, Copy)]
struct MbrEntry {
    kind: u8,
    first: u64,
    sectors: u64,
}

/// First bytes of type GUIDs as they stand on the disk.
pub(super) const GPT_KINDS: &[(&[u8], &str)] = &[
    (&[0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11], "EFI system"),
    (&[0x48, 0x61, 0x68, 0x21, 0x49, 0x64, 0x6f, 0x6e], "BIOS boot"),
    (&[0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47], "Linux"),
    (&[0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d], "Linux root"),
    (&[0x79, 0xd3, 0xd6, 0xe6, 0x07, 0xf5, 0xc2, 0x44], "Linux LVM"),
    (&[0x0f, 0x88, 0x9d, 0xa1, 0xfc, 0x05, 0x3b, 0x4d], "Linux RAID"),
    (&[0x6d, 0xfd, 0x57, 0x06, 0xab, 0xa4, 0xc4, 0x43], "Linux swap"),
    (&[0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44], "Windows or data"),
    (&[0x16, 0xe3, 0xc9, 0xe3, 0x5c, 0x0b, 0xb8, 0x4d], "Microsoft reserved"),
    (&[0x2a, 0xe0, 0x31, 0xaa, 0x0f, 0x40, 0xdb, 0x11], "VMFS"),
    (&[0xc3, 0x8c, 0x89, 0x6a, 0xd2, 0x1d, 0xb2, 0x11], "ZFS"),
    (&[0xff, 0xfd, 0x97, 0x4f, 0x97, 0x1d, 0x4d, 0x47], "Ceph"),
];

fn mbr_kind(kind: u8) -> &'static str {
    match kind {
        0x05 | 0x0f | 0x85 => "extended",
        0x07 => "Windows",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x8e => "Linux LVM",
        0xfb => "VMFS",
        0xfd => "Linux RAID",
        0xa5 | 0xa6 | 0xa9 => "BSD",
        PROTECTIVE => "protective",
        _ => "other",
    }
}

fn is_extended(kind: u8) -> bool {
    mbr_kind(kind) == "extended"
}

/// The tables that these ends of a disk show, in words; `None` where there are none.
pub(super) fn words(first: &[u8], last: &[u8]) -> Option<String> {
    let gpt = gpt_words(first, last);
    let entries = mbr_entries(first);
    let is_real = entries.iter().any(|entry| entry.kind != PROTECTIVE);
    let is_hybrid = is_real && entries.iter().any(|entry| entry.kind == PROTECTIVE);
    match (unprotective(first), gpt) {
        (Some(mbr), Some(gpt)) if is_hybrid => Some(format!("{mbr}, {gpt}")),
        (Some(mbr), Some(gpt)) if is_real => Some(format!("{mbr}, stale {gpt}")),
        (_, Some(gpt)) => Some(gpt),
        (Some(mbr), None) => Some(mbr),
        (None, None) => has_mbr_signature(first).then(|| match mbr_entries(first).is_empty() {
            true => "boot sector without partitions".to_owned(),
            false => "MBR (protective)".to_owned(),
        }),
    }
}

/// An MBR with partitions of its own, in words: what no disk has that was partitioned by GPT alone.
pub(super) fn unprotective(first: &[u8]) -> Option<String> {
    let entries = mbr_entries(first);
    let names: Vec<_> = entries.iter().map(|entry| mbr_kind(entry.kind)).collect();
    let protective = entries.iter().filter(|entry| entry.kind == PROTECTIVE).count();
    let kind = match (protective, names.len() - protective) {
        (_, 0) => return None,
        (0, _) => "MBR",
        _ => "hybrid MBR",
    };
    Some(format!("{kind} ({})", names.join(", ")))
}

fn gpt_words(first: &[u8], last: &[u8]) -> Option<String> {
    let primary = [SECTOR, 4096]
        .into_iter()
        .find(|at| first.get(*at..).is_some_and(|header| header.starts_with(GPT_MAGIC)));
    if let Some(header) = primary {
        // the entries follow the header's block; 128 of 128 bytes everywhere
        let kinds = first.get(header * 2..header * 2 + GPT_ENTRIES).unwrap_or_default();
        let mut names: Vec<&str> = Vec::new();
        for entry in kinds
            .chunks_exact(GPT_ENTRY)
            .filter(|entry| entry[..table::TYPE_GUID_LENGTH] != [0; table::TYPE_GUID_LENGTH])
        {
            let name = GPT_KINDS.iter().find(|(kind, _)| entry.starts_with(kind)).map_or("other", |(_, n)| n);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let names = if names.is_empty() { "empty".to_owned() } else { names.join(", ") };
        return Some(format!("GPT ({names})"));
    }
    let backup = [SECTOR, 4096]
        .into_iter()
        .any(|block| last.len().checked_sub(block).is_some_and(|at| last[at..].starts_with(GPT_MAGIC)));
    backup.then(|| "GPT (backup only)".to_owned())
}

/// Used entries of an MBR or of a logical partition's table; none where its signature is missing.
fn mbr_entries(sector: &[u8]) -> Vec<MbrEntry> {
    if !has_mbr_signature(sector) {
        return Vec::new();
    }
    let entries = sector[mbr::ENTRIES..mbr::SIGNATURE_AT].chunks_exact(mbr::ENTRY_LENGTH).map(|entry| {
        let number = |at: usize| u64::from(u32::from_le_bytes(std::array::from_fn(|i| entry[at + i])));
        MbrEntry { kind: entry[mbr::SYS_IND], first: number(mbr::START_SECT), sectors: number(mbr::NR_SECTS) }
    });
    entries.filter(|entry| entry.kind != 0).collect()
}

fn has_mbr_signature(sector: &[u8]) -> bool {
    sector.get(mbr::SIGNATURE_AT..).is_some_and(|rest| rest.starts_with(&mbr::SIGNATURE))
}

/// First byte and end, as far as it is known, of every partition that a table in these ends still names; checksums don't
/// matter. Bounded in number, and in the reads that a chain of logical partitions takes; one that can't be followed ends.
pub(super) fn named_parts(device: &dyn BlockDevice, first: &[u8], last: &[u8]) -> Vec<(u64, u64)> {
    let size = device.size();
    let mut parts = Vec::new();
    for block in [SECTOR, 4096] {
        let primary = first.get(block..).filter(|header| header.starts_with(GPT_MAGIC));
        let backup_at = last.len().checked_sub(block).filter(|at| last[*at..].starts_with(GPT_MAGIC));
        let entries = [
            primary.and_then(|_| first.get(2 * block..2 * block + GPT_ENTRIES)),
            backup_at.and_then(|at| last.get(at.checked_sub(GPT_ENTRIES)?..at)),
        ];
        for entry in entries.into_iter().flatten().flat_map(|entries| entries.chunks_exact(GPT_ENTRY)) {
            let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| entry[at + i]));
            if entry[..table::TYPE_GUID_LENGTH] != [0; table::TYPE_GUID_LENGTH] {
                let end = number(table::ENDING_LBA).saturating_add(1);
                parts.push((
                    number(table::STARTING_LBA).saturating_mul(block as u64),
                    end.saturating_mul(block as u64),
                ));
            }
        }
    }
    for entry in mbr_entries(first).into_iter().filter(|entry| entry.kind != PROTECTIVE) {
        parts.push((entry.first * 512, (entry.first + entry.sectors) * 512));
        if is_extended(entry.kind) {
            parts.extend(logical(device, entry.first));
        }
    }
    parts.retain(|(start, end)| *start > 0 && start < end && *start < size);
    parts.iter_mut().for_each(|(_, end)| *end = (*end).min(size));
    parts.sort_unstable();
    parts.dedup();
    parts.truncate(MOST_PARTITIONS);
    parts
}

/// Logical partitions: a chain of tables, each with a partition relative to itself and the next table relative to the first.
fn logical(device: &dyn BlockDevice, extended: u64) -> Vec<(u64, u64)> {
    let mut parts = Vec::new();
    let mut table = extended;
    for _ in 0..MOST_PARTITIONS {
        let mut sector = [0; SECTOR];
        if device.read_at(table.saturating_mul(512), &mut sector).is_err() {
            break;
        }
        let entries = mbr_entries(&sector);
        for part in entries.iter().filter(|entry| !is_extended(entry.kind)) {
            let first = table.saturating_add(part.first).saturating_mul(512);
            parts.push((first, first.saturating_add(part.sectors * 512)));
        }
        let Some(next) = entries.iter().find(|entry| is_extended(entry.kind) && entry.first > 0) else {
            break;
        };
        table = extended.saturating_add(next.first);
    }
    parts
}

/// Whether a header that is intact, the primary or the backup one, says that the entries are others than those with this
/// checksum. Damaged and missing headers say nothing.
pub(super) fn says_other_entries(first: &[u8], last: &[u8], checksum: u32) -> bool {
    let primary = first.get(SECTOR..2 * SECTOR);
    let backup = last.len().checked_sub(SECTOR).and_then(|at| last.get(at..));
    let said = [primary, backup].map(|block| block.and_then(gpt::intact_entries_checksum));
    said.into_iter().flatten().any(|said| said != checksum)
}
