//! File systems of which little more is asked than whether they are there: a module each, with its source.
//!
//! `fs/…` and `include/…` are the kernel's, `libblkid` is util-linux 2.42's `libblkid/src/superblocks`.

/// include/uapi/linux/btrfs_tree.h, `struct btrfs_super_block`.
pub mod btrfs {
    use super::super::{KIB, Mark};

    /// `BTRFS_SUPER_INFO_OFFSET`.
    pub const SUPER_INFO_OFFSET: u64 = 64 * KIB;
    /// `fsid`; 16 bytes.
    pub const FSID: u64 = 0x20;
    /// `magic`; 8 bytes.
    pub const SB_MAGIC: u64 = 0x40;
    /// `label`, padded with zeroes.
    pub const LABEL: u64 = 0x12b;
    /// `BTRFS_LABEL_SIZE`.
    pub const LABEL_LENGTH: usize = 256;
    /// `BTRFS_MAGIC`.
    pub const MAGIC: Mark = Mark::new(SUPER_INFO_OFFSET + SB_MAGIC, b"_BHRfS_M");
    /// Where copies of the superblock stand (`btrfs_sb_offset` of fs/btrfs/disk-io.h): 16 KiB · 4096 each time.
    pub const COPIES: [u64; 2] = [64 << 20, 256 << 30];
}

/// fs/xfs/libxfs/xfs_format.h, `struct xfs_dsb`.
pub mod xfs {
    use super::super::Mark;

    /// `sb_blocksize`; 32 bits, big endian as all that follows.
    pub const SB_BLOCKSIZE: u64 = 4;
    /// `sb_dblocks`; 64 bits.
    pub const SB_DBLOCKS: u64 = 8;
    /// `sb_rblocks`, of the real-time section; 64 bits.
    pub const SB_RBLOCKS: u64 = 16;
    /// `sb_uuid`; 16 bytes.
    pub const SB_UUID: u64 = 32;
    /// `sb_logstart`: the log's first block, 0 where it is on another device; its group stands above the lowest `sb_agblklog` bits;
    /// 64 bits.
    pub const SB_LOGSTART: u64 = 48;
    /// `sb_agblocks`: blocks of a group; 32 bits.
    pub const SB_AGBLOCKS: u64 = 84;
    /// `sb_agcount`: groups; 32 bits.
    pub const SB_AGCOUNT: u64 = 88;
    /// `sb_logblocks`: blocks of the log; 32 bits.
    pub const SB_LOGBLOCKS: u64 = 96;
    /// `sb_versionnum`: [`VERSION_NUMBITS`] of it; 16 bits.
    pub const SB_VERSIONNUM: u64 = 100;
    /// `XFS_SB_VERSION_NUMBITS`.
    pub const VERSION_NUMBITS: u16 = 0xf;
    /// `sb_fname`, the label, padded with zeroes.
    pub const SB_FNAME: u64 = 108;
    /// `XFSLABEL_MAX`.
    pub const FNAME_LENGTH: usize = 12;
    /// `sb_agblklog`; 8 bits.
    pub const SB_AGBLKLOG: u64 = 124;
    /// `sb_fdblocks`: blocks that are free; 64 bits.
    pub const SB_FDBLOCKS: u64 = 144;
    /// `sb_features_ro_compat`; 32 bits.
    pub const SB_FEATURES_RO_COMPAT: u64 = 212;
    /// `sb_features_incompat`; 32 bits.
    pub const SB_FEATURES_INCOMPAT: u64 = 216;
    /// `XFS_SB_MAGIC`, which each allocation group begins with as well.
    pub const MAGIC: Mark = Mark::new(0, b"XFSB");
    /// The form of it that libblkid knows as `exfs`.
    pub const EXFS: Mark = Mark::new(0, b"EXFS");

