//! What is looked at of a disk besides its ends: a bounded number of reads, at places that depend on its size and on the
//! tables it has, never on the clock.
//!
//! (a) **Known places.** Where partitions begin when no table says so: byte 0, sector 63, each whole MiB of the first 4 GiB.
//! Where a table that is damaged, stale or a mere backup says so. At these and at the most usual ones (1, 2, 4, 8, 16 MiB)
//! everything that libblkid would look at, and where file systems that begin there keep copies: ext4 in the groups 1, 3, 5, 7,
//! 9, btrfs at 64 MiB and 256 GiB, XFS in its allocation groups, md and ZFS at the end. (b) **Samples** all over the disk, see
//! [`Samples`]: every run of data of at least the 2048th part of the disk is found, with certainty; a shorter one of L bytes
//! outside the known places is missed with a chance of about `1 - (L + 128 KiB) · 2048 / size`, and several such runs are missed
//! only if each of them is. On a disk of 1 TB the certainty begins at 488 MB, and 100 MB in one piece are missed with
//! 79 %, in a hundred pieces of 1 MB with 79 % too, but ten such files with 10 %. A file system in use has more than that: its
//! superblocks' copies, a table of inodes in each group, its journal. What can be missed is what was never filled: an empty file
//! system that begins beyond 4 GiB at a place that no table names.
//!
//! At most 4096 reads for (b), as many for the whole MiB of (a), and 43 for each beginning of (a), of which there are at most
//! 39. All of (a) only where the ends tell nothing; a disk with a claim of ours gets (b) alone.
//!
//! A sector that is all zeroes or all 0xFF is blank, any other one is data. An error of the device is an error, never blank.

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use super::signatures::{self, FAR, NEAR, UNKNOWN};
use super::{Ends, first_data, tables};
use crate::spec::facts::DiskContent;
use crate::spec::ondisk::ext4;
use crate::spec::ondisk::filesystems::{btrfs, xfs};
use crate::spec::samples::{self, Samples};
use crate::sys::block::BlockDevice;
use crate::sys::gpt;

/// Where partitions begin most often that no table names: the whole disk; DOS' first track; the whole MiB that tools of all
/// systems align to (16 MiB is where the first one is behind Microsoft's reserved partition).
const USUAL_STARTS: [u64; 7] = [0, 63 * 512, 1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20];
/// Up to here each whole MiB is looked at: partitions for booting are first, and of a few hundred MiB.
const FIRST_PART: u64 = 4 << 30;
const MIB: u64 = 1 << 20;
/// Block groups in which ext4 keeps a copy of its superblock, whatever its size (`sparse_super`: 1 and powers of 3, 5, 7).
const EXT_GROUPS: [u64; 5] = [1, 3, 5, 7, 9];
/// Numbers of allocation groups that mkfs.xfs makes: four, two below 128 MiB; three where somebody said so. RAID gets 8, 16 or
/// 32, and one of these begins in the middle, too.
const XFS_GROUPS: [u64; 3] = [2, 3, 4];
/// Above 4 TiB an allocation group is 1 TiB.
const XFS_LARGEST: u64 = 1 << 40;
/// The rounding of an allocation group's size, and what else isn't known of where a partition ends, is less than half of this.
const WINDOW: u64 = 128 << 10;
/// ZFS' last two labels and md's superblocks are in it.
const PART_END: u64 = 512 << 10;
const PAGE: u64 = 4096;

/// What the survey of a disk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Data; the first that has a name, else the first.
    pub data: Option<Found>,
    /// What stands at the samples' places.
    pub samples: Samples,
}

/// Data that was found on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// A byte of the disk: where a structure with a name begins, else where the first sector of data does.
    pub at: u64,
    /// What it is, for people.
    pub name: &'static str,
}

impl Found {
    /// Whether it has a name.
    pub fn is_known(&self) -> bool {
        self.name != UNKNOWN
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.name, self.at)
    }
}

/// A place that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: u64,
    length: u64,
    what: What,
}

/// What may stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// All that begins at this byte, which is the place's first or lies before it.
    Beginning(u64),
    /// The end of a partition that begins at this byte.
    End(u64),
    /// A copy of ext4's superblock.
    Ext,
    /// A copy of btrfs' superblock.
    Btrfs,
    /// The beginning of an allocation group of XFS, somewhere.
    Xfs,
}

impl What {
    /// The name of what these bytes of the place `at` show, and where on the disk it begins.
    fn name(self, at: u64, bytes: &[u8]) -> Option<Found> {
        let is_there =
            |inside: usize, magic: &[u8]| bytes.get(inside..).is_some_and(|b| b.starts_with(magic));
        match self {
            Self::Beginning(start) => {
                signatures::names(start, at, bytes).first().map(|name| Found { at: start, name })
            }
            Self::End(start) => {
                let size = at + bytes.len() as u64 - start;
                let name = match () {
                    () if signatures::is_md_at_end(size, bytes) => Some("Linux md RAID"),
                    () if signatures::is_zfs(bytes) => Some("ZFS"),
                    () => None,
                };
                name.map(|name| Found { at, name })
            }
            Self::Ext => is_there(ext4::S_MAGIC, ext4::MAGIC.bytes)
                .then_some(Found { at, name: "ext2/3/4 (a copy of its superblock)" }),
            Self::Btrfs => is_there(btrfs::SB_MAGIC as usize, btrfs::MAGIC.bytes)
                .then_some(Found { at, name: "btrfs (a copy of its superblock)" }),
            Self::Xfs => bytes
                .chunks(super::SECTOR)
                .position(|sector| sector.starts_with(xfs::MAGIC.bytes))
                .map(|number| Found {
                    at: at + (number * super::SECTOR) as u64,
                    name: "XFS (an allocation group)",
                }),
        }
    }
}

