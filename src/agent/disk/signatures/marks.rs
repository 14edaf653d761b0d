//! Signatures at fixed places, as libblkid's sources list them (util-linux 2.42, `libblkid/src/superblocks`).
//!
//! Four bytes or more: two bytes without further checks would stand by chance in somebody's superblock (LVM 1, HFS, MINIX,
//! Core Storage, and the disk-wide RAIDs of VIA, JMicron and Silicon Image are left out for that).

const KIB: u64 = 1024;
const SECTOR: u64 = 512;

/// What it is, its offset from the partition's first byte, the bytes.
pub(super) const AT_START: &[(&str, u64, &[u8])] = &[
    ("linux_raid_member", 0, &MD),
    ("linux_raid_member", 4 * KIB, &MD),
    ("LVM2_member", 0, b"LABELONE"),
    ("LVM2_member", SECTOR, b"LABELONE"),
    ("LVM2_member", 2 * SECTOR, b"LABELONE"),
    ("LVM2_member", 3 * SECTOR, b"LABELONE"),
    ("DM_snapshot_cow", 0, b"SnAp"),
    ("DM_verity_hash", 0, b"verity\0\0"),
    ("DM_integrity", 0, b"integrt\0"),
    ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("bcache", 4 * KIB + 24, BCACHE),
    ("bcachefs", 4 * KIB + 24, BCACHEFS),
    ("bcachefs", 2048 * KIB + 24, BCACHEFS),
    ("ceph_bluestore", 0, b"bluestore block device"),
    ("drbdmanage_control_volume", 0, b"$DRBDmgr=q"),
    ("drbdproxy_datalog", 0, b"DRBDdlh*"),
    ("vdo", 0, b"dmvdo001"),
    ("stratis", SECTOR + 4, STRATIS),
    ("stratis", 9 * SECTOR + 4, STRATIS),
    ("hpt37x_raid_member", 4 * KIB + 544, b"\xf0\x16\x78\x5a"),
    ("hpt37x_raid_member", 4 * KIB + 544, b"\xfd\x16\x78\x5a"),
    ("VMFS_volume_member", 1024 * KIB, b"\x0d\xd0\x01\xc0"),
    ("VMFS", 2048 * KIB, b"\x5e\xf1\xab\x2f"),
    ("ubi", 0, b"UBI#"),
    ("ubifs", 0, b"\x31\x18\x10\x06"),
    ("xfs", 0, b"XFSB"),
    ("exfs", 0, b"EXFS"),
    ("btrfs", 64 * KIB + 64, b"_BHRfS_M"),
    ("f2fs", KIB, b"\x10\x20\xf5\xf2"),
    ("erofs", KIB, b"\xe2\xe1\xf5\xe0"),
    ("jfs", 32 * KIB, b"JFS1"),
    ("reiserfs", 8 * KIB + 52, b"ReIsErFs"),
    ("reiserfs", 64 * KIB + 52, b"ReIsErFs"),
    ("reiserfs", 64 * KIB + 52, b"ReIsEr2Fs"),
    ("reiserfs", 64 * KIB + 52, b"ReIsEr3Fs"),
    ("reiserfs", 8 * KIB + 20, b"ReIsErFs"),
    ("reiser4", 64 * KIB, b"ReIsEr4"),
    ("udf", 32 * KIB + 1, b"BEA01"),
    ("udf", 32 * KIB + 1, b"NSR02"),
    ("udf", 32 * KIB + 1, b"NSR03"),
    ("iso9660", 32 * KIB + 1, b"CD001"),
    ("iso9660", 32 * KIB + 9, b"CDROM"),
    ("ntfs", 3, b"NTFS    "),
    ("exfat", 3, b"EXFAT   "),
    ("ReFS", 0, b"\0\0\0ReFS\0"),
    ("apfs", 32, b"NXSB"),
    ("hpfs", 8 * KIB, b"\x49\xe8\x95\xf9"),
    ("cramfs", 0, b"\x45\x3d\xcd\x28"),
    ("cramfs", 0, b"\x28\xcd\x3d\x45"),
    ("romfs", 0, b"-rom1fs-"),
    ("squashfs", 0, b"hsqs"),
    ("squashfs", 0, b"sqsh"),
    ("scoutfs", 64 * KIB + 4, b"\x8b\x42\x3c\x10"),
    ("gfs2", 64 * KIB, b"\x01\x16\x19\x70"),
    ("ocfs", 8 * KIB, b"OracleCFS"),
    ("ocfs2", KIB, b"OCFSV2"),
    ("ocfs2", 2 * KIB, b"OCFSV2"),
    ("ocfs2", 4 * KIB, b"OCFSV2"),
    ("ocfs2", 8 * KIB, b"OCFSV2"),
    ("oracleasm", 32, b"ORCLDISK"),
    ("vxfs", KIB, b"\xf5\xfc\x01\xa5"),
    ("vxfs", 8 * KIB, b"\xa5\x01\xfc\xf5"),
    ("nss", 4 * KIB, b"SPB5"),
    ("bfs", 0, b"\xce\xfa\xad\x1b"),
    ("befs", 32, b"BFS1"),
    ("befs", 32, b"1SFB"),
    ("befs", SECTOR + 32, b"BFS1"),
    ("befs", SECTOR + 32, b"1SFB"),
    ("zonefs", 0, b"SFOZ"),
    ("ufs", 1372, UFS2_LE),
    ("ufs", 8 * KIB + 1372, UFS2_LE),
    ("ufs", 64 * KIB + 1372, UFS2_LE),
    ("ufs", 256 * KIB + 1372, UFS2_LE),
    ("ufs", 1372, UFS1_LE),
    ("ufs", 8 * KIB + 1372, UFS1_LE),
    ("ufs", 64 * KIB + 1372, UFS1_LE),
    ("ufs", 256 * KIB + 1372, UFS1_LE),
];

