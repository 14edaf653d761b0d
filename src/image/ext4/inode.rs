//! Inodes of an ext4 file system as they lie on the disk.
//!
//! Promises: every length and offset is checked, so that a damaged file system is an error and never a panic; checksums are
//! compared where the file system has them; nothing is followed.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use uuid::Uuid;

use super::checksum::Checksum;
use crate::spec::ondisk::ext4;
use crate::sys::block::BlockDevice;
use crate::sys::budget::Budget;

/// The root directory's number.
pub const ROOT: u32 = ext4::ROOT_INO;
/// Types in directories, extents, 64-bit numbers, flexible groups, a seed of checksums, large directories; encryption, where it
/// isn't used.
const UNDERSTOOD: u32 = ext4::INCOMPAT_FILETYPE
    | ext4::INCOMPAT_EXTENTS
    | ext4::INCOMPAT_64BIT
    | ext4::INCOMPAT_FLEX_BG
    | ext4::INCOMPAT_CSUM_SEED
    | ext4::INCOMPAT_LARGEDIR
    | ext4::INCOMPAT_ENCRYPT;
/// No block is longer.
const LONGEST_BLOCK: u64 = 64 << 10;

/// What an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InodeKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device: major and minor number.
    Character(u32, u32),
    /// A block device: major and minor number.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket, which exists only while somebody listens.
    Socket,
}

/// A time stamp.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// And nanoseconds, below 10⁹.
    pub nanoseconds: u32,
}

/// One inode.
#[derive(Debug, Clone)]
pub struct Inode {
    /// Its number.
    pub number: u32,
    /// What it is.
    pub kind: InodeKind,
    /// Permissions with set-id and sticky bits, below 0o10000.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length of the content in bytes.
    pub size: u64,
    /// When the content changed.
    pub modified: Time,
    /// How many names it has.
    pub names: u16,
    /// The whole record, in which attributes may stand.
    pub(in crate::image) record: Vec<u8>,
    /// The block with more attributes; none if 0.
    pub(in crate::image) attributes: u64,
}

/// The inodes of one file system.
pub struct Inodes {
    device: Arc<dyn BlockDevice>,
    start: u64,
    length: u64,
    /// Bytes of a block.
    pub(super) block: u64,
    record: u16,
    count: u32,
    per_group: u32,
    /// Where the groups' descriptors begin, how long each is, and whether it has high halves.
    descriptors: u64,
    descriptor: u64,
    wide: bool,
    /// What checksums begin with, where there are some.
    seed: Option<Checksum>,
    uuid: Uuid,
    pub(super) budget: Budget,
}

impl std::fmt::Debug for Inodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inodes").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

impl Inodes {
    /// The file system that begins at this byte of the device; what is read of it is drawn from this budget.
    ///
    /// # Errors
    /// Not ext4, damaged, not cleanly unmounted, or with a feature that isn't understood.
    pub fn open(device: Arc<dyn BlockDevice>, start: u64, length: u64, budget: Budget) -> Result<Self> {
        let mut superblock = vec![0; ext4::SUPERBLOCK_LENGTH];
        ensure!(length > 2 * ext4::SUPERBLOCK, "{length} bytes are too few for ext4");
        device.read_at(start + ext4::SUPERBLOCK, &mut superblock).context("reading the superblock")?;
        require_understood(&superblock, start)?;
        let block = 1024u64 << u32_at(&superblock, ext4::S_LOG_BLOCK_SIZE)?.min(16);
        ensure!(block <= LONGEST_BLOCK, "its blocks have {block} bytes, which is impossible");
        let record = u16_at(&superblock, ext4::S_INODE_SIZE)?;
        ensure!(
            (128..=4096).contains(&record) && u64::from(record) <= block,
            "its inodes have {record} bytes, which is impossible"
        );
        let count = u32_at(&superblock, ext4::S_INODES_COUNT)?;
        let per_group = u32_at(&superblock, ext4::S_INODES_PER_GROUP)?;
        ensure!(per_group > 0 && count >= ROOT, "it has no inodes");
        let wide = u32_at(&superblock, ext4::S_FEATURE_INCOMPAT)? & ext4::INCOMPAT_64BIT != 0;
        let descriptor =
            if wide { u64::from(u16_at(&superblock, ext4::S_DESC_SIZE)?) } else { ext4::MIN_DESC_SIZE };
        ensure!(
            (ext4::MIN_DESC_SIZE..=1024).contains(&descriptor),
            "its group descriptors have {descriptor} bytes"
        );
        let descriptors = (u64::from(u32_at(&superblock, ext4::S_FIRST_DATA_BLOCK)?) + 1) * block;
        let uuid = superblock[ext4::S_UUID..].first_chunk().copied().map(Uuid::from_bytes);
        let uuid = uuid.context("a structure ends early")?;
        let seed = seed(&superblock, uuid)?;
        Ok(Self {
            device,
            start,
            length,
            block,
            record,
            count,
            per_group,
            descriptors,
            descriptor,
            wide,
            seed,
            uuid,
            budget,
        })
    }

