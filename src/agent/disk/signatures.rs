//! What a partition says that it is, to those who look at the disk before anything is mounted.
//!
//! An initramfs, `mount` and `udev` believe libblkid, and that finds nothing at all in a partition with two signatures
//! ("ambivalent"), or takes a RAID's for the only one. So each partition of an installed disk must carry one, the file
//! system's. This module looks where libblkid looks, with the same or weaker conditions: what libblkid would take for a
//! signature is one here, except where only two bytes of it are sure (see `marks`). Nothing recognised is nothing to be
//! confused with, and accepted: images may have partitions that are read raw.
//!
//! Pure but for the reads of the device: two windows of 2 MiB a partition.

mod marks;

use std::ops::Range;

use super::table::DiskLayout;
use crate::agent::Failure;
use crate::spec::Code;
use crate::spec::image::{ImageManifest, ImagePartition};
use crate::spec::ondisk::filesystems::{nilfs2, swap as swap_space};
use crate::spec::ondisk::volumes::{firmware_raid, md, zfs as zpool};
use crate::spec::ondisk::{Mark, SECTOR, ext4, fat as boot};
use crate::sys::block::BlockDevice;

/// What is read at each end of a partition: farther in, libblkid looks nowhere.
const WINDOW: u64 = (2 << 20) + 4096;
/// Name of a FAT file system, as libblkid has it.
const FAT: &str = "vfat";
/// Name for all of ext2, ext3 and ext4: they differ in features, not in signature.
const EXT: &str = "ext4";

/// Something recognised, and the byte of the disk where its signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// libblkid's name of it.
    pub name: &'static str,
    /// Where on the disk.
    pub at: u64,
}

/// Looks at every partition: none may carry more than one signature, nor, where it is known, another than its own.
///
/// # Errors
/// [`Code::ReadBack`] for a signature behind the image, where zeroes were written; [`Code::ImageUnsupported`] for one that
/// the image brought along; [`Code::DiskIo`].
pub fn check(device: &dyn BlockDevice, layout: &DiskLayout, manifest: &ImageManifest) -> Result<(), Failure> {
    for partition in &layout.partitions {
        let expected = expected(partition, manifest);
        let found = signatures(device, partition.offset..partition.offset + partition.length)?;
        let names = |signature: &Signature| Some(signature.name) != expected;
        let several = found.iter().any(|signature| signature.name != found[0].name);
        let wrong = found.iter().find(|signature| names(signature));
        if let Some(wrong) = wrong.filter(|_| several || expected.is_some()) {
            return Err(refusal(partition, expected, wrong, manifest));
        }
    }
    Ok(())
}

fn expected(partition: &ImagePartition, manifest: &ImageManifest) -> Option<&'static str> {
    if partition.number == manifest.esp {
        return Some(FAT);
    }
    let mut mounted = [Some(&manifest.root), manifest.boot.as_ref()].into_iter().flatten();
    mounted.find(|filesystem| filesystem.partition == partition.number).map(|known| known.kind.name())
}

fn refusal(
    partition: &ImagePartition,
    expected: Option<&str>,
    wrong: &Signature,
    manifest: &ImageManifest,
) -> Failure {
    let Signature { name, at } = wrong;
    let instead = expected.map_or_else(|| "beside another one".to_owned(), |name| format!("beside {name}"));
    let number = partition.number;
    let (code, whence) = if *at >= manifest.size.as_bytes() {
        (Code::ReadBack, "zeroes were written there, and the disk doesn't hold them")
    } else {
        (Code::ImageUnsupported, "the image brought it along; erase it there (`wipefs`)")
    };
    let message = format!(
        "partition {number} carries a signature of {name} at byte {at}, {instead}, so that the system would not find its file system: {whence}"
    );
    Failure::new(code, message)
}

