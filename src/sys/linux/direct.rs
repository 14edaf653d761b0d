//! Files and device nodes past the page cache: what is written is on its way to the device when a call returns, and what is
//! read comes from it, so that a read-back sees the disk and not the memory.
//!
//! Direct I/O wants whole blocks, in memory that begins on a page. Bytes elsewhere in memory are copied; parts of blocks, and
//! files whose file system knows no direct I/O, go through the page cache, which the kernel keeps in step.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::sys::block::buffer::{ALIGN, Buffer};
use crate::sys::block::{BlockDevice, check};

/// The longest piece that is copied at once.
const PIECE: usize = 1 << 20;

/// A file or device node whose bytes aren't kept in memory.
#[derive(Debug)]
pub struct DirectFile {
    file: File,
    direct: Option<File>,
    size: u64,
    logical_block: u32,
    /// Where bytes are copied that direct I/O doesn't take as they lie.
    room: Mutex<Buffer>,
    /// Something was written through the page cache since the last flush.
    cached: AtomicBool,
}

impl DirectFile {
    /// Uses an open disk whose size is known; `node` is where it can be opened once more.
    ///
    /// # Errors
    /// It can't be opened for direct I/O: what is read back then could come from memory.
    pub fn of_disk(file: File, node: &Path, size: u64, logical_block: u32) -> io::Result<Self> {
        let direct = Some(open_direct(node)?);
        Ok(Self { file, direct, size, logical_block, room: Mutex::default(), cached: AtomicBool::new(false) })
    }

    /// Opens a file that stands for a disk.
    ///
    /// # Errors
    /// It can't be opened for reading and writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let size = file.metadata()?.len();
        // a file system may have no direct I/O
        let direct = open_direct(path).ok();
        let (room, cached) = (Mutex::default(), AtomicBool::new(false));
        Ok(Self { file, direct, size, logical_block: 512, room, cached })
    }

    /// The handle through the page cache.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Zeroes by command through this handle of the same file, see [`BlockDevice::zero`].
    ///
    /// # Errors
    /// As there.
    pub fn zero_through(&self, handle: &File, range: &Range<u64>) -> io::Result<()> {
        let length = range.end.saturating_sub(range.start);
        check(self.size, range.start, length)?;
        // the kernel drops cached pages of the range: none may be dirty. They aren't written here, since nobody would take what
        // goes wrong for a failure of writing
        if self.cached.load(Ordering::Acquire) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(handle, hole, range.start, length) {
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::Unsupported.into()),
            other => Ok(other?),
        }
    }

    /// Through the page cache, of which what is asked for is given up first.
    fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.sync_data()?;
        let length = NonZeroU64::new(buffer.len() as u64);
        rustix::fs::fadvise(&self.file, offset, length, rustix::fs::Advice::DontNeed)?;
        self.file.read_exact_at(buffer, offset)
    }

    fn is_whole(&self, offset: u64, length: usize) -> bool {
        let block = u64::from(self.logical_block.max(1));
        offset.is_multiple_of(block) && (length as u64).is_multiple_of(block)
    }

    fn room(&self) -> MutexGuard<'_, Buffer> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the whole blocks around these bytes, and copies.
    fn read_around(&self, direct: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let align = ALIGN as u64;
        let mut room = self.room();
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let start = at / align * align;
            let inside = (at - start) as usize;
            let wanted = (buffer.len() - done).min(PIECE - inside);
            // the last piece of a disk whose size is no multiple of 4096 is cut at its end
            let length = ((inside + wanted).next_multiple_of(ALIGN) as u64).min(self.size - start) as usize;
            room.resize(length);
            direct.read_exact_at(room.as_mut(), start)?;
            buffer[done..done + wanted].copy_from_slice(&room.as_ref()[inside..inside + wanted]);
            done += wanted;
        }
        Ok(())
    }

    fn write_direct(&self, direct: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if is_aligned(bytes) {
            return direct.write_all_at(bytes, offset);
        }
        let mut room = self.room();
        for (number, piece) in bytes.chunks(PIECE).enumerate() {
            room.resize(piece.len());
            room.as_mut().copy_from_slice(piece);
            direct.write_all_at(room.as_ref(), offset + (number * PIECE) as u64)?;
        }
        Ok(())
    }
}

