//! Names in directories of ext4.
//!
//! Promises: a directory has no holes and a bounded length, and no name in it holds a `/`; its checksums are compared, those of
//! the inner blocks of a hashed one too. Such blocks look like one without names, so that all are read the same way.

use anyhow::{Context, Result, ensure};

use super::blocks::Runs;
use super::checksum::Checksum;
use super::inode::{Inode, InodeKind, Inodes, u16_at, u32_at};
use crate::spec::ondisk::ext4;
use crate::sys::budget::Held;

/// No directory is longer: half a million names and more.
const LONGEST_DIRECTORY: u64 = 32 << 20;
/// Names that are accounted for at once.
const STEP: usize = 1024;

/// One name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// Its bytes.
    pub text: &'a [u8],
    /// The number of what it names.
    pub inode: u32,
    /// What that is, by `ext4::FT_*`.
    pub kind: u8,
}

/// The names of a directory, sorted by bytes, without `.` and `..`. Twelve bytes a name and its text.
#[derive(Debug)]
pub struct Names {
    texts: Vec<u8>,
    places: Vec<Place>,
    _held: Held,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    at: u32,
    length: u8,
    kind: u8,
    inode: u32,
}

impl Names {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The n-th.
    pub fn get(&self, number: usize) -> Option<Name<'_>> {
        self.places.get(number).map(|place| Name {
            text: place.text(&self.texts),
            inode: place.inode,
            kind: place.kind,
        })
    }

    /// Takes this one out, if it is there; gives where it stood or would stand.
    pub fn remove(&mut self, text: &[u8]) -> usize {
        let found = self.places.binary_search_by(|place| place.text(&self.texts).cmp(text));
        if let Ok(at) = found {
            self.places.remove(at);
        }
        found.unwrap_or_else(|at| at)
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Name<'_>> {
        (0..self.len()).filter_map(|number| self.get(number))
    }
}

impl Place {
    fn text(self, texts: &[u8]) -> &[u8] {
        &texts[self.at as usize..][..usize::from(self.length)]
    }
}

impl Inodes {
    /// The names in a directory.
    ///
    /// # Errors
    /// No directory, a damaged one, or the budget's.
    pub fn list(&self, directory: &Inode) -> Result<Names> {
        let (mut texts, mut places) = (Vec::new(), Vec::<Place>::new());
        let mut held = self.budget.hold(0)?;
        let mut accounted = 0;
        self.each_name(directory, |name| {
            if matches!(name.text, b"." | b"..") {
                return Ok(false);
            }
            if places.len().is_multiple_of(STEP) {
                // vectors that grow are there twice for a moment
                held.grow(2 * (texts.len() - accounted + STEP * size_of::<Place>()) as u64)?;
                accounted = texts.len();
            }
            let at = u32::try_from(texts.len()).context("a directory is too long")?;
            // a name's length is one byte on the disk
            let length = name.text.len() as u8;
            places.push(Place { at, length, kind: name.kind, inode: name.inode });
            texts.extend_from_slice(name.text);
            Ok(false)
        })?;
        places.sort_unstable_by(|a, b| a.text(&texts).cmp(b.text(&texts)));
        Ok(Names { texts, places, _held: held })
    }

    /// What a name in a directory stands for; `None` where it hasn't such a one.
    pub(super) fn lookup(&self, directory: &Inode, wanted: &[u8]) -> Result<Option<u32>> {
        let mut found = None;
        self.each_name(directory, |name| {
            let it = name.text == wanted;
            if it {
                found = Some(name.inode);
            }
            Ok(it)
        })?;
        Ok(found)
    }

