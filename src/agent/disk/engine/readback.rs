//! Reading back: every block is read from the disk again and compared with the signed index.
//!
//! A piece that differs is written once more and read again; a disk that fails twice at the same place is broken. The
//! device must answer reads from the disk and not from a cache; see its implementation. Reading runs in a second thread
//! while this one hashes. Memory: at most 8 MiB, as for writing.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::super::progress::{Progress, Told};
use super::extents::{Piece, Withheld, pieces, total};
use super::write::BlockWriter;
use crate::agent::Failure;
use crate::agent::payload::fetch::Fetcher;
use crate::agent::payload::source::BlobSource;
use crate::image::read::Index;
use crate::spec::Code;
use crate::spec::event::Step;
use crate::spec::image::{Extent, ImageManifest};
use crate::sys::block::BlockDevice;
use crate::value::Digest;

const AHEAD: usize = 4;

type Read = Result<(Piece, Vec<u8>), Failure>;

/// Compares all blocks, and repairs once what differs.
///
/// # Errors
/// [`Code::ReadBack`] names the first byte that stays wrong; [`Code::DiskIo`]; the payload's, when a repair needs it.
pub fn verify(
    device: &dyn BlockDevice,
    manifest: &ImageManifest,
    index: &Index,
    source: &dyn BlobSource,
    progress: &mut Told<'_>,
) -> Result<(), Failure> {
    let size = manifest.size.as_bytes();
    let withheld = &Withheld::of_image(size);
    let mut fetcher = Fetcher::new(manifest, source);
    let (mut done, total) = (0, total(size));
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Read>(AHEAD);
        scope.spawn(move || read_all(device, index, withheld, &sender));
        for read in receiver {
            let (piece, bytes) = read?;
            if !is_right(&piece, &bytes, &mut fetcher)? {
                repair(device, &piece, &mut fetcher)?;
            }
            done += piece.len() as u64;
            progress(Progress::Bytes { step: Step::ReadBack, done, total })?;
        }
        let message = || format!("only {done} of {total} bytes were read back");
        if done == total { Ok(()) } else { Err(Failure::new(Code::Internal, message())) }
    })
}

fn read_all(device: &dyn BlockDevice, index: &Index, withheld: &Withheld, sender: &SyncSender<Read>) {
    for piece in pieces(index, withheld) {
        let read = read_piece(device, &piece).map(|bytes| (piece, bytes));
        let failed = read.is_err();
        if sender.send(read).is_err() || failed {
            return;
        }
    }
}

fn read_piece(device: &dyn BlockDevice, piece: &Piece) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; piece.len()];
    device.read_at(piece.range.start, &mut bytes).map_err(|error| {
        Failure::disk(
            format_args!("reading back {} bytes at byte {}", bytes.len(), piece.range.start),
            &error,
        )
    })?;
    Ok(bytes)
}

fn is_right(piece: &Piece, bytes: &[u8], fetcher: &mut Fetcher<'_>) -> Result<bool, Failure> {
    match piece.entry.content {
        Extent::Zero => Ok(bytes.iter().all(|byte| *byte == 0)),
        Extent::Data { digest, .. } if piece.len() as u64 == piece.entry.length => {
            Ok(Digest::of(bytes) == digest)
        }
        // the rest of the extent is withheld, so that its digest doesn't help: compare with the bytes themselves
        Extent::Data { .. } => Ok(fetcher.chunk(&piece.entry)?.get(piece.within()) == Some(bytes)),
    }
}

fn repair(device: &dyn BlockDevice, piece: &Piece, fetcher: &mut Fetcher<'_>) -> Result<(), Failure> {
    let writer = BlockWriter::new(device);
    let expected = match piece.is_zero() {
        true => {
            writer.zeroes(piece)?;
            vec![0; piece.len()]
        }
        false => {
            let chunk = fetcher.chunk(&piece.entry)?;
            writer.data(piece, &chunk)?;
            chunk.get(piece.within()).map(<[u8]>::to_vec).unwrap_or_default()
        }
    };
    device
        .flush()
        .map_err(|error| Failure::disk(format_args!("flushing byte {}", piece.range.start), &error))?;
    let found = read_piece(device, piece)?;
    match expected.iter().zip(&found).position(|(expected, found)| expected != found) {
        None => Ok(()),
        Some(at) => Err(Failure::new(
            Code::ReadBack,
            format!(
                "byte {} was written twice as {:#04x} and reads back as {:#04x}",
                piece.range.start + at as u64,
                expected[at],
                found[at]
            ),
        )),
    }
}
