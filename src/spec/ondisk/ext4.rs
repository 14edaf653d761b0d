//! ext2, ext3 and ext4: `fs/ext4/ext4.h`, `fs/ext4/ext4_extents.h` and `fs/ext4/xattr.h` of the kernel; in prose,
//! Documentation/filesystems/ext4.

use super::Mark;

/// `EXT4_MIN_BLOCK_SIZE`: where `struct ext4_super_block` begins, whatever the block size. What stands before it is the boot
/// loader's.
pub const SUPERBLOCK: u64 = 1024;
/// Length of `struct ext4_super_block`.
pub const SUPERBLOCK_LENGTH: usize = 1024;
/// `EXT4_SUPER_MAGIC` of include/uapi/linux/magic.h, for all three.
pub const SUPER_MAGIC: u16 = 0xef53;
/// It, as it stands in a file system.
pub const MAGIC: Mark = Mark::new(SUPERBLOCK + S_MAGIC as u64, &SUPER_MAGIC.to_le_bytes());

// struct ext4_super_block
/// Inodes; 32 bits.
pub const S_INODES_COUNT: usize = 0x0;
/// Blocks; the low 32 bits.
pub const S_BLOCKS_COUNT_LO: usize = 0x4;
/// Blocks that are free; the low 32 bits.
pub const S_FREE_BLOCKS_COUNT_LO: usize = 0xc;
/// Inodes that are free; 32 bits.
pub const S_FREE_INODES_COUNT: usize = 0x10;
/// The block of the superblock: 1 where blocks have 1 KiB; 32 bits.
pub const S_FIRST_DATA_BLOCK: usize = 0x14;
/// A block has 2^(10 + this) bytes; 32 bits.
pub const S_LOG_BLOCK_SIZE: usize = 0x18;
/// A cluster has 2^(10 + this) bytes; 32 bits.
pub const S_LOG_CLUSTER_SIZE: usize = 0x1c;
/// Blocks of a group; 32 bits.
pub const S_BLOCKS_PER_GROUP: usize = 0x20;
/// Inodes of a group; 32 bits.
pub const S_INODES_PER_GROUP: usize = 0x28;
/// When it was mounted last; 32 bits.
pub const S_MTIME: usize = 0x2c;
/// Mounts since it was checked; 16 bits.
pub const S_MNT_COUNT: usize = 0x34;
/// [`SUPER_MAGIC`]; 16 bits.
pub const S_MAGIC: usize = 0x38;
/// [`VALID_FS`] and [`ERROR_FS`]; 16 bits.
pub const S_STATE: usize = 0x3a;
/// Its format's revision: 0 or 1; 32 bits.
pub const S_REV_LEVEL: usize = 0x4c;
/// Bytes of an inode; 16 bits.
pub const S_INODE_SIZE: usize = 0x58;
/// Features without which it can be read and written; 32 bits.
pub const S_FEATURE_COMPAT: usize = 0x5c;
/// Features without which it can't be read; 32 bits.
pub const S_FEATURE_INCOMPAT: usize = 0x60;
/// Features without which it can be read, but not written; 32 bits.
pub const S_FEATURE_RO_COMPAT: usize = 0x64;
/// UUID; 16 bytes.
pub const S_UUID: usize = 0x68;
/// Label; 16 bytes, padded with zeroes.
pub const S_VOLUME_NAME: usize = 0x78;
/// Length of that.
pub const VOLUME_NAME_LENGTH: usize = 16;
/// Inode of the journal, 0 where it is on another device; 32 bits.
pub const S_JOURNAL_INUM: usize = 0xe0;
/// First of the inodes that were deleted while open, 0 for none; 32 bits.
pub const S_LAST_ORPHAN: usize = 0xe8;
/// Bytes of a group's descriptor, with [`INCOMPAT_64BIT`]; 16 bits.
pub const S_DESC_SIZE: usize = 0xfe;
/// The high 32 bits of the blocks' number.
pub const S_BLOCKS_COUNT_HI: usize = 0x150;
/// The high 32 bits of the free blocks' number.
pub const S_FREE_BLOCKS_COUNT_HI: usize = 0x158;
/// What checksums begin with, with [`INCOMPAT_CSUM_SEED`]; 32 bits.
pub const S_CHECKSUM_SEED: usize = 0x270;
/// Checksum of what stands before it; 32 bits.
pub const S_CHECKSUM: usize = 0x3fc;

/// `EXT4_MAX_BLOCK_LOG_SIZE` less 10: blocks of 64 KiB.
pub const MOST_LOG_BLOCK_SIZE: u32 = 6;
/// `EXT4_MIN_DESC_SIZE`.
pub const MIN_DESC_SIZE: u64 = 32;
/// `EXT4_MIN_DESC_SIZE_64BIT`.
pub const MIN_DESC_SIZE_64BIT: u64 = 64;
/// `EXT4_GOOD_OLD_INODE_SIZE`.
pub const GOOD_OLD_INODE_SIZE: usize = 128;