/// A file on a file system whose blocks are larger than those of the disk that it stands for.
fn is_of_larger_blocks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput
}

fn open_direct(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT).open(path)
}

fn is_aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(ALIGN)
}

impl BlockDevice for DirectFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn logical_block(&self) -> u32 {
        self.logical_block
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        check(self.size, offset, buffer.len() as u64)?;
        let read = match &self.direct {
            Some(direct) if self.is_whole(offset, buffer.len()) && is_aligned(buffer) => {
                direct.read_exact_at(buffer, offset)
            }
            Some(direct) => self.read_around(direct, offset, buffer),
            None => return self.read_cached(offset, buffer),
        };
        match read {
            Err(error) if is_of_larger_blocks(&error) => self.read_cached(offset, buffer),
            done => done,
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        check(self.size, offset, bytes.len() as u64)?;
        if let Some(direct) = self.direct.as_ref().filter(|_| self.is_whole(offset, bytes.len())) {
            match self.write_direct(direct, offset, bytes) {
                Err(error) if is_of_larger_blocks(&error) => {}
                done => return done,
            }
        }
        self.cached.store(true, Ordering::Release);
        self.file.write_all_at(bytes, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.cached.store(false, Ordering::Release);
        self.file.sync_all()
    }

    /// By `fallocate(2)`: a hole that is punched reads as zeroes, of a block device too, unmapped where it can, and the kernel
    /// never writes the zeroes itself. (`BLKZEROOUT` forbids the device to unmap, so that a thin disk would grow, and writes.)
    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        self.zero_through(&self.file, &range)
    }

    fn zeroes_cheaply(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole blocks and parts of them, from memory that is aligned and that isn't, read back by another handle.
    #[test]
    fn what_is_written_and_zeroed_is_in_the_file_and_is_read() {
        let file = tempfile::NamedTempFile::new_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let size = (3 << 20) + 512;
        file.as_file().set_len(size).unwrap();
        let disk = DirectFile::open(file.path()).unwrap();
        let mut expected = vec![0; size as usize];
        let mut memory = Buffer::default();
        memory.resize((2 << 20) + 8192);
        memory.as_mut().iter_mut().enumerate().for_each(|(i, byte)| *byte = (i % 251) as u8 + 1);
        for (offset, skip, length) in [
            (4096, 0, 8192),
            (512, 3, 512),
            (1 << 20, 1, (1 << 20) + 4096),
            (size - 512, 0, 512),
            (100, 0, 7),
            ((2 << 20) + 8192 + 1, 9, 4000),
        ] {
            let bytes = &memory.as_ref()[skip..skip + length];
            disk.write_at(offset, bytes).unwrap();
            expected[offset as usize..offset as usize + length].copy_from_slice(bytes);
        }
        let middle = (1 << 20) + 8192..(2 << 20) - 8192;
        // parts of blocks were written, and their failure would be told to whoever flushes
        assert_eq!(disk.zero(middle.clone()).unwrap_err().kind(), io::ErrorKind::Unsupported);
        disk.flush().unwrap();
        disk.zero(middle).unwrap();
        expected[(1 << 20) + 8192..(2 << 20) - 8192].fill(0);
        disk.flush().unwrap();
        assert!(std::fs::read(file.path()).unwrap() == expected);
        for (offset, skip, length) in [(0, 0, 2 << 20), (512, 0, 1024), (77, 5, 99_999), (size - 700, 0, 700)]
        {
            let buffer = &mut memory.as_mut()[skip..skip + length];
            disk.read_at(offset, buffer).unwrap();
            assert!(*buffer == expected[offset as usize..offset as usize + length], "{length} at {offset}");
        }
        for beyond in
            [disk.read_at(size - 1, &mut [0; 2]), disk.write_at(size - 1, &[0; 2]), disk.zero(0..size + 1)]
        {
            assert_eq!(beyond.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
