//! The disks of the machine that this program runs on.

use std::io;
use std::path::Path;

use super::disks;
use crate::spec::facts::Disk;
use crate::sys::block::BlockDevice;
use crate::sys::linux::disk;
use crate::trust::TrustedKeys;

/// Opens the disk with this kernel name for reading.
///
/// # Errors
/// No such device, no medium.
pub fn open(name: &str) -> io::Result<Box<dyn BlockDevice>> {
    Ok(Box::new(disk::open_to_read(&Path::new("/dev").join(name))?))
}

/// All disks of this machine as they are now; candidates are read all over, which takes a while.
pub fn live_disks(keys: &TrustedKeys, is_candidate: disks::Candidate<'_>) -> Vec<Disk> {
    disks::look(Path::new("/sys"), &disks::Look { open: &open, keys, is_candidate })
}
