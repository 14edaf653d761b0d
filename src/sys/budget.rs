//! A reader of foreign file systems that ends: tables in a damaged volume may send their reader round in circles.
//!
//! It bounds the work and judges nothing. Not for writing.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::block::Window;

/// What a read costs at least, so that many small ones end too.
const SMALLEST: u64 = 64;

/// A window that can be read for so many bytes, and then no more.
#[derive(Debug)]
pub struct Budgeted<'a> {
    window: Window<'a>,
    left: u64,
}

impl<'a> Budgeted<'a> {
    /// Reads this window, `bytes` of it at most, those counted again that are read again.
    pub fn new(window: Window<'a>, bytes: u64) -> Self {
        Self { window, left: bytes }
    }
}

impl Read for Budgeted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let cost = (buffer.len() as u64).max(SMALLEST);
        let left = self.left.checked_sub(cost);
        self.left = left.ok_or_else(|| io::Error::other("the volume has no end; it is damaged"))?;
        self.window.read(buffer)
    }
}

impl Seek for Budgeted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.window.seek(to)
    }
}

/// The reader of FAT asks for it; nothing is written.
impl Write for Budgeted<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "volumes of others are only read"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
