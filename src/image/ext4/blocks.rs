//! Where a file's blocks lie: trees of extents, and the older maps of blocks.
//!
//! Promises: a file's [`Runs`] are judged as a whole before any is read. They ascend without overlap, so a tree whose nodes
//! lead to each other, or to the same leaf again and again, is refused at the second visit; what was never written reads as zeroes,
//! as it does for the kernel.

use anyhow::{Context, Result, ensure};

use super::checksum::Checksum;
use super::inode::{Inode, Inodes, u16_at, u32_at};
use crate::spec::ondisk::ext4;
use crate::sys::budget::Held;

/// Runs that are accounted for at once.
const STEP: usize = 1024;

/// Blocks of a file that lie together on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first one's number in the file.
    pub first: u64,
    /// How many there are.
    pub count: u64,
    /// The first one's number in the file system.
    pub place: u64,
}

/// All that was written of a file, in its order; between the runs are zeroes.
#[derive(Debug)]
pub struct Runs {
    list: Vec<Run>,
    held: Held,
}

impl Runs {
    /// Those of a file, a directory or a long link.
    ///
    /// # Errors
    /// A tree or map that is damaged; the budget's.
    pub fn of(inodes: &Inodes, inode: &Inode) -> Result<Self> {
        let mut runs = Self { list: Vec::new(), held: inodes.budget.hold(0)? };
        let flags = u32_at(&inode.record, ext4::I_FLAGS)?;
        ensure!(flags & ext4::ENCRYPT_FL == 0, "it is encrypted");
        let root = inode.record.get(ext4::I_BLOCK..ext4::I_BLOCK_END).context("an inode is too short")?;
        let limit = inode.size.div_ceil(inodes.block);
        if flags & ext4::EXTENTS_FL != 0 {
            let mut tree = Tree {
                inodes,
                seed: inodes.seed_of(inode.number, &inode.record)?,
                next: 0,
                limit,
                runs: &mut runs,
            };
            tree.node(root, None)?;
        } else {
            Map { inodes, limit, runs: &mut runs }.all(root)?;
        }
        Ok(runs)
    }

    /// The runs, ascending.
    pub fn list(&self) -> &[Run] {
        &self.list
    }

    fn push(&mut self, run: Run) -> Result<()> {
        if let Some(last) = self.list.last_mut()
            && (last.first + last.count, last.place + last.count) == (run.first, run.place)
        {
            last.count += run.count;
            return Ok(());
        }
        if self.list.len().is_multiple_of(STEP) {
            // a vector that grows is there twice for a moment
            self.held.grow(2 * (STEP * size_of::<Run>()) as u64)?;
        }
        self.list.push(run);
        Ok(())
    }
}

/// A tree of extents (`fs/ext4/ext4_extents.h`).
struct Tree<'a> {
    inodes: &'a Inodes,
    seed: Option<Checksum>,
    /// No extent may begin before it.
    next: u64,
    /// Blocks that the file has by its length; what lies behind isn't its content.
    limit: u64,
    runs: &'a mut Runs,
}

impl Tree<'_> {
    fn node(&mut self, node: &[u8], depth: Option<u16>) -> Result<()> {
        const LENGTH: usize = ext4::EXTENT_LENGTH;
        let damaged = "its extents are damaged";
        ensure!(u16_at(node, ext4::EH_MAGIC)? == ext4::EXT_MAGIC, damaged);
        let (count, deep) = (u16_at(node, ext4::EH_ENTRIES)?, u16_at(node, ext4::EH_DEPTH)?);
        ensure!(depth.is_none_or(|depth| depth == deep) && deep <= ext4::MAX_EXTENT_DEPTH, damaged);
        // only a file without content has a node without entries: each node brings the whole on
        ensure!(count > 0 || depth.is_none(), damaged);
        for number in 0..usize::from(count) {
            let at = LENGTH + number * LENGTH;
            let entry = node.get(at..at + LENGTH).context("its extents end early")?;
            let first = u64::from(u32_at(entry, ext4::EE_BLOCK)?);
            ensure!(first >= self.next, "its extents overlap");
            if deep > 0 {
                let high = u64::from(u16_at(entry, ext4::EI_LEAF_HI)?);
                let place = high << 32 | u64::from(u32_at(entry, ext4::EI_LEAF_LO)?);
                let below = self.inodes.block(place)?;
                self.require_checksum(&below)?;
                self.node(&below, Some(deep - 1))?;
                ensure!(self.next > first, damaged);
            } else {
                self.extent(entry, first)?;
            }
        }
        Ok(())
    }

    fn extent(&mut self, entry: &[u8], first: u64) -> Result<()> {
        let length = u16_at(entry, ext4::EE_LEN)?;
        let high = u64::from(u16_at(entry, ext4::EE_START_HI)?);
        let place = high << 32 | u64::from(u32_at(entry, ext4::EE_START_LO)?);
        let written = length <= ext4::EXT_INIT_MAX_LEN;
        let count = u64::from(if written { length } else { length - ext4::EXT_INIT_MAX_LEN });
        ensure!(count > 0, "an extent is empty");
        self.next = first + count;
        let within = self.next.min(self.limit).saturating_sub(first);
        if written && within > 0 { self.runs.push(Run { first, count: within, place }) } else { Ok(()) }
    }

    fn require_checksum(&self, node: &[u8]) -> Result<()> {
        let Some(seed) = self.seed else { return Ok(()) };
        let length = ext4::EXTENT_LENGTH * (1 + usize::from(u16_at(node, ext4::EH_MAX)?));
        let content = node.get(..length).context("its extents end early")?;
        ensure!(seed.and(content).value() == u32_at(node, length)?, "its extents have another checksum");
        Ok(())
    }
}

/// Twelve blocks, and then blocks of numbers of blocks, three deep (`fs/ext4/indirect.c`).
struct Map<'a> {
    inodes: &'a Inodes,
    limit: u64,
    runs: &'a mut Runs,
}

impl Map<'_> {
    fn all(&mut self, root: &[u8]) -> Result<()> {
        let mut next = 0;
        for number in 0..root.len() / 4 {
            let depth = u32::try_from((number + 1).saturating_sub(ext4::NDIR_BLOCKS)).unwrap_or(u32::MAX);
            next = self.level(u64::from(u32_at(root, 4 * number)?), depth, next)?;
        }
        ensure!(next >= self.limit, "it is longer than a file without extents can be");
        Ok(())
    }

    /// What lies below this number, of which the first block is `first`; gives the one behind.
    fn level(&mut self, place: u64, depth: u32, first: u64) -> Result<u64> {
        let each = self.inodes.block / 4;
        let behind = first.saturating_add(each.saturating_pow(depth));
        if place == 0 || first >= self.limit {
            return Ok(behind);
        }
        if depth == 0 {
            self.runs.push(Run { first, count: 1, place })?;
            return Ok(behind);
        }
        let numbers = self.inodes.block(place)?;
        let mut next = first;
        for number in numbers.chunks_exact(4) {
            if next >= self.limit {
                break;
            }
            next = self.level(u64::from(u32_at(number, 0)?), depth - 1, next)?;
        }
        Ok(behind)
    }
}
