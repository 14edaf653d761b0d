//! What a disk holds, judged by its first and last MiB: blank, ours, or somebody's data.
//!
//! Pure. Errs towards "somebody's": every byte that isn't zero makes a disk foreign unless an intact claim record of ours
//! is there. Our installs, complete or broken off (LBA 0 is zero then), leave nothing before the first MiB but partition
//! tables and the claim, so anything else there, any signature of a volume manager, RAID or swap, and partitions other than
//! those that the claim says were made, came later or were never wiped, and are told beside the claim. The words are for
//! people; no decision depends on them.

use crate::order;
use crate::spec::claim::{self, Claim, Stage};
use crate::spec::facts::DiskContent;
use crate::sys::gpt;
use crate::trust::SitePublicKey;

/// How much of each end is looked at, in bytes; of a smaller disk, all of it.
pub const LOOK: u64 = 1 << 20;
/// LBA 0 of a disk with 512-byte blocks.
const SECTOR: usize = 512;
const UNKNOWN: &str = "unknown data";

/// Judges the first and the last [`LOOK`] bytes of a disk of this size.
///
/// A claim counts if the site's key sealed its grant; one that anybody may have written is somebody's data.
pub fn classify(first: &[u8], last: &[u8], disk_size: u64, key: &SitePublicKey) -> DiskContent {
    let record = first.get(claim::OFFSET as usize..claim::OFFSET as usize + claim::SIZE).unwrap_or_default();
    let found_claim = Claim::from_record(record);
    if let Some(claim) = found_claim.clone().filter(|claim| order::is_granted(claim, key)) {
        let closed = first.iter().take(SECTOR).all(|byte| *byte == 0);
        let beside = beside_claim(first, last, disk_size).or_else(|| other_partitions(&claim, closed, first));
        return DiskContent::Ours { claim: claim.into(), closed, beside };
    }
    if first.iter().chain(last).all(|byte| *byte == 0) {
        return DiskContent::Blank;
    }
    let mut found = signatures(first, last, disk_size);
    if let Some(Claim { grant, .. }) = &found_claim {
        found.push(format!("a claim of order {} that this site's key didn't seal", grant.order));
    } else if record.starts_with(claim::UNSEALED_MAGIC) {
        found.push("a claim by an ironstrap that didn't seal them".to_owned());
    }
    found.extend(partition_table(first, last));
    if found.is_empty() && first.get(510..512) == Some(&[0x55, 0xaa]) {
        found.push(mbr(first));
    }
    let looks_like = if found.is_empty() { UNKNOWN.to_owned() } else { found.join(", ") };
    DiskContent::Foreign { looks_like }
}

/// What an install of ours doesn't leave. It leaves tables or parts of them, and in the last MiB its root.
fn beside_claim(first: &[u8], last: &[u8], disk_size: u64) -> Option<String> {
    let found = signatures(first, last, disk_size);
    let between_table_and_claim = first.get(gpt::PRIMARY_LENGTH..claim::OFFSET as usize).unwrap_or_default();
    match found.is_empty() {
        false => Some(found.join(", ")),
        true => between_table_and_claim.iter().any(|byte| *byte != 0).then(|| UNKNOWN.to_owned()),
    }
}

/// Whether partitions were made, changed or removed since our install was completed: the claim knows those it made.
fn other_partitions(claim: &Claim, closed: bool, first: &[u8]) -> Option<String> {
    let Stage::Ready { entries } = claim.stage else { return None };
    (!closed && gpt::entries_checksum(first) != Some(entries)).then(|| "other partitions".to_owned())
}

/// Names of all that is no partition table.
fn signatures(first: &[u8], last: &[u8], disk_size: u64) -> Vec<String> {
    let mut found: Vec<String> = SIGNATURES
        .iter()
        .filter(|(_, at, bytes)| first.get(*at..).is_some_and(|rest| rest.starts_with(bytes)))
        .map(|(name, _, _)| (*name).to_owned())
        .collect();
    found.dedup();
    if is_md(first, last, disk_size) {
        found.push("Linux md RAID".to_owned());
    }
    if is_firmware_raid(last) {
        found.push("firmware RAID".to_owned());
    }
    if is_zfs(first) || is_zfs(last) {
        found.push("ZFS".to_owned());
    }
    found
}

