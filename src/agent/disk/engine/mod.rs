//! The engine: an image's blocks onto a disk and read back from it, at the speed of what is slowest of source, cores and disk.
//!
//! ```text
//!  feed (one thread)        the board                      hands (several threads)
//!  index in order ───────►  jobs that wait     ──────────► decompress, verify, write ─┐
//!  frames of the source     jobs under way  ◄──── written ────────────────────────────┤
//!                           what is flushed ◄──── flush ──────────────────────────────┤
//!                           next to check   ──────────────► read back, compare ───────┘
//! ```
//!
//! Promises:
//!
//! - Bytes of the image reach the disk only as `Verified`; withheld regions aren't touched.
//! - The source is read once, in the order of the index, by one thread. What arrived damaged is asked for once more, and what
//!   the disk stored wrong, each by itself.
//! - A block is read back after a flush that began when it had been written, never before. That flush comes when everything is
//!   written; and earlier, when the disk keeps waiting for a slower source: then the reading back goes on beside the writing,
//!   one block at a time.
//! - Zeroes are zeroes: by a command where the device has a cheap one that works, written otherwise, read back either way.
//! - What reads back wrong, or can't be read, is written once more, flushed and read again. A block that fails twice is a
//!   failure that names its LBA. Where anything was mended, all is read back again, for that write may have gone astray.
//! - When [`place`] returns, all blocks are durable and were read back, and nothing runs any more. The first failure, of
//!   whichever thread, ends all of them; it is the one that is told.
//! - What of an image a disk of ours holds already is used again, before anything else is written: see [`reuse`]. It counts as
//!   written, and what is in its place as read back; where anything was mended it is read back again like all else.
//! - No more requests are at the device at once than it says that it takes. Memory doesn't grow with the image or the number of
//!   cores: at most [`MOST_HANDS`] chunks and frames in work, [`board::MOST_FRAMES`] frames waiting, of 1 MiB each at most.
//!
//! Not here: what a disk may be written for, partition tables, the claim. Threads and blocking calls, and not `io_uring`: they
//! keep a disk's queue full all the same, since what costs time is done in pieces of 256 KiB and more.

mod board;
mod extents;
mod feed;
mod hand;
pub mod reuse;
mod slots;
pub mod write;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use self::board::{Board, Counts};
use self::extents::{Marks, Withheld, total};
use self::hand::Hand;
use self::reuse::{Ground, Held};
use self::slots::Slots;
use self::write::Place;
use super::progress::{Progress, Told};
use crate::agent::Failure;
use crate::agent::payload::fetch::Fetcher;
use crate::agent::payload::source::BlobSource;
use crate::image::read::Index;
use crate::spec::Code;
use crate::spec::event::{Reused, Step};
use crate::spec::image::ImageManifest;
use crate::sys::block::BlockDevice;
use crate::value::Digest;

/// Hands of the largest machine: more would only want memory.
const MOST_HANDS: usize = 8;
/// Writes that a core keeps on their way while it works on another chunk.
const HANDS_A_CORE: usize = 4;
/// How often all is read back again because something had to be mended; a disk that goes on so is broken.
const MOST_PASSES: usize = 3;
/// Between two looks at how far the hands are.
const GLANCE: Duration = Duration::from_millis(50);

/// What is placed where.
#[derive(Clone, Copy)]
pub struct Blocks<'a> {
    /// The disk, at least as large as the image.
    pub device: &'a dyn BlockDevice,
    /// The image.
    pub manifest: &'a ImageManifest,
    /// Its index.
    pub index: &'a Index,
    /// Where its packs come from.
    pub source: &'a dyn BlobSource,
}

/// What all hands share.
struct Shared<'s, 'b, 'a> {
    blocks: Blocks<'a>,
    withheld: &'s Withheld,
    board: &'s Board<'b>,
    slots: &'s Slots,
    /// Pieces that are there already.
    here: &'s Marks,
    /// The disk holds something of ours: what was looked at is read back already.
    is_used: bool,
    /// The device zeroes by command, as far as is known.
    by_command: AtomicBool,
    /// For what must be asked for once more.
    again: Mutex<Fetcher<'a>>,
    /// Digests of what was written of extents that are withheld in part: theirs says nothing of a part.
    parts: Mutex<BTreeMap<u64, Digest>>,
}

/// Writes and reads back all blocks of an image but the withheld ones, on a disk that may hold some of them. They are durable when it
/// returns. Gives what was used again, `None` where nothing was looked for.
///
/// # Errors
/// The payload's; [`Code::DiskIo`]; [`Code::ReadBack`] with the LBA that stays wrong; what `progress` says. What was written
/// until then stays.
pub fn place(
    held: &Held<'_>,
    blocks: &Blocks<'_>,
    progress: &mut Told<'_>,
) -> Result<Option<Reused>, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    place_with((cores * HANDS_A_CORE).clamp(2, MOST_HANDS), held, blocks, progress)
}

