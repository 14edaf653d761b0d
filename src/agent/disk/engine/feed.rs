//! The feed: walks the index, reads frames, hands in jobs. The only place that reads the source in order.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::Shared;
use super::board::Job;
use super::extents::{cut, runs};
use crate::agent::Failure;
use crate::agent::payload::fetch::Frames;
use crate::spec::image::Extent;

/// Shorter runs of zeroes are written: a command has its price.
const SHORTEST_COMMAND: u64 = 256 << 10;
/// The longest run that is zeroed by one command, so that progress is seen.
const LONGEST_COMMAND: u64 = 256 << 20;

/// Hands in everything that is to be written: what isn't there already.
///
/// # Errors
/// The source's.
pub fn feed(shared: &Shared<'_, '_, '_>) -> Result<(), Failure> {
    let Shared { blocks, withheld, board, here, .. } = shared;
    let mut frames = Frames::new(blocks.manifest, blocks.source);
    let mut next = 0;
    for entry in blocks.index.entries() {
        let pieces = withheld.pieces(entry.offset..entry.offset + entry.length);
        let first = next;
        next += pieces.len();
        let goes_on = match entry.content {
            Extent::Zero => runs(pieces, first, here).into_iter().all(|range| hand_in_zeroes(shared, range)),
            // a data extent that is there is there as a whole
            Extent::Data { .. } if pieces.is_empty() || here.has(first) => true,
            Extent::Data { .. } => {
                let mut frame = board.frame();
                frames.read(&entry, &mut frame)?;
                board.hand_in(Job::Data { entry, frame })
            }
        };
        if !goes_on {
            return Ok(());
        }
    }
    board.all_handed_in();
    Ok(())
}

fn hand_in_zeroes(shared: &Shared<'_, '_, '_>, mut range: Range<u64>) -> bool {
    while range.start < range.end {
        let length = range.end - range.start;
        // asked each time: a device may turn out not to be able to
        if length < SHORTEST_COMMAND || !shared.by_command.load(Ordering::Relaxed) {
            return fills(range).into_iter().all(|job| shared.board.hand_in(job));
        }
        let end = range.start + length.min(LONGEST_COMMAND);
        if !shared.board.hand_in(Job::Zero(range.start..end)) {
            return false;
        }
        range.start = end;
    }
    true
}

/// The same zeroes, to be written.
pub fn fills(range: Range<u64>) -> Vec<Job> {
    let mut pieces = Vec::new();
    cut(range, &mut pieces);
    pieces.into_iter().map(Job::Fill).collect()
}
