//! Whether the agent can mount an ext4 file system, write to it and grow it: judged by its superblock, at import.
//!
//! Promises: each refusal says what is wrong and which command mends it, with the place in the image, so that it can be run on the raw
//! file without root and without a loop device (`IMAGE?offset=N` is e2fsprogs' way to name it). A test runs those commands.
//! What the kernel would only find while it reads the rest isn't looked for.

use std::fmt;

use super::features::{self, Unfit};
use super::inode::{u16_at, u32_at};
use crate::spec::ondisk::ext4;

/// Larger blocks than a page can't be mounted.
const PAGE: u64 = 4096;
/// Room for what the agent writes on a disk that is no larger than the image.
const NEEDED_BYTES: u64 = 1 << 20;
/// The same in files and directories.
const NEEDED_INODES: u32 = 128;

/// Why a file system can't be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfitness {
    /// Something is wrong that a check mends.
    Unclean(&'static str),
    /// It has features that it may not have.
    Features(Vec<Unfit>),
    /// It lacks a feature, for which this is a reason; a command turns it on.
    Lacks(&'static str, &'static str, Cure),
    /// Its journal is somewhere else.
    JournalElsewhere,
    /// Its blocks have so many bytes.
    LargeBlocks(u64),
    /// So many bytes are missing, so many inodes.
    Full(u64, u32),
}

/// How a feature is turned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// `tune2fs -O NAME`.
    Tune,
    /// `resize2fs -b`.
    Resize,
    /// Another file system.
    Anew,
}

/// Judges the superblock of a file system that will be written to, and that `grows` or stays as large as it is. Of several things
/// the first that has to be done is told.
///
/// # Errors
/// What is wrong.
pub fn judge(superblock: &[u8], grows: bool) -> Result<(), Unfitness> {
    clean(superblock)?;
    journal(superblock)?;
    let unfit = features::unfit(superblock);
    if !unfit.is_empty() {
        return Err(Unfitness::Features(unfit));
    }
    let block = 1024 << word(superblock, ext4::S_LOG_BLOCK_SIZE).min(ext4::MOST_LOG_BLOCK_SIZE);
    if block > PAGE {
        return Err(Unfitness::LargeBlocks(block));
    }
    if grows {
        complete(superblock)?;
    }
    room(superblock, block)
}

/// Bytes of the file system.
pub fn size(superblock: &[u8]) -> u64 {
    let blocks = u64::from(word(superblock, ext4::S_BLOCKS_COUNT_LO))
        | u64::from(word(superblock, ext4::S_BLOCKS_COUNT_HI)) << 32;
    let log_size = word(superblock, ext4::S_LOG_BLOCK_SIZE).min(ext4::MOST_LOG_BLOCK_SIZE);
    blocks.saturating_mul(1024 << log_size)
}

fn word(superblock: &[u8], at: usize) -> u32 {
    u32_at(superblock, at).unwrap_or_default()
}

fn clean(superblock: &[u8]) -> Result<(), Unfitness> {
    let state = u16_at(superblock, ext4::S_STATE).unwrap_or_default();
    let orphans = word(superblock, ext4::S_FEATURE_RO_COMPAT) & ext4::RO_COMPAT_ORPHAN_PRESENT != 0
        || word(superblock, ext4::S_LAST_ORPHAN) != 0;
    if state & ext4::ERROR_FS != 0 {
        return Err(Unfitness::Unclean("is marked as having errors, and the kernel doesn't grow such a one"));
    }
    if word(superblock, ext4::S_FEATURE_INCOMPAT) & ext4::INCOMPAT_RECOVER != 0 {
        let what = "was not unmounted cleanly: its journal holds changes that aren't in their place";
        return Err(Unfitness::Unclean(what));
    }
    if state & ext4::VALID_FS == 0 {
        return Err(Unfitness::Unclean("was not unmounted cleanly"));
    }
    if orphans {
        return Err(Unfitness::Unclean("holds files that were deleted while they were open"));
    }
    Ok(())
}

fn journal(superblock: &[u8]) -> Result<(), Unfitness> {
    let has_one = word(superblock, ext4::S_FEATURE_COMPAT) & ext4::COMPAT_HAS_JOURNAL != 0;
    match has_one && word(superblock, ext4::S_JOURNAL_INUM) == 0 {
        true => Err(Unfitness::JournalElsewhere),
        false => Ok(()),
    }
}