/// What it is, how far before the partition's end it begins, the bytes.
pub(super) const BEFORE_END: &[(&str, u64, &[u8])] = &[
    ("drbd", 4 * KIB - 60, b"\x83\x74\x02\x6b"),
    ("drbd", 4 * KIB - 60, b"\x83\x74\x02\x6c"),
    ("drbd", 4 * KIB - 60, b"\x83\x74\x02\x6d"),
    ("bcachefs", 1024 * KIB - 24, BCACHEFS),
    ("ddf_raid_member", SECTOR, b"\xde\x11\xde\x11"),
    ("ddf_raid_member", 257 * SECTOR, b"\xde\x11\xde\x11"),
    ("isw_raid_member", 2 * SECTOR, b"Intel Raid ISM Cfg Sig. "),
    ("lsi_mega_raid_member", SECTOR, b"$XIDE$"),
    ("nvidia_raid_member", 2 * SECTOR, b"NVIDIA  "),
    ("hpt45x_raid_member", 11 * SECTOR, b"\xf3\x16\x78\x5a"),
    ("hpt45x_raid_member", 11 * SECTOR, b"\xfd\x16\x78\x5a"),
    ("adaptec_raid_member", SECTOR, b"\x37\xfc\x4d\x1e"),
];

/// How many sectors before the end Promise's controllers keep theirs.
pub(super) const PROMISE_SECTORS: [u64; 13] =
    [63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951, 3087];
/// And what stands there.
pub(super) const PROMISE: &[u8] = b"Promise Technology, Inc.";

/// `MD_SB_MAGIC` of linux/raid/md_p.h, little endian; version 0.90 is in the order of the machine that made it.
pub(super) const MD: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();

const BCACHE: &[u8] = b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
const BCACHEFS: &[u8] = b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef";
const STRATIS: &[u8] = b"!Stra0tis\x86\xff\x02^\x41rh";
const UFS1_LE: &[u8] = &0x0001_1954_u32.to_le_bytes();
const UFS2_LE: &[u8] = &0x1954_0119_u32.to_le_bytes();
