//! Whole disks: exclusive opening, size, partitions that only the kernel knows.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::direct::DirectFile;
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

/// The disk that is installed: held exclusively, so that nothing mounts or assembles it meanwhile. Reads and writes go past
/// the page cache, see [`DirectFile`].
#[derive(Debug)]
pub struct TargetDisk {
    node: PathBuf,
    io: DirectFile,
    hold: Mutex<Option<File>>,
    zeroes_cheaply: bool,
    depth: usize,
}

/// How long the kernel waits for an answer before it resets the disk, and at last takes it away. It waits 30 s by itself, and
/// disks that clear much at once, or move what fails, were seen to take longer and to go on.
const PATIENCE: Duration = Duration::from_secs(120);

/// The kernel's file of this about the disk's queue (Documentation/ABI/stable/sysfs-block).
fn queue_file(sys: &Path, node: &Path, what: &str) -> PathBuf {
    sys.join("class/block").join(node.file_name().unwrap_or_default()).join("queue").join(what)
}

/// A number that the kernel says of this disk's queue.
fn queue(sys: &Path, node: &Path, what: &str) -> Option<u64> {
    std::fs::read_to_string(queue_file(sys, node, what)).ok()?.trim().parse().ok()
}

/// Makes the kernel wait at least as long as [`PATIENCE`] for this disk. Where a disk's driver waits for ever there is no such
/// file, and nothing to do.
fn be_patient(sys: &Path, node: &Path) -> io::Result<()> {
    let patience = PATIENCE.as_millis();
    match queue(sys, node, "io_timeout") {
        Some(waits) if u128::from(waits) < patience => {
            std::fs::write(queue_file(sys, node, "io_timeout"), patience.to_string())
        }
        _ => Ok(()),
    }
}

/// Whether the kernel knows a command by which this disk zeroes without being sent zeroes.
fn has_zeroing(sys: &Path, node: &Path) -> bool {
    queue(sys, node, "write_zeroes_max_bytes").is_some_and(|most| most > 0)
}

/// As many requests as the kernel keeps for this disk: small readers stall where more are pushed at them.
fn depth(sys: &Path, node: &Path) -> usize {
    queue(sys, node, "nr_requests").map_or(4, |most| most.clamp(1, 64) as usize)
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
        let io = DirectFile::of_disk(file, node, size, logical_block)?;
        let (hold, sys) = (Mutex::new(Some(hold)), Path::new("/sys"));
        // without it the disk is waited for as long as by any other program
        let _ = be_patient(sys, node);
        let (zeroes_cheaply, depth) = (has_zeroing(sys, node), depth(sys, node));
        Ok(Self { node: node.to_owned(), io, hold, zeroes_cheaply, depth })
    }

    fn exclusive(node: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_EXCL).open(node)
    }

    /// Gives up the exclusive hold, so that a partition can be mounted, and forgets cached blocks.
    ///
    /// # Errors
    /// When what was written can't be brought to the disk.
    pub fn release(&self) -> io::Result<()> {
        self.io.flush()?;
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

    /// The kernel doesn't say of a disk that it took away, only that there is nothing at any place of it.
    fn explained(&self, error: io::Error) -> io::Error {
        match get::<u64>(self.io.file(), BLKGETSIZE64) {
            Ok(0) => {
                let message = format!("the disk is gone: it was pulled, or the kernel gave it up ({error})");
                io::Error::new(io::ErrorKind::NotConnected, message)
            }
            _ => error,
        }
    }

    #[allow(unsafe_code, reason = "ioctl has no safe form")]
    fn forget_cached(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open; BLKFLSBUF takes no argument.
        match unsafe { libc::ioctl(self.io.file().as_raw_fd(), BLKFLSBUF, 0) } {
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
        partition_call(self.io.file(), ADD_PARTITION, partition)
    }

    /// Makes the kernel forget a partition.
    ///
    /// # Errors
    /// In use, or not known.
    pub fn delete_partition(&self, number: u32) -> io::Result<()> {
        let number = libc::c_int::try_from(number)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no such partition number"))?;
        partition_call(
            self.io.file(),
            DELETE_PARTITION,
            BlkpgPartition { start: 0, length: 0, number, names: [0; 128] },
        )
    }
}

impl BlockDevice for TargetDisk {
    fn size(&self) -> u64 {
        self.io.size()
    }

    fn logical_block(&self) -> u32 {
        self.io.logical_block()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.io.read_at(offset, buffer).map_err(|error| self.explained(error))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.io.write_at(offset, bytes).map_err(|error| self.explained(error))
    }

    fn flush(&self) -> io::Result<()> {
        self.io.flush().map_err(|error| self.explained(error))
    }

    /// Through the handle that holds the disk: another one would have to claim it first, and can't.
    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        self.io
            .zero_through(hold.as_ref().unwrap_or(self.io.file()), &range)
            .map_err(|error| self.explained(error))
    }

    fn zeroes_cheaply(&self) -> bool {
        self.zeroes_cheaply
    }

    fn depth(&self) -> usize {
        self.depth
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

    #[test]
    fn a_disk_is_given_no_more_at_once_than_its_queue_holds() {
        let sys = tempfile::tempdir().unwrap();
        for (name, said) in [("nvme0n1", "1023\n"), ("sda", "2\n"), ("sdb", "0\n")] {
            let queue = sys.path().join("class/block").join(name).join("queue");
            std::fs::create_dir_all(&queue).unwrap();
            std::fs::write(queue.join("nr_requests"), said).unwrap();
        }
        let said =
            ["nvme0n1", "sda", "sdb", "sdc"].map(|name| depth(sys.path(), &Path::new("/dev").join(name)));
        assert_eq!(said, [64, 2, 1, 4]);
    }

    #[test]
    fn a_disk_is_waited_for_two_minutes_and_a_longer_wait_is_left() {
        let sys = tempfile::tempdir().unwrap();
        for (name, said) in [("nvme0n1", "30000\n"), ("sda", "240000\n")] {
            let queue = sys.path().join("class/block").join(name).join("queue");
            std::fs::create_dir_all(&queue).unwrap();
            std::fs::write(queue.join("io_timeout"), said).unwrap();
        }
        let waits = ["nvme0n1", "sda", "vda"].map(|name| {
            let node = Path::new("/dev").join(name);
            be_patient(sys.path(), &node).unwrap();
            queue(sys.path(), &node, "io_timeout")
        });
        assert_eq!(waits, [Some(120_000), Some(240_000), None]);
    }
}