/// Takes the samples, and looks at the known places, as far as what the ends say of the disk leaves it open what it holds.
///
/// # Errors
/// The device's, with the place.
pub fn survey(device: &dyn BlockDevice, ends: &Ends, content: &DiskContent) -> io::Result<Survey> {
    let mut eye = Eye { device, buffer: Vec::new(), known: None, unknown: None };
    if !matches!(content, DiskContent::Ours { .. }) {
        for place in known_places(device, ends) {
            eye.look(place)?;
        }
    }
    let mut samples = Samples::default();
    for (at, length) in Samples::places(device.size()) {
        let bytes = eye.look(Place { at, length, what: What::Beginning(at) })?;
        samples.push(bytes);
    }
    if *content == DiskContent::Unsampled && eye.known.is_none() {
        for place in whole_mibs(device.size()) {
            eye.look(place)?;
        }
    }
    Ok(Survey { data: eye.known.or(eye.unknown), samples })
}

/// The whole MiB of the disk's first part that aren't sampled anyway.
fn whole_mibs(disk_size: u64) -> impl Iterator<Item = Place> {
    let stride = Samples::stride(disk_size);
    let all = (0..disk_size.min(FIRST_PART)).step_by(MIB as usize);
    all.filter(move |at| !at.is_multiple_of(stride)).map(move |at| Place {
        at,
        length: samples::LENGTH.min(disk_size - at),
        what: What::Beginning(at),
    })
}

/// Reads places and keeps the first data of each sort.
struct Eye<'a> {
    device: &'a dyn BlockDevice,
    buffer: Vec<u8>,
    known: Option<Found>,
    unknown: Option<Found>,
}

impl Eye<'_> {
    /// The bytes there, if they are data.
    fn look(&mut self, place: Place) -> io::Result<Option<&[u8]>> {
        let Place { at, length, what } = place;
        self.buffer.resize(length as usize, 0);
        self.device.read_at(at, &mut self.buffer).map_err(|error| {
            io::Error::new(error.kind(), format!("reading {length} bytes at byte {at}: {error}"))
        })?;
        let Some(data) = first_data(&self.buffer) else { return Ok(None) };
        if self.known.is_none() {
            self.known = what.name(at, &self.buffer);
        }
        if self.unknown.is_none() {
            self.unknown = Some(Found { at: at + data as u64, name: UNKNOWN });
        }
        Ok(Some(&self.buffer))
    }
}

/// Every known place of this disk, each once, in order; lengths are cut at the disk's end.
fn known_places(device: &dyn BlockDevice, ends: &Ends) -> BTreeSet<Place> {
    let size = device.size();
    let parts = tables::named_parts(device, &ends.first, &ends.last);
    let mut places = Vec::new();
    for start in USUAL_STARTS.into_iter().chain(parts.iter().map(|(start, _)| *start)) {
        places.push(Place { at: start, length: NEAR, what: What::Beginning(start) });
        let far = FAR.iter().map(|distance| Place {
            at: start.saturating_add(*distance),
            length: PAGE,
            what: What::Beginning(start),
        });
        places.extend(far);
        for block in [1024_u64, 2048, 4096] {
            // a group's bitmap is one block; with blocks of 1 KiB the first one is before the first group
            let (group, before) = (8 * block * block, if block == 1024 { 1024 } else { 0 });
            let copies = EXT_GROUPS.iter().map(|number| start.saturating_add(number * group + before));
            places.extend(copies.map(|at| Place { at, length: PAGE, what: What::Ext }));
        }
        let copies = btrfs::COPIES.iter().map(|distance| start.saturating_add(*distance));
        places.extend(copies.map(|at| Place { at, length: PAGE, what: What::Btrfs }));
        let end = parts.iter().find(|(begin, _)| *begin == start).map(|(_, end)| *end);
        places.extend(xfs_groups(start, end, size));
    }
    for (start, end) in parts {
        let length = PART_END.min(end - start);
        places.push(Place { at: end - length, length, what: What::End(start) });
    }
    let inside = places.into_iter().filter(|place| place.at < size);
    inside.map(|place| Place { length: place.length.min(size - place.at), ..place }).collect()
}

/// Where the allocation groups of an XFS that begins here may begin. Its end is the partition's; of one that no table names,
/// the end of the disk's usable blocks, or the last whole MiB before it, where tools align ends to. mkfs.xfs divides the
/// blocks of 4 KiB by the number of groups and rounds up.
fn xfs_groups(start: u64, end: Option<u64>, disk_size: u64) -> Vec<Place> {
    let usable = disk_size.saturating_sub(gpt::BACKUP_LENGTH);
    let ends = end.map_or_else(|| vec![disk_size, usable / MIB * MIB], |end| vec![end]);
    let mut places = Vec::new();
    for length in ends.into_iter().filter_map(|end| end.checked_sub(start)) {
        let largest = (1..=4).map(|number| number * XFS_LARGEST);
        let divided = XFS_GROUPS.iter().flat_map(|count| {
            let group = (length / PAGE).div_ceil(*count) * PAGE;
            (1..*count).map(move |number| number * group)
        });
        let groups = divided.filter(|distance| *distance >= WINDOW).chain(largest);
        places.extend(groups.filter(|distance| *distance < length).map(|distance| Place {
            at: (start + distance).saturating_sub(WINDOW / 2),
            length: WINDOW,
            what: What::Xfs,
        }));
    }
    places
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
