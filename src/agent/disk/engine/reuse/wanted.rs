//! Which chunks are wanted, and where on the disk they may stand: hints from whatever a disk was or is.
//!
//! A hint may be wrong: whoever follows it verifies what it finds. So this compares beginnings of digests where that will do, and
//! takes 24 bytes for each chunk. Of a very large image not all that could be copied is: [`ROOM`] holds what is known of it. Pure.

use super::super::extents::{Marks, Withheld, pieces};
use super::moves::Move;
use crate::image::read::Index;
use crate::spec::image::Extent;
use crate::value::Digest;

/// Bytes for what is known of all chunks, with which the installer stays within its memory: enough for all of 64 GiB.
pub const ROOM: usize = 24 << 20;
/// What a move takes of it, with what is needed to put it in order.
const A_MOVE: usize = 80;

/// Where a chunk may stand: so many blocks of 512 bytes from the disk's beginning, and whether it stays there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(u64);

impl Place {
    const NOWHERE: Self = Self(u64::MAX);
    const BLOCK: u64 = 512;
    const LASTS: u64 = 1 << 63;

    /// What doesn't begin on a block is nowhere.
    fn at(byte: u64, lasts: bool) -> Self {
        match byte.is_multiple_of(Self::BLOCK) {
            true => Self((byte / Self::BLOCK) | if lasts { Self::LASTS } else { 0 }),
            false => Self::NOWHERE,
        }
    }

    fn byte(self) -> Option<u64> {
        (self != Self::NOWHERE).then(|| (self.0 & !Self::LASTS) * Self::BLOCK)
    }

    fn lasts(self) -> bool {
        self.0 & Self::LASTS != 0
    }
}

/// A chunk that the image has and nothing of which is withheld.
#[derive(Debug, Clone, Copy)]
struct Want {
    /// Beginning of its digest.
    key: u64,
    from: Place,
    /// Number of its extent.
    extent: u32,
    /// Number of its piece.
    piece: u32,
}

/// All of them, sorted by digest and place.
#[derive(Debug)]
pub struct Wanted<'a> {
    index: &'a Index,
    wants: Vec<Want>,
}

/// What a move makes right.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Number of the piece.
    piece: u32,
    /// Number of its extent.
    extent: u32,
}

impl Target {
    /// Number of the piece.
    pub fn piece(self) -> usize {
        self.piece as usize
    }

    /// Number of its extent.
    pub fn extent(self) -> usize {
        self.extent as usize
    }
}

fn key(digest: &Digest) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|at| digest.as_bytes()[at]))
}

impl<'a> Wanted<'a> {
    /// Every whole chunk of the image.
    pub fn of(index: &'a Index, withheld: &Withheld) -> Self {
        let mut extents = index.entries().enumerate().peekable();
        let mut wants = Vec::new();
        for (number, piece) in pieces(index, withheld).enumerate() {
            // what is withheld altogether has no piece
            while extents.next_if(|(_, entry)| entry.offset < piece.entry.offset).is_some() {}
            let (Extent::Data { digest, .. }, Some((extent, _))) = (piece.entry.content, extents.peek())
            else {
                continue;
            };
            if let (true, Ok(extent), Ok(piece)) =
                (piece.is_whole(), u32::try_from(*extent), u32::try_from(number))
            {
                wants.push(Want { key: key(&digest), from: Place::NOWHERE, extent, piece });
            }
        }
        wants.sort_unstable_by_key(|want| (want.key, want.extent));
        Self { index, wants }
    }

    fn of_key(&self, key: u64) -> std::ops::Range<usize> {
        let start = self.wants.partition_point(|want| want.key < key);
        let length = self.wants[start..].partition_point(|want| want.key == key);
        start..start + length
    }

    /// The piece that is this very chunk in this very place.
    pub fn in_place(&self, offset: u64, length: u64, digest: &Digest) -> Option<usize> {
        let same = &self.wants[self.of_key(key(digest))];
        let place = |want: &Want| self.index.get(want.extent as usize).map(|entry| entry.offset);
        let at = same.partition_point(|want| place(want).is_some_and(|place| place < offset));
        let want = same.get(at)?;
        let entry = self.index.get(want.extent as usize)?;
        let is_same = |found: &Digest| found == digest && (entry.offset, entry.length) == (offset, length);
        matches!(&entry.content, Extent::Data { digest, .. } if is_same(digest))
            .then_some(want.piece as usize)
    }

    /// This chunk may stand here: of several hints, the first one counts.
    pub fn offer(&mut self, from: u64, digest: &Digest) {
        let same = self.of_key(key(digest));
        let new = |want: &&mut Want| want.from == Place::NOWHERE;
        self.wants[same].iter_mut().take_while(new).for_each(|want| want.from = Place::at(from, false));
    }

    /// These pieces are in place: they aren't wanted any more, and what they hold can be had from there, since it stays.
    pub fn found(&mut self, in_place: &Marks) {
        let Self { index, wants } = self;
        let is_here = |want: &Want| in_place.has(want.piece as usize);
        for same in wants.chunk_by_mut(|one, other| one.key == other.key) {
            let here =
                same.iter().find(|want| is_here(want)).and_then(|want| index.get(want.extent as usize));
            if let Some(here) = here {
                same.iter_mut().for_each(|want| want.from = Place::at(here.offset, true));
            }
        }
        wants.retain(|want| !is_here(want));
    }

    /// Whether anything is wanted of which no place is known.
    pub fn is_left(&self) -> bool {
        self.wants.iter().any(|want| want.from == Place::NOWHERE)
    }

    /// What can be copied, in the order of the image.
    pub fn moves(self, disk_size: u64) -> (Vec<Target>, Vec<Move>) {
        let Self { index, mut wants } = self;
        wants.sort_unstable_by_key(|want| want.extent);
        let most = ROOM.saturating_sub(wants.len() * size_of::<Want>()) / A_MOVE;
        let planned = |Want { from, extent, piece, .. }: &Want| {
            let (entry, start) = (index.get(*extent as usize)?, from.byte()?);
            let (to, length, lasting) = (entry.offset, entry.length, from.lasts());
            let is_there = start.checked_add(length).is_some_and(|end| end <= disk_size) && start != to;
            let (extent, piece) = (*extent, *piece);
            is_there.then_some((Target { piece, extent }, Move { from: start, to, length, lasting }))
        };
        wants.iter().filter_map(planned).take(most).unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_block_of_any_disk() {
        for byte in [0, 512, 1 << 50, u64::MAX / 512 * 512] {
            assert_eq!(
                (Place::at(byte, false).byte(), Place::at(byte, true).byte()),
                (Some(byte), Some(byte))
            );
            assert!(Place::at(byte, true).lasts() && !Place::at(byte, false).lasts());
        }
        assert_eq!(Place::at(513, false).byte(), None);
        assert_eq!(size_of::<Want>(), 24);
    }
}