    /// UUID of the file system.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// Bytes of the file system.
    pub(super) fn read_into(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.length);
        ensure!(end.is_some(), "byte {offset} is outside the file system");
        self.budget.read(bytes.len() as u64)?;
        Ok(self.device.read_at(self.start + offset, bytes)?)
    }

    fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        ensure!(length <= LONGEST_BLOCK, "a structure of {length} bytes is impossible");
        let mut bytes = vec![0; usize::try_from(length).context("sizing a read")?];
        self.read_into(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// One block.
    pub(in crate::image) fn block(&self, number: u64) -> Result<Vec<u8>> {
        let offset = number.checked_mul(self.block).context("a block number is impossible")?;
        self.read(offset, self.block)
    }

    /// First block of a group's inodes.
    fn table(&self, group: u32) -> Result<u64> {
        let bytes = self.read(self.descriptors + u64::from(group) * self.descriptor, self.descriptor)?;
        if let Some(seed) = self.seed {
            let (before, behind) = bytes.split_at(ext4::BG_CHECKSUM);
            let behind = behind.get(2..).unwrap_or_default();
            let found = seed.and(&group.to_le_bytes()).and(before).and(&[0; 2]).and(behind).value();
            let said = u16_at(&bytes, ext4::BG_CHECKSUM)?;
            ensure!(
                found & 0xffff == u32::from(said),
                "the descriptor of group {group} has another checksum"
            );
        }
        let low = u64::from(u32_at(&bytes, ext4::BG_INODE_TABLE_LO)?);
        let has_high = self.wide && self.descriptor >= ext4::MIN_DESC_SIZE_64BIT;
        let high = if has_high { u64::from(u32_at(&bytes, ext4::BG_INODE_TABLE_HI)?) } else { 0 };
        Ok(high << 32 | low)
    }

    /// One inode.
    ///
    /// # Errors
    /// A number that there isn't, or a damaged record.
    pub fn get(&self, number: u32) -> Result<Inode> {
        ensure!((1..=self.count).contains(&number), "there is no inode {number}");
        let (group, index) = ((number - 1) / self.per_group, (number - 1) % self.per_group);
        let size = u64::from(self.record);
        let reading = || format!("reading inode {number}");
        let offset = self.table(group).with_context(reading)?.checked_mul(self.block);
        let offset = offset.and_then(|offset| offset.checked_add(u64::from(index) * size));
        let record =
            self.read(offset.context("a table's place is impossible")?, size).with_context(reading)?;
        self.require_checksum(number, &record).and_then(|()| parse(number, record)).with_context(reading)
    }

    /// What the checksums of an inode's own structures begin with.
    pub(super) fn seed_of(&self, number: u32, record: &[u8]) -> Result<Option<Checksum>> {
        let generation = u32_at(record, ext4::I_GENERATION)?;
        Ok(self.seed.map(|seed| seed.and(&number.to_le_bytes()).and(&generation.to_le_bytes())))
    }

    fn require_checksum(&self, number: u32, record: &[u8]) -> Result<()> {
        const LO: usize = ext4::I_CHECKSUM_LO;
        const HI: usize = ext4::I_CHECKSUM_HI;
        const OLD: usize = ext4::GOOD_OLD_INODE_SIZE;
        let Some(seed) = self.seed_of(number, record)? else { return Ok(()) };
        let (old, new) = record.split_at_checked(OLD).context("an inode is too short")?;
        let mut sum = seed.and(&old[..LO]).and(&[0; 2]).and(&old[LO + 2..]);
        let low = u32::from(u16_at(record, LO)?);
        let has_high = extra_size(record)? >= HI + 2 - OLD;
        let (said, mask) = match has_high {
            true => {
                sum = sum.and(&new[..HI - OLD]).and(&[0; 2]).and(&new[HI + 2 - OLD..]);
                (u32::from(u16_at(record, HI)?) << 16 | low, u32::MAX)
            }
            false => {
                sum = sum.and(new);
                (low, 0xffff)
            }
        };
        ensure!(sum.value() & mask == said, "it has another checksum: the file system is damaged");
        Ok(())
    }
}

fn require_understood(superblock: &[u8], start: u64) -> Result<()> {
    ensure!(u16_at(superblock, ext4::S_MAGIC)? == ext4::SUPER_MAGIC, "there is no ext4 at byte {start}");
    let features = u32_at(superblock, ext4::S_FEATURE_INCOMPAT)?;
    ensure!(
        features & ext4::INCOMPAT_RECOVER == 0,
        "its file system was not unmounted cleanly: its journal holds changes that aren't in their place; mount and unmount it, or run `e2fsck -fy` on it, and import the image again"
    );
    let unknown = features & !UNDERSTOOD;
    ensure!(
        unknown == 0,
        "its file system has features (incompatible bits {unknown:#x}) that ironstrap doesn't understand; make it by mke2fs without them"
    );
    ensure!(
        features & ext4::INCOMPAT_FILETYPE != 0,
        "its directories don't say what is a file (feature `filetype`); make it by mke2fs's defaults"
    );
    Ok(())
}

