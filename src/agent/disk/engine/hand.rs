//! A hand: takes one task after the other from the board and does it, with memory of its own for one chunk.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use super::Shared;
use super::board::{Job, Task};
use super::extents::Piece;
use super::feed::fills;
use super::write::{BlockWriter, Place, erase};
use crate::agent::Failure;
use crate::agent::payload::fetch::{Fetcher, decoded};
use crate::image::read::Decoder;
use crate::spec::Code;
use crate::spec::image::IndexEntry;
use crate::sys::block::buffer::{Buffer, zeroes};
use crate::value::Digest;

/// One of several.
pub struct Hand<'s, 'b, 'a> {
    shared: &'s Shared<'s, 'b, 'a>,
    writer: BlockWriter<'a>,
    decoder: Decoder,
    buffer: Buffer,
}

impl<'s, 'b, 'a> Hand<'s, 'b, 'a> {
    /// One that hasn't done anything.
    pub fn new(shared: &'s Shared<'s, 'b, 'a>) -> Self {
        let writer = BlockWriter::new(shared.blocks.device);
        Self { shared, writer, decoder: Decoder::default(), buffer: Buffer::default() }
    }

    /// Works until there is nothing more to do.
    ///
    /// # Errors
    /// The first that it meets.
    pub fn work(mut self) -> Result<(), Failure> {
        let board = self.shared.board;
        while let Some(task) = board.next() {
            match task {
                Task::Write(Job::Data { entry, frame }) => self.data(&entry, frame)?,
                Task::Write(Job::Fill(range)) => {
                    let slot = self.shared.slots.take();
                    erase(self.shared.blocks.device, range.clone())?;
                    drop(slot);
                    let length = range.end - range.start;
                    board.done(range.start, length, length);
                }
                Task::Write(Job::Zero(range)) => self.zero(range),
                Task::Flush(end) => {
                    self.writer.flush()?;
                    board.flushed(end);
                }
                Task::Check(piece) => {
                    self.check(&piece)?;
                    board.checked(piece.len() as u64);
                }
            }
        }
        Ok(())
    }

    /// Whatever the device answers to the command, the bytes are read back: what fails is written instead, and the rest of the
    /// image's zeroes too.
    fn zero(&self, range: std::ops::Range<u64>) {
        let Shared { blocks, board, slots, by_command, .. } = self.shared;
        let (start, length) = (range.start, range.end - range.start);
        let slot = slots.take();
        let zeroed = by_command.load(Ordering::Relaxed) && blocks.device.zero(range.clone()).is_ok();
        drop(slot);
        if zeroed {
            return board.done(start, length, 0);
        }
        by_command.store(false, Ordering::Relaxed);
        board.instead(start, fills(range));
    }

    fn data(&mut self, entry: &IndexEntry, frame: Vec<u8>) -> Result<(), Failure> {
        let Shared { blocks, board, .. } = self.shared;
        let mut room = std::mem::take(&mut self.buffer);
        room.resize(entry.length as usize);
        let chunk = decoded(self.decoder.decode(entry, &frame, room), entry, blocks.manifest);
        board.give_back(frame);
        let bytes = match chunk {
            Ok(chunk) => {
                let bytes = self.pieces(entry, &chunk)?;
                self.buffer = chunk.into_inner();
                bytes
            }
            // it may have been damaged on the way
            Err(failure) if failure.code == Code::PayloadDamaged => {
                let chunk = self.again().alone(entry)?;
                self.pieces(entry, &chunk)?
            }
            Err(failure) => return Err(failure),
        };
        board.done(entry.offset, bytes, bytes);
        Ok(())
    }

    /// Writes what isn't withheld of a chunk; how much that is.
    fn pieces<B: AsRef<[u8]>>(
        &self,
        entry: &IndexEntry,
        chunk: &crate::trust::Verified<B>,
    ) -> Result<u64, Failure> {
        let mut written = 0;
        for range in self.shared.withheld.left(entry.offset..entry.offset + entry.length) {
            let piece = Piece { entry: *entry, range };
            let mut is_there = false;
            if !piece.is_whole() {
                let bytes = (*chunk).as_ref().get(piece.within()).unwrap_or_default();
                is_there = self.shared.is_used && self.holds(&piece, bytes);
                let mut parts = self.shared.parts.lock().unwrap_or_else(PoisonError::into_inner);
                parts.insert(piece.range.start, Digest::of(bytes));
            }
            if !is_there {
                let _slot = self.shared.slots.take();
                self.writer.data(&piece, chunk)?;
            }
            written += piece.len() as u64;
        }
        Ok(written)
    }

    /// Whether the disk has these bytes already. What is written though it was right would hide a write that went astray over what
    /// was read before.
    fn holds(&self, piece: &Piece, bytes: &[u8]) -> bool {
        let mut room = Buffer::default();
        self.read(piece, &mut room).is_ok() && room.as_ref() == bytes
    }

    fn again(&self) -> MutexGuard<'s, Fetcher<'a>> {
        self.shared.again.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a piece back; what is wrong or can't be read is written once more.
    fn check(&mut self, piece: &Piece) -> Result<(), Failure> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.read(piece, &mut buffer);
        if !read.is_ok_and(|()| self.is_right(piece, buffer.as_ref())) {
            self.repair(piece, &mut buffer)?;
            self.shared.board.has_mended(piece.range.start);
        }
        self.buffer = buffer;
        Ok(())
    }

    fn read(&self, piece: &Piece, buffer: &mut Buffer) -> io::Result<()> {
        buffer.resize(piece.len());
        let _slot = self.shared.slots.take();
        self.shared.blocks.device.read_at(piece.range.start, buffer.as_mut())
    }

    fn is_right(&self, piece: &Piece, bytes: &[u8]) -> bool {
        piece.is(bytes).unwrap_or_else(|| {
            let parts = self.shared.parts.lock().unwrap_or_else(PoisonError::into_inner);
            parts.get(&piece.range.start) == Some(&Digest::of(bytes))
        })
    }

    /// Zeroes are written here, whatever the device can: a command that left something else isn't trusted again.
    fn repair(&self, piece: &Piece, buffer: &mut Buffer) -> Result<(), Failure> {
        let chunk;
        let expected = if piece.is_zero() {
            let _slot = self.shared.slots.take();
            erase(self.shared.blocks.device, piece.range.clone())?;
            zeroes(piece.len())
        } else {
            chunk = self.again().alone(&piece.entry)?;
            let _slot = self.shared.slots.take();
            self.writer.data(piece, &chunk)?;
            chunk.get(piece.within()).unwrap_or_default()
        };
        self.writer.flush()?;
        let device = self.shared.blocks.device;
        let place = Place::new(piece.range.start, device);
        self.read(piece, buffer).map_err(|error| {
            let what =
                format_args!("reading back {} bytes at {place}, which were written twice", piece.len());
            Failure::disk(what, &error)
        })?;
        let differs = expected.iter().zip(buffer.as_ref()).position(|(expected, found)| expected != found);
        let Some(at) = differs else { return Ok(()) };
        let place = Place::new(piece.range.start + at as u64, device);
        let message = format!(
            "{place} was written twice as {:#04x} and reads back as {:#04x}",
            expected[at],
            buffer.as_ref()[at]
        );
        Err(Failure::new(Code::ReadBack, message))
    }
}
