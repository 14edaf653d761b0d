//! What file systems, volume managers and RAID write so that they are found again, relative to where they begin.
//!
//! The words are for people. That bytes are data is judged without this table; it only gives them a name.

/// A name, and bytes that stand at a place relative to the beginning.
pub struct Signature {
    /// For people.
    pub name: &'static str,
    /// Distance from the beginning, in bytes.
    pub at: u64,
    /// What stands there.
    pub bytes: &'static [u8],
}

const fn signature(name: &'static str, at: u64, bytes: &'static [u8]) -> Signature {
    Signature { name, at, bytes }
}

/// What is called so when no signature is there.
pub const UNKNOWN: &str = "unknown data";
/// What md calls itself: its superblock is at the start (1.1), 4 KiB in (1.2) or near the end (1.0, 0.90).
pub const MD: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();
/// LUKS2's second header stands behind the first, which is 16 KiB to 4 MiB long (LUKS2 On-Disk Format, section 2.1).
const LUKS2_SECOND: &[u8] = b"SKUL\xba\xbe";
const LUKS2: &str = "LUKS (second header)";

/// Known signatures; where two fit, the earlier one is named first. Places are those of libblkid where it knows the format,
/// of the format's own documents or tools otherwise.
pub const SIGNATURES: &[Signature] = &[
    signature("LUKS", 0, b"LUKS\xba\xbe"),
    signature("LVM physical volume", 0, b"LABELONE"),
    signature("LVM physical volume", 512, b"LABELONE"),
    signature("LVM physical volume", 1024, b"LABELONE"),
    signature("LVM physical volume", 1536, b"LABELONE"),
    signature("Ceph BlueStore", 0, b"bluestore block device"),
    signature("VDO", 0, b"dmvdo001"),
    signature("XFS", 0, b"XFSB"),
    signature("ext2/3/4", 1080, &[0x53, 0xef]),
    signature("btrfs", 65600, b"_BHRfS_M"),
    signature("NTFS", 3, b"NTFS    "),
    signature("ReFS", 3, b"ReFS\0\0\0\0"),
    signature("BitLocker", 3, b"-FVE-FS-"),
    signature("exFAT", 3, b"EXFAT   "),
    signature("FAT", 82, b"FAT32   "),
    signature("FAT", 54, b"FAT1"),
    signature("swap", 4086, b"SWAPSPACE2"),
    signature("swap", 4086, b"SWAP-SPACE"),
    // of machines with larger memory pages
    signature("swap", 8182, b"SWAPSPACE2"),
    signature("swap", 16374, b"SWAPSPACE2"),
    signature("swap", 32758, b"SWAPSPACE2"),
    signature("swap", 65526, b"SWAPSPACE2"),
    signature("Stratis", 516, b"!Stra0tis"),
    signature("F2FS", 1024, &[0x10, 0x20, 0xf5, 0xf2]),
    signature("HFS+", 1024, b"H+\0\x04"),
    signature("HFS+", 1024, b"HX\0\x05"),
    signature("APFS", 32, b"NXSB"),
    signature("SquashFS", 0, b"hsqs"),
    signature("EROFS", 1024, &[0xe2, 0xe1, 0xf5, 0xe0]),
    signature("JFS", 32768, b"JFS1"),
    signature("ReiserFS", 65588, b"ReIsEr"),
    signature("GFS2", 65536, &[0x01, 0x16, 0x19, 0x70]),
    signature("OCFS2", 8192, b"OCFSV2"),
    signature("Oracle ASM", 32, b"ORCLDISK"),
    signature("UDF", 32769, b"BEA01"),
    signature("ISO 9660", 32769, b"CD001"),
    signature("bcache", 4120, &[0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca]),
    signature("bcachefs", 4120, &[0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9]),
    signature(LUKS2, 16 << 10, LUKS2_SECOND),
    signature(LUKS2, 32 << 10, LUKS2_SECOND),
    signature(LUKS2, 64 << 10, LUKS2_SECOND),
    signature(LUKS2, 128 << 10, LUKS2_SECOND),
    signature(LUKS2, 256 << 10, LUKS2_SECOND),
    signature(LUKS2, 512 << 10, LUKS2_SECOND),
    signature(LUKS2, 1 << 20, LUKS2_SECOND),
    signature(LUKS2, 2 << 20, LUKS2_SECOND),
    signature(LUKS2, 4 << 20, LUKS2_SECOND),
    // libblkid's `vmfs.c`: the volume's header is 1 MiB in, the file system's 2 MiB, which in a volume of vmfs-tools'
    // `vmfs_fs.h` (VMFS 5) is counted from 16 MiB on
    signature("VMFS", 1 << 20, &0xc001_d00d_u32.to_le_bytes()),
    signature("VMFS", 2 << 20, &0x2fab_f15e_u32.to_le_bytes()),
    signature("VMFS", 18 << 20, &0x2fab_f15e_u32.to_le_bytes()),
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
    if is_there(0, &MD) || is_there(4096, &MD) {
        found.push("Linux md RAID");
    }
    if shown(128 << 10).is_some_and(is_zfs) {
        found.push("ZFS");
    }
    found
}

/// A label is 256 KiB, its second half an array of uberblocks; labels stand twice at each end, on 256 KiB boundaries.
pub fn is_zfs(bytes: &[u8]) -> bool {
    const MAGIC: u64 = 0x00ba_b10c;
    bytes
        .chunks_exact(1024)
        .any(|slot| slot.starts_with(&MAGIC.to_le_bytes()) || slot.starts_with(&MAGIC.to_be_bytes()))
}

/// Whether md's superblock stands at the end of a part of a disk: 1.0 on the last but one 4 KiB boundary before it (8 KiB
/// and what is over), 0.90 on the last but one of 64 KiB. `bytes` end where the part does.
pub fn is_md_at_end(part_size: u64, bytes: &[u8]) -> bool {
    let begin = part_size.saturating_sub(bytes.len() as u64);
    let is_there = |place: Option<u64>| {
        let inside = place.and_then(|place| usize::try_from(place.checked_sub(begin)?).ok());
        inside.and_then(|at| bytes.get(at..)).is_some_and(|rest| rest.starts_with(&MD))
    };
    is_there((part_size / 4096 * 4096).checked_sub(8192))
        || is_there((part_size / 65536 * 65536).checked_sub(65536))
}

/// Intel keeps its metadata in the last block but one, makers who follow SNIA's DDF in the last one.
pub fn is_firmware_raid(last: &[u8]) -> bool {
    let at = |from_end: usize| last.len().checked_sub(from_end).and_then(|at| last.get(at..));
    at(1024).is_some_and(|rest| rest.starts_with(b"Intel Raid ISM Cfg Sig."))
        || at(512).is_some_and(|rest| rest.starts_with(&[0xde, 0x11, 0xde, 0x11]))
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
