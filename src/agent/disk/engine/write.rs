//! Writing: the bytes of verified chunks, and zeroes.

use std::fmt::{Display, Formatter};
use std::ops::Range;

use super::extents::Piece;
use crate::agent::Failure;
use crate::spec::Code;
use crate::sys::block::BlockDevice;
use crate::sys::block::buffer::{MOST_ZEROES, zeroes};
use crate::trust::Verified;

/// Writes an image's blocks to a disk.
pub struct BlockWriter<'a> {
    device: &'a dyn BlockDevice,
}

impl<'a> BlockWriter<'a> {
    pub fn new(device: &'a dyn BlockDevice) -> Self {
        Self { device }
    }

    /// Writes a piece of a data extent, whose verified bytes these are.
    pub fn data<B: AsRef<[u8]>>(&self, piece: &Piece, chunk: &Verified<B>) -> Result<(), Failure> {
        match (**chunk).as_ref().get(piece.within()) {
            Some(bytes) => self.put(piece.range.start, bytes),
            None => Err(Failure::new(Code::Internal, "a chunk is shorter than its extent")),
        }
    }

    /// Makes what was written durable.
    pub fn flush(&self) -> Result<(), Failure> {
        flush(self.device)
    }

    fn put(&self, start: u64, bytes: &[u8]) -> Result<(), Failure> {
        let place = Place::new(start, self.device);
        let failed = |error| Failure::disk(format_args!("writing {} bytes at {place}", bytes.len()), &error);
        self.device.write_at(start, bytes).map_err(failed)
    }
}

/// Makes what was written to a disk durable.
pub fn flush(device: &dyn BlockDevice) -> Result<(), Failure> {
    device.flush().map_err(|error| Failure::disk("flushing the disk's cache", &error))
}

/// Writes zeroes, over what earlier times left, or as the image says.
pub fn erase(device: &dyn BlockDevice, mut range: Range<u64>) -> Result<(), Failure> {
    while range.start < range.end {
        let length = (range.end - range.start).min(MOST_ZEROES as u64);
        let place = Place::new(range.start, device);
        let failed = |error| Failure::disk(format_args!("writing {length} zeroes at {place}"), &error);
        device.write_at(range.start, zeroes(length as usize)).map_err(failed)?;
        range.start += length;
    }
    Ok(())
}

/// A byte of a disk, said as those who look after disks say it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    byte: u64,
    lba: u64,
}

impl Place {
    /// This byte of this disk.
    pub fn new(byte: u64, device: &dyn BlockDevice) -> Self {
        Self { byte, lba: byte / u64::from(device.logical_block().max(1)) }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "byte {} of the disk (LBA {})", self.byte, self.lba)
    }
}
