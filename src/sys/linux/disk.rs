//! Whole disks: exclusive opening, size, partitions that only the kernel knows.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::sys::block::{BlockDevice, FileDevice};

/// `_IO(0x12, 94)`
const BLKROGET: libc::c_ulong = 0x125e;
/// `_IO(0x12, 97)`
const BLKFLSBUF: libc::c_ulong = 0x1261;
/// `_IO(0x12, 104)`
const BLKSSZGET: libc::c_ulong = 0x1268;
/// `_IO(0x12, 105)`
const BLKPG: libc::c_ulong = 0x1269;
/// `_IOR(0x12, 114, size_t)`
const BLKGETSIZE64: libc::c_ulong = 0x8008_1272;

const ADD_PARTITION: libc::c_int = 1;
const DELETE_PARTITION: libc::c_int = 2;

/// `struct blkpg_partition` of linux/blkpg.h
#[repr(C)]
struct BlkpgPartition {
    start: libc::c_longlong,
    length: libc::c_longlong,
    number: libc::c_int,
    names: [u8; 128],
}

/// `struct blkpg_ioctl_arg` of linux/blkpg.h
#[repr(C)]
struct BlkpgArgument {
    operation: libc::c_int,
    flags: libc::c_int,
    length: libc::c_int,
    data: *mut BlkpgPartition,
}

