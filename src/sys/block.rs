//! Block devices: one trait for disks, image files and the twins that tests use.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

pub mod attended;
pub mod buffer;
#[cfg(test)]
pub mod faults;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod memory;

#[cfg(test)]
pub use faulty::FaultyDevice;
#[cfg(test)]
pub use memory::{MemoryDevice, Operation};

/// A disk or a file that stands for one. Offsets and lengths in bytes; a short read or write is an error, never a
/// smaller number. Shared between threads; overlapping writes from two threads are the caller's mistake.
pub trait BlockDevice: Send + Sync {
    /// Length in bytes.
    fn size(&self) -> u64;

    /// Logical block size in bytes, 512 or 4096.
    fn logical_block(&self) -> u32;

    /// Fills the buffer from this place.
    ///
    /// # Errors
    /// Past the end, or the device's own error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all bytes at this place. Durable only after [`flush`](Self::flush).
    ///
    /// # Errors
    /// Past the end, or the device's own error.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Returns when everything written before is on stable storage.
    ///
    /// # Errors
    /// The device's own error: what was written since the last flush may be lost.
    fn flush(&self) -> io::Result<()>;

    /// Zeroes these bytes by a command of the device, without sending them. Durable only after [`flush`](Self::flush).
    /// Who must have zeroes, whatever the device can, writes them.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) where the device has no such command, for this range or at all, or the
    /// device's own error; what these bytes are is then unknown.
    fn zero(&self, _range: Range<u64>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether [`zero`](Self::zero) is expected to take a device no longer than a few writes, however long the range. Its
    /// word, and no promise.
    fn zeroes_cheaply(&self) -> bool {
        false
    }

    /// The next bytes, at this place or behind it, that may be other than zero; `None` where there are only zeroes up to the
    /// end. What isn't among them was never written and needs no reading.
    ///
    /// # Errors
    /// The device's own error.
    fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        Ok((from < self.size()).then(|| from..self.size()))
    }

    /// What somebody else changed of it since it was opened, in words, as far as that can be told.
    ///
    /// # Errors
    /// When the device can't be asked any more.
    fn changed(&self) -> io::Result<Option<&'static str>> {
        Ok(None)
    }

    /// How many requests the device is best given at once, at least one. A hint: more only wait.
    fn depth(&self) -> usize {
        4
    }
}

/// A file or a device node, through the page cache.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    size: u64,
    logical_block: u32,
    opened: Option<Stamp>,
}

/// What tells that a file was written to: its length, and when content and inode changed.
type Stamp = (u64, (i64, i64), (i64, i64));

fn stamp(file: &File) -> io::Result<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let it = file.metadata()?;
    Ok((it.len(), (it.mtime(), it.mtime_nsec()), (it.ctime(), it.ctime_nsec())))
}

impl FileDevice {
    /// Uses an open file whose size is known (for a device node, ask the kernel; `metadata` says 0).
    pub fn new(file: File, size: u64, logical_block: u32) -> Self {
        Self { file, size, logical_block, opened: None }
    }

    /// Opens a regular file that others may change, and remembers how it was found. Anything else is refused unopened: a pipe has no
    /// end and no size, and opening a device may do something.
    ///
    /// # Errors
    /// Missing, unreadable, or no regular file; says what it is.
    pub fn watch(path: &std::path::Path) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let opening = || format!("opening {}", path.display());
        super::files::require_regular(path)?;
        // it may be another one by now: a pipe must not keep us waiting
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = File::options().read(true).custom_flags(nonblocking).open(path).with_context(opening)?;
        anyhow::ensure!(file.metadata().with_context(opening)?.is_file(), "{} is not a file", path.display());
        let stamp = stamp(&file).with_context(opening)?;
        Ok(Self { file, size: stamp.0, logical_block: 512, opened: Some(stamp) })
    }
}

/// Writes what isn't zero of these bytes, for a device that holds zeroes there already: of a file they stay holes.
///
/// # Errors
/// Past the end, or the device's own error.
pub fn write_sparse_at(device: &dyn BlockDevice, offset: u64, bytes: &[u8]) -> io::Result<()> {
    const BLOCK: usize = 64 << 10;
    static ZEROES: [u8; BLOCK] = [0; BLOCK];
    for (number, block) in bytes.chunks(BLOCK).enumerate() {
        if *block != ZEROES[..block.len()] {
            device.write_at(offset + (number * BLOCK) as u64, block)?;
        }
    }
    Ok(())
}

/// Whether these bytes are the device's.
///
/// # Errors
/// `UnexpectedEof`.
pub(crate) fn check(size: u64, offset: u64, length: u64) -> io::Result<()> {
    match offset.checked_add(length) {
        Some(end) if end <= size => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{length} bytes at {offset} reach past the end of the device ({size} bytes)"),
        )),
    }
}

impl BlockDevice for FileDevice {
    fn size(&self) -> u64 {
        self.size
    }

