//! Chunks of the image: fetched, decompressed, verified. What leaves this module is `Verified`.
//!
//! Memory: one frame and one chunk, a little over 2 MiB.

use super::source::{BlobSource, FrameReader};
use crate::agent::Failure;
use crate::image::read::{self, Index};
use crate::spec::Code;
use crate::spec::image::{Extent, ImageManifest, IndexEntry};
use crate::trust::Verified;

/// Reads chunks, best in the order of the index.
#[derive(Debug)]
pub struct Fetcher<'a> {
    manifest: &'a ImageManifest,
    reader: FrameReader<'a>,
    frame: Vec<u8>,
}

impl<'a> Fetcher<'a> {
    /// Nothing is fetched yet.
    pub fn new(manifest: &'a ImageManifest, source: &'a dyn BlobSource) -> Self {
        Self { manifest, reader: FrameReader::new(source), frame: Vec::new() }
    }

    /// The bytes of a data extent. Damaged ones are asked for once more: they may have been damaged on the way.
    ///
    /// # Errors
    /// [`Code::PayloadUnreachable`], [`Code::PayloadDamaged`]; the message names the blob.
    pub fn chunk(&mut self, entry: &IndexEntry) -> Result<Verified<Vec<u8>>, Failure> {
        self.try_chunk(entry).or_else(|failure| {
            if failure.code != Code::PayloadDamaged {
                return Err(failure);
            }
            self.reader.forget();
            self.try_chunk(entry)
        })
    }

    fn try_chunk(&mut self, entry: &IndexEntry) -> Result<Verified<Vec<u8>>, Failure> {
        let Extent::Data { pack, frame_offset, frame_length, .. } = entry.content else {
            return Err(Failure::new(Code::Internal, "a zero extent was to be fetched"));
        };
        let Some(blob) = self.manifest.packs.get(pack as usize) else {
            return Err(Failure::new(Code::PayloadDamaged, format!("the index names pack {pack}")));
        };
        self.frame.resize(frame_length as usize, 0);
        self.reader.read(blob, frame_offset, &mut self.frame)?;
        read::decode_frame(entry, &self.frame).map_err(|error| {
            let place = format!("blob {}, frame at byte {frame_offset}", blob.digest);
            Failure::new(Code::PayloadDamaged, format!("{place}: {error:#}"))
        })
    }

    /// The image's bytes from 0 to `end`, where an extent must end. For the partition table: it is made before the wipe.
    ///
    /// # Errors
    /// As for [`chunk`](Self::chunk).
    pub fn head(&mut self, index: &Index, end: u64) -> Result<Vec<u8>, Failure> {
        let mut head = Vec::new();
        for entry in index.entries().take_while(|entry| entry.offset < end) {
            match entry.content {
                Extent::Zero => head.resize(entry.offset.saturating_add(entry.length).min(end) as usize, 0),
                Extent::Data { .. } => head.extend_from_slice(&self.chunk(&entry)?),
            }
        }
        Ok(head)
    }
}