/// What checksums begin with, where the file system has some: its own is compared.
fn seed(superblock: &[u8], uuid: Uuid) -> Result<Option<Checksum>> {
    if u32_at(superblock, ext4::S_FEATURE_RO_COMPAT)? & ext4::RO_COMPAT_METADATA_CSUM == 0 {
        return Ok(None);
    }
    let found = Checksum::NONE.and(superblock.get(..ext4::S_CHECKSUM).unwrap_or_default());
    ensure!(
        found.value() == u32_at(superblock, ext4::S_CHECKSUM)?,
        "its superblock has another checksum: the file system is damaged"
    );
    let seeded = u32_at(superblock, ext4::S_FEATURE_INCOMPAT)? & ext4::INCOMPAT_CSUM_SEED != 0;
    Ok(Some(match seeded {
        true => Checksum::from(u32_at(superblock, ext4::S_CHECKSUM_SEED)?),
        false => Checksum::NONE.and(uuid.as_bytes()),
    }))
}

fn parse(number: u32, record: Vec<u8>) -> Result<Inode> {
    const HAS_MTIME_EXTRA: usize = ext4::I_MTIME_EXTRA + 4 - ext4::GOOD_OLD_INODE_SIZE;
    let mode = u16_at(&record, ext4::I_MODE)?;
    let device = || device_numbers(&record);
    let kind = match mode >> 12 {
        0x1 => InodeKind::Fifo,
        0x2 => device().map(|(major, minor)| InodeKind::Character(major, minor))?,
        0x4 => InodeKind::Directory,
        0x6 => device().map(|(major, minor)| InodeKind::Block(major, minor))?,
        0x8 => InodeKind::File,
        0xa => InodeKind::Symlink,
        0xc => InodeKind::Socket,
        other => bail!("its type {other:#x} is impossible"),
    };
    let wide = |low: usize, high: usize| -> Result<u32> {
        Ok(u32::from(u16_at(&record, high)?) << 16 | u32::from(u16_at(&record, low)?))
    };
    let extra =
        if extra_size(&record)? >= HAS_MTIME_EXTRA { u32_at(&record, ext4::I_MTIME_EXTRA)? } else { 0 };
    // seconds are signed; two more bits carry them to the year 2446
    let seconds = i64::from(u32_at(&record, ext4::I_MTIME)?.cast_signed()) + (i64::from(extra & 3) << 32);
    Ok(Inode {
        number,
        kind,
        mode: u32::from(mode & 0o7777),
        uid: wide(ext4::I_UID, ext4::I_UID_HIGH)?,
        gid: wide(ext4::I_GID, ext4::I_GID_HIGH)?,
        size: u64::from(u32_at(&record, ext4::I_SIZE_HIGH)?) << 32
            | u64::from(u32_at(&record, ext4::I_SIZE_LO)?),
        modified: Time { seconds, nanoseconds: (extra >> 2).min(999_999_999) },
        names: u16_at(&record, ext4::I_LINKS_COUNT)?,
        attributes: u64::from(u16_at(&record, ext4::I_FILE_ACL_HIGH)?) << 32
            | u64::from(u32_at(&record, ext4::I_FILE_ACL_LO)?),
        record,
    })
}

/// How far the record goes beyond its first bytes, which all have.
pub(in crate::image) fn extra_size(record: &[u8]) -> Result<usize> {
    if record.len() <= ext4::GOOD_OLD_INODE_SIZE {
        return Ok(0);
    }
    let size = usize::from(u16_at(record, ext4::I_EXTRA_ISIZE)?);
    ensure!(ext4::GOOD_OLD_INODE_SIZE + size <= record.len(), "an inode says that it is longer than it is");
    Ok(size)
}

/// The old form has 8 bits each, the new one 12 and 20 (the kernel's `old_decode_dev`, `new_decode_dev`).
fn device_numbers(record: &[u8]) -> Result<(u32, u32)> {
    let old = u32_at(record, ext4::I_BLOCK)?;
    if old != 0 {
        return Ok((old >> 8 & 0xff, old & 0xff));
    }
    let new = u32_at(record, ext4::I_BLOCK + 4)?;
    Ok(((new & 0xf_ff00) >> 8, (new & 0xff) | (new >> 12 & 0xf_ff00)))
}

pub(in crate::image) fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk()).context("a structure ends early")?;
    Ok(u16::from_le_bytes(*bytes))
}

pub(in crate::image) fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk()).context("a structure ends early")?;
    Ok(u32::from_le_bytes(*bytes))
}