#[allow(unsafe_code, reason = "ioctl has no safe form")]
fn get<T: Default>(file: &File, request: libc::c_ulong) -> io::Result<T> {
    let mut value = T::default();
    // SAFETY: the descriptor is open; every caller passes the integer type that its request writes (c_int, or u64 for
    // BLKGETSIZE64), and `value` outlives the call.
    match unsafe { libc::ioctl(file.as_raw_fd(), request, &raw mut value) } {
        0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}

#[allow(unsafe_code, reason = "ioctl has no safe form")]
fn partition_call(file: &File, operation: libc::c_int, mut partition: BlkpgPartition) -> io::Result<()> {
    let argument = BlkpgArgument {
        operation,
        flags: 0,
        length: size_of::<BlkpgPartition>() as libc::c_int,
        data: &raw mut partition,
    };
    // SAFETY: both structures have the layout of linux/blkpg.h (repr(C)), are initialised, and outlive the call.
    match unsafe { libc::ioctl(file.as_raw_fd(), BLKPG, &raw const argument) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Opens a disk for reading and asks the kernel for its size.
///
/// # Errors
/// No such device, no medium.
pub fn open_to_read(node: &Path) -> io::Result<FileDevice> {
    let file = File::open(node)?;
    let (size, block) = (get::<u64>(&file, BLKGETSIZE64)?, get::<libc::c_int>(&file, BLKSSZGET)?);
    Ok(FileDevice::new(file, size, block.unsigned_abs()))
}

/// Opens a disk for reading and writing without claiming it, for the recorder of a stick.
///
/// # Errors
/// No such device, write-protected.
pub fn open_shared(node: &Path) -> io::Result<FileDevice> {
    let file = OpenOptions::new().read(true).write(true).open(node)?;
    if get::<libc::c_int>(&file, BLKROGET)? != 0 {
        return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the device is write-protected"));
    }
    let (size, block) = (get::<u64>(&file, BLKGETSIZE64)?, get::<libc::c_int>(&file, BLKSSZGET)?);
    Ok(FileDevice::new(file, size, block.unsigned_abs()))
}

/// The disk that is installed: held exclusively, so that nothing mounts or assembles it meanwhile. Writes go through the
/// page cache; reads bypass it, so that a read-back sees the disk and not the memory.
#[derive(Debug)]
pub struct TargetDisk {
    node: PathBuf,
    file: File,
    direct: Option<File>,
    size: u64,
    logical_block: u32,
    hold: Mutex<Option<File>>,
    /// Room for direct reads, with space to align it.
    room: Mutex<Vec<u8>>,
    zeroes_cheaply: bool,
}

/// Memory, offsets and lengths of direct reads are multiples of this; every disk's block size divides it.
const DIRECT_ALIGN: usize = 4096;
const DIRECT_PIECE: usize = 1 << 20;

/// Whether the kernel knows a command by which this disk zeroes without being sent zeroes
/// (Documentation/ABI/stable/sysfs-block).
fn has_zeroing(sys: &Path, node: &Path) -> bool {
    let name = node.file_name().unwrap_or_default();
    let path = sys.join("class/block").join(name).join("queue/write_zeroes_max_bytes");
    std::fs::read_to_string(path).is_ok_and(|text| text.trim().parse().is_ok_and(|most: u64| most > 0))
}

impl TargetDisk {
    /// Opens and holds the disk.
    ///
    /// # Errors
    /// In use, write-protected, or gone.
    pub fn open(node: &Path) -> io::Result<Self> {
        let hold = Self::exclusive(node)?;
        let file = OpenOptions::new().read(true).write(true).open(node)?;
        if get::<libc::c_int>(&file, BLKROGET)? != 0 {
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the disk is write-protected"));
        }
        let size = get::<u64>(&file, BLKGETSIZE64)?;
        let logical_block = get::<libc::c_int>(&file, BLKSSZGET)?.unsigned_abs();
        let direct = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(node).ok();
        let (hold, room) = (Mutex::new(Some(hold)), Mutex::new(vec![0; DIRECT_PIECE + 2 * DIRECT_ALIGN]));
        let zeroes_cheaply = has_zeroing(Path::new("/sys"), node);
        Ok(Self { node: node.to_owned(), file, direct, size, logical_block, hold, room, zeroes_cheaply })
    }

    fn exclusive(node: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_EXCL).open(node)
    }

    /// Gives up the exclusive hold, so that a partition can be mounted, and forgets cached blocks.
    ///
    /// # Errors
    /// When what was written can't be brought to the disk.
    pub fn release(&self) -> io::Result<()> {
        self.file.sync_all()?;
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.forget_cached()
    }

    /// Takes the exclusive hold again.
    ///
    /// # Errors
    /// Something else holds the disk or a partition of it.
    pub fn hold(&self) -> io::Result<()> {
        let held = Self::exclusive(&self.node)?;
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        self.forget_cached()
    }

    #[allow(unsafe_code, reason = "ioctl has no safe form")]
    fn forget_cached(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open; BLKFLSBUF takes no argument.
        match unsafe { libc::ioctl(self.file.as_raw_fd(), BLKFLSBUF, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Tells the kernel of a partition that no table on the disk names.
    ///
    /// # Errors
    /// The kernel's: it overlaps another one.
    pub fn add_partition(&self, number: u32, start: u64, length: u64) -> io::Result<()> {
        let wrong =
            |_| io::Error::new(io::ErrorKind::InvalidInput, "partition lies beyond what the kernel can say");
        let partition = BlkpgPartition {
            start: start.try_into().map_err(wrong)?,
            length: length.try_into().map_err(wrong)?,
            number: number.try_into().map_err(wrong)?,
            names: [0; 128],
        };
        partition_call(&self.file, ADD_PARTITION, partition)
    }

    /// Makes the kernel forget a partition.
    ///
    /// # Errors
    /// In use, or not known.
    pub fn delete_partition(&self, number: u32) -> io::Result<()> {
        let number = libc::c_int::try_from(number)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no such partition number"))?;
        partition_call(
            &self.file,
            DELETE_PARTITION,
            BlkpgPartition { start: 0, length: 0, number, names: [0; 128] },
        )
    }

    fn read_direct(&self, direct: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let align = DIRECT_ALIGN as u64;
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = room.as_ptr().align_offset(DIRECT_ALIGN);
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            let start = at / align * align;
            let inside = (at - start) as usize;
            let wanted = (buffer.len() - done).min(DIRECT_PIECE - inside);
            // the last piece of a disk whose size is no multiple of 4096 is cut at its end
            let length =
                ((inside + wanted).next_multiple_of(DIRECT_ALIGN) as u64).min(self.size - start) as usize;
            let piece = &mut room[skip..skip + length];
            direct.read_exact_at(piece, start)?;
            buffer[done..done + wanted].copy_from_slice(&piece[inside..inside + wanted]);
            done += wanted;
        }
        Ok(())
    }
}

impl BlockDevice for TargetDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn logical_block(&self) -> u32 {
        self.logical_block
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "read past the end of the disk"));
        }
        match &self.direct {
            Some(direct) => self.read_direct(direct, offset, buffer),
            None => {
                self.file.sync_data()?;
                rustix::fs::fadvise(
                    &self.file,
                    offset,
                    std::num::NonZeroU64::new(buffer.len() as u64),
                    rustix::fs::Advice::DontNeed,
                )?;
                self.file.read_exact_at(buffer, offset)
            }
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "write past the end of the disk"));
        }
        self.file.write_all_at(bytes, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// By `fallocate(2)`: of a block device, a hole that is punched reads as zeroes, unmapped where the device can, and the
    /// kernel never writes the zeroes itself. (`BLKZEROOUT` forbids the device to unmap, so that a thin disk would grow.)
    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        use rustix::fs::FallocateFlags;
        let length = range.end.saturating_sub(range.start);
        if range.start.checked_add(length).is_none_or(|end| end > self.size) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "zeroing past the end of the disk"));
        }
        // the kernel drops cached pages of the range: none may be dirty, and the exclusive handle is asked no questions
        self.file.sync_data()?;
        let hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        let file = hold.as_ref().unwrap_or(&self.file);
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(file, hole, range.start, length) {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::INVAL) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            other => Ok(other?),
        }
    }

    fn zeroes_cheaply(&self) -> bool {
        self.zeroes_cheaply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_zeroes_by_command_where_the_kernel_says_so() {
        let sys = tempfile::tempdir().unwrap();
        for (name, said) in [("vda", "2147483136\n"), ("sda", "0\n"), ("sdb", "x")] {
            let queue = sys.path().join("class/block").join(name).join("queue");
            std::fs::create_dir_all(&queue).unwrap();
            std::fs::write(queue.join("write_zeroes_max_bytes"), said).unwrap();
        }
        let said =
            ["vda", "sda", "sdb", "sdc"].map(|name| has_zeroing(sys.path(), &Path::new("/dev").join(name)));
        assert_eq!(said, [true, false, false, false]);
    }
}