/// The same with so many hands, for those who measure.
///
/// # Errors
/// As for [`place`].
pub fn place_with(
    hands: usize,
    held: &Held<'_>,
    blocks: &Blocks<'_>,
    progress: &mut Told<'_>,
) -> Result<Option<Reused>, Failure> {
    let withheld = Withheld::of_image(blocks.manifest.size.as_bytes());
    let slots = Slots::new(blocks.device.depth());
    let all = total(blocks.manifest.size.as_bytes());
    let mut say = |done| progress(Progress::Bytes { step: Step::Write, done, total: all });
    say(0)?;
    let ground = Ground { blocks: *blocks, withheld: &withheld, slots: &slots, hands };
    let found = reuse::find(&ground, held, &mut say)?;
    let board = Board::new(extents::pieces_but(blocks.index, &withheld, &found.in_place));
    board.go_on_from(
        Counts { written: found.written, checked: found.checked },
        blocks.manifest.size.as_bytes(),
    );
    let shared = Shared {
        blocks: *blocks,
        withheld: &withheld,
        board: &board,
        slots: &slots,
        here: &found.here,
        is_used: found.reused.is_some(),
        by_command: AtomicBool::new(blocks.device.zeroes_cheaply()),
        again: Mutex::new(Fetcher::new(blocks.manifest, blocks.source)),
        parts: Mutex::default(),
    };
    std::thread::scope(|scope| {
        scope.spawn(|| board.guard(|| feed::feed(&shared)));
        work(scope, hands, &shared, &mut |board| tell(board, all, progress))
    })?;
    // a write that mends one block may have gone astray into another one that was read back before
    for _ in 0..MOST_PASSES {
        if board.mended().is_none() {
            return Ok(found.reused);
        }
        board.read_back_again(extents::pieces(blocks.index, &withheld));
        std::thread::scope(|scope| {
            let told = Progress::Bytes { step: Step::ReadBack, done: all, total: all };
            work(scope, hands, &shared, &mut |board| tell_again(board, &told, progress))
        })?;
    }
    let Some(start) = board.mended() else { return Ok(found.reused) };
    let place = Place::new(start, blocks.device);
    let message = format!(
        "blocks read back wrong that were right before, {MOST_PASSES} times in a row, the last one at {place}: what this disk writes \
         goes astray"
    );
    Err(Failure::new(Code::ReadBack, message))
}

/// Sets the hands to work, and tells until they are done.
fn work<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    hands: usize,
    shared: &'scope Shared<'_, '_, '_>,
    tell: &mut dyn FnMut(&Board<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for _ in 0..hands {
        scope.spawn(|| shared.board.guard(|| Hand::new(shared).work()));
    }
    let told = tell(shared.board);
    if told.is_err() {
        // nobody will need what is being waited for
        shared.blocks.source.give_up();
    }
    told
}

/// Nothing new is told while all is read back again, but whoever is told may say that it is to end.
fn tell_again(board: &Board<'_>, all: &Progress, progress: &mut Told<'_>) -> Result<(), Failure> {
    loop {
        progress(all.clone()).inspect_err(|failure| board.fail(failure))?;
        if let (_, Some(end)) = board.wait(GLANCE) {
            return end;
        }
    }
}

/// Tells how far the hands are until they are done, and stops them where somebody says so. What is read back beside the writing is
/// told when all is written: one phase after the other is what people and `status` know.
fn tell(board: &Board<'_>, total: u64, progress: &mut Told<'_>) -> Result<(), Failure> {
    let (mut written, mut checked) = (0, 0);
    loop {
        let (counts, end) = board.wait(GLANCE);
        let read_back = if counts.written == total { counts.checked } else { 0 };
        // also where nothing moves: whoever is told may say that it is to end
        let is_still = (written, checked) == (counts.written, read_back);
        let current = if checked > 0 { Step::ReadBack } else { Step::Write };
        let phases = [(Step::Write, &mut written, counts.written), (Step::ReadBack, &mut checked, read_back)];
        for (step, told, done) in phases {
            if *told != done || is_still && step == current {
                *told = done;
                progress(Progress::Bytes { step, done, total }).inspect_err(|failure| board.fail(failure))?;
            }
        }
        match end {
            None => {}
            Some(Ok(())) if (written, checked) != (total, total) => {
                let message = format!("{written} bytes written, {checked} read back, of {total}");
                return Err(Failure::new(Code::Internal, message));
            }
            Some(end) => return end,
        }
    }
}

#[cfg(test)]
mod tests;