/// Everything that is recognised in this range of the device, each name once, with the first place of its signature.
pub fn signatures(device: &dyn BlockDevice, range: Range<u64>) -> Result<Vec<Signature>, Failure> {
    let view = View::read(device, range)?;
    let mut found = Vec::new();
    for (name, mark) in marks::AT_START {
        view.note(*mark, name, &mut found);
    }
    let before_end = marks::BEFORE_END.iter().copied();
    let promise = firmware_raid::PROMISE_SECTORS
        .map(|n| ("promise_fasttrack_raid_member", Mark::new(n * SECTOR, firmware_raid::PROMISE)));
    for (name, mark) in before_end.chain(promise) {
        if let Some(at) = (view.length / SECTOR * SECTOR).checked_sub(mark.at) {
            view.note(mark.moved_to(at), name, &mut found);
        }
    }
    let judged: [(&str, Judge); 6] = [
        (FAT, fat),
        (EXT, ext),
        ("swap", swap),
        ("linux_raid_member", md_at_end),
        ("zfs_member", zfs),
        ("nilfs2", nilfs),
    ];
    for (name, judge) in judged {
        if let Some(at) = judge(&view) {
            found.push(Signature { name, at: view.start + at });
        }
    }
    let mut names = Vec::new();
    found.retain(|signature| {
        !names.contains(&signature.name) && {
            names.push(signature.name);
            true
        }
    });
    Ok(found)
}

/// Recognises one thing by more than bytes at one place; says where its signature stands in the partition.
type Judge = fn(&View) -> Option<u64>;

/// Both ends of a partition.
struct View {
    start: u64,
    length: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl View {
    fn read(device: &dyn BlockDevice, range: Range<u64>) -> Result<Self, Failure> {
        let length = range.end.saturating_sub(range.start);
        let window = length.min(WINDOW);
        let read = |at: u64| {
            let mut bytes = vec![0; window as usize];
            device.read_at(at, &mut bytes).map_err(|error| {
                Failure::disk(format_args!("looking for signatures at byte {at}"), &error)
            })?;
            Ok(bytes)
        };
        Ok(Self { start: range.start, length, head: read(range.start)?, tail: read(range.end - window)? })
    }

    /// These bytes of the partition; `None` outside of both windows.
    fn bytes(&self, at: u64, length: usize) -> Option<&[u8]> {
        let piece = |window: &'_ [u8], base: u64| {
            let from = usize::try_from(at.checked_sub(base)?).ok()?;
            Some(from..from.checked_add(length).filter(|end| *end <= window.len())?)
        };
        let tail_base = self.length - self.tail.len() as u64;
        match piece(&self.head, 0) {
            Some(place) => self.head.get(place),
            None => self.tail.get(piece(&self.tail, tail_base)?),
        }
    }

    fn array<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        self.bytes(at, N)?.try_into().ok()
    }

    fn u16(&self, at: u64) -> Option<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: u64) -> Option<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn has(&self, at: u64, bytes: &[u8]) -> bool {
        self.bytes(at, bytes.len()) == Some(bytes)
    }

    fn shows(&self, mark: Mark) -> bool {
        self.has(mark.at, mark.bytes)
    }

    fn note(&self, mark: Mark, name: &'static str, found: &mut Vec<Signature>) {
        if self.shows(mark) {
            found.push(Signature { name, at: self.start + mark.at });
        }
    }
}

/// FAT by what its boot sector must say (Microsoft's FAT specification 1.03, section 3.1), whether or not it is named.
fn fat(view: &View) -> Option<u64> {
    let byte = |at: u64| view.bytes(at, 1).map_or(0, |bytes| bytes[0]);
    let has = |marks: &[Mark]| marks.iter().any(|mark| view.shows(*mark));
    let named = has(&[boot::FAT32, boot::FAT1X, boot::FAT, boot::MSWIN, boot::MSDOS]);
    let other = has(&[boot::OS2_JFS, boot::OS2_HPFS, boot::BITLOCKER]);
    let looks = named || view.shows(boot::BOOT_SIGN);
    let sector = view.u16(boot::SECTOR_SIZE)?;
    let sane = (512..=4096).contains(&sector)
        && sector.is_power_of_two()
        && byte(boot::SEC_PER_CLUS).is_power_of_two()
        && view.u16(boot::RESERVED)? > 0
        && byte(boot::FATS) > 0
        && (byte(boot::MEDIA) == 0xf0 || byte(boot::MEDIA) >= 0xf8);
    (looks && sane && !other).then_some(0)
}