    /// Shows the names of a directory, until it is enough.
    fn each_name(&self, directory: &Inode, mut show: impl FnMut(Name<'_>) -> Result<bool>) -> Result<()> {
        ensure!(directory.kind == InodeKind::Directory, "inode {} is no directory", directory.number);
        ensure!(
            directory.size <= LONGEST_DIRECTORY,
            "a directory of {} bytes is longer than the {LONGEST_DIRECTORY} that are read",
            directory.size
        );
        let seed = self.seed_of(directory.number, &directory.record)?;
        let mut next = 0;
        for run in Runs::of(self, directory)?.list() {
            ensure!(run.first == next, "a directory has a hole");
            next += run.count;
            for number in 0..run.count {
                let block =
                    self.block(run.place.checked_add(number).context("a block number is impossible")?)?;
                if let Some(seed) = seed {
                    require_checksum(&block, seed)?;
                }
                if self.entries(&block, &mut show)? {
                    return Ok(());
                }
            }
        }
        ensure!(next >= directory.size.div_ceil(self.block), "a directory ends early");
        Ok(())
    }

    /// Shows the names in one block; whether it was enough.
    fn entries(&self, block: &[u8], show: &mut impl FnMut(Name<'_>) -> Result<bool>) -> Result<bool> {
        let mut at = 0;
        let mut count = 0;
        while at < block.len() {
            let inode = u32_at(block, at + ext4::DE_INODE)?;
            let length = record_length(block, at)?;
            let name = usize::from(*block.get(at + ext4::DE_NAME_LEN).context("a directory ends early")?);
            ensure!(
                length >= ext4::DE_NAME + name && length.is_multiple_of(4),
                "a directory's entry is damaged"
            );
            ensure!(at + length <= block.len(), "a directory's entry reaches past its block");
            count += 1;
            if inode != 0 {
                let text = &block[at + ext4::DE_NAME..at + ext4::DE_NAME + name];
                ensure!(
                    !text.is_empty() && !text.contains(&b'/') && !text.contains(&0),
                    "a name in a directory is damaged"
                );
                if show(Name { text, inode, kind: block[at + ext4::DE_FILE_TYPE] })? {
                    return Ok(true);
                }
            }
            at += length;
        }
        self.budget.names(count)?;
        Ok(false)
    }
}

/// Distance from an entry to the next one. In blocks of 64 KiB the length of a whole one has no room.
fn record_length(block: &[u8], at: usize) -> Result<usize> {
    let length = usize::from(u16_at(block, at + ext4::DE_REC_LEN)?);
    Ok(if matches!(length, 0 | 0xffff) && block.len() > 0xffff { block.len() } else { length })
}

fn require_checksum(block: &[u8], seed: Checksum) -> Result<()> {
    const TAIL: usize = ext4::DIR_TAIL_LENGTH;
    let damaged = "a directory's block has another checksum: the file system is damaged";
    if let Some((first, limit)) = inner_entries(block)? {
        let end = first + usize::from(u16_at(block, first + 2)?) * ext4::DX_ENTRY_LENGTH;
        let tail = first + usize::from(limit) * ext4::DX_ENTRY_LENGTH;
        let (content, reserved) =
            (block.get(..end).context(damaged)?, block.get(tail..tail + 4).context(damaged)?);
        let found = seed.and(content).and(reserved).and(&[0; 4]).value();
        ensure!(found == u32_at(block, tail + 4)?, damaged);
        return Ok(());
    }
    let tail = block.len().checked_sub(TAIL).context(damaged)?;
    let has_one = u32_at(block, tail + ext4::DE_INODE)? == 0
        && usize::from(u16_at(block, tail + ext4::DE_REC_LEN)?) == TAIL
        && block[tail + ext4::DE_NAME_LEN] == 0
        && block[tail + ext4::DE_FILE_TYPE] == ext4::FT_DIR_CSUM;
    ensure!(has_one, "a directory's block has no checksum; run `e2fsck -fyD` on the file system");
    ensure!(seed.and(&block[..tail]).value() == u32_at(block, tail + 8)?, damaged);
    Ok(())
}

/// Of an inner block of a hashed directory: where its entries begin, and for how many there is room (`get_dx_countlimit`).
fn inner_entries(block: &[u8]) -> Result<Option<(usize, u16)>> {
    let first = record_length(block, 0)?;
    let at = if first == block.len() && u32_at(block, ext4::DE_INODE)? == 0 {
        ext4::DX_NODE_ENTRIES
    } else if first == 12 && record_length(block, 12)? == block.len() - 12 {
        // `..` reaches to the end of the block only where it hides what follows, or where nothing does
        let info = 24;
        match (u32_at(block, info)?, block.get(info + 5)) {
            (0, Some(8)) => ext4::DX_ROOT_ENTRIES,
            _ => return Ok(None),
        }
    } else {
        return Ok(None);
    };
    Ok(Some((at, u16_at(block, at)?)))
}
