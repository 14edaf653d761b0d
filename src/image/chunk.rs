//! Cutting an image into chunks where its content says so.
//!
//! Promises: pieces are in order and without gap; every forced cut is kept; no data piece is longer than [`MAX_CHUNK`];
//! whether and where a piece is cut depends on the content near it only, so an insertion of whole blocks changes the
//! chunks around it and no others. Cuts lie on 4 KiB boundaries counted from the forced cut before them: file systems
//! move whole blocks, so nothing is gained by finer ones, and a disk can be written without read-modify-write.
//!
//! The agent cuts disks with it, too: two versions that cut differently find less of each other there.

use std::io;

use crate::image::read::{BACKUP_LENGTH, COMMIT_END, PRIMARY_END};
use crate::spec::claim;
use crate::spec::image::{ImagePartition, MAX_CHUNK};
use crate::sys::block::BlockDevice;
use crate::sys::block::buffer::Buffer;

const BLOCK: usize = 4096;
const ZEROES: [u8; BLOCK] = [0; BLOCK];
/// No cut by content before this many bytes: shorter chunks compress badly and fill the index.
const SHORTEST: usize = 64 << 10;
/// One block in this many ends a chunk: with [`SHORTEST`], chunks of about 256 KiB.
const ONE_IN: u32 = 48;
/// Shorter runs of zeroes stay inside a chunk, where they cost nothing.
const SHORTEST_ZERO_RUN: u64 = 16 << 10;
const READ: usize = 1 << 20;

/// A run of the image.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// First byte in the image.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// The bytes; `None` for zeroes.
    pub data: Option<&'a [u8]>,
}

/// Where chunks of an image must end: the places that an install writes at another time than what is beside them.
pub fn forced_cuts(size: u64, partitions: &[ImagePartition]) -> Vec<u64> {
    let claim = [claim::OFFSET, claim::OFFSET + claim::SIZE as u64];
    let mut cuts = vec![COMMIT_END, PRIMARY_END, size.saturating_sub(BACKUP_LENGTH), size];
    cuts.extend(claim);
    cuts.extend(partitions.iter().map(|partition| partition.offset));
    cuts.retain(|cut| (1..=size).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// Hears up to which byte the image was read; its error ends it.
pub type Reached<'a, E> = &'a mut dyn FnMut(u64) -> Result<(), E>;

/// Reads the device once from its first byte to the last forced cut, but what it knows to be zeroes, and gives each piece to
/// `sink`, who may tell more of the way.
///
/// # Errors
/// The device's, the sink's, what `reached` returned.
pub fn cut<E: From<io::Error>>(
    device: &dyn BlockDevice,
    cuts: &[u64],
    reached: Reached<'_, E>,
    mut sink: impl FnMut(Piece<'_>, Reached<'_, E>) -> Result<(), E>,
) -> Result<(), E> {
    let mut room = Buffer::default();
    room.resize(READ);
    let buffer = room.as_mut();
    let mut start = 0;
    let mut data = 0..0;
    for &end in cuts {
        let mut cutter = Cutter { start, data: Vec::with_capacity(MAX_CHUNK as usize), zeroes: 0 };
        let mut place = start;
        while place < end {
            if place >= data.end {
                data = device.next_data(place)?.unwrap_or(u64::MAX..u64::MAX);
            }
            // whole blocks only, so that pieces are the same however the file is stored
            let hole = data.start.min(end).saturating_sub(place);
            let hole = if data.start >= end { hole } else { hole - hole % BLOCK as u64 };
            if hole > 0 {
                cutter.zeroes += hole;
                place += hole;
                continue;
            }
            let rest = data.end.max(place + BLOCK as u64).min(end) - place;
            let count = usize::try_from(rest).map_or(READ, |rest| rest.min(READ));
            let count = if place + (count as u64) < end { count - count % BLOCK } else { count };
            device.read_at(place, &mut buffer[..count])?;
            for block in buffer[..count].chunks(BLOCK) {
                cutter.block(block, &mut |piece: Piece<'_>| sink(piece, reached))?;
            }
            place += count as u64;
            reached(place)?;
        }
        cutter.end(&mut |piece: Piece<'_>| sink(piece, reached))?;
        start = end;
    }
    Ok(())
}

/// Between two forced cuts: what was read and not yet given away is `data`, then `zeroes` zero bytes.
struct Cutter {
    start: u64,
    data: Vec<u8>,
    zeroes: u64,
}

impl Cutter {
    fn block<E>(&mut self, block: &[u8], sink: &mut impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        if block == &ZEROES[..block.len()] {
            self.zeroes += block.len() as u64;
            return Ok(());
        }
        self.settle_zeroes(sink)?;
        self.data.extend_from_slice(block);
        if self.data.len() >= SHORTEST && ends_chunk(block) || self.data.len() >= MAX_CHUNK as usize {
            self.emit_data(sink)?;
        }
        Ok(())
    }

    /// Decides what becomes of the zeroes that were seen: an extent of their own, or part of the chunk.
    fn settle_zeroes<E>(&mut self, sink: &mut impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        let short = self.zeroes < SHORTEST_ZERO_RUN
            && self.data.len() as u64 + self.zeroes + (BLOCK as u64) <= MAX_CHUNK;
        if short && !self.data.is_empty() {
            self.data.resize(self.data.len() + self.zeroes as usize, 0);
        } else if self.zeroes > 0 {
            self.emit_data(sink)?;
            sink(Piece { offset: self.start, length: self.zeroes, data: None })?;
            self.start += self.zeroes;
        }
        self.zeroes = 0;
        Ok(())
    }

    fn emit_data<E>(&mut self, sink: &mut impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        if !self.data.is_empty() {
            let length = self.data.len() as u64;
            sink(Piece { offset: self.start, length, data: Some(&self.data) })?;
            self.start += length;
            self.data.clear();
        }
        Ok(())
    }

    fn end<E>(mut self, sink: &mut impl FnMut(Piece<'_>) -> Result<(), E>) -> Result<(), E> {
        self.settle_zeroes(sink)?;
        self.emit_data(sink)
    }
}

/// Whether a chunk may end after this block: a function of the block alone, so that it is found again wherever it moves.
fn ends_chunk(block: &[u8]) -> bool {
    // spread the bits: CRCs of blocks that differ little differ little in their high bits
    crc32fast::hash(block).wrapping_mul(0x9e37_79b1) < u32::MAX / ONE_IN
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
