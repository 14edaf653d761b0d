//! What file systems, volume managers and RAID write so that they are found again, relative to where they begin.
//!
//! The words are for people. That bytes are data is judged without this table; it only gives them a name.

use crate::spec::ondisk::filesystems::{
    apple, btrfs, erofs, f2fs, gfs2, jfs, ocfs2, optical, others as fs, reiserfs, swap, xfs,
};
use crate::spec::ondisk::volumes::{
    bcache, firmware_raid, luks, lvm2, md, others as volumes, stratis, vmfs, zfs,
};
use crate::spec::ondisk::{Mark, ext4, fat};

/// A name, and bytes that stand at a place relative to the beginning.
pub struct Signature {
    /// For people.
    pub name: &'static str,
    /// Distance from the beginning, in bytes.
    pub at: u64,
    /// What stands there.
    pub bytes: &'static [u8],
}

const fn signature(name: &'static str, mark: Mark) -> Signature {
    Signature { name, at: mark.at, bytes: mark.bytes }
}

/// What is called so when no signature is there.
pub const UNKNOWN: &str = "unknown data";
const LUKS2: &str = "LUKS (second header)";

/// Known signatures; where two fit, the earlier one is named first. Places are those of libblkid where it knows the format,
/// of the format's own documents or tools otherwise.
pub const SIGNATURES: &[Signature] = &[
    signature("LUKS", luks::MAGIC),
    signature("LVM physical volume", lvm2::LABELS[0]),
    signature("LVM physical volume", lvm2::LABELS[1]),
    signature("LVM physical volume", lvm2::LABELS[2]),
    signature("LVM physical volume", lvm2::LABELS[3]),
    signature("Ceph BlueStore", volumes::BLUESTORE),
    signature("VDO", volumes::VDO),
    signature("XFS", xfs::MAGIC),
    signature("ext2/3/4", ext4::MAGIC),
    signature("btrfs", btrfs::MAGIC),
    signature("NTFS", fat::NTFS),
    signature("ReFS", fat::REFS),
    signature("BitLocker", fat::BITLOCKER),
    signature("exFAT", fat::EXFAT),
    signature("FAT", fat::FAT32),
    signature("FAT", fat::FAT1X),
    signature("swap", swap::in_page(swap::PAGES[0])),
    signature("swap", swap::VERSION_1),
    // of machines with larger memory pages
    signature("swap", swap::in_page(swap::PAGES[1])),
    signature("swap", swap::in_page(swap::PAGES[2])),
    signature("swap", swap::in_page(swap::PAGES[3])),
    signature("swap", swap::in_page(swap::PAGES[4])),
    signature("Stratis", stratis::MAGIC),
    signature("F2FS", f2fs::MAGIC),
    signature("HFS+", apple::HFS_PLUS),
    signature("HFS+", apple::HFSX),
    signature("APFS", apple::APFS),
    signature("SquashFS", fs::SQUASHFS),
    signature("EROFS", erofs::MAGIC),
    signature("JFS", jfs::MAGIC),
    signature("ReiserFS", reiserfs::BEGINNING),
    signature("GFS2", gfs2::MAGIC),
    signature("OCFS2", ocfs2::SIGNATURE),
    signature("Oracle ASM", volumes::ORACLE_ASM),
    signature("UDF", optical::BEA),
    signature("ISO 9660", optical::ISO_9660),
    signature("bcache", bcache::BCACHE),
    signature("bcachefs", bcache::BCACHEFS),
    signature(LUKS2, luks::SECOND[0]),
    signature(LUKS2, luks::SECOND[1]),
    signature(LUKS2, luks::SECOND[2]),
    signature(LUKS2, luks::SECOND[3]),
    signature(LUKS2, luks::SECOND[4]),
    signature(LUKS2, luks::SECOND[5]),
    signature(LUKS2, luks::SECOND[6]),
    signature(LUKS2, luks::SECOND[7]),
    signature(LUKS2, luks::SECOND[8]),
    signature("VMFS", vmfs::VOLUME),
    signature("VMFS", vmfs::FILESYSTEM),
    signature("VMFS", vmfs::FILESYSTEM.moved_to(vmfs::FILESYSTEM_IN_VOLUME)),
];

/// How far behind a beginning a signature of more than [`NEAR`] bytes away stands, each once.
pub const FAR: [u64; 6] = [256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 18 << 20];
/// Everything else that is looked for stands within this distance of a beginning: the last of it is ZFS' first label.
pub const NEAR: u64 = 256 << 10;

/// Names of all that begins at `start`, as far as these bytes, which stand at `at`, show it.
pub fn names(start: u64, at: u64, bytes: &[u8]) -> Vec<&'static str> {
    let shown = |place: u64| {
        let inside = start.checked_add(place)?.checked_sub(at)?;
        bytes.get(usize::try_from(inside).ok()?..)
    };
    let is_there = |place: u64, magic: &[u8]| shown(place).is_some_and(|rest| rest.starts_with(magic));
    let mut found: Vec<_> = SIGNATURES
        .iter()
        .filter(|signature| is_there(signature.at, signature.bytes))
        .map(|signature| signature.name)
        .collect();
    found.dedup();
    if md::AT_START.into_iter().any(|place| is_there(place, &md::MAGIC)) {
        found.push("Linux md RAID");
    }
    if shown(zfs::UBERBLOCK_RING).is_some_and(is_zfs) {
        found.push("ZFS");
    }
    found
}

/// Whether these bytes, from an uberblock's place on, hold one: labels stand twice at each end, on boundaries of their length.
pub fn is_zfs(bytes: &[u8]) -> bool {
    let magic = zfs::UBERBLOCK_MAGIC;
    bytes
        .chunks_exact(zfs::UBERBLOCK as usize)
        .any(|slot| slot.starts_with(&magic.to_le_bytes()) || slot.starts_with(&magic.to_be_bytes()))
}

/// Whether md's superblock stands at the end of a part of a disk: 1.0 or 0.90. `bytes` end where the part does.
pub fn is_md_at_end(part_size: u64, bytes: &[u8]) -> bool {
    let begin = part_size.saturating_sub(bytes.len() as u64);
    let is_there = |place: Option<u64>| {
        let inside = place.and_then(|place| usize::try_from(place.checked_sub(begin)?).ok());
        inside.and_then(|at| bytes.get(at..)).is_some_and(|rest| rest.starts_with(&md::MAGIC))
    };
    is_there(md::version_1_0(part_size)) || is_there(md::version_0_90(part_size))
}

/// Intel keeps its metadata in the last block but one, makers who follow SNIA's DDF in the last one.
pub fn is_firmware_raid(last: &[u8]) -> bool {
    let at = |from_end: u64| last.len().checked_sub(from_end as usize).and_then(|at| last.get(at..));
    [firmware_raid::INTEL, firmware_raid::DDF]
        .iter()
        .any(|mark| at(mark.at).is_some_and(|rest| rest.starts_with(mark.bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_is_seen_by_one_of_the_reads_that_a_beginning_gets() {
        for Signature { name, at, bytes } in SIGNATURES {
            let near = at + bytes.len() as u64 <= NEAR;
            assert!(near || FAR.contains(at), "{name} at {at}");
            let mut read = vec![0; NEAR as usize];
            let place = if near { 0 } else { *at };
            read[(at - place) as usize..][..bytes.len()].copy_from_slice(bytes);
            assert!(names(1 << 20, (1 << 20) + place, &read).contains(name), "{name} at {at}");
        }
    }
}
