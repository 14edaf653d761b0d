//! The block phase: every extent of the image to its place.
//!
//! Promises: bytes from the image reach the disk only as `Verified`, from [`Fetcher`]; zero extents are written as zeroes;
//! withheld regions aren't touched. Fetching, decompressing and hashing run in a second thread while this one writes; the
//! channel between them holds [`AHEAD`] chunks. Memory in all: at most 8 MiB (4 chunks waiting, one on each side, one
//! frame, of 1 MiB at most each), whatever the image.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::super::progress::{Progress, Told};
use super::extents::{Piece, Withheld, pieces, total};
use crate::agent::Failure;
use crate::agent::payload::fetch::Fetcher;
use crate::agent::payload::source::BlobSource;
use crate::image::read::Index;
use crate::spec::event::Step;
use crate::spec::image::{ImageManifest, IndexEntry, MAX_CHUNK};
use crate::sys::block::BlockDevice;
use crate::trust::Verified;

/// Chunks that wait to be written.
const AHEAD: usize = 4;

static ZEROES: [u8; MAX_CHUNK as usize] = [0; MAX_CHUNK as usize];

/// Writes an image's blocks to a disk.
pub struct BlockWriter<'a> {
    device: &'a dyn BlockDevice,
}

impl<'a> BlockWriter<'a> {
    pub fn new(device: &'a dyn BlockDevice) -> Self {
        Self { device }
    }

    /// Writes a piece of a data extent, whose verified bytes these are.
    pub fn data(&self, piece: &Piece, chunk: &Verified<Vec<u8>>) -> Result<(), Failure> {
        match chunk.get(piece.within()) {
            Some(bytes) => self.put(piece, bytes),
            None => Err(Failure::new(crate::spec::Code::Internal, "a chunk is shorter than its extent")),
        }
    }

    /// Writes a piece of a zero extent.
    pub fn zeroes(&self, piece: &Piece) -> Result<(), Failure> {
        self.put(piece, &ZEROES[..piece.len()])
    }

    fn put(&self, piece: &Piece, bytes: &[u8]) -> Result<(), Failure> {
        self.device.write_at(piece.range.start, bytes).map_err(|error| {
            Failure::disk(format_args!("writing {} bytes at byte {}", bytes.len(), piece.range.start), &error)
        })
    }
}

/// Writes zeroes that don't come from the image, over what earlier times left.
pub fn erase(device: &dyn BlockDevice, mut range: std::ops::Range<u64>) -> Result<(), Failure> {
    while range.start < range.end {
        let length = (range.end - range.start).min(MAX_CHUNK);
        device.write_at(range.start, &ZEROES[..length as usize]).map_err(|error| {
            Failure::disk(format_args!("writing {length} zeroes at byte {}", range.start), &error)
        })?;
        range.start += length;
    }
    Ok(())
}

/// What the fetching thread hands over: an extent and, where it isn't zeroes, its bytes.
type Fetched = Result<(IndexEntry, Option<Verified<Vec<u8>>>), Failure>;

/// Writes all blocks. Durable only after the next flush.
///
/// # Errors
/// The payload's, the disk's. What was written before stays.
pub fn blocks(
    device: &dyn BlockDevice,
    manifest: &ImageManifest,
    index: &Index,
    source: &dyn BlobSource,
    progress: &mut Told<'_>,
) -> Result<(), Failure> {
    let size = manifest.size.as_bytes();
    let withheld = &Withheld::of_image(size);
    let writer = BlockWriter::new(device);
    let (mut done, total) = (0, total(size));
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Fetched>(AHEAD);
        scope.spawn(move || fetch_all(manifest, index, withheld, source, &sender));
        // an early return drops the receiver, and with it the fetching thread's next send fails
        for fetched in receiver {
            let (entry, chunk) = fetched?;
            for range in withheld.pieces(entry.offset..entry.offset + entry.length) {
                let piece = Piece { entry, range };
                match &chunk {
                    Some(chunk) => writer.data(&piece, chunk)?,
                    None => writer.zeroes(&piece)?,
                }
                done += piece.len() as u64;
                progress(Progress::Bytes { step: Step::Write, done, total })?;
            }
        }
        if done == total { Ok(()) } else { Err(short(done, total)) }
    })
}

fn short(done: u64, total: u64) -> Failure {
    Failure::new(crate::spec::Code::Internal, format!("only {done} of {total} bytes were handed over"))
}

fn fetch_all(
    manifest: &ImageManifest,
    index: &Index,
    withheld: &Withheld,
    source: &dyn BlobSource,
    sender: &SyncSender<Fetched>,
) {
    let mut fetcher = Fetcher::new(manifest, source);
    let mut last = None;
    for piece in pieces(index, withheld) {
        if last.replace(piece.entry.offset) == Some(piece.entry.offset) {
            continue;
        }
        let fetched = match piece.is_zero() {
            true => Ok((piece.entry, None)),
            false => fetcher.chunk(&piece.entry).map(|chunk| (piece.entry, Some(chunk))),
        };
        let failed = fetched.is_err();
        if sender.send(fetched).is_err() || failed {
            return;
        }
    }
}
