//! Partition tables: a module each, with its source.

/// MBR: include/linux/msdos_partition.h, `struct msdos_partition`; its place by block/partitions/msdos.c, which UEFI 2.10, table
/// 5-1, has as well.
pub mod mbr {
    /// Where the four entries begin; what stands before them is boot code.
    pub const ENTRIES: usize = 446;
    /// Length of an entry.
    pub const ENTRY_LENGTH: usize = 16;
    /// `sys_ind`: what is in it, 0 for nothing; one byte.
    pub const SYS_IND: usize = 4;
    /// `start_sect`; 32 bits.
    pub const START_SECT: usize = 8;
    /// `nr_sects`; 32 bits.
    pub const NR_SECTS: usize = 12;
    /// Where the entries end, and [`SIGNATURE`] stands.
    pub const SIGNATURE_AT: usize = 510;
    /// `MSDOS_LABEL_MAGIC1` and `2`; any boot sector has it.
    pub const SIGNATURE: [u8; 2] = [0x55, 0xaa];
    /// `EFI_PMBR_OSTYPE_EFI_GPT` of block/partitions/efi.h: of an entry that stands for a GPT.
    pub const PROTECTIVE: u8 = 0xee;
}

/// GPT: block/partitions/efi.h, `gpt_header` and `gpt_entry`; UEFI 2.10, sections 5.3.2 and 5.3.3.
pub mod gpt {
    /// `GPT_HEADER_SIGNATURE`, in the first bytes of a header.
    pub const SIGNATURE: &[u8; 8] = b"EFI PART";
    /// `header_size`; 32 bits.
    pub const HEADER_SIZE: usize = 12;
    /// `header_crc32`, counted with zeroes in this place; 32 bits.
    pub const HEADER_CRC32: usize = 16;
    /// What follows it.
    pub const HEADER_CRC32_END: usize = 20;
    /// `my_lba`; 64 bits.
    pub const MY_LBA: usize = 24;
    /// `alternate_lba`; 64 bits.
    pub const ALTERNATE_LBA: usize = 32;
    /// `disk_guid`; 16 bytes.
    pub const DISK_GUID: usize = 56;
    /// `partition_entry_lba`; 64 bits.
    pub const PARTITION_ENTRY_LBA: usize = 72;
    /// `num_partition_entries`; 32 bits.
    pub const NUM_PARTITION_ENTRIES: usize = 80;
    /// `sizeof_partition_entry`; 32 bits.
    pub const SIZEOF_PARTITION_ENTRY: usize = 84;
    /// `partition_entry_array_crc32`; 32 bits.
    pub const PARTITION_ENTRY_ARRAY_CRC32: usize = 88;
    /// Length of a header, as everybody writes it.
    pub const HEADER_LENGTH: usize = 92;

    /// Entries that everybody makes.
    pub const ENTRIES: usize = 128;
    /// Length of an entry, as everybody writes it.
    pub const ENTRY_LENGTH: usize = 128;
    /// `partition_type_guid`, all zeroes for nothing; 16 bytes from the entry's first on.
    pub const TYPE_GUID_LENGTH: usize = 16;
    /// `starting_lba`; 64 bits.
    pub const STARTING_LBA: usize = 32;
    /// `ending_lba`, the last block; 64 bits.
    pub const ENDING_LBA: usize = 40;
}