    /// A number of so many bytes in a superblock: big endian, as all of XFS is. What lies behind the end is left out.
    pub fn number(superblock: &[u8], at: u64, length: usize) -> u64 {
        let bytes = superblock.iter().skip(at as usize).take(length);
        bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// include/uapi/linux/nilfs2_ondisk.h, `struct nilfs_super_block`.
pub mod nilfs2 {
    use super::super::{KIB, SECTOR};

    /// `NILFS_SB_OFFSET_BYTES`.
    pub const SB_OFFSET: u64 = KIB;
    /// How far before the end its copy stands (`NILFS_SB2_OFFSET_BYTES`; libblkid rounds to sectors first).
    pub const SB2_BEFORE_END: u64 = 8 * SECTOR;
    /// Bytes that a superblock can have.
    pub const SB_LENGTH: usize = 1024;
    /// `s_magic`; 16 bits.
    pub const S_MAGIC: usize = 6;
    /// `NILFS_SUPER_MAGIC`.
    pub const SUPER_MAGIC: u16 = 0x3434;
    /// `s_bytes`: how much of it the checksum is about; 16 bits.
    pub const S_BYTES: usize = 8;
    /// `s_crc_seed`; 32 bits.
    pub const S_CRC_SEED: usize = 12;
    /// `s_sum`: its CRC-32, counted with zeroes in this place; 32 bits.
    pub const S_SUM: usize = 16;
    /// What follows it.
    pub const S_SUM_END: usize = 20;
}

/// include/linux/swap.h, `union swap_header`: `magic.magic` in the last bytes of the first page, whose size is the machine's.
pub mod swap {
    use super::super::{KIB, Mark};

    /// `"SWAPSPACE2"` and its like have so many bytes.
    pub const MAGIC_LENGTH: u64 = 10;
    /// Sizes of a page.
    pub const PAGES: [u64; 5] = [4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB, 64 * KIB];
    /// What may stand there: swap, old and new, and hibernated systems (kernel/power/swap.c, `HIBERNATE_SIG`; libblkid's `swap.c`).
    pub const MAGICS: [&[u8]; 6] =
        [b"SWAP-SPACE", VERSION_2, b"S1SUSPEND", b"S2SUSPEND", b"ULSUSPEND", b"LINHIB0001"];
    /// What mkswap writes.
    pub const VERSION_2: &[u8] = b"SWAPSPACE2";
    /// `info.sws_uuid`; 16 bytes.
    pub const UUID: u64 = KIB + 12;
    /// `info.sws_volume`, the label, padded with zeroes.
    pub const VOLUME_NAME: u64 = UUID + 16;
    /// Length of that.
    pub const VOLUME_NAME_LENGTH: usize = 16;
    /// What older ones wrote.
    pub const VERSION_1: Mark = Mark::new(PAGES[0] - MAGIC_LENGTH, b"SWAP-SPACE");

    /// The mark in pages of this size.
    pub const fn in_page(page: u64) -> Mark {
        Mark::new(page - MAGIC_LENGTH, VERSION_2)
    }
}

/// include/linux/f2fs_fs.h: `F2FS_SUPER_OFFSET`, `F2FS_SUPER_MAGIC`.
pub mod f2fs {
    use super::super::{KIB, Mark};

    /// `F2FS_SUPER_MAGIC`, `0xF2F52010`.
    pub const MAGIC: Mark = Mark::new(KIB, b"\x10\x20\xf5\xf2");
}

/// fs/erofs/erofs_fs.h: `EROFS_SUPER_OFFSET`, and `EROFS_SUPER_MAGIC_V1` of include/uapi/linux/magic.h.
pub mod erofs {
    use super::super::{KIB, Mark};

    /// `EROFS_SUPER_MAGIC_V1`, `0xE0F5E1E2`.
    pub const MAGIC: Mark = Mark::new(KIB, b"\xe2\xe1\xf5\xe0");
}

/// fs/jfs/jfs_superblock.h, `struct jfs_superblock`, `s_magic`; `SUPER1_OFF` of fs/jfs/jfs_filsys.h.
pub mod jfs {
    use super::super::{KIB, Mark};

    /// `JFS_MAGIC`.
    pub const MAGIC: Mark = Mark::new(32 * KIB, b"JFS1");
}

/// fs/reiserfs/reiserfs.h (Linux 6.12), `struct reiserfs_super_block_v1`: `REISERFS_DISK_OFFSET_IN_BYTES`, `s_magic`.
pub mod reiserfs {
    use super::super::{KIB, Mark};

    const DISK_OFFSET: u64 = 64 * KIB;
    const OLD_DISK_OFFSET: u64 = 8 * KIB;
    const S_MAGIC: u64 = 52;
    /// `s_magic` of the oldest form.
    const OLD_S_MAGIC: u64 = 20;
    /// What all its magic numbers begin with.
    pub const BEGINNING: Mark = Mark::new(DISK_OFFSET + S_MAGIC, b"ReIsEr");
    /// Each magic number at each of its places.
    pub const MAGICS: [Mark; 5] = [
        Mark::new(OLD_DISK_OFFSET + S_MAGIC, b"ReIsErFs"),
        Mark::new(DISK_OFFSET + S_MAGIC, b"ReIsErFs"),
        Mark::new(DISK_OFFSET + S_MAGIC, b"ReIsEr2Fs"),
        Mark::new(DISK_OFFSET + S_MAGIC, b"ReIsEr3Fs"),
        Mark::new(OLD_DISK_OFFSET + OLD_S_MAGIC, b"ReIsErFs"),
    ];
    /// `struct format40_super` of reiser4progs.
    pub const REISER4: Mark = Mark::new(64 * KIB, b"ReIsEr4");
}

/// include/uapi/linux/gfs2_ondisk.h: `GFS2_SB_ADDR`, `GFS2_MAGIC`, which is big endian.
pub mod gfs2 {
    use super::super::{Mark, SECTOR};

    /// `GFS2_MAGIC`, `0x01161970`.
    pub const MAGIC: Mark = Mark::new(128 * SECTOR, b"\x01\x16\x19\x70");
}

/// fs/ocfs2/ocfs2_fs.h: `OCFS2_SUPER_BLOCK_BLKNO`, of any block size; `OCFS2_SUPER_BLOCK_SIGNATURE`. `ocfs` by libblkid.
pub mod ocfs2 {
    use super::super::{KIB, Mark};

    /// Block number 2 of 4 KiB each, as everybody makes them.
    pub const SIGNATURE: Mark = Mark::new(2 * 4 * KIB, b"OCFSV2");
    /// For blocks of these sizes.
    pub const BLOCKS: [u64; 4] = [512, KIB, 2 * KIB, 4 * KIB];
    /// The mark for blocks of this size.
    pub const fn in_blocks(block: u64) -> Mark {
        SIGNATURE.moved_to(2 * block)
    }
    /// OCFS of the first version.
    pub const VERSION_1: Mark = Mark::new(8 * KIB, b"OracleCFS");
}

/// ECMA-167 and ISO 9660: descriptors from sector 16 of 2 KiB on, each with a type in its first byte.
pub mod optical {
    use super::super::{KIB, Mark};

    const FIRST_DESCRIPTOR: u64 = 16 * 2 * KIB;
    /// UDF.
    pub const BEA: Mark = Mark::new(FIRST_DESCRIPTOR + 1, b"BEA01");
    /// UDF, second edition.
    pub const NSR2: Mark = Mark::new(FIRST_DESCRIPTOR + 1, b"NSR02");
    /// UDF, third edition.
    pub const NSR3: Mark = Mark::new(FIRST_DESCRIPTOR + 1, b"NSR03");
    /// ISO 9660.
    pub const ISO_9660: Mark = Mark::new(FIRST_DESCRIPTOR + 1, b"CD001");
    /// High Sierra, in which a number of 8 bytes stands first.
    pub const HIGH_SIERRA: Mark = Mark::new(FIRST_DESCRIPTOR + 9, b"CDROM");
}

/// Apple File System Reference: `nx_superblock_t`, `nx_magic` behind an `obj_phys_t` of 32 bytes. Technical Note 1150: an HFS Plus
/// volume's header with signature and version.
pub mod apple {
    use super::super::{KIB, Mark};

    /// `NX_MAGIC`.
    pub const APFS: Mark = Mark::new(32, b"NXSB");
    /// HFS Plus.
    pub const HFS_PLUS: Mark = Mark::new(KIB, b"H+\0\x04");
    /// HFSX.
    pub const HFSX: Mark = Mark::new(KIB, b"HX\0\x05");
}

/// fs/ufs/ufs_fs.h, `struct ufs_super_block_third`, `fs_magic`: 1372 bytes behind each of `UFS_SBLOCK`'s places.
pub mod ufs {
    use super::super::KIB;

    /// `fs_magic`.
    pub const FS_MAGIC: u64 = 1372;
    /// Where superblocks begin.
    pub const SUPERBLOCKS: [u64; 4] = [0, 8 * KIB, 64 * KIB, 256 * KIB];
    /// `UFS_MAGIC`.
    pub const MAGIC: &[u8] = &0x0001_1954_u32.to_le_bytes();
    /// `UFS2_MAGIC`.
    pub const MAGIC_2: &[u8] = &0x1954_0119_u32.to_le_bytes();
}

/// What begins with its mark, and what libblkid alone knows.
pub mod others {
    use super::super::{KIB, Mark, SECTOR};

    /// fs/squashfs/squashfs_fs.h, `SQUASHFS_MAGIC`.
    pub const SQUASHFS: Mark = Mark::new(0, b"hsqs");
    /// The same of a big-endian machine.
    pub const SQUASHFS_BE: Mark = Mark::new(0, b"sqsh");
    /// include/uapi/linux/cramfs_fs.h, `CRAMFS_MAGIC`.
    pub const CRAMFS: Mark = Mark::new(0, b"\x45\x3d\xcd\x28");
    /// `CRAMFS_MAGIC_WEND`.
    pub const CRAMFS_BE: Mark = Mark::new(0, b"\x28\xcd\x3d\x45");
    /// include/uapi/linux/romfs_fs.h, `ROMSB_WORD0` and `ROMSB_WORD1`.
    pub const ROMFS: Mark = Mark::new(0, b"-rom1fs-");
    /// include/uapi/mtd/ubi-user.h and drivers/mtd/ubi/ubi-media.h, `UBI_EC_HDR_MAGIC`.
    pub const UBI: Mark = Mark::new(0, b"UBI#");
    /// fs/ubifs/ubifs-media.h, `UBIFS_NODE_MAGIC`.
    pub const UBIFS: Mark = Mark::new(0, b"\x31\x18\x10\x06");
    /// fs/zonefs/zonefs.h, `ZONEFS_MAGIC`.
    pub const ZONEFS: Mark = Mark::new(0, b"SFOZ");
    /// fs/hpfs/hpfs.h, `struct hpfs_super_block` in sector 16.
    pub const HPFS: Mark = Mark::new(16 * SECTOR, b"\x49\xe8\x95\xf9");
    /// fs/freevxfs/vxfs.h, `VXFS_SUPER_MAGIC`.
    pub const VXFS: Mark = Mark::new(KIB, b"\xf5\xfc\x01\xa5");
    /// The same of HP-UX.
    pub const VXFS_BE: Mark = Mark::new(8 * KIB, b"\xa5\x01\xfc\xf5");
    /// include/uapi/linux/bfs_fs.h, `BFS_MAGIC`.
    pub const BFS: Mark = Mark::new(0, b"\xce\xfa\xad\x1b");
    /// fs/befs/befs_fs_types.h, `struct befs_super_block`, `magic1`.
    pub const BEFS: Mark = Mark::new(32, b"BFS1");
    /// The same of another byte order.
    pub const BEFS_BE: Mark = Mark::new(32, b"1SFB");
    /// Where a boot sector stands before it.
    pub const BEFS_BEHIND_SECTOR: u64 = SECTOR + 32;
    /// libblkid's `scoutfs.c`.
    pub const SCOUTFS: Mark = Mark::new(64 * KIB + 4, b"\x8b\x42\x3c\x10");
    /// libblkid's `netware.c`.
    pub const NSS: Mark = Mark::new(4 * KIB, b"SPB5");
}
