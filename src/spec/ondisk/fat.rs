//! FAT: `struct fat_boot_sector` of include/uapi/linux/msdos_fs.h; Microsoft's FAT specification 1.03, section 3.1. And what
//! other file systems have in the same sector.

use super::Mark;

/// `ignored`: the jump over what follows.
pub const JUMP: u64 = 0;
/// What a jump begins with on x86.
pub const JUMPS: [u8; 2] = [0xeb, 0xe9];
/// `system_id`: the tool that made it, as it likes.
pub const SYSTEM_ID: u64 = 3;
/// `sector_size`; 16 bits.
pub const SECTOR_SIZE: u64 = 11;
/// `sec_per_clus`; one byte.
pub const SEC_PER_CLUS: u64 = 13;
/// `reserved`: sectors before the first table; 16 bits.
pub const RESERVED: u64 = 14;
/// `fats`: tables; one byte.
pub const FATS: u64 = 16;
/// `media`; one byte.
pub const MEDIA: u64 = 21;
/// `fat16.vol_id`; 32 bits.
pub const FAT16_VOL_ID: u64 = 0x27;
/// `fat16.vol_label`, padded with blanks.
pub const FAT16_VOL_LABEL: u64 = 0x2b;
/// `fat32.vol_id`; 32 bits.
pub const FAT32_VOL_ID: u64 = 0x43;
/// `fat32.vol_label`, padded with blanks.
pub const FAT32_VOL_LABEL: u64 = 0x47;
/// `MSDOS_NAME`.
pub const VOL_LABEL_LENGTH: usize = 11;
/// `fat16.fs_type`; 8 bytes.
pub const FAT16_FS_TYPE: u64 = 0x36;
/// `fat32.fs_type`; 8 bytes.
pub const FAT32_FS_TYPE: u64 = 0x52;
/// `BOOT_SIGN`, in the last two bytes of the sector, as in an MBR.
pub const BOOT_SIGN: Mark = Mark::new(0x1fe, &[0x55, 0xaa]);

/// What mkfs.fat and Windows write into `fat32.fs_type`.
pub const FAT32: Mark = Mark::new(FAT32_FS_TYPE, b"FAT32   ");
/// `FAT12` or `FAT16` in `fat16.fs_type`.
pub const FAT1X: Mark = Mark::new(FAT16_FS_TYPE, b"FAT1");
/// Neither of both.
pub const FAT: Mark = Mark::new(FAT16_FS_TYPE, b"FAT     ");
/// DOS' own.
pub const MSDOS: Mark = Mark::new(FAT16_FS_TYPE, b"MSDOS");
/// Windows'.
pub const MSWIN: Mark = Mark::new(FAT32_FS_TYPE, b"MSWIN");
/// OS/2's JFS has a boot sector like FAT's.
pub const OS2_JFS: Mark = Mark::new(FAT16_FS_TYPE, b"JFS     ");
/// So has HPFS.
pub const OS2_HPFS: Mark = Mark::new(FAT16_FS_TYPE, b"HPFS    ");
/// NTFS' boot sector (fs/ntfs3/ntfs.h, `struct NTFS_BOOT`, `system_id`).
pub const NTFS: Mark = Mark::new(SYSTEM_ID, b"NTFS    ");
/// exFAT's (fs/exfat/exfat_raw.h, `struct boot_sector`, `fs_name`).
pub const EXFAT: Mark = Mark::new(SYSTEM_ID, b"EXFAT   ");
/// BitLocker's (libblkid's `bitlocker.c`).
pub const BITLOCKER: Mark = Mark::new(SYSTEM_ID, b"-FVE-FS-");
/// ReFS' (libblkid's `refs.c`): no jump, and its name.
pub const REFS: Mark = Mark::new(JUMP, b"\0\0\0ReFS\0");