/// `EXT4_VALID_FS` of [`S_STATE`]: unmounted cleanly.
pub const VALID_FS: u16 = 1;
/// `EXT4_ERROR_FS`: something was wrong, and nobody looked.
pub const ERROR_FS: u16 = 2;

/// `EXT4_FEATURE_COMPAT_HAS_JOURNAL`.
pub const COMPAT_HAS_JOURNAL: u32 = 0x4;
/// `EXT4_FEATURE_COMPAT_RESIZE_INODE`.
pub const COMPAT_RESIZE_INODE: u32 = 0x10;
/// `EXT4_FEATURE_INCOMPAT_FILETYPE`.
pub const INCOMPAT_FILETYPE: u32 = 0x2;
/// `EXT4_FEATURE_INCOMPAT_RECOVER`: the journal holds what isn't in its place yet.
pub const INCOMPAT_RECOVER: u32 = 0x4;
/// `EXT4_FEATURE_INCOMPAT_EXTENTS`.
pub const INCOMPAT_EXTENTS: u32 = 0x40;
/// `EXT4_FEATURE_INCOMPAT_64BIT`.
pub const INCOMPAT_64BIT: u32 = 0x80;
/// `EXT4_FEATURE_INCOMPAT_FLEX_BG`.
pub const INCOMPAT_FLEX_BG: u32 = 0x200;
/// `EXT4_FEATURE_INCOMPAT_CSUM_SEED`.
pub const INCOMPAT_CSUM_SEED: u32 = 0x2000;
/// `EXT4_FEATURE_INCOMPAT_LARGEDIR`.
pub const INCOMPAT_LARGEDIR: u32 = 0x4000;
/// `EXT4_FEATURE_INCOMPAT_ENCRYPT`: some inodes may have [`ENCRYPT_FL`].
pub const INCOMPAT_ENCRYPT: u32 = 0x1_0000;
/// `EXT4_FEATURE_RO_COMPAT_METADATA_CSUM`.
pub const RO_COMPAT_METADATA_CSUM: u32 = 0x400;
/// `EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT`: the orphan file isn't empty.
pub const RO_COMPAT_ORPHAN_PRESENT: u32 = 0x1_0000;

// struct ext4_group_desc
/// First block of the group's inodes; the low 32 bits.
pub const BG_INODE_TABLE_LO: usize = 0x8;
/// The low half of its checksum; 16 bits.
pub const BG_CHECKSUM: usize = 0x1e;
/// The high ones, where a descriptor has at least [`MIN_DESC_SIZE_64BIT`].
pub const BG_INODE_TABLE_HI: usize = 0x28;

// struct ext4_inode
/// `EXT4_ROOT_INO`.
pub const ROOT_INO: u32 = 2;
/// Type and permissions; 16 bits.
pub const I_MODE: usize = 0x0;
/// Owner; the low 16 bits.
pub const I_UID: usize = 0x2;
/// Length; the low 32 bits.
pub const I_SIZE_LO: usize = 0x4;
/// When its content changed; 32 bits with a sign.
pub const I_MTIME: usize = 0x10;
/// Group; the low 16 bits.
pub const I_GID: usize = 0x18;
/// Names; 16 bits.
pub const I_LINKS_COUNT: usize = 0x1a;
/// Flags; 32 bits.
pub const I_FLAGS: usize = 0x20;
/// 60 bytes: the root of a tree of extents, or the numbers of a device.
pub const I_BLOCK: usize = 0x28;
/// Where that ends.
pub const I_BLOCK_END: usize = 0x64;
/// Generation, which its checksums begin with; 32 bits.
pub const I_GENERATION: usize = 0x64;
/// Block of more attributes; the low 32 bits.
pub const I_FILE_ACL_LO: usize = 0x68;
/// Length; the high 32 bits.
pub const I_SIZE_HIGH: usize = 0x6c;
/// `l_i_file_acl_high`; 16 bits.
pub const I_FILE_ACL_HIGH: usize = 0x76;
/// `l_i_uid_high`; 16 bits.
pub const I_UID_HIGH: usize = 0x78;
/// `l_i_gid_high`; 16 bits.
pub const I_GID_HIGH: usize = 0x7a;
/// `l_i_checksum_lo`; 16 bits.
pub const I_CHECKSUM_LO: usize = 0x7c;
/// How far the record goes beyond [`GOOD_OLD_INODE_SIZE`]; 16 bits.
pub const I_EXTRA_ISIZE: usize = 0x80;
/// The high half of the checksum, where the record goes so far; 16 bits.
pub const I_CHECKSUM_HI: usize = 0x82;
/// Nanoseconds and two more bits of [`I_MTIME`]; 32 bits.
pub const I_MTIME_EXTRA: usize = 0x88;
/// `EXT4_EXTENTS_FL` of [`I_FLAGS`].
pub const EXTENTS_FL: u32 = 0x8_0000;
/// `EXT4_ENCRYPT_FL`.
pub const ENCRYPT_FL: u32 = 0x800;
/// `EXT4_N_BLOCKS` less the indirect ones: blocks that an inode without extents names itself.
pub const NDIR_BLOCKS: usize = 12;

