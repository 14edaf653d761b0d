//! Ends of disks, and what is said of them.

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
    super::classify(first, last, disk_size, &fixture::key().alone())
}

fn claim() -> Claim {
    fixture::granted_claim(claim::tests::claim())
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
    assert_eq!(classify(&first, &last, SIZE), DiskContent::Unsampled);
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
        first[at..at + 8].copy_from_slice(tables::GPT_KINDS[kind].0);
    }
    assert_eq!(words(classify(&first, &last, SIZE)), "GPT (EFI system, VMFS, Linux LVM)");
}

#[test]
fn disks_smaller_than_two_looks_are_judged_without_panic() {
    for size in [0_usize, 1, 511, 512, 4096, 100_000] {
        let disk = vec![1; size];
        let expected = if size == 0 { "Unsampled" } else { "Foreign" };
        assert!(format!("{:?}", classify(&disk, &disk, size as u64)).starts_with(expected));
    }
}

/// The sector of an MBR whose entries have these types, each from block 1 on.
fn mbr(kinds: &[u8]) -> Vec<u8> {
    let mut sector = vec![0; 512];
    for (slot, kind) in kinds.iter().enumerate() {
        sector[446 + slot * 16 + 4] = *kind;
        sector[446 + slot * 16 + 8] = 1;
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

/// A table with one partition, as it stands on a disk of this size: its ends, and the entries' checksum.
fn table_ends(kind: uuid::Uuid) -> (Vec<u8>, Vec<u8>, u32) {
    let mut table = gpt::Table::new(uuid::Uuid::from_u128(1));
    table.entries.insert(1, gpt::Entry::new(kind, uuid::Uuid::from_u128(2), 2 << 20, 1 << 20, "one"));
    let built = table.build(SIZE).unwrap();
    let (mut first, mut last) = ends();
    first[..built.primary.len()].copy_from_slice(&built.primary);
    last[LOOK as usize - built.backup.len()..].copy_from_slice(&built.backup);
    let checksum = gpt::entries_checksum(&first).unwrap();
    (first, last, checksum)
}

#[test]
fn a_stale_gpt_behind_a_real_mbr_and_a_hybrid_mbr_are_told() {
    let (mut first, last, _) = table_ends(gpt::LINUX_DATA);
    for (kinds, expected) in [
        (&[0xee][..], "GPT (Linux)"),
        (&[0x83, 0x82], "MBR (Linux, Linux swap), stale GPT (Linux)"),
        (&[0xee, 0x07], "hybrid MBR (protective, Windows), GPT (Linux)"),
        (&[], "GPT (Linux)"),
    ] {
        first[..512].copy_from_slice(&mbr(kinds));
        assert_eq!(words(classify(&first, &last, SIZE)), expected);
    }
    let (mut first, last) = ends();
    first[..512].copy_from_slice(&mbr(&[0xee]));
    assert_eq!(words(classify(&first, &last, SIZE)), "MBR (protective)");
}

#[test]
fn partitions_in_the_mbr_are_told_beside_the_claim() {
    let (mut first, last, entries) = table_ends(gpt::LINUX_DATA);
    let claim = Claim { stage: Stage::Ready { entries }, ..claim() };
    first[claim::OFFSET as usize..][..claim::SIZE].copy_from_slice(&claim.to_record().unwrap());
    for (kinds, expected) in [
        (&[0xee][..], None),
        (&[0x83], Some("MBR (Linux)")),
        (&[0xee, 0x83], Some("hybrid MBR (protective, Linux)")),
    ] {
        first[..512].copy_from_slice(&mbr(kinds));
        let beside = expected.map(str::to_owned);
        let claim = claim.clone();
        let expected = DiskContent::Ours { claim: claim.into(), closed: false, beside };
        assert_eq!(classify(&first, &last, SIZE), expected);
    }
}

#[test]
fn a_table_that_is_not_the_claims_is_told_wherever_it_is_intact_and_whether_lba_0_is_zero_or_not() {
    let (first, last, entries) = table_ends(gpt::LINUX_DATA);
    let (other_first, other_last, _) = table_ends(gpt::LINUX_ROOT_X64);
    let (no_first, no_last) = ends();
    let (mut damaged_first, mut damaged_last) = (other_first.clone(), other_last.clone());
    damaged_first[512 + 40] ^= 1;
    damaged_last[LOOK as usize - 512 + 40] ^= 1;
    let judge = |first: &[u8], last: &[u8], closed: bool| {
        let (mut first, claim) = (first.to_vec(), Claim { stage: Stage::Ready { entries }, ..claim() });
        if closed {
            first[..512].fill(0);
        }
        first[claim::OFFSET as usize..][..claim::SIZE].copy_from_slice(&claim.to_record().unwrap());
        match classify(&first, last, SIZE) {
            DiskContent::Ours { beside, closed: found, .. } if found == closed => beside,
            other => panic!("{other:?}"),
        }
    };
    let others = Some("other partitions".to_owned());
    for closed in [true, false] {
        assert_eq!(judge(&first, &last, closed), None);
        assert_eq!(judge(&first, &no_last, closed), None);
        assert_eq!(judge(&first, &damaged_last, closed), None);
        assert_eq!(judge(&other_first, &last, closed), others);
        assert_eq!(judge(&first, &other_last, closed), others);
    }
    // the power failed before the tables were whole: nothing was made since
    assert_eq!(judge(&no_first, &last, true), None);
    assert_eq!(judge(&no_first, &no_last, true), None);
    assert_eq!(judge(&damaged_first, &no_last, true), None);
}

#[test]
fn a_disk_of_0xff_with_a_claim_of_ours_holds_nothing_beside_it() {
    let (mut first, mut last) = claimed();
    first[gpt::PRIMARY_LENGTH..claim::OFFSET as usize].fill(0xff);
    last[..1000].fill(0xff);
    assert_eq!(classify(&first, &last, SIZE), ours(true, None));
    first[gpt::PRIMARY_LENGTH + 600] = 0xfe;
    assert_eq!(classify(&first, &last, SIZE), ours(true, Some("unknown data")));
}
