//! Volume managers, encryption, RAID and caches: a module each, with its source.
//!
//! `drivers/…` and `include/…` are the kernel's, `libblkid` is util-linux 2.42's `libblkid/src/superblocks`.

/// LVM2: `struct label_header` of lib/label/label.h, in one of the first `LABEL_SCAN_SECTORS` sectors.
pub mod lvm2 {
    use super::super::{Mark, SECTOR};

    /// `LABEL_ID` at each of its places.
    pub const LABELS: [Mark; 4] = [label(0), label(1), label(2), label(3)];

    const fn label(sector: u64) -> Mark {
        Mark::new(sector * SECTOR, b"LABELONE")
    }
}

/// md: include/uapi/linux/raid/md_p.h, `mdp_super_t` (0.90) and `struct mdp_superblock_1`; places by drivers/md/md.c,
/// `super_1_load`, and `MD_NEW_SIZE_SECTORS`.
pub mod md {
    use super::super::KIB;

    /// `MD_SB_MAGIC`; that of version 0.90 is in the order of the machine that made it.
    pub const MAGIC: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();
    /// The same of a big-endian machine.
    pub const MAGIC_BE: [u8; 4] = 0xa92b_4efc_u32.to_be_bytes();
    /// Where versions 1.1 and 1.2 begin.
    pub const AT_START: [u64; 2] = [0, 4 * KIB];
    /// `MD_RESERVED_BYTES`.
    const RESERVED: u64 = 64 * KIB;

    /// Where version 1.0 begins: at least 8 KiB before the end, on 4 KiB.
    pub const fn version_1_0(size: u64) -> Option<u64> {
        (size / (4 * KIB) * (4 * KIB)).checked_sub(8 * KIB)
    }

    /// Where version 0.90 begins: at least 64 KiB before the end, on 64 KiB.
    pub const fn version_0_90(size: u64) -> Option<u64> {
        (size / RESERVED * RESERVED).checked_sub(RESERVED)
    }
}

/// ZFS: `vdev_label_t` of include/sys/vdev_impl.h, two at each end; ZFS On-Disk Specification, chapter 1.
pub mod zfs {
    /// Length of a label, and what the space for labels is rounded to.
    pub const LABEL: u64 = 256 << 10;
    /// `vl_vdev_phys` in a label: names and values.
    pub const VDEV_PHYS: u64 = 16 << 10;
    /// `VDEV_PHYS_SIZE`.
    pub const VDEV_PHYS_SIZE: u64 = 112 << 10;
    /// `vl_uberblock` in a label, to its end (`VDEV_UBERBLOCK_RING`).
    pub const UBERBLOCK_RING: u64 = 128 << 10;
    /// The least distance of two uberblocks (`VDEV_UBERBLOCK_SHIFT`).
    pub const UBERBLOCK: u64 = 1024;
    /// `UBERBLOCK_MAGIC`, in the order of the machine that wrote it.
    pub const UBERBLOCK_MAGIC: u64 = 0x00ba_b10c;
}

/// LUKS On-Disk Format (1.2) and LUKS2 On-Disk Format, section 2.1.
pub mod luks {
    use super::super::Mark;

    /// `LUKS_MAGIC_1ST`.
    pub const MAGIC: Mark = Mark::new(0, b"LUKS\xba\xbe");
    /// `LUKS_MAGIC_2ND`: the second header, behind the first, which is 16 KiB to 4 MiB long.
    pub const SECOND: [Mark; 9] = [
        second(16 << 10),
        second(32 << 10),
        second(64 << 10),
        second(128 << 10),
        second(256 << 10),
        second(512 << 10),
        second(1 << 20),
        second(2 << 20),
        second(4 << 20),
    ];

    const fn second(at: u64) -> Mark {
        Mark::new(at, b"SKUL\xba\xbe")
    }
}

/// drivers/md/bcache/bcache_ondisk.h, `struct cache_sb_disk`, and fs/bcachefs/bcachefs_format.h (Linux 6.17), `struct bch_sb`:
/// from sector 8 on, the magic number 24 bytes in.
pub mod bcache {
    use super::super::{KIB, Mark, SECTOR};

    const SB_SECTOR: u64 = 8;
    const MAGIC_IN_SB: u64 = 24;
    /// `bcache_magic`.
    pub const BCACHE: Mark = Mark::new(
        SB_SECTOR * SECTOR + MAGIC_IN_SB,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
    );
    /// `BCHFS_MAGIC`.
    pub const BCACHEFS: Mark = Mark::new(
        SB_SECTOR * SECTOR + MAGIC_IN_SB,
        b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef",
    );
    /// Its copy 2 MiB in.
    pub const BCACHEFS_COPY: u64 = 2048 * KIB + MAGIC_IN_SB;
    /// Its copy in the last MiB, before the end.
    pub const BCACHEFS_BEFORE_END: u64 = 1024 * KIB - MAGIC_IN_SB;
}

/// Stratis: the static header (stratisd, `src/engine/strat_engine/backstore/.../static_header.rs`), twice, the magic number
/// behind a checksum.
pub mod stratis {
    use super::super::{Mark, SECTOR};

