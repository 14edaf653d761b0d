//! Inodes of an ext4 file system as they lie on the disk: what the reader of contents keeps to itself.
//!
//! `ext4-view` reads contents, links and checksums; inode numbers (without which a hard link is a copy), device numbers and
//! extended attributes it doesn't tell. Only these are read here, by the layout in [`ext4`]. Promises: every length and offset is checked, so that a damaged file system is an
//! error and never a panic; nothing is followed, nothing is written. What isn't understood is refused by its feature bit.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use crate::spec::ondisk::ext4;
use crate::sys::block::BlockDevice;

/// The root directory's number.
pub const ROOT: u32 = ext4::ROOT_INO;
/// Types in directories, extents, 64-bit numbers, flexible groups, a seed of checksums, large directories.
const UNDERSTOOD: u32 = ext4::INCOMPAT_FILETYPE
    | ext4::INCOMPAT_EXTENTS
    | ext4::INCOMPAT_64BIT
    | ext4::INCOMPAT_FLEX_BG
    | ext4::INCOMPAT_CSUM_SEED
    | ext4::INCOMPAT_LARGEDIR;
/// No directory is longer: ten million names.
const LONGEST_DIRECTORY: u64 = 1 << 30;

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
    block: u64,
    record: u16,
    count: u32,
    per_group: u32,
    /// First block of each group's inodes.
    tables: Vec<u64>,
}