/// What it must have.
fn complete(superblock: &[u8]) -> Result<(), Unfitness> {
    let incompatible = word(superblock, ext4::S_FEATURE_INCOMPAT);
    let lacks = |name, why, cure| Err(Unfitness::Lacks(name, why, cure));
    if incompatible & ext4::INCOMPAT_EXTENTS == 0 {
        return lacks("extent", "it is ext2 or ext3; only ext4 can be installed", Cure::Tune);
    }
    if incompatible & ext4::INCOMPAT_FILETYPE == 0 {
        return lacks("filetype", "its directories don't say what is a file", Cure::Tune);
    }
    if word(superblock, ext4::S_FEATURE_COMPAT) & ext4::COMPAT_RESIZE_INODE == 0 {
        return lacks("resize_inode", "it can't grow while it is mounted", Cure::Anew);
    }
    if incompatible & ext4::INCOMPAT_64BIT == 0 {
        return lacks("64bit", "it can't grow to the size of large disks", Cure::Resize);
    }
    Ok(())
}

fn room(superblock: &[u8], block: u64) -> Result<(), Unfitness> {
    let blocks = u64::from(word(superblock, ext4::S_FREE_BLOCKS_COUNT_LO))
        | u64::from(word(superblock, ext4::S_FREE_BLOCKS_COUNT_HI)) << 32;
    let bytes = NEEDED_BYTES.saturating_sub(blocks.saturating_mul(block));
    let inodes = NEEDED_INODES.saturating_sub(word(superblock, ext4::S_FREE_INODES_COUNT));
    if bytes > 0 || inodes > 0 { Err(Unfitness::Full(bytes, inodes)) } else { Ok(()) }
}

impl Unfitness {
    /// A sentence about the file system that begins at this byte of the image.
    pub fn at(&self, place: u64) -> Told<'_> {
        Told { unfitness: self, place }
    }
}

/// An [`Unfitness`] in words that follow on "the ext4 file system".
#[derive(Debug)]
pub struct Told<'a> {
    unfitness: &'a Unfitness,
    place: u64,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = format!("'IMAGE?offset={}'", self.place);
        match self.unfitness {
            Unfitness::Unclean(what) => {
                write!(f, "{what}; run `e2fsck -fy {image}` and import the image again")
            }
            Unfitness::Features(found) => told_features(f, found, &image),
            Unfitness::Lacks(name, why, cure) => {
                write!(f, "lacks the feature `{name}`: {why}; ")?;
                match cure {
                    Cure::Tune => write!(f, "run `tune2fs -O {name} {image}`, then `e2fsck -fyD {image}`"),
                    Cure::Resize => write!(f, "run `resize2fs -b {image}` (after `e2fsck -f`)"),
                    Cure::Anew => {
                        write!(f, "no tool adds it: make the file system anew with `mke2fs -O {name}`")
                    }
                }
            }
            Unfitness::JournalElsewhere => write!(
                f,
                "keeps its journal on another device, which machines don't have; run `tune2fs -f -O ^has_journal {image}`, then `tune2fs -j {image}`"
            ),
            Unfitness::LargeBlocks(bytes) => write!(
                f,
                "has blocks of {bytes} bytes, and this kind of machine mounts none above {PAGE}; make the file system anew with `mke2fs -b {PAGE}`"
            ),
            Unfitness::Full(bytes, inodes) => {
                f.write_str("is full: to make it a host's, ")?;
                match (bytes, inodes) {
                    (0, inodes) => write!(f, "{inodes} free inodes are missing")?,
                    (bytes, 0) => write!(f, "{bytes} bytes are missing")?,
                    (bytes, inodes) => write!(f, "{bytes} bytes and {inodes} free inodes are missing")?,
                }
                f.write_str("; delete something in it, as package caches and logs, or make it larger")
            }
        }
    }
}

/// The features with their reasons, then what takes them off.
fn told_features(f: &mut fmt::Formatter<'_>, found: &[Unfit], image: &str) -> fmt::Result {
    let join = |of: &dyn Fn(&Unfit) -> String, by| found.iter().map(of).collect::<Vec<_>>().join(by);
    let plural = if found.len() > 1 { "s" } else { "" };
    write!(f, "has the feature{plural} ")?;
    let mut before = None;
    for (at, unfit) in found.iter().enumerate() {
        // those that follow with the same reason share it
        let next = found.get(at + 1).is_some_and(|next| next.why == unfit.why);
        match (before == Some(unfit.why), at) {
            (_, 0) => {}
            (true, _) => f.write_str(" and ")?,
            (false, _) => f.write_str(", ")?,
        }
        write!(f, "`{}`", unfit.name)?;
        if !next {
            write!(f, " ({})", unfit.why)?;
        }
        before = Some(unfit.why);
    }
    let all = join(&|unfit| format!("^{}", unfit.name), ",");
    match found.iter().all(|unfit| unfit.can_go) {
        true => write!(f, "; run `tune2fs -O {all} {image}`, then `e2fsck -fy {image}`"),
        false => write!(f, "; no tool takes it off: make the file system anew with `mke2fs -O {all}`"),
    }
}

#[cfg(test)]
#[path = "fitness_tests.rs"]
mod tests;