// struct ext4_extent_header, struct ext4_extent, struct ext4_extent_idx
/// `EXT4_EXT_MAGIC`.
pub const EXT_MAGIC: u16 = 0xf30a;
/// Of the header, [`EXT_MAGIC`]; 16 bits.
pub const EH_MAGIC: usize = 0;
/// Entries that follow; 16 bits.
pub const EH_ENTRIES: usize = 2;
/// Entries that there is room for; behind them stands a checksum of 32 bits; 16 bits.
pub const EH_MAX: usize = 4;
/// Levels below; 16 bits.
pub const EH_DEPTH: usize = 6;
/// Length of the header, and of each entry.
pub const EXTENT_LENGTH: usize = 12;
/// `EXT4_MAX_EXTENT_DEPTH`.
pub const MAX_EXTENT_DEPTH: u16 = 5;
/// Of an extent or an index, its first block in the file; 32 bits.
pub const EE_BLOCK: usize = 0;
/// Of an extent, its blocks; 16 bits.
pub const EE_LEN: usize = 4;
/// Its first block; the high 16 bits.
pub const EE_START_HI: usize = 6;
/// And the low 32 bits.
pub const EE_START_LO: usize = 8;
/// `EXT_INIT_MAX_LEN`: a longer extent counts blocks that were never written.
pub const EXT_INIT_MAX_LEN: u16 = 0x8000;
/// Of an index, the block of the level below; the low 32 bits.
pub const EI_LEAF_LO: usize = 4;
/// And the high 16 bits.
pub const EI_LEAF_HI: usize = 8;

// struct ext4_dir_entry_2
/// Number of the inode, 0 for none; 32 bits.
pub const DE_INODE: usize = 0;
/// Distance to the next entry; 16 bits.
pub const DE_REC_LEN: usize = 4;
/// Length of the name; one byte.
pub const DE_NAME_LEN: usize = 6;
/// Type of what it names; one byte.
pub const DE_FILE_TYPE: usize = 7;
/// The name.
pub const DE_NAME: usize = 8;
/// `EXT4_FT_REG_FILE`, `EXT4_FT_DIR`, `EXT4_FT_SYMLINK`.
pub const FT_REG_FILE: u8 = 1;
/// A directory.
pub const FT_DIR: u8 = 2;
/// A symbolic link.
pub const FT_SYMLINK: u8 = 7;
/// `EXT4_FT_DIR_CSUM`: no entry, but a block's checksum.
pub const FT_DIR_CSUM: u8 = 0xde;
/// `struct ext4_dir_entry_tail`: its length, with the checksum in its last 32 bits.
pub const DIR_TAIL_LENGTH: usize = 12;

// struct dx_root, struct dx_node, struct dx_tail: inner blocks of a hashed directory
/// Where the entries of the first block begin, behind `.`, `..` and what they are hashed by.
pub const DX_ROOT_ENTRIES: usize = 0x20;
/// Where those of the others do.
pub const DX_NODE_ENTRIES: usize = 8;
/// Length of an entry; the first has room and number of the entries, 16 bits each.
pub const DX_ENTRY_LENGTH: usize = 8;

// struct ext4_xattr_header, struct ext4_xattr_ibody_header, struct ext4_xattr_entry
/// `EXT4_XATTR_MAGIC`.
pub const XATTR_MAGIC: u32 = 0xea02_0000;
/// Of a block's header, [`XATTR_MAGIC`], as in the header behind an inode; 32 bits.
pub const H_MAGIC: usize = 0;
/// Blocks of it: 1; 32 bits.
pub const H_BLOCKS: usize = 8;
/// Length of a block's header.
pub const XATTR_HEADER_LENGTH: usize = 32;
/// Length of the header behind an inode.
pub const XATTR_IBODY_HEADER_LENGTH: usize = 4;
/// Of an entry, the length of its name; one byte.
pub const E_NAME_LEN: usize = 0;
/// What its name begins with; one byte.
pub const E_NAME_INDEX: usize = 1;
/// Place of its value; 16 bits.
pub const E_VALUE_OFFS: usize = 2;
/// The inode that holds its value, 0 for none; 32 bits.
pub const E_VALUE_INUM: usize = 4;
/// Length of its value; 32 bits.
pub const E_VALUE_SIZE: usize = 8;
/// Length of an entry without its name.
pub const XATTR_ENTRY_LENGTH: usize = 16;
