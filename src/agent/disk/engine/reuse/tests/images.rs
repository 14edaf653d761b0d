//! Images as `image import` would cut them, and sources that have them or a part.

use std::io;
use std::ops::Range;

use super::{DISK, MIB, ROOT};
use crate::agent::fixture;
use crate::agent::payload::memory_source::MemorySource;
use crate::image::chunk::{cut, forced_cuts};
use crate::image::read::{Index, index_bytes};
use crate::spec::image::{Blob, Extent, ImageManifest, IndexEntry};
use crate::sys::block::MemoryDevice;
use crate::sys::block::faults::Dice;
use crate::trust::Verified;
use crate::value::{ByteSize, Digest};

/// An image as `image import` would cut it.
pub struct Image {
    pub bytes: Vec<u8>,
    pub manifest: ImageManifest,
    pub index: Index,
    frames: Vec<u8>,
}

/// What its root holds, from the root's first byte on.
pub fn image(root: &[u8], size: u64) -> Image {
    let mut bytes = vec![0; size as usize];
    bytes[MIB as usize..ROOT as usize].copy_from_slice(&noise(1, ROOT - MIB));
    bytes[ROOT as usize..ROOT as usize + root.len()].copy_from_slice(root);
    let mut manifest = fixture::manifest();
    manifest.size = ByteSize::bytes(size);
    for partition in &mut manifest.partitions {
        if partition.offset == ROOT {
            partition.length = size - ROOT - 20480;
        }
    }
    let (mut entries, mut frames) = (Vec::new(), Vec::new());
    let device = MemoryDevice::new(bytes.clone());
    cut::<io::Error>(&device, &forced_cuts(size, &manifest.partitions), &mut |_| Ok(()), |piece, _| {
        let content = match piece.data {
            None => Extent::Zero,
            Some(data) => {
                let frame = zstd::bulk::compress(data, 1).unwrap();
                let (frame_offset, frame_length) = (frames.len() as u64, frame.len() as u32);
                frames.extend_from_slice(&frame);
                Extent::Data { digest: Digest::of(data), pack: 0, frame_offset, frame_length }
            }
        };
        entries.push(IndexEntry { offset: piece.offset, length: piece.length, content });
        Ok(())
    })
    .unwrap();
    manifest.packs = vec![Blob { digest: Digest::of(&frames), size: frames.len() as u64 }];
    let index = index_bytes(entries);
    manifest.index = Blob { digest: Digest::of(&index), size: index.len() as u64 };
    let index = Verified::by_digest(index, &manifest.index.digest).unwrap();
    let index = Index::parse(index, &manifest).unwrap();
    Image { bytes, manifest, index, frames }
}

impl Image {
    pub fn manifest_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.manifest).unwrap()
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest_bytes())
    }

    /// A source that has these chunks and no others: whoever asks for another one gets what fails.
    pub fn only(&self, wanted: impl Fn(&IndexEntry) -> bool) -> MemorySource {
        let mut frames = vec![0; self.frames.len()];
        for entry in self.index.entries().filter(wanted) {
            let Extent::Data { frame_offset, frame_length, .. } = entry.content else { continue };
            let range = frame_offset as usize..frame_offset as usize + frame_length as usize;
            frames[range.clone()].copy_from_slice(&self.frames[range]);
        }
        MemorySource::new().with_other(self.manifest.packs[0].digest, frames)
    }

    pub fn all(&self) -> MemorySource {
        self.only(|_| true)
    }

    /// A disk that holds it, and something behind it.
    pub fn placed(&self) -> Vec<u8> {
        let mut disk = vec![0xee; DISK];
        disk[..self.bytes.len()].copy_from_slice(&self.bytes);
        disk
    }

    /// Bytes of its partitions that aren't in zero extents.
    pub fn data(&self) -> u64 {
        let data = self.index.entries().filter(|entry| entry.content != Extent::Zero && entry.offset >= MIB);
        data.map(|entry| entry.length).sum()
    }

    /// The chunks that hold these bytes.
    pub fn chunks(&self, range: Range<u64>) -> Vec<IndexEntry> {
        let meets =
            |entry: &IndexEntry| entry.offset < range.end && range.start < entry.offset + entry.length;
        self.index.entries().filter(meets).collect()
    }
}

/// A source that knows an older image, too.
pub fn knows(source: MemorySource, older: &Image) -> MemorySource {
    let source = source.with_other(older.digest(), older.manifest_bytes());
    let index = index_bytes(older.index.entries());
    source.with_other(older.manifest.index.digest, index)
}

pub fn noise(seed: u64, length: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    (0..length / 8).flat_map(|_| dice.next().to_le_bytes()).collect()
}

/// Several MiB of data, with holes of zeroes.
pub fn root(seed: u64) -> Vec<u8> {
    let mut root = noise(seed, 6 * MIB);
    root[(2 << 20)..(2 << 20) + (300 << 10)].fill(0);
    root[(4 << 20)..(4 << 20) + (20 << 10)].fill(0);
    root
}
