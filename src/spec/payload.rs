//! The raw payload partition of a stick: blobs without a file system, so that size doesn't matter and a read is in order.
//!
//! Layout: one 4 KiB header (magic, length of the directory as u64 LE), the directory as JSON padded to 4 KiB, then the
//! blobs, each at a multiple of 4 KiB, in the order in which an install reads them. Nothing here is trusted: a blob is
//! judged by its digest, which the reader knows from a signed document.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FormatVersion;
use super::image::Blob;

/// GPT type of the payload partition. Ours; made once with a random generator.
pub const PARTITION_TYPE: Uuid = Uuid::from_u128(0x6f1b_51c8_32f1_4a0e_9d2c_5b1e_7a8f_0c11);
/// Alignment of everything in the partition, in bytes.
pub const ALIGN: u64 = 4096;
/// First bytes of the partition.
pub const MAGIC: &[u8; 16] = b"IRONSTRAP-PAYLD1";
/// Longest directory a reader accepts, in bytes.
pub const MAX_DIRECTORY: u64 = 16 << 20;

/// What is in the partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadDirectory {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// The blobs in physical order.
    pub blobs: Vec<PayloadBlob>,
}

/// One blob in the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadBlob {
    /// Digest and size.
    pub blob: Blob,
    /// First byte, from the start of the partition.
    pub offset: u64,
}
