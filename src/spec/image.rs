//! Golden images as data: the signed manifest and the index of blocks.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FormatVersion;
use crate::value::{ByteSize, Digest, ImageRef};

/// An image by name and by content: what a lock holds and an order carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePin {
    /// Name for people.
    pub image: ImageRef,
    /// Digest of the manifest's bytes; all else follows from it.
    pub manifest: Digest,
}

/// A file in a store, by content. Stored and served as `blobs/<sha256>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// SHA-256 of its bytes, and its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// What an image is. Its JSON bytes are signed and named by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageManifest {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// Name and version.
    pub image: ImageRef,
    /// Size of the whole disk image in bytes, a multiple of 4096; the smallest disk it fits.
    pub size: ByteSize,
    /// Logical block size that the partition table is written for; 512.
    pub logical_block: u32,
    /// SHA-256 of the whole raw image, for comparison with other tools. An image with more than 16 GiB in zero extents has none:
    /// hashing them would take longer than all else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Digest>,
    /// The index, see [`IndexEntry`].
    pub index: Blob,
    /// The packs, in the order in which the index numbers them.
    pub packs: Vec<Blob>,
    /// Bytes that are not in zero extents.
    pub data: ByteSize,
    /// Partitions in table order.
    pub partitions: Vec<ImagePartition>,
    /// Number of the EFI system partition.
    pub esp: u32,
    /// The root file system.
    pub root: ImageFilesystem,
    /// The file system of `/boot`, where the root doesn't hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<ImageFilesystem>,
    /// What the agent and the checks need to know of the system inside.
    pub system: ImageSystem,
}

impl ImageManifest {
    /// The partition with this number.
    pub fn partition(&self, number: u32) -> Option<&ImagePartition> {
        self.partitions.iter().find(|partition| partition.number == number)
    }
}

/// One partition of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePartition {
    /// Slot in the table, from 1.
    pub number: u32,
    /// Type GUID.
    pub kind: Uuid,
    /// Unique GUID.
    pub guid: Uuid,
    /// First byte.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// Name in the table.
    pub name: String,
}

/// A file system that the installed system mounts by its UUID. The root is the last one in the image, so that it can grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFilesystem {
    /// Partition number.
    pub partition: u32,
    /// UUID of the file system; another disk that carries it is a refusal.
    pub uuid: Uuid,
    /// What it is.
    pub kind: FilesystemKind,
}

/// File systems that the agent can grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilesystemKind {
    /// ext4 with `resize_inode`.
    Ext4,
    /// XFS.
    Xfs,
}

impl FilesystemKind {
    /// What the kernel and libblkid call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }
}

/// What was found inside the image at import, so that what can't work is found at build time and not on the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageSystem {
    /// `ID` of os-release(5).
    pub os: String,
    /// `VERSION_ID` of os-release(5); empty where the system has none.
    pub os_version: String,
    /// Release of the newest kernel, as in `/lib/modules`.
    pub kernel: String,
    /// Who configures interfaces.
    pub network: NetworkStack,
    /// SELinux in enforcing mode by `/etc/selinux/config`.
    pub selinux_enforcing: bool,
    /// Programs that hand-offs need and the image has, sorted: `cloud-init`, `ansible-pull`, `git`, `curl`, `wget`,
    /// `python3`, `sshd`, `sudo`, `ssh-keygen`.
    pub tools: Vec<String>,
}

/// Who configures network interfaces in the installed system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkStack {
    /// systemd-networkd is enabled.
    Networkd,
    /// ifupdown's networking.service is enabled.
    Ifupdown,
    /// NetworkManager is enabled.
    NetworkManager,
    /// None that we know: such an image is refused for hosts that need a network.
    Unknown,
}

/// Size of one index record in bytes.
pub const INDEX_RECORD: usize = 64;
/// The index begins with this, 16 bytes; the records follow.
pub const INDEX_MAGIC: &[u8; 16] = b"IRONSTRAP-INDEX1";
/// Longest index in bytes: half a million extents, enough for an image of 100 GiB. A target holds it in memory.
pub const MAX_INDEX: u64 = 32 << 20;
/// Longest run of image bytes in one chunk.
pub const MAX_CHUNK: u64 = 1 << 20;

/// One extent of the image. Extents are in ascending order, don't overlap and leave no gap. Little endian on disk:
/// target offset u64, length u64, SHA-256 of the raw bytes 32, pack u32 (`u32::MAX`: zeroes), frame length u32, frame
/// offset in the pack u64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// First byte on the target.
    pub offset: u64,
    /// Length on the target; at most [`MAX_CHUNK`] for data, anything for zeroes.
    pub length: u64,
    /// What stands there.
    pub content: Extent,
}

/// Content of an extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Zeroes: they are written, never skipped.
    Zero,
    /// One zstd frame in a pack.
    Data {
        /// SHA-256 of the decompressed bytes.
        digest: Digest,
        /// Number of the pack in the manifest.
        pack: u32,
        /// First byte of the frame in the pack.
        frame_offset: u64,
        /// Length of the frame.
        frame_length: u32,
    },
}

const ZERO_PACK: u32 = u32::MAX;

impl IndexEntry {
    /// The record as it is stored.
    pub fn to_record(self) -> [u8; INDEX_RECORD] {
        let mut record = [0; INDEX_RECORD];
        record[..8].copy_from_slice(&self.offset.to_le_bytes());
        record[8..16].copy_from_slice(&self.length.to_le_bytes());
        match self.content {
            Extent::Zero => record[48..52].copy_from_slice(&ZERO_PACK.to_le_bytes()),
            Extent::Data { digest, pack, frame_offset, frame_length } => {
                record[16..48].copy_from_slice(digest.as_bytes());
                record[48..52].copy_from_slice(&pack.to_le_bytes());
                record[52..56].copy_from_slice(&frame_length.to_le_bytes());
                record[56..].copy_from_slice(&frame_offset.to_le_bytes());
            }
        }
        record
    }

    /// The entry in a record. Its meaning (bounds, order) is judged by the reader of the whole index.
    pub fn from_record(record: &[u8; INDEX_RECORD]) -> Self {
        let u64_at = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| record[at + i]));
        let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| record[at + i]));
        let content = match u32_at(48) {
            ZERO_PACK => Extent::Zero,
            pack => Extent::Data {
                digest: Digest::from_bytes(std::array::from_fn(|i| record[16 + i])),
                pack,
                frame_offset: u64_at(56),
                frame_length: u32_at(52),
            },
        };
        Self { offset: u64_at(0), length: u64_at(8), content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back() {
        let digest = Digest::of(b"x");
        for content in
            [Extent::Zero, Extent::Data { digest, pack: 3, frame_offset: 1 << 33, frame_length: 77 }]
        {
            let entry = IndexEntry { offset: 1 << 40, length: 4096, content };
            assert_eq!(IndexEntry::from_record(&entry.to_record()), entry);
        }
    }
}
