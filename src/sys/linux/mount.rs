//! Mounting, and resizing what is mounted.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags};

/// Mounts a file system at a directory, which is made if it is missing.
///
/// # Errors
/// The kernel's: no such file system, no such device, damaged super block.
pub fn mount(source: &str, target: &Path, kind: &str, options: &str) -> io::Result<()> {
    std::fs::create_dir_all(target)?;
    let options = std::ffi::CString::new(options)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOATIME;
    // devtmpfs is where the devices are; NODEV there would lock us out
    let flags = if kind == "devtmpfs" { MountFlags::NOSUID } else { flags };
    Ok(rustix::mount::mount(source, target, kind, flags, Some(options.as_c_str()))?)
}

/// Unmounts, and returns when all is written.
///
/// # Errors
/// Busy, or not mounted.
pub fn unmount(target: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(target, UnmountFlags::empty())?)
}

/// `_IOW('f', 16, __u64)`
const EXT4_IOC_RESIZE_FS: libc::c_ulong = 0x4008_6610;

/// Grows the mounted ext4 file system to this many blocks of its own size.
///
/// # Errors
/// The kernel's: too many blocks for the partition, no room for descriptors.
#[allow(unsafe_code, reason = "ioctl has no safe form")]
pub fn resize_ext4(mounted: &Path, blocks: u64) -> io::Result<()> {
    let root = File::open(mounted)?;
    // SAFETY: the descriptor is open for the whole call, and the argument points to a u64 that outlives it, as
    // EXT4_IOC_RESIZE_FS wants; the kernel only reads it.
    let result = unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_RESIZE_FS, &raw const blocks) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    root.sync_all()
}
