//! What others write on disks, by the names of those who define it: where it stands, and what stands there.
//!
//! One module a format, each with its source: the kernel's header or the format's own document, the structure, its fields. Who
//! reads a disk takes places and marks from here and decides himself what they mean to him: [`crate::probe`] looks for names
//! to tell people, [`crate::agent`] for what is left of former lives, and [`crate::image`] reads what is installed. Numbers
//! only: nothing is read here.
//!
//! Places are in bytes: those of marks and of whole structures from the first byte of the partition, those of fields from their
//! structure. Numbers are little endian unless it is said.

pub mod ext4;
pub mod fat;
pub mod filesystems;
pub mod partitions;
pub mod volumes;

/// 1024 bytes.
pub const KIB: u64 = 1024;
/// What tables and firmware count in, whatever the disk's blocks.
pub const SECTOR: u64 = 512;

/// Bytes by which a format is known, and their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Distance from the partition's first byte; of a mark that stands at the end, how far before the end it begins.
    pub at: u64,
    /// What stands there.
    pub bytes: &'static [u8],
}

impl Mark {
    pub(crate) const fn new(at: u64, bytes: &'static [u8]) -> Self {
        Self { at, bytes }
    }

    /// The same bytes at another place, where a format may have them in several.
    #[must_use]
    pub const fn moved_to(self, at: u64) -> Self {
        Self { at, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_where_the_fields_of_their_structures_are() {
        assert_eq!((ext4::MAGIC.at, ext4::MAGIC.bytes), (1080, &[0x53, 0xef][..]));
        assert_eq!((ext4::S_UUID, ext4::S_MTIME, ext4::S_MNT_COUNT), (0x68, 0x2c, 0x34));
        assert_eq!(filesystems::btrfs::MAGIC.at, 65600);
        assert_eq!(volumes::md::MAGIC, [0xfc, 0x4e, 0x2b, 0xa9]);
        assert_eq!(volumes::zfs::VDEV_PHYS + volumes::zfs::VDEV_PHYS_SIZE, volumes::zfs::UBERBLOCK_RING);
        assert_eq!(volumes::lvm2::LABELS.map(|mark| mark.at), [0, 512, 1024, 1536]);
        assert_eq!(
            partitions::mbr::ENTRIES + 4 * partitions::mbr::ENTRY_LENGTH,
            partitions::mbr::SIGNATURE_AT
        );
    }
}
