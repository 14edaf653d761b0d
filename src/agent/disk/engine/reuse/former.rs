//! The index of an image that a disk held, as far as somebody still has it. Nobody's word: every record is a hint.

use crate::agent::payload::MAX_MANIFEST;
use crate::agent::payload::source::BlobSource;
use crate::spec::image::{
    Extent, INDEX_MAGIC, INDEX_RECORD, ImageManifest, IndexEntry, MAX_CHUNK, MAX_INDEX,
};
use crate::value::Digest;

/// The two indexes together, in bytes: what a target has memory for.
const MOST: u64 = 40 << 20;

/// The chunks of an image that nobody vouched for.
#[derive(Debug)]
pub struct Former(Vec<u8>);

impl Former {
    /// Asks for the index of the image whose manifest has this digest, once. `own` is how long the index is that is in memory.
    pub fn recall(source: &dyn BlobSource, manifest: &Digest, own: u64) -> Option<Self> {
        let manifest = source.hint(manifest, MAX_MANIFEST)?;
        let manifest: ImageManifest = serde_json::from_slice(&manifest).ok()?;
        let limit = MOST.saturating_sub(own).min(MAX_INDEX);
        let bytes = source.hint(&manifest.index.digest, limit)?;
        bytes.starts_with(INDEX_MAGIC).then_some(Self(bytes))
    }

    /// How long it is.
    pub fn length(&self) -> u64 {
        self.0.len() as u64
    }

    /// What it says of chunks: place, length and digest of each.
    pub fn chunks(&self) -> impl Iterator<Item = (u64, u64, Digest)> + '_ {
        let (records, _) = self.0[INDEX_MAGIC.len()..].as_chunks::<INDEX_RECORD>();
        records.iter().map(IndexEntry::from_record).filter_map(|entry| match entry.content {
            Extent::Data { digest, .. } if (1..=MAX_CHUNK).contains(&entry.length) => {
                Some((entry.offset, entry.length, digest))
            }
            _ => None,
        })
    }
}