    fn logical_block(&self) -> u32 {
        self.logical_block
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        check(self.size, offset, buffer.len() as u64)?;
        self.file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        check(self.size, offset, bytes.len() as u64)?;
        self.file.write_all_at(bytes, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        use rustix::fs::{SeekFrom, seek};
        use rustix::io::Errno;
        if from >= self.size {
            return Ok(None);
        }
        let start = match seek(&self.file, SeekFrom::Data(from)) {
            Ok(start) => start,
            Err(Errno::NXIO) => return Ok(None),
            // file systems that know no holes
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::SPIPE) => return Ok(Some(from..self.size)),
            Err(error) => return Err(error.into()),
        };
        let end = seek(&self.file, SeekFrom::Hole(start))?;
        Ok((start < self.size).then(|| start..end.min(self.size)))
    }

    fn changed(&self) -> io::Result<Option<&'static str>> {
        let Some(opened) = self.opened else { return Ok(None) };
        let now = stamp(&self.file)?;
        Ok(match now {
            _ if now.0 != opened.0 => Some("its size"),
            _ if now != opened => Some("the time of its last change"),
            _ => None,
        })
    }
}

/// A window of a device as a `Read + Write + Seek` stream, for crates that want one (GPT, FAT, ext4).
pub struct Window<'a> {
    device: &'a dyn BlockDevice,
    start: u64,
    length: u64,
    position: u64,
}

impl std::fmt::Debug for Window<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window")
            .field("start", &self.start)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl<'a> Window<'a> {
    /// The bytes from `start`, `length` of them (cut at the device's end).
    pub fn new(device: &'a dyn BlockDevice, start: u64, length: u64) -> Self {
        let length = length.min(device.size().saturating_sub(start));
        Self { device, start, length, position: 0 }
    }

    fn room(&self, want: usize) -> usize {
        want.min(usize::try_from(self.length.saturating_sub(self.position)).unwrap_or(usize::MAX))
    }
}

impl io::Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.room(buffer.len());
        self.device.read_at(self.start + self.position, &mut buffer[..count])?;
        self.position += count as u64;
        Ok(count)
    }
}

impl io::Write for Window<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.room(bytes.len());
        if count == 0 && !bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "write past the end of the window"));
        }
        self.device.write_at(self.start + self.position, &bytes[..count])?;
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.device.flush()
    }
}

impl io::Seek for Window<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let target = match to {
            io::SeekFrom::Start(offset) => Some(offset),
            io::SeekFrom::End(delta) => self.length.checked_add_signed(delta),
            io::SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position =
            target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom, Write};

    use super::*;

    #[test]
    fn runs_of_zeroes_are_not_written() {
        let device = MemoryDevice::new(vec![0; 1 << 20]);
        let mut bytes = vec![0; (192 << 10) + 3];
        bytes[64 << 10] = 1;
        bytes[(192 << 10) + 2] = 2;
        write_sparse_at(&device, 512, &bytes).unwrap();
        assert_eq!(device.content()[512..512 + bytes.len()], bytes);
        let written = |operation: Operation| match operation {
            Operation::Write { offset, bytes } => (offset, bytes.len()),
            Operation::Zero { .. } | Operation::Flush => (0, 0),
        };
        let places: Vec<_> = device.operations().into_iter().map(written).collect();
        assert_eq!(places, [(512 + (64 << 10), 64 << 10), (512 + (192 << 10), 3)]);
    }

    #[test]
    fn holes_of_a_file_are_known_and_its_changes_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"x", 32 << 20).unwrap();
        let device = FileDevice::watch(&path).unwrap();
        let data = device.next_data(0).unwrap().unwrap();
        assert!(data.contains(&(32 << 20)), "{data:?}");
        assert!(data.start > 0, "the file system of {} keeps no holes", dir.path().display());
        assert_eq!(device.next_data(data.end).unwrap(), None);
        assert_eq!(device.next_data(64 << 20).unwrap(), None);
        assert_eq!(device.changed().unwrap(), None);
        file.write_all_at(b"y", 1 << 20).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(device.changed().unwrap(), Some("the time of its last change"));
        file.set_len(1 << 20).unwrap();
        assert_eq!(device.changed().unwrap(), Some("its size"));
    }

    #[test]
    fn a_window_sees_its_range_only() {
        let device = MemoryDevice::new((0..=255).collect());
        let mut window = Window::new(&device, 16, 4);
        let mut all = Vec::new();
        window.read_to_end(&mut all).unwrap();
        assert_eq!(all, [16, 17, 18, 19]);
        window.seek(SeekFrom::End(-1)).unwrap();
        assert!(window.write_all(&[1, 2]).is_err());
        assert_eq!(device.content()[19..21], [1, 20]);
    }

    #[test]
    fn past_the_end_and_bad_places_are_errors() {
        let device = MemoryDevice::new(vec![0; 1024]).with_bad_range(512..513);
        assert!(device.read_at(1000, &mut [0; 25]).is_err());
        assert!(device.read_at(u64::MAX, &mut [0; 2]).is_err());
        assert!(device.write_at(500, &[0; 20]).is_err());
        assert!(device.write_at(0, &[1; 512]).is_ok());
    }
}