/// ext2 to ext4 by the superblock.
fn ext(view: &View) -> Option<u64> {
    let u32_of = |field: usize| view.u32(ext4::SUPERBLOCK + field as u64);
    let sane = u32_of(ext4::S_BLOCKS_COUNT_LO)? > 0
        && u32_of(ext4::S_LOG_BLOCK_SIZE)? <= ext4::MOST_LOG_BLOCK_SIZE
        && u32_of(ext4::S_REV_LEVEL)? <= 1;
    (view.shows(ext4::MAGIC) && sane).then_some(ext4::MAGIC.at)
}

/// Swap, or a hibernated system in it.
fn swap(view: &View) -> Option<u64> {
    let places = swap_space::PAGES.map(|page| page - swap_space::MAGIC_LENGTH);
    places.into_iter().find(|at| swap_space::MAGICS.iter().any(|mark| view.has(*at, mark)))
}

/// md 0.90, in either byte order, and 1.0.
fn md_at_end(view: &View) -> Option<u64> {
    let is = |at: &u64, bytes: [u8; 4]| view.has(*at, &bytes);
    let old = md::version_0_90(view.length).filter(|at| is(at, md::MAGIC) || is(at, md::MAGIC_BE));
    old.or_else(|| md::version_1_0(view.length).filter(|at| is(at, md::MAGIC)))
}

/// A member of a pool: labels, two at each end, each with a list of names and an array of uberblocks. Older libblkids take
/// four uberblocks for a proof, newer ones a list.
fn zfs(view: &View) -> Option<u64> {
    use zpool::{LABEL, UBERBLOCK, UBERBLOCK_MAGIC, UBERBLOCK_RING, VDEV_PHYS};
    let length = view.length / LABEL * LABEL;
    let labels = [Some(0), Some(LABEL), length.checked_sub(2 * LABEL), length.checked_sub(LABEL)];
    let (mut uberblocks, mut last) = (0, 0);
    for label in labels.into_iter().flatten() {
        if zfs_names(view, label + VDEV_PHYS) {
            return Some(label + VDEV_PHYS);
        }
        for at in (label + UBERBLOCK_RING..label + LABEL).step_by(UBERBLOCK as usize) {
            if view.has(at, &UBERBLOCK_MAGIC.to_le_bytes()) || view.has(at, &UBERBLOCK_MAGIC.to_be_bytes()) {
                (uberblocks, last) = (uberblocks + 1, at);
            }
        }
    }
    (uberblocks >= 4).then_some(last)
}

/// A list in XDR form, version 0, of unique names, one of which is `guid`.
fn zfs_names(view: &View, at: u64) -> bool {
    let Some(list) = view.bytes(at, zpool::VDEV_PHYS_SIZE as usize) else { return false };
    let begins = list[0] == 1 && list[1] <= 1 && list[2..12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    begins && list.windows(8).any(|window| window == b"\0\0\0\x04guid")
}

/// NILFS2 by its superblock or the copy in the last 4 KiB; the signature has two bytes, so the checksum must hold.
fn nilfs(view: &View) -> Option<u64> {
    use nilfs2::{S_BYTES, S_CRC_SEED, S_MAGIC, S_SUM, S_SUM_END, SB_LENGTH};
    let backup = (view.length / SECTOR * SECTOR).checked_sub(nilfs2::SB2_BEFORE_END);
    [Some(nilfs2::SB_OFFSET), backup]
        .into_iter()
        .flatten()
        .find(|at| {
            let Some(block) = view.bytes(*at, SB_LENGTH) else { return false };
            let u16_at = |at: usize| u16::from_le_bytes(std::array::from_fn(|i| block[at + i]));
            let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| block[at + i]));
            let length = usize::from(u16_at(S_BYTES));
            if u16_at(S_MAGIC) != nilfs2::SUPER_MAGIC || !(S_SUM_END..=SB_LENGTH).contains(&length) {
                return false;
            }
            // without the inversions at both ends that the crate makes
            let mut crc = crc32fast::Hasher::new_with_initial(!u32_at(S_CRC_SEED));
            crc.update(&block[..S_SUM]);
            crc.update(&[0; 4]);
            crc.update(&block[S_SUM_END..length]);
            !crc.finalize() == u32_at(S_SUM)
        })
        .map(|at| at + S_MAGIC as u64)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
