//! Formats that aren't taken: each is named, with what makes a disk image of it.

use anyhow::{Result, bail, ensure};

use super::has;
use crate::spec::ondisk::ext4;
use crate::spec::ondisk::filesystems::optical::ISO_9660;
use crate::spec::ondisk::filesystems::{btrfs, xfs};
use crate::spec::ondisk::volumes::luks;
use crate::sys::block::BlockDevice;

const CONVERT: &str = "`qemu-img convert -O qcow2 FILE image.qcow2`";
const NO_DISK: &str = "images are whole disks with a GPT, an EFI system partition and a root";
const INSTALLER: &str =
    "an image is a disk on which a system is installed already, such as a distribution's cloud image";
const EXT4: u64 = ext4::MAGIC.at;
const BTRFS: u64 = btrfs::MAGIC.at;
const UNPACK: &str = "unpack it, and import the disk image in it";

/// Where which bytes are, what they say it is, and the way out.
const FORMATS: [(u64, &[u8], &str, &str); 21] = [
    (0, b"KDMV", "a VMDK image", CONVERT),
    (0, b"# Disk DescriptorFile", "the descriptor of a VMDK image", CONVERT),
    (0, b"conectix", "a VHD image", CONVERT),
    (0, b"vhdxfile", "a VHDX image", CONVERT),
    (0x40, b"\x7f\x10\xda\xbe", "a VDI image", CONVERT),
    (0, b"QED\0", "a QED image", CONVERT),
    (0, b"QFI\xfb\0\0\0\x01", "a qcow image of version 1", CONVERT),
    (0, b"\x3a\xff\x26\xed", "an Android sparse image", "`simg2img FILE image.raw`"),
    (ISO_9660.at, ISO_9660.bytes, "an ISO 9660 image", INSTALLER),
    (0, b"hsqs", "a squashfs file system", NO_DISK),
    (
        257,
        b"ustar",
        "a tar or OVA archive",
        "`tar -xf FILE`, and import the disk image in it; trees and containers aren't taken",
    ),
    (0, b"PK\x03\x04", "a zip archive", UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (0, b"\x04\x22\x4d\x18", "an lz4 file", "`lz4 -d`"),
    (0, b"LZIP", "an lzip file", "`lzip -d`"),
    (0, luks::MAGIC.bytes, "an encrypted LUKS volume", NO_DISK),
    (0, b"SKUL\xba\xbe", "an encrypted LUKS volume", NO_DISK),
    (0, xfs::MAGIC.bytes, "an XFS file system without a partition table", NO_DISK),
    (BTRFS, btrfs::MAGIC.bytes, "a btrfs file system without a partition table", NO_DISK),
    (0, b"MSWIM\0\0\0", "a WIM archive", INSTALLER),
    (EXT4, ext4::MAGIC.bytes, "an ext4 file system without a partition table", NO_DISK),
];

/// Places behind a partition table at which whatever was there before the table may still stand.
const IN_GAPS: [u64; 2] = [EXT4, BTRFS];

/// Refuses what is no raw disk image.
///
/// # Errors
/// What it is instead, and the way out.
pub(super) fn refuse(file: &dyn BlockDevice) -> Result<()> {
    let size = file.size();
    ensure!(size >= 512, "the file has {size} bytes; that is no disk image");
    // with a partition table it is a disk, whatever lies in its gaps; but a hybrid installer's ISO has one, too
    let is_disk = has(file, 512, b"EFI PART")?;
    for (offset, magic, what, way) in FORMATS {
        let in_gap = is_disk && IN_GAPS.contains(&offset);
        if !in_gap && has(file, offset, magic)? {
            bail!("this is {what}, which isn't taken: {way}");
        }
    }
    // a fixed VHD is a raw image with a footer
    if size.is_multiple_of(512) && has(file, size - 512, b"conectix")? {
        bail!("this is a VHD image, which isn't taken: {CONVERT}");
    }
    Ok(())
}