impl std::fmt::Debug for Inodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inodes").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Inodes {
    /// The file system that begins at this byte of the device.
    ///
    /// # Errors
    /// Not ext4, damaged, not cleanly unmounted, or with a feature that isn't understood.
    pub fn open(device: Arc<dyn BlockDevice>, start: u64, length: u64) -> Result<Self> {
        let mut superblock = vec![0; ext4::SUPERBLOCK_LENGTH];
        device.read_at(start + ext4::SUPERBLOCK, &mut superblock).context("reading the superblock")?;
        ensure!(u16_at(&superblock, ext4::S_MAGIC)? == ext4::SUPER_MAGIC, "there is no ext4 at byte {start}");
        let features = u32_at(&superblock, ext4::S_FEATURE_INCOMPAT)?;
        ensure!(
            features & ext4::INCOMPAT_RECOVER == 0,
            "its file system wasn't unmounted: its journal holds changes that aren't in their place; run `e2fsck -fy` on it and import the image again"
        );
        let unknown = features & !UNDERSTOOD;
        ensure!(
            unknown == 0,
            "its file system has features (incompatible bits {unknown:#x}) that an export doesn't understand; make it by mke2fs without them"
        );
        let block = 1024u64 << u32_at(&superblock, ext4::S_LOG_BLOCK_SIZE)?.min(16);
        ensure!(block <= 65536, "its blocks have {block} bytes, which is impossible");
        let record = u16_at(&superblock, ext4::S_INODE_SIZE)?;
        ensure!((128..=4096).contains(&record), "its inodes have {record} bytes, which is impossible");
        let count = u32_at(&superblock, ext4::S_INODES_COUNT)?;
        let per_group = u32_at(&superblock, ext4::S_INODES_PER_GROUP)?;
        ensure!(per_group > 0 && count >= ROOT, "it has no inodes");
        let wide = features & ext4::INCOMPAT_64BIT != 0;
        let descriptor =
            if wide { u64::from(u16_at(&superblock, ext4::S_DESC_SIZE)?) } else { ext4::MIN_DESC_SIZE };
        ensure!(
            (ext4::MIN_DESC_SIZE..=1024).contains(&descriptor),
            "its group descriptors have {descriptor} bytes"
        );
        let mut inodes = Self { device, start, length, block, record, count, per_group, tables: Vec::new() };
        let first = (u64::from(u32_at(&superblock, ext4::S_FIRST_DATA_BLOCK)?) + 1) * block;
        for group in 0..u64::from(count.div_ceil(per_group)) {
            let bytes = inodes.read(first + group * descriptor, descriptor)?;
            let low = u64::from(u32_at(&bytes, ext4::BG_INODE_TABLE_LO)?);
            let has_high = wide && descriptor >= ext4::MIN_DESC_SIZE_64BIT;
            let high = if has_high { u64::from(u32_at(&bytes, ext4::BG_INODE_TABLE_HI)?) } else { 0 };
            inodes.tables.push(high << 32 | low);
        }
        Ok(inodes)
    }

    /// Bytes of the file system.
    pub(in crate::image) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let end = offset.checked_add(length).filter(|end| *end <= self.length);
        ensure!(end.is_some() && length <= LONGEST_DIRECTORY, "byte {offset} is outside the file system");
        let mut bytes = vec![0; usize::try_from(length).context("sizing a read")?];
        self.device.read_at(self.start + offset, &mut bytes)?;
        Ok(bytes)
    }

    /// One block.
    pub(in crate::image) fn block(&self, number: u64) -> Result<Vec<u8>> {
        let offset = number.checked_mul(self.block).context("a block number is impossible")?;
        self.read(offset, self.block)
    }

    /// One inode.
    ///
    /// # Errors
    /// A number that there isn't, or a damaged record.
    pub fn get(&self, number: u32) -> Result<Inode> {
        ensure!((1..=self.count).contains(&number), "there is no inode {number}");
        let (group, index) = ((number - 1) / self.per_group, (number - 1) % self.per_group);
        let table = self.tables.get(group as usize).context("an inode's group is missing")?;
        let size = u64::from(self.record);
        let offset = table.checked_mul(self.block).context("a table's place is impossible")?;
        let record = self.read(offset + u64::from(index) * size, size)?;
        parse(number, record).with_context(|| format!("reading inode {number}"))
    }

    /// The names in a directory with their inodes, sorted by bytes, without `.` and `..`.
    ///
    /// # Errors
    /// A damaged directory, or one that isn't made of extents.
    pub fn list(&self, directory: &Inode) -> Result<Vec<(Vec<u8>, u32)>> {
        ensure!(
            u32_at(&directory.record, ext4::I_FLAGS)? & ext4::EXTENTS_FL != 0,
            "a directory has no extents, as in ext3: make the file system as ext4"
        );
        ensure!(directory.size <= LONGEST_DIRECTORY, "a directory of {} bytes is impossible", directory.size);
        let root = directory.record.get(ext4::I_BLOCK..ext4::I_BLOCK_END).context("an inode is too short")?;
        let mut blocks = Vec::new();
        self.extents(root, None, directory.size.div_ceil(self.block), &mut blocks)?;
        let mut names = Vec::new();
        for block in blocks {
            entries(&self.block(block)?, &mut names)?;
        }
        names.retain(|(name, _)| !matches!(name.as_slice(), b"." | b".."));
        names.sort();
        Ok(names)
    }

    /// Blocks of a tree of extents, in the order of the tree.
    fn extents(&self, node: &[u8], depth: Option<u16>, limit: u64, found: &mut Vec<u64>) -> Result<()> {
        const LENGTH: usize = ext4::EXTENT_LENGTH;
        ensure!(u16_at(node, ext4::EH_MAGIC)? == ext4::EXT_MAGIC, "a directory's extents are damaged");
        let (count, deep) = (u16_at(node, ext4::EH_ENTRIES)?, u16_at(node, ext4::EH_DEPTH)?);
        ensure!(
            depth.is_none_or(|depth| depth == deep) && deep <= ext4::MAX_EXTENT_DEPTH,
            "a directory's extents are damaged"
        );
        for number in 0..usize::from(count) {
            let at = LENGTH + number * LENGTH;
            let entry = node.get(at..at + LENGTH).context("extents end early")?;
            if deep > 0 {
                let high = u64::from(u16_at(entry, ext4::EI_LEAF_HI)?);
                let place = high << 32 | u64::from(u32_at(entry, ext4::EI_LEAF_LO)?);
                self.extents(&self.block(place)?, Some(deep - 1), limit, found)?;
                continue;
            }
            let length = u16_at(entry, ext4::EE_LEN)?;
            let high = u64::from(u16_at(entry, ext4::EE_START_HI)?);
            let place = high << 32 | u64::from(u32_at(entry, ext4::EE_START_LO)?);
            ensure!(
                (1..=ext4::EXT_INIT_MAX_LEN).contains(&length),
                "a directory has blocks that were never written"
            );
            ensure!(
                found.len() as u64 + u64::from(length) <= limit,
                "a directory has more blocks than bytes"
            );
            found.extend((0..u64::from(length)).map(|block| place + block));
        }
        Ok(())
    }
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

/// The names in one block of a directory. Nodes of a hashed directory look like an entry without an inode.
fn entries(block: &[u8], found: &mut Vec<(Vec<u8>, u32)>) -> Result<()> {
    let mut at = 0;
    while at < block.len() {
        let inode = u32_at(block, at + ext4::DE_INODE)?;
        let length = usize::from(u16_at(block, at + ext4::DE_REC_LEN)?);
        let name = usize::from(*block.get(at + ext4::DE_NAME_LEN).context("a directory ends early")?);
        ensure!(length >= ext4::DE_NAME + name && length.is_multiple_of(4), "a directory's entry is damaged");
        ensure!(at + length <= block.len(), "a directory's entry reaches past its block");
        if inode != 0 {
            let name = &block[at + ext4::DE_NAME..at + ext4::DE_NAME + name];
            ensure!(!name.is_empty() && !name.contains(&b'/'), "a name in a directory is damaged");
            found.push((name.to_vec(), inode));
        }
        at += length;
    }
    Ok(())
}

pub(in crate::image) fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk()).context("a structure ends early")?;
    Ok(u16::from_le_bytes(*bytes))
}

pub(in crate::image) fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk()).context("a structure ends early")?;
    Ok(u32::from_le_bytes(*bytes))
}
