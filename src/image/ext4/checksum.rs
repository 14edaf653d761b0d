//! Checksums of ext4's structures (`metadata_csum`): CRC-32C, begun with the file system's seed, the inode's number and generation.
//!
//! As `fs/ext4` of the kernel has them: `ext4_superblock_csum`, `ext4_group_desc_csum`, `ext4_inode_csum`,
//! `ext4_extent_block_csum`, `ext4_dirblock_csum`, `ext4_dx_csum`. They tell damage from wear and cut copies; whoever makes an image
//! to do harm makes them right, so nothing else rests on them.

use crc::{CRC_32_ISCSI, Crc, Table};

static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// A checksum that can be gone on with, as the kernel's `crc32c_le`: neither begun nor ended with an inversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checksum(u32);

impl Checksum {
    /// Of no bytes yet.
    pub(super) const NONE: Self = Self(u32::MAX);

    /// Goes on from a stored one.
    pub(super) fn from(seed: u32) -> Self {
        Self(seed)
    }

    /// With these bytes.
    pub(super) fn and(self, bytes: &[u8]) -> Self {
        let mut digest = CRC32C.digest_with_initial(self.0.reverse_bits());
        digest.update(bytes);
        Self(!digest.finalize())
    }

    /// As it is stored.
    pub(super) fn value(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_crc32c_and_can_be_gone_on_with() {
        // the check value of CRC-32C (RFC 3720, B.4 has others), without the last inversion
        assert_eq!(!Checksum::NONE.and(b"123456789").value(), 0xe306_9283);
        assert_eq!(Checksum::NONE.and(b"12345").and(b"6789"), Checksum::NONE.and(b"123456789"));
        assert_eq!(Checksum::from(Checksum::NONE.and(b"1").value()).and(b"2"), Checksum::NONE.and(b"12"));
    }
}
