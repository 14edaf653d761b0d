//! What a disk holds: blank, ours, or somebody's data.
//!
//! Pure: reads a block device, nothing else. Errs towards "somebody's": every sector that isn't of zeroes only or of 0xFF
//! only (what discarded SSDs give) makes a disk foreign unless an intact claim record of ours is there. Our installs, complete
//! or broken off (LBA 0 is zero then), leave nothing before the first MiB but partition tables and the claim, so anything
//! else there, any signature of a volume manager, RAID or swap, an MBR with partitions of its own, and partitions other than
//! those that the claim says were made, came later or were never wiped, and are told beside the claim. The words are for
//! people; no decision depends on them.
//!
//! That both ends are blank says nothing about what is between them: a disk is `Blank` only after a [`survey`].

mod signatures;
pub mod survey;
mod tables;

use std::io;

use crate::order;
use crate::spec::claim::{self, Claim, Stage};
use crate::spec::facts::DiskContent;
use crate::spec::samples::{self, Samples};
use crate::sys::block::BlockDevice;
use crate::sys::gpt;
use crate::trust::TrustedKeys;
use signatures::UNKNOWN;
use survey::Survey;

/// How much of each end is looked at, in bytes; of a smaller disk, all of it. An install zeroes as much of the disk's end.
pub const LOOK: u64 = samples::LAST;
/// What disks write whole or not at all, in bytes: the unit that is blank or isn't. Tools that erase tables leave such
/// sectors of zeroes among those of 0xFF.
const SECTOR: usize = 512;

/// What a look at a disk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it holds.
    pub content: DiskContent,
    /// What stands at the samples' places; only of a disk that was surveyed.
    pub samples: Option<Samples>,
    /// Why the survey is missing, where it was wanted.
    pub unread: Option<String>,
}