/// Name, place in the first MiB, bytes there.
const SIGNATURES: &[(&str, usize, &[u8])] = &[
    ("LUKS", 0, b"LUKS\xba\xbe"),
    ("LVM physical volume", 0, b"LABELONE"),
    ("LVM physical volume", 512, b"LABELONE"),
    ("LVM physical volume", 1024, b"LABELONE"),
    ("LVM physical volume", 1536, b"LABELONE"),
    ("Ceph BlueStore", 0, b"bluestore block device"),
    ("XFS", 0, b"XFSB"),
    ("ext2/3/4", 1080, &[0x53, 0xef]),
    ("btrfs", 65600, b"_BHRfS_M"),
    ("NTFS", 3, b"NTFS    "),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("exFAT", 3, b"EXFAT   "),
    ("FAT", 82, b"FAT32   "),
    ("FAT", 54, b"FAT1"),
    ("swap", 4086, b"SWAPSPACE2"),
    ("swap", 4086, b"SWAP-SPACE"),
    // of machines with larger memory pages
    ("swap", 8182, b"SWAPSPACE2"),
    ("swap", 16374, b"SWAPSPACE2"),
    ("swap", 65526, b"SWAPSPACE2"),
    ("Stratis", 516, b"!Stra0tis"),
    ("F2FS", 1024, &[0x10, 0x20, 0xf5, 0xf2]),
    ("HFS+", 1024, b"H+\0\x04"),
    ("JFS", 32768, b"JFS1"),
    ("ReiserFS", 65588, b"ReIsEr"),
    ("UDF", 32769, b"BEA01"),
    ("ISO 9660", 32769, b"CD001"),
    ("bcache", 4120, &[0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca]),
    ("bcachefs", 4120, &[0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9]),
];