    const CHECKSUM: u64 = 4;
    /// In the first copy.
    pub const MAGIC: Mark = Mark::new(SECTOR + CHECKSUM, b"!Stra0tis\x86\xff\x02^\x41rh");
    /// In the second one.
    pub const SECOND: u64 = 9 * SECTOR + CHECKSUM;
}

/// VMware's: libblkid's `vmfs.c`; `vmfs_volume.h` and `vmfs_fs.h` of vmfs-tools.
pub mod vmfs {
    use super::super::Mark;

    /// `VMFS_VOLINFO_BASE`, `VMFS_VOLINFO_MAGIC`.
    pub const VOLUME: Mark = Mark::new(1 << 20, &0xc001_d00d_u32.to_le_bytes());
    /// `VMFS_FSINFO_BASE`, `VMFS_FSINFO_MAGIC`.
    pub const FILESYSTEM: Mark = Mark::new(2 << 20, &0x2fab_f15e_u32.to_le_bytes());
    /// The same in a volume of VMFS 5, where it is counted from 16 MiB on.
    pub const FILESYSTEM_IN_VOLUME: u64 = 18 << 20;
}

/// What begins with its mark: drivers/md/dm-*.c, and the tools' own headers as libblkid has them.
pub mod others {
    use super::super::{KIB, Mark, SECTOR};

    /// drivers/md/dm-snap-persistent.c, `SNAP_MAGIC`.
    pub const SNAPSHOT_COW: Mark = Mark::new(0, b"SnAp");
    /// veritysetup's superblock, `VERITY_SIGNATURE`.
    pub const VERITY: Mark = Mark::new(0, b"verity\0\0");
    /// drivers/md/dm-integrity.c, `SB_MAGIC`.
    pub const INTEGRITY: Mark = Mark::new(0, b"integrt\0");
    /// drivers/md/dm-vdo/encodings.c, `VDO_GEOMETRY_MAGIC_NUMBER`.
    pub const VDO: Mark = Mark::new(0, b"dmvdo001");
    /// Ceph's `BlueStore::_read_bdev_label`.
    pub const BLUESTORE: Mark = Mark::new(0, b"bluestore block device");
    /// drbdmanage's control volume.
    pub const DRBDMANAGE: Mark = Mark::new(0, b"$DRBDmgr=q");
    /// DRBD Proxy's log.
    pub const DRBD_PROXY: Mark = Mark::new(0, b"DRBDdlh*");
    /// Oracle ASM's disk header, behind 32 bytes.
    pub const ORACLE_ASM: Mark = Mark::new(32, b"ORCLDISK");
    /// drivers/block/drbd/drbd_main.c, `struct meta_data_on_disk`, `magic`: in the last 4 KiB, 60 bytes in; three versions.
    pub const DRBD_BEFORE_END: [Mark; 3] =
        [drbd(b"\x83\x74\x02\x6b"), drbd(b"\x83\x74\x02\x6c"), drbd(b"\x83\x74\x02\x6d")];

    const fn drbd(magic: &'static [u8]) -> Mark {
        Mark::new(4 * KIB - 60, magic)
    }

    /// HighPoint 37x, in the tenth sector.
    pub const HPT37X: [Mark; 2] = [
        Mark::new(4 * KIB + SECTOR + 32, b"\xf0\x16\x78\x5a"),
        Mark::new(4 * KIB + SECTOR + 32, b"\xfd\x16\x78\x5a"),
    ];
}

/// RAID that firmware makes: by libblkid, at the end of a whole disk.
pub mod firmware_raid {
    use super::super::{Mark, SECTOR};

    /// SNIA's Common RAID Disk Data Format, section 4.3: the anchor header in the last block.
    pub const DDF: Mark = Mark::new(SECTOR, b"\xde\x11\xde\x11");
    /// The same where firmware keeps 128 KiB behind it.
    pub const DDF_EARLIER: u64 = 257 * SECTOR;
    /// mdadm's super-intel.c, `MPB_SIGNATURE`: the last block but one.
    pub const INTEL: Mark = Mark::new(2 * SECTOR, b"Intel Raid ISM Cfg Sig. ");
    /// LSI MegaRAID.
    pub const LSI: Mark = Mark::new(SECTOR, b"$XIDE$");
    /// NVIDIA.
    pub const NVIDIA: Mark = Mark::new(2 * SECTOR, b"NVIDIA  ");
    /// HighPoint 45x.
    pub const HPT45X: [Mark; 2] =
        [Mark::new(11 * SECTOR, b"\xf3\x16\x78\x5a"), Mark::new(11 * SECTOR, b"\xfd\x16\x78\x5a")];
    /// Adaptec.
    pub const ADAPTEC: Mark = Mark::new(SECTOR, b"\x37\xfc\x4d\x1e");
    /// How many sectors before the end Promise's controllers keep theirs.
    pub const PROMISE_SECTORS: [u64; 13] = [63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951, 3087];
    /// And what stands there.
    pub const PROMISE: &[u8] = b"Promise Technology, Inc.";
}