/// The first and the last [`LOOK`] bytes of a disk.
#[derive(Debug)]
pub struct Ends {
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Ends {
    fn read(device: &dyn BlockDevice) -> io::Result<Self> {
        let length = LOOK.min(device.size());
        let mut ends = Self { first: vec![0; length as usize], last: vec![0; length as usize] };
        device.read_at(0, &mut ends.first)?;
        device.read_at(device.size() - length, &mut ends.last)?;
        Ok(ends)
    }
}

/// Looks at both ends of a disk, and everywhere else if it is a candidate.
pub fn look(device: &dyn BlockDevice, keys: &TrustedKeys, is_candidate: bool) -> Seen {
    let unreadable = |error: &io::Error| DiskContent::Unreadable { error: error.to_string() };
    let ends = match Ends::read(device) {
        Ok(ends) => ends,
        Err(error) => return Seen { content: unreadable(&error), samples: None, unread: None },
    };
    let content = classify(&ends.first, &ends.last, device.size(), keys);
    if !is_candidate {
        return Seen { content, samples: None, unread: None };
    }
    match survey::survey(device, &ends, &content) {
        Ok(Survey { data, samples }) => {
            Seen { content: with_survey(content, data), samples: Some(samples), unread: None }
        }
        Err(error) => {
            let content = match content {
                DiskContent::Unsampled => unreadable(&error),
                // claims count, and data is data, whatever else can't be read
                known => known,
            };
            Seen { content, samples: None, unread: Some(error.to_string()) }
        }
    }
}

/// Judges the first and the last [`LOOK`] bytes of a disk of this size. Where both are blank nothing is known of the rest.
///
/// A claim counts if one of the site's keys sealed its grant; one that anybody may have written is somebody's data.
pub fn classify(first: &[u8], last: &[u8], disk_size: u64, keys: &TrustedKeys) -> DiskContent {
    let record = first.get(claim::OFFSET as usize..claim::OFFSET as usize + claim::SIZE).unwrap_or_default();
    let found_claim = Claim::from_record(record);
    if let Some(claim) = found_claim.clone().filter(|claim| order::is_granted(claim, keys)) {
        // firmware boots nothing from 0xFF either, which is what a discarded disk has there before the first write
        let closed = is_blank(&first[..SECTOR.min(first.len())]);
        let beside =
            beside_claim(first, last, disk_size).or_else(|| other_partitions(&claim, closed, first, last));
        return DiskContent::Ours { claim: claim.into(), closed, beside };
    }
    if is_blank(first) && is_blank(last) {
        return DiskContent::Unsampled;
    }
    let mut found = signatures(first, last, disk_size);
    if let Some(Claim { grant, .. }) = &found_claim {
        found.push(format!("a claim of order {} that this site's key didn't seal", grant.order));
    } else if record.starts_with(claim::UNSEALED_MAGIC) {
        found.push("a claim by an ironstrap that didn't seal them".to_owned());
    }
    found.extend(tables::words(first, last));
    let looks_like = if found.is_empty() { UNKNOWN.to_owned() } else { found.join(", ") };
    DiskContent::Foreign { looks_like }
}

/// What is known of a disk after its ends and everything else were looked at. A claim of ours stands: what is behind it is
/// ours, or will be compared with what was there when it was made.
fn with_survey(content: DiskContent, data: Option<survey::Found>) -> DiskContent {
    match (content, data) {
        (DiskContent::Unsampled, None) => DiskContent::Blank,
        (DiskContent::Unsampled, Some(found)) => DiskContent::Foreign { looks_like: found.to_string() },
        (DiskContent::Foreign { looks_like }, Some(found)) if found.is_known() => {
            let looks_like = match looks_like {
                unknown if unknown == UNKNOWN => found.to_string(),
                known if known.contains(found.name) => known,
                known => format!("{known}, {found}"),
            };
            DiskContent::Foreign { looks_like }
        }
        (content, _) => content,
    }
}

/// Whether each sector is all zeroes or all 0xFF.
fn is_blank(bytes: &[u8]) -> bool {
    first_data(bytes).is_none()
}

/// Where the first sector begins that is neither.
fn first_data(bytes: &[u8]) -> Option<usize> {
    let uniform = |bytes: &[u8]| match bytes {
        [0 | 0xff, rest @ ..] => *rest == bytes[..rest.len()],
        [] => true,
        _ => false,
    };
    if uniform(bytes) {
        return None;
    }
    bytes.chunks(SECTOR).position(|sector| !uniform(sector)).map(|number| number * SECTOR)
}

/// What an install of ours doesn't leave. It leaves tables or parts of them, and in the last MiB its root.
fn beside_claim(first: &[u8], last: &[u8], disk_size: u64) -> Option<String> {
    let found = signatures(first, last, disk_size);
    let between_table_and_claim = first.get(gpt::PRIMARY_LENGTH..claim::OFFSET as usize).unwrap_or_default();
    match found.is_empty() {
        false => Some(found.join(", ")),
        true => (!is_blank(between_table_and_claim)).then(|| UNKNOWN.to_owned()),
    }
}

/// Whether partitions were made, changed or removed since our install: it never makes any in the MBR, and a claim knows the
/// table's entries once the install was completed. Firmware and other systems read a primary or a backup table also where
/// LBA 0 was zeroed.
fn other_partitions(claim: &Claim, closed: bool, first: &[u8], last: &[u8]) -> Option<String> {
    if let Some(mbr) = tables::unprotective(first) {
        return Some(mbr);
    }
    let Stage::Ready { entries } = claim.stage else { return None };
    let gone = !closed && gpt::entries_checksum(first) != Some(entries);
    (gone || tables::says_other_entries(first, last, entries)).then(|| "other partitions".to_owned())
}

/// Names of all at the ends of a disk that is no partition table.
fn signatures(first: &[u8], last: &[u8], disk_size: u64) -> Vec<String> {
    let mut found: Vec<_> = signatures::names(0, 0, first);
    if signatures::is_md_at_end(disk_size, last) {
        found.push("Linux md RAID");
    }
    if signatures::is_firmware_raid(last) {
        found.push("firmware RAID");
    }
    if signatures::is_zfs(first) || signatures::is_zfs(last) {
        found.push("ZFS");
    }
    let mut names: Vec<String> = Vec::new();
    for name in found {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod layout_tests;
#[cfg(test)]
mod tests;