fn partition_table(first: &[u8], last: &[u8]) -> Option<String> {
    const MAGIC: &[u8] = b"EFI PART";
    let primary = [512, 4096].into_iter().find(|at| first.get(*at..).is_some_and(|r| r.starts_with(MAGIC)));
    if let Some(header) = primary {
        // the entries follow the header's block; 128 of 128 bytes everywhere
        let kinds = first.get(header * 2..header * 2 + 128 * 128).unwrap_or_default();
        let mut names: Vec<&str> = Vec::new();
        for entry in kinds.chunks_exact(128).filter(|entry| entry[..16] != [0; 16]) {
            let name = GPT_KINDS.iter().find(|(kind, _)| entry.starts_with(kind)).map_or("other", |(_, n)| n);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let names = if names.is_empty() { "empty".to_owned() } else { names.join(", ") };
        return Some(format!("GPT ({names})"));
    }
    let backup = [512, 4096]
        .into_iter()
        .any(|block| last.len().checked_sub(block).is_some_and(|at| last[at..].starts_with(MAGIC)));
    backup.then(|| "GPT (backup only)".to_owned())
}

/// First bytes of type GUIDs as they stand on the disk.
const GPT_KINDS: &[(&[u8], &str)] = &[
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

/// md keeps its superblock at the start (1.1), 4 KiB in (1.2), or near the end (1.0, and 0.90 on a 64 KiB boundary).
fn is_md(first: &[u8], last: &[u8], disk_size: u64) -> bool {
    const MAGIC: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();
    let at_start = |at: usize| first.get(at..).is_some_and(|rest| rest.starts_with(&MAGIC));
    let at_end = |place: Option<u64>| {
        let begin = disk_size.saturating_sub(last.len() as u64);
        let inside = place.and_then(|place| place.checked_sub(begin)).map(|at| at as usize);
        inside.and_then(|at| last.get(at..)).is_some_and(|rest| rest.starts_with(&MAGIC))
    };
    at_start(0)
        || at_start(4096)
        || at_end((disk_size / 4096 * 4096).checked_sub(8192))
        || at_end((disk_size / 65536 * 65536).checked_sub(65536))
}

/// Intel keeps its metadata in the last block but one, makers who follow SNIA's DDF in the last one.
fn is_firmware_raid(last: &[u8]) -> bool {
    let at = |from_end: usize| last.len().checked_sub(from_end).and_then(|at| last.get(at..));
    at(1024).is_some_and(|rest| rest.starts_with(b"Intel Raid ISM Cfg Sig."))
        || at(512).is_some_and(|rest| rest.starts_with(&[0xde, 0x11, 0xde, 0x11]))
}

/// A label is 256 KiB, its second half an array of uberblocks; labels stand twice at each end, on 256 KiB boundaries.
fn is_zfs(end: &[u8]) -> bool {
    const MAGIC: u64 = 0x00ba_b10c;
    end.chunks_exact(1024)
        .any(|slot| slot.starts_with(&MAGIC.to_le_bytes()) || slot.starts_with(&MAGIC.to_be_bytes()))
}

fn mbr(first: &[u8]) -> String {
    let kinds: Vec<u8> =
        (0..4).filter_map(|i| first.get(446 + i * 16 + 4).copied()).filter(|k| *k != 0).collect();
    let name = |kind: &u8| match kind {
        0x07 => "Windows",
        0x82 => "Linux swap",
        0x83 => "Linux",
        0x8e => "Linux LVM",
        0xfb => "VMFS",
        0xfd => "Linux RAID",
        0xa5 | 0xa6 | 0xa9 => "BSD",
        0xee => "protective",
        _ => "other",
    };
    match kinds.is_empty() {
        true => "boot sector without partitions".to_owned(),
        false => format!("MBR ({})", kinds.iter().map(name).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::fixture;
    use crate::spec::order::Grant;

    const SIZE: u64 = (8 << 20) + 512;

    fn ends() -> (Vec<u8>, Vec<u8>) {
        (vec![0; LOOK as usize], vec![0; LOOK as usize])
    }

    fn foreign_at_start(at: usize, bytes: &[u8]) -> String {
        let (mut first, last) = ends();
        first[at..at + bytes.len()].copy_from_slice(bytes);
        words(classify(&first, &last, SIZE))
    }

    fn foreign_on_disk(at: u64, bytes: &[u8]) -> String {
        let (first, mut last) = ends();
        let at = (at - (SIZE - LOOK)) as usize;
        last[at..at + bytes.len()].copy_from_slice(bytes);
        words(classify(&first, &last, SIZE))
    }

    fn words(content: DiskContent) -> String {
        let DiskContent::Foreign { looks_like } = content else { panic!("{content:?} is not foreign") };
        looks_like
    }

    fn classify(first: &[u8], last: &[u8], disk_size: u64) -> DiskContent {
        super::classify(first, last, disk_size, &fixture::key().public())
    }

    fn claim() -> Claim {
        fixture::granted_claim(crate::spec::claim::tests::claim())
    }

    #[test]
    fn a_claim_that_nobody_sealed_is_somebodys_data() {
        let (mut first, last) = claimed();
        let forged = Claim { grant: Grant { generation: u64::MAX, ..claim().grant }, ..claim() };
        first[claim::OFFSET as usize..][..claim::SIZE].copy_from_slice(&forged.to_record().unwrap());
        assert!(words(classify(&first, &last, SIZE)).contains("that this site's key didn't seal"));
        let (mut first, last) = ends();
        first[claim::OFFSET as usize..][..16].copy_from_slice(claim::UNSEALED_MAGIC);
        assert_eq!(words(classify(&first, &last, SIZE)), "a claim by an ironstrap that didn't seal them");
    }

    #[test]
    fn zeroes_are_blank_and_one_byte_is_not() {
        let (mut first, mut last) = ends();
        assert_eq!(classify(&first, &last, SIZE), DiskContent::Blank);
        last[LOOK as usize - 1] = 1;
        assert_eq!(words(classify(&first, &last, SIZE)), "unknown data");
        last[LOOK as usize - 1] = 0;
        first[123_456] = 1;
        assert_eq!(words(classify(&first, &last, SIZE)), "unknown data");
    }

    fn claimed() -> (Vec<u8>, Vec<u8>) {
        let (mut first, last) = ends();
        let record = claim().to_record().unwrap();
        first[claim::OFFSET as usize..][..claim::SIZE].copy_from_slice(&record);
        (first, last)
    }

    fn ours(closed: bool, beside: Option<&str>) -> DiskContent {
        DiskContent::Ours { claim: claim().into(), closed, beside: beside.map(str::to_owned) }
    }

    #[test]
    fn an_intact_claim_makes_a_disk_ours_and_parts_of_tables_belong_to_it() {
        let (mut first, mut last) = claimed();
        assert_eq!(classify(&first, &last, SIZE), ours(true, None));
        first[512..520].copy_from_slice(b"EFI PART");
        first[17407] = 1;
        last[LOOK as usize - 512..][..8].copy_from_slice(b"EFI PART");
        assert_eq!(classify(&first, &last, SIZE), ours(true, None));
        first[510] = 0x55;
        assert_eq!(classify(&first, &last, SIZE), ours(false, None));
        for (at, bytes, name) in [
            (4096, &0xa92b_4efc_u32.to_le_bytes()[..], "Linux md RAID"),
            (claim::OFFSET as usize - 9, b"\x01", "unknown data"),
        ] {
            let mut later = first.clone();
            later[at..at + bytes.len()].copy_from_slice(bytes);
            assert_eq!(classify(&later, &last, SIZE), ours(false, Some(name)));
        }
        first[510] = 0;
        first[claim::OFFSET as usize + 60] ^= 1;
        assert_eq!(words(classify(&first, &last, SIZE)), "GPT (empty)");
    }

    #[test]
    fn partitions_that_were_made_after_our_install_are_told_beside_the_claim() {
        let (mut first, last) = ends();
        first[..512].fill(1);
        first[512..520].copy_from_slice(b"EFI PART");
        first[512 + 88..512 + 92].copy_from_slice(&77_u32.to_le_bytes());
        for (entries, beside) in [(77, None), (78, Some("other partitions".to_owned()))] {
            let claim = Claim { stage: Stage::Ready { entries }, ..claim() };
            let record = claim.to_record().unwrap();
            first[claim::OFFSET as usize..][..claim::SIZE].copy_from_slice(&record);
            let expected = DiskContent::Ours { claim: claim.into(), closed: false, beside };
            assert_eq!(classify(&first, &last, SIZE), expected);
        }
        // without its header the table is somebody else's, or broken
        first[512] = 0;
        let DiskContent::Ours { beside, .. } = classify(&first, &last, SIZE) else { panic!() };
        assert_eq!(beside.as_deref(), Some("other partitions"));
    }

    #[test]
    fn what_our_installs_do_not_leave_is_told_beside_the_claim_of_a_closed_disk() {
        let md = 0xa92b_4efc_u32.to_le_bytes();
        for (at, bytes, name) in [
            (512, &b"LABELONE\x01\0\0\0"[..], "LVM physical volume"),
            (1536, b"LABELONE", "LVM physical volume"),
            (4096, &md, "Linux md RAID"),
            (4086, b"SWAPSPACE2", "swap"),
            (1080, &[0x53, 0xef], "ext2/3/4"),
            (65600, b"_BHRfS_M", "btrfs"),
            (128 << 10, &0x00ba_b10c_u64.to_le_bytes(), "ZFS"),
            (17408, &[1], "unknown data"),
            (claim::OFFSET as usize - 1, &[1], "unknown data"),
        ] {
            let (mut first, last) = claimed();
            first[at..at + bytes.len()].copy_from_slice(bytes);
            assert_eq!(classify(&first, &last, SIZE), ours(true, Some(name)), "{name} at {at}");
        }
        for (from_end, bytes, name) in [
            (SIZE - (SIZE / 4096 * 4096 - 8192), &md[..], "Linux md RAID"),
            (SIZE - (SIZE / 65536 * 65536 - 65536), &md, "Linux md RAID"),
            (1024, b"Intel Raid ISM Cfg Sig. 1.0", "firmware RAID"),
        ] {
            let (first, mut last) = claimed();
            last[(LOOK - from_end) as usize..][..bytes.len()].copy_from_slice(bytes);
            assert_eq!(classify(&first, &last, SIZE), ours(true, Some(name)), "{name}");
        }
    }

    #[test]
    fn known_signatures_are_named() {
        let md = 0xa92b_4efc_u32.to_le_bytes();
        for (at, bytes, name) in [
            (0, &b"LUKS\xba\xbe\0\x02"[..], "LUKS"),
            (512, b"LABELONE", "LVM physical volume"),
            (0, b"XFSB", "XFS"),
            (1080, &[0x53, 0xef], "ext2/3/4"),
            (65600, b"_BHRfS_M", "btrfs"),
            (3, b"NTFS    ", "NTFS"),
            (4086, b"SWAPSPACE2", "swap"),
            (0, &md, "Linux md RAID"),
            (4096, &md, "Linux md RAID"),
            (128 << 10, &0x00ba_b10c_u64.to_le_bytes(), "ZFS"),
            (510, &[0x55, 0xaa], "boot sector without partitions"),
            (450, &[[0xfb].as_slice(), &[0; 59], &[0x55, 0xaa]].concat(), "MBR (VMFS)"),
        ] {
            assert_eq!(foreign_at_start(at, bytes), name);
        }
        for (at, bytes, name) in [
            (SIZE - 512, &b"EFI PART"[..], "GPT (backup only)"),
            (SIZE / 4096 * 4096 - 8192, &md, "Linux md RAID"),
            (SIZE / 65536 * 65536 - 65536, &md, "Linux md RAID"),
        ] {
            assert_eq!(foreign_on_disk(at, bytes), name);
        }
    }

    #[test]
    fn partition_types_of_a_gpt_are_named() {
        let (mut first, last) = ends();
        first[510..520].copy_from_slice(b"\x55\xaaEFI PART");
        for (slot, kind) in [0, 9, 4].into_iter().enumerate() {
            let at = 1024 + slot * 128;
            first[at..at + 8].copy_from_slice(GPT_KINDS[kind].0);
        }
        assert_eq!(words(classify(&first, &last, SIZE)), "GPT (EFI system, VMFS, Linux LVM)");
    }

    #[test]
    fn disks_smaller_than_two_looks_are_judged_without_panic() {
        for size in [0_usize, 1, 511, 512, 4096, 100_000] {
            let disk = vec![1; size];
            let expected = if size == 0 { "Blank" } else { "Foreign" };
            assert!(format!("{:?}", classify(&disk, &disk, size as u64)).starts_with(expected));
        }
    }
}
