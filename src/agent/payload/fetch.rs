//! Chunks of the image: fetched, decompressed, verified. What a [`Fetcher`] gives is `Verified`; frames are not.
//!
//! Memory of a fetcher: one frame and one chunk, a little over 2 MiB.

use super::source::{BlobSource, FrameReader};
use crate::agent::Failure;
use crate::image::read::{self, Index};
use crate::spec::Code;
use crate::spec::image::{Blob, Extent, ImageManifest, IndexEntry};
use crate::trust::Verified;

/// Reads frames as they come, best in the order of the index. Nothing of them is known before they are decoded.
#[derive(Debug)]
pub struct Frames<'a> {
    manifest: &'a ImageManifest,
    reader: FrameReader<'a>,
}

impl<'a> Frames<'a> {
    /// Nothing is read yet.
    pub fn new(manifest: &'a ImageManifest, source: &'a dyn BlobSource) -> Self {
        Self { manifest, reader: FrameReader::new(source) }
    }

    /// The frame of a data extent, in place of what `frame` holds.
    ///
    /// # Errors
    /// [`Code::PayloadUnreachable`], [`Code::PayloadDamaged`]; the message names the blob.
    pub fn read(&mut self, entry: &IndexEntry, frame: &mut Vec<u8>) -> Result<(), Failure> {
        let Extent::Data { frame_offset, frame_length, .. } = entry.content else {
            return Err(Failure::new(Code::Internal, "a zero extent was to be fetched"));
        };
        frame.resize(frame_length as usize, 0);
        self.reader.read(pack_of(self.manifest, entry)?, frame_offset, frame)
    }

    /// The same by a request of its own: what was cached on the way may have been wrong.
    fn read_alone(&self, entry: &IndexEntry, frame: &mut Vec<u8>) -> Result<(), Failure> {
        let Extent::Data { frame_offset, frame_length, .. } = entry.content else {
            return Err(Failure::new(Code::Internal, "a zero extent was to be fetched"));
        };
        frame.resize(frame_length as usize, 0);
        self.reader.read_alone(pack_of(self.manifest, entry)?, frame_offset, frame)
    }
}

/// The pack that holds the frame of a data extent.
fn pack_of<'a>(manifest: &'a ImageManifest, entry: &IndexEntry) -> Result<&'a Blob, Failure> {
    let pack = match entry.content {
        Extent::Data { pack, .. } => manifest.packs.get(pack as usize),
        Extent::Zero => None,
    };
    pack.ok_or_else(|| {
        let message = format!("the index names no pack for the extent at byte {}", entry.offset);
        Failure::new(Code::PayloadDamaged, message)
    })
}

/// Says of a frame that couldn't be decoded where it came from.
///
/// # Errors
/// Where there was none, as [`Code::PayloadDamaged`].
pub fn decoded<T>(
    chunk: anyhow::Result<Verified<T>>,
    entry: &IndexEntry,
    manifest: &ImageManifest,
) -> Result<Verified<T>, Failure> {
    chunk.map_err(|error| match (entry.content, pack_of(manifest, entry)) {
        (Extent::Data { frame_offset, .. }, Ok(blob)) => {
            let place = format!("blob {}, frame at byte {frame_offset}", blob.digest);
            Failure::new(Code::PayloadDamaged, format!("{place}: {error:#}"))
        }
        (_, Err(failure)) => failure,
        (Extent::Zero, _) => Failure::new(Code::Internal, format!("{error:#}")),
    })
}

/// Reads chunks, best in the order of the index.
#[derive(Debug)]
pub struct Fetcher<'a> {
    frames: Frames<'a>,
    frame: Vec<u8>,
}

impl<'a> Fetcher<'a> {
    /// Nothing is fetched yet.
    pub fn new(manifest: &'a ImageManifest, source: &'a dyn BlobSource) -> Self {
        Self { frames: Frames::new(manifest, source), frame: Vec::new() }
    }

    /// The bytes of a data extent. Damaged ones are asked for once more: they may have been damaged on the way.
    ///
    /// # Errors
    /// [`Code::PayloadUnreachable`], [`Code::PayloadDamaged`]; the message names the blob.
    pub fn chunk(&mut self, entry: &IndexEntry) -> Result<Verified<Vec<u8>>, Failure> {
        match self.frames.read(entry, &mut self.frame).and_then(|()| self.decode(entry)) {
            Err(failure) if failure.code == Code::PayloadDamaged => self.alone(entry),
            done => done,
        }
    }

    /// The bytes of a data extent, asked for by themselves, once.
    ///
    /// # Errors
    /// As for [`chunk`](Self::chunk).
    pub fn alone(&mut self, entry: &IndexEntry) -> Result<Verified<Vec<u8>>, Failure> {
        self.frames.read_alone(entry, &mut self.frame)?;
        self.decode(entry)
    }

    fn decode(&self, entry: &IndexEntry) -> Result<Verified<Vec<u8>>, Failure> {
        decoded(read::decode_frame(entry, &self.frame), entry, self.frames.manifest)
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
