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

/// `xfs_fs.h`, `struct xfs_fsop_geom_v1`, as far as it is read; 112 bytes.
#[repr(C)]
struct XfsGeometry {
    block_size: u32,
    between: [u32; 6],
    /// Percentage of the space that inodes may take.
    inodes: u32,
    blocks: u64,
    rest: [u64; 9],
}

/// `xfs_fs.h`, `struct xfs_growfs_data`.
#[repr(C)]
struct XfsGrowth {
    blocks: u64,
    inodes: u32,
}

/// `_IOR('X', 100, struct xfs_fsop_geom_v1)`
const XFS_IOC_FSGEOMETRY_V1: libc::c_ulong = 0x8070_5864;
/// `_IOW('X', 110, struct xfs_growfs_data)`
const XFS_IOC_FSGROWFSDATA: libc::c_ulong = 0x4010_586e;

/// Grows the mounted XFS file system to this many blocks of its own size. Never makes it smaller.
///
/// # Errors
/// The kernel's: too many blocks for the partition.
#[allow(unsafe_code, reason = "ioctl has no safe form")]
pub fn grow_xfs(mounted: &Path, blocks: u64) -> io::Result<()> {
    let root = File::open(mounted)?;
    let mut now = XfsGeometry { block_size: 0, between: [0; 6], inodes: 0, blocks: 0, rest: [0; 9] };
    // SAFETY: the descriptor is open, and the argument points to a structure of the size that is coded in the request, which the
    // kernel fills.
    if unsafe { libc::ioctl(root.as_raw_fd(), XFS_IOC_FSGEOMETRY_V1, &raw mut now) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if blocks <= now.blocks {
        return Ok(());
    }
    let growth = XfsGrowth { blocks, inodes: now.inodes };
    // SAFETY: as above; the kernel only reads it.
    if unsafe { libc::ioctl(root.as_raw_fd(), XFS_IOC_FSGROWFSDATA, &raw const growth) } != 0 {
        return Err(io::Error::last_os_error());
    }
    root.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_that_the_requests_name() {
        let size = |request: libc::c_ulong| (request >> 16 & 0x3fff) as usize;
        assert_eq!(size_of::<XfsGeometry>(), size(XFS_IOC_FSGEOMETRY_V1));
        assert_eq!(size_of::<XfsGrowth>(), size(XFS_IOC_FSGROWFSDATA));
        assert_eq!(size_of::<u64>(), size(EXT4_IOC_RESIZE_FS));
    }
}
