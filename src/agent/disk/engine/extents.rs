//! Which bytes of the disk come from the image, and in which pieces.
//!
//! Some regions are withheld: the partition tables and the claim record. No piece that this module gives touches them, so
//! nothing that writes or reads back by pieces can make a disk bootable or lose a claim.

use std::ops::Range;

use crate::image::read::{BACKUP_LENGTH, Index, PRIMARY_END};
use crate::spec::claim;
use crate::spec::image::{Extent, IndexEntry, MAX_CHUNK};
use crate::sys::block::buffer::is_zero;
use crate::value::Digest;

/// Regions that the block phase doesn't touch, ascending.
#[derive(Debug, Clone)]
pub struct Withheld([Range<u64>; 3]);

impl Withheld {
    /// Those of an image of this size.
    pub fn of_image(size: u64) -> Self {
        Self([
            0..PRIMARY_END,
            claim::OFFSET..claim::OFFSET + claim::SIZE as u64,
            size.saturating_sub(BACKUP_LENGTH)..size,
        ])
    }

    /// What is left of a range, ascending.
    pub fn left(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut left = Vec::new();
        let mut start = range.start;
        for hole in &self.0 {
            left.push(start..hole.start.min(range.end));
            start = start.max(hole.end);
        }
        left.push(start..range.end);
        left.retain(|range| range.start < range.end);
        left
    }

    /// What is left of a range, ascending; at most [`MAX_CHUNK`] each.
    pub fn pieces(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut pieces = Vec::new();
        self.left(range).into_iter().for_each(|left| cut(left, &mut pieces));
        pieces
    }
}

/// Cuts a range into pieces of at most [`MAX_CHUNK`].
pub fn cut(mut range: Range<u64>, pieces: &mut Vec<Range<u64>>) {
    while range.end.saturating_sub(range.start) > MAX_CHUNK {
        // the first piece ends on a multiple of the longest, so that long runs are written in aligned pieces
        let end = ((range.start / MAX_CHUNK + 1) * MAX_CHUNK).min(range.end);
        pieces.push(range.start..end);
        range.start = end;
    }
    if range.start < range.end {
        pieces.push(range);
    }
}

/// A run of bytes of one extent, none of them withheld, at most [`MAX_CHUNK`] long.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The extent.
    pub entry: IndexEntry,
    /// Place on the disk.
    pub range: Range<u64>,
}

impl Piece {
    /// Where these bytes stand in the extent's.
    pub fn within(&self) -> Range<usize> {
        (self.range.start - self.entry.offset) as usize..(self.range.end - self.entry.offset) as usize
    }

    /// Whether nothing of the extent is missing.
    pub fn is_whole(&self) -> bool {
        self.len() as u64 == self.entry.length
    }

    /// Its length.
    pub fn len(&self) -> usize {
        (self.range.end - self.range.start) as usize
    }

    /// Whether these are its bytes; `None` of a part of a data extent, whose digest the index doesn't have.
    pub fn is(&self, bytes: &[u8]) -> Option<bool> {
        match self.entry.content {
            Extent::Zero => Some(is_zero(bytes)),
            Extent::Data { digest, .. } => self.is_whole().then(|| Digest::of(bytes) == digest),
        }
    }

    /// Whether the extent is zeroes.
    pub fn is_zero(&self) -> bool {
        matches!(self.entry.content, Extent::Zero)
    }
}

/// Every piece of the image in ascending order. Made one extent at a time.
pub fn pieces<'a>(index: &'a Index, withheld: &'a Withheld) -> impl Iterator<Item = Piece> + 'a {
    index.entries().flat_map(|entry| {
        let ranges = withheld.pieces(entry.offset..entry.offset + entry.length);
        ranges.into_iter().map(move |range| Piece { entry, range })
    })
}

/// A set of pieces, by their numbers in the order of [`pieces`]: one bit for each.
#[derive(Debug, Clone, Default)]
pub struct Marks(Vec<u64>);

impl Marks {
    /// Takes a piece into the set.
    pub fn add(&mut self, number: usize) {
        let word = number / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    /// Whether a piece is in the set.
    pub fn has(&self, number: usize) -> bool {
        self.0.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

/// The pieces that aren't in this set.
pub fn pieces_but<'a>(
    index: &'a Index,
    withheld: &'a Withheld,
    marks: &'a Marks,
) -> impl Iterator<Item = Piece> + 'a {
    let others = pieces(index, withheld).enumerate().filter(|(number, _)| !marks.has(*number));
    others.map(|(_, piece)| piece)
}

/// What is left to do of ranges of which the first has this number: runs of those that aren't in the set.
pub fn runs(ranges: Vec<Range<u64>>, first: usize, marks: &Marks) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for (_, range) in ranges.into_iter().enumerate().filter(|(at, _)| !marks.has(first + at)) {
        match runs.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => runs.push(range),
        }
    }
    runs
}

/// Number of bytes in all pieces: the image without what is withheld.
pub fn total(image_size: u64) -> u64 {
    let Withheld(holes) = Withheld::of_image(image_size);
    image_size - holes.iter().map(|hole| hole.end - hole.start).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: u64 = 8 << 20;

    proptest! {
        #[test]
        fn pieces_are_the_range_without_the_holes(start in 0..SIZE / 512, length in 0..SIZE / 512) {
            let range = start * 512..((start + length) * 512).min(SIZE);
            let withheld = Withheld::of_image(SIZE);
            let pieces = withheld.pieces(range.clone());
            prop_assert!(pieces.iter().all(|p| p.start < p.end && p.end - p.start <= MAX_CHUNK));
            prop_assert!(pieces.windows(2).all(|pair| pair[0].end <= pair[1].start));
            for byte in range.step_by(512) {
                let held = withheld.0.iter().any(|hole| hole.contains(&byte));
                prop_assert_eq!(pieces.iter().any(|p| p.contains(&byte)), !held, "byte {}", byte);
            }
        }
    }

    #[test]
    fn runs_are_what_is_left_of_a_range_without_the_marked_pieces() {
        let pieces = || Withheld::of_image(SIZE).pieces(PRIMARY_END..SIZE);
        assert_eq!(
            runs(pieces(), 7, &Marks::default()),
            Withheld::of_image(SIZE).left(PRIMARY_END..SIZE),
            "nothing is marked"
        );
        let mut marks = Marks::default();
        [7, 9, 300].into_iter().for_each(|number| marks.add(number));
        let left = runs(pieces(), 7, &marks);
        assert_eq!(left, [1 << 20..2 << 20, 3 << 20..SIZE - BACKUP_LENGTH]);
        assert!(marks.has(300) && !marks.has(301) && !marks.has(9000));
    }

    #[test]
    fn the_total_is_what_the_pieces_have() {
        let all: u64 = Withheld::of_image(SIZE).pieces(0..SIZE).iter().map(|p| p.end - p.start).sum();
        assert_eq!(all, total(SIZE));
    }
}
