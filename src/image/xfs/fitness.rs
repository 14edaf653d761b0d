//! Whether the agent can mount an XFS file system, write to it and grow it: judged by its superblock, at import.
//!
//! `fs/xfs/libxfs/xfs_sb.c` (`xfs_sb_validate_v5_features`) of Linux 6.1, the oldest kernel that agents run on; what newer ones know
//! besides isn't taken. XFS grows while it is mounted, whatever its features.

use std::fmt;

use crate::spec::ondisk::filesystems::xfs;

/// Room for what the agent writes on a disk that is no larger than the image.
const NEEDED_BYTES: u64 = 1 << 20;
/// Of what is free the kernel gives nobody: 5 % of all blocks, at most this many (`xfs_default_resblks` of fs/xfs/xfs_mount.c);
const POOL_BLOCKS: u64 = 8192;
/// in each group what freeing takes (`xfs_alloc_set_aside` of fs/xfs/libxfs/xfs_alloc.c);
const ASIDE_BLOCKS: u64 = 8;
/// and what the groups' trees of owners, shared blocks and free inodes can grow to, 2 % together at most
/// (`xfs_ag_resv_init` of fs/xfs/libxfs/xfs_ag_resv.c and what it calls).
const TREES_SHARE: u64 = 50;
/// What a kernel with the smallest pages mounts.
const MAX_BLOCK: u64 = 4096;
/// `XFS_SB_FEAT_INCOMPAT_*`: types in directories, sparse inodes, a UUID that was changed, large times, large counters of extents.
const INCOMPAT: u32 = 0x1 | 0x2 | 0x4 | 0x8 | 0x20;
/// `XFS_SB_FEAT_INCOMPAT_NEEDSREPAIR`.
const NEEDS_REPAIR: u32 = 0x10;
/// `XFS_SB_FEAT_RO_COMPAT_*`: a tree of free inodes, of owners, shared blocks, counts of inodes.
const RO_COMPAT: u32 = 0x1 | 0x2 | 0x4 | 0x8;
/// Newer features: bit, and what turns it off in mkfs.xfs(8).
const NEWER: [(u32, &str); 3] = [(0x40, "-i exchange=0"), (0x80, "-n parent=0"), (0x100, "-m metadir=0")];

/// Why a file system can't be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfitness {
    /// It is of this version.
    Version(u16),
    /// It is marked as damaged.
    NeedsRepair,
    /// It has these features: incompatible ones, and those with which it can only be read.
    Features(u32, u32),
    /// Its log or a part of its data is on another device.
    Elsewhere(&'static str),
    /// Its blocks have so many bytes.
    LargeBlocks(u64),
    /// So many bytes are missing.
    Full(u64),
}

/// Judges a superblock.
///
/// # Errors
/// What is wrong.
pub fn judge(superblock: &[u8]) -> Result<(), Unfitness> {
    let number = |at, length| xfs::number(superblock, at, length);
    let version = number(xfs::SB_VERSIONNUM, 2) as u16 & xfs::VERSION_NUMBITS;
    if version != 5 {
        return Err(Unfitness::Version(version));
    }
    let incompat = number(xfs::SB_FEATURES_INCOMPAT, 4) as u32;
    let ro_compat = number(xfs::SB_FEATURES_RO_COMPAT, 4) as u32;
    if incompat & NEEDS_REPAIR != 0 {
        return Err(Unfitness::NeedsRepair);
    }
    let (incompat, ro_compat) = (incompat & !INCOMPAT, ro_compat & !RO_COMPAT);
    if incompat | ro_compat != 0 {
        return Err(Unfitness::Features(incompat, ro_compat));
    }
    if number(xfs::SB_LOGSTART, 8) == 0 {
        return Err(Unfitness::Elsewhere("log"));
    }
    if number(xfs::SB_RBLOCKS, 8) != 0 {
        return Err(Unfitness::Elsewhere("real-time section"));
    }
    let block = number(xfs::SB_BLOCKSIZE, 4);
    if block > MAX_BLOCK {
        return Err(Unfitness::LargeBlocks(block));
    }
    let (all, groups) = (number(xfs::SB_DBLOCKS, 8), number(xfs::SB_AGCOUNT, 4));
    let reserved = (all / 20).min(POOL_BLOCKS) + groups * ASIDE_BLOCKS + all / TREES_SHARE;
    let needed = NEEDED_BYTES.saturating_add(reserved.saturating_mul(block));
    match needed.saturating_sub(number(xfs::SB_FDBLOCKS, 8).saturating_mul(block)) {
        0 => Ok(()),
        missing => Err(Unfitness::Full(missing)),
    }
}

/// Bytes of the file system.
pub fn size(superblock: &[u8]) -> u64 {
    let number = |at, length| xfs::number(superblock, at, length);
    number(xfs::SB_DBLOCKS, 8).saturating_mul(number(xfs::SB_BLOCKSIZE, 4))
}

/// In words that follow on "the xfs file system".
impl fmt::Display for Unfitness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(
                f,
                "is of version {version}, which newer kernels don't mount; make it anew with `mkfs.xfs -m crc=1`"
            ),
            Self::NeedsRepair => f.write_str("is marked as damaged; run `xfs_repair` on it"),
            Self::Features(incompat, ro_compat) => {
                write!(
                    f,
                    "has features that Linux 6.1 doesn't know (incompat {incompat:#x}, ro_compat {ro_compat:#x}); make it anew with `mkfs.xfs"
                )?;
                for (bit, option) in NEWER {
                    if incompat & bit != 0 {
                        write!(f, " {option}")?;
                    }
                }
                f.write_str("`")
            }
            Self::Elsewhere(what) => write!(
                f,
                "has its {what} on another device, which machines don't have; make it anew with that inside"
            ),
            Self::LargeBlocks(bytes) => write!(
                f,
                "has blocks of {bytes} bytes, larger than a page of memory; make it anew with `mkfs.xfs -b size={MAX_BLOCK}`"
            ),
            Self::Full(bytes) => write!(
                f,
                "is full: to make it a host's, {bytes} bytes are missing beside what the kernel keeps for itself; delete something in it, as package caches and logs, or make it larger"
            ),
        }
    }
}
