//! Contents of files and links of ext4.

use std::io::{self, Read};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::blocks::{Run, Runs};
use super::inode::{Inode, InodeKind, Inodes};
use crate::spec::ondisk::ext4;

/// Linux's PATH_MAX: no link leads further.
const LONGEST_LINK: u64 = 4096;
/// Shorter links stand in the inode.
const SHORT_LINK: u64 = 60;

/// A content that is read from its beginning to its end, as long as the inode says: what was never written is zeroes.
#[derive(Debug)]
pub struct Content {
    inodes: Arc<Inodes>,
    runs: Runs,
    /// The run at or behind the position.
    run: usize,
    position: u64,
    size: u64,
}

impl Content {
    /// The content of a file.
    ///
    /// # Errors
    /// No file, or one whose blocks are damaged.
    pub fn open(inodes: &Arc<Inodes>, inode: &Inode) -> Result<Self> {
        ensure!(inode.kind == InodeKind::File, "it is no file");
        Self::of(inodes, inode)
    }

    fn of(inodes: &Arc<Inodes>, inode: &Inode) -> Result<Self> {
        let runs = Runs::of(inodes, inode)?;
        Ok(Self { inodes: Arc::clone(inodes), runs, run: 0, position: 0, size: inode.size })
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let block = self.inodes.block;
        let bytes = |blocks: u64| blocks.checked_mul(block).context("a block number is impossible");
        let rest = usize::try_from(self.size - self.position).unwrap_or(usize::MAX);
        let room = rest.min(buffer.len());
        let run = loop {
            match self.runs.list().get(self.run) {
                Some(run) if bytes(run.first + run.count)? <= self.position => self.run += 1,
                run => break run.copied(),
            }
        };
        let (count, place) = match run {
            Some(Run { first, count, place }) if bytes(first)? <= self.position => {
                let within = self.position - bytes(first)?;
                (
                    bytes(count)? - within,
                    Some(bytes(place)?.checked_add(within).context("a block number is impossible")?),
                )
            }
            Some(run) => (bytes(run.first)? - self.position, None),
            None => (u64::MAX, None),
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(room);
        match place {
            Some(place) => self.inodes.read_into(place, &mut buffer[..count])?,
            None => buffer[..count].fill(0),
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{error:#}")))
    }
}

impl Inodes {
    /// Where a symbolic link points.
    ///
    /// # Errors
    /// No link, or a damaged one.
    pub fn link(self: &Arc<Self>, inode: &Inode) -> Result<Vec<u8>> {
        ensure!(inode.kind == InodeKind::Symlink, "it is no link");
        ensure!(
            (1..=LONGEST_LINK).contains(&inode.size),
            "a link of {} bytes is impossible; {LONGEST_LINK} are the most",
            inode.size
        );
        if inode.size < SHORT_LINK {
            let target = inode.record.get(ext4::I_BLOCK..).and_then(|rest| rest.get(..inode.size as usize));
            return Ok(target.context("an inode is too short")?.to_vec());
        }
        let mut target = Vec::new();
        Content::of(self, inode)?.read_to_end(&mut target).context("reading where it leads")?;
        Ok(target)
    }
}
