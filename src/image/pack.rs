//! Writing an image's chunks into packs.
//!
//! Promises: frames stand in the order of the image and packs are closed by size alone, so the same image and the same
//! store give the same packs, however many threads compress. A chunk that the image has twice, or that an intact pack of
//! an earlier version has, is stored once. A pack appears under its digest when it is whole; on failure the new ones are
//! removed again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};

use super::chunk;
use super::store::{BlobWriter, Store};
use super::whole::WholeDigest;
use crate::failure::{Blame, BlameExt as _};
use crate::spec::image::{Blob, Extent, ImageManifest, IndexEntry};
use crate::sys::block::BlockDevice;
use crate::trust::TrustedKeys;
use crate::value::{Digest, ImageName};

/// A pack is closed before it gets longer.
const LONGEST_PACK: u64 = 64 << 20;
/// Where more effort stops paying: 184 MB for 580 MiB, at disk speed when it is read.
const LEVEL: i32 = 9;
const WORKERS: usize = 2;
/// Chunks on their way to the workers, and frames on theirs to the store; bounds the memory, however slow the store is.
const QUEUE: usize = 8;

/// Where a chunk is: a frame of a pack in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    pack: Blob,
    offset: u64,
    length: u32,
}

/// Chunks that the store has already.
#[derive(Debug, Default)]
pub struct Known(HashMap<Digest, Place>);

impl Known {
    /// The chunks of all versions of an image that these keys signed. A version or pack that is damaged is passed over: it
    /// is then written anew. All packs are read for that: `progress` gets the bytes read so far and in all, pack by pack.
    ///
    /// # Errors
    /// When the store can't be listed; what `progress` returned.
    pub fn of(
        store: &Store,
        name: &ImageName,
        keys: &TrustedKeys,
        progress: &mut dyn FnMut(u64, u64) -> Result<()>,
    ) -> Result<Self> {
        let versions = store.list()?.into_iter().filter(|(image, _)| image.name() == name);
        let versions: Vec<_> =
            versions.filter_map(|(image, digest)| store.manifest(&image, &digest, keys).ok()).collect();
        let packs = versions.iter().flat_map(|manifest| &manifest.packs);
        let packs: BTreeMap<_, _> = packs.map(|pack| (pack.digest, pack)).collect();
        // from now on nobody takes them away; those that went before are damaged ones
        store.note_wanted(packs.keys())?;
        let total = packs.values().map(|pack| pack.size).sum();
        let (mut done, mut intact) = (0, HashSet::new());
        for pack in packs.values() {
            progress(done, total)?;
            if store.check_blob(pack).is_ok() {
                intact.insert(pack.digest);
            }
            done += pack.size;
        }
        let mut known = Self::default();
        for manifest in &versions {
            let Ok(index) = store.index(manifest) else { continue };
            for entry in index.entries() {
                known.add(&entry, manifest, &intact);
            }
        }
        Ok(known)
    }

    fn add(&mut self, entry: &IndexEntry, manifest: &ImageManifest, intact: &HashSet<Digest>) {
        if let Extent::Data { digest, pack, frame_offset, frame_length } = entry.content
            && let Some(pack) = manifest.packs.get(pack as usize)
            && intact.contains(&pack.digest)
        {
            self.0.entry(digest).or_insert(Place { pack: *pack, offset: frame_offset, length: frame_length });
        }
    }
}

/// An image in packs, not yet published.
#[derive(Debug)]
pub struct Packed {
    /// The index.
    pub entries: Vec<IndexEntry>,
    /// Packs as the index numbers them: in the order of their first use.
    pub packs: Vec<Blob>,
    /// Those of them that the store didn't have.
    pub fresh: Vec<Blob>,
    /// Digest of the whole image, unless it is mostly zeroes.
    pub raw: Option<Digest>,
    /// Bytes outside zero extents.
    pub data: u64,
}

/// What a piece of the image became.
enum Source {
    Zero,
    Old(Place),
    /// The n-th new frame.
    New(usize),
}

struct Job {
    number: usize,
    data: Vec<u8>,
}

/// Reads an image once and puts its chunks into the store. `progress` gets the bytes read so far; its error ends it.
///
/// # Errors
/// When the image can't be read or the store can't be written; nothing new is then left in the store.
pub fn pack(
    store: &Store,
    device: &dyn BlockDevice,
    cuts: &[u64],
    known: &Known,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Packed> {
    let (cut, written) = side_by_side(
        |jobs| read(device, cuts, known, jobs, progress),
        |frames| PackWriter::new(store).write_all(frames),
    );
    let written = match written {
        Ok(written) => written,
        Err(_) => Err(anyhow!("a thread that writes packs panicked")).blame(Blame::Bug),
    };
    // the reader fails too when the writer did; the writer knows why
    let (places, fresh) = written?;
    match cut {
        Ok(cut) => Ok(assemble(cut, &places, fresh)),
        Err(error) => {
            store.forget(&fresh);
            Err(error)
        }
    }
}

/// A job's number and what became of it.
type Frame = (usize, std::io::Result<Vec<u8>>);

/// Runs who reads, the threads that compress, and who writes. Each waits for the one after it, so that a bounded number of
/// chunks is in memory; each ends when the one beside it does.
fn side_by_side<R, W: Send>(
    read: impl FnOnce(SyncSender<Job>) -> R,
    write: impl FnOnce(&Receiver<Frame>) -> W + Send,
) -> (R, std::thread::Result<W>) {
    let (jobs, queue) = sync_channel(QUEUE);
    let (done, frames) = sync_channel(QUEUE);
    // owned by the workers alone: when they are gone, the reader's next chunk fails instead of waiting for ever
    let queue = Arc::new(Mutex::new(queue));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            let (queue, done) = (Arc::clone(&queue), done.clone());
            scope.spawn(move || compress(&queue, &done));
        }
        drop((queue, done));
        let writer = scope.spawn(move || write(&frames));
        let read = read(jobs);
        (read, writer.join())
    })
}

struct Cut {
    pieces: Vec<(u64, u64, Digest, Source)>,
    raw: Option<Digest>,
    data: u64,
}

fn read(
    device: &dyn BlockDevice,
    cuts: &[u64],
    known: &Known,
    jobs: SyncSender<Job>,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Cut> {
    let mut whole = WholeDigest::default();
    let mut pieces = Vec::new();
    let mut seen = HashMap::new();
    let mut data = 0;
    let zero = Digest::from_bytes([0; 32]);
    let cut = chunk::cut::<anyhow::Error>(device, cuts, progress, |piece, progress| {
        let Some(bytes) = piece.data else {
            pieces.push((piece.offset, piece.length, zero, Source::Zero));
            return whole.zeroes(piece.length, &mut |done| progress(piece.offset + done));
        };
        whole.data(bytes);
        data += piece.length;
        let digest = Digest::of(bytes);
        let next = seen.len();
        let source = match (known.0.get(&digest), seen.get(&digest)) {
            (Some(place), _) => Source::Old(*place),
            (None, Some(number)) => Source::New(*number),
            (None, None) => {
                seen.insert(digest, next);
                let job = Job { number: next, data: bytes.to_vec() };
                jobs.send(job).map_err(|_| anyhow!("the packs can't be written"))?;
                Source::New(next)
            }
        };
        pieces.push((piece.offset, piece.length, digest, source));
        Ok(())
    });
    cut?;
    Ok(Cut { pieces, raw: whole.finish(), data })
}

fn compress(queue: &Mutex<Receiver<Job>>, done: &SyncSender<Frame>) {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL);
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let frame = match &mut compressor {
            Ok(compressor) => compressor.compress(&job.data),
            Err(error) => Err(std::io::Error::new(error.kind(), error.to_string())),
        };
        if done.send((job.number, frame)).is_err() {
            return;
        }
    }
}

/// Frame number → its pack (by number among the new ones), offset and length.
type Frames = Vec<(usize, u64, u32)>;

struct PackWriter<'a> {
    store: &'a Store,
    open: Option<BlobWriter>,
    length: u64,
    packs: Vec<Blob>,
    fresh: Vec<Blob>,
    frames: Frames,
}

/// New frames, each with its pack; and the packs that the store didn't have.
type Written = (Vec<Place>, Vec<Blob>);

impl<'a> PackWriter<'a> {
    fn new(store: &'a Store) -> Self {
        Self { store, open: None, length: 0, packs: Vec::new(), fresh: Vec::new(), frames: Vec::new() }
    }

    fn write_all(mut self, frames: &Receiver<Frame>) -> Result<Written> {
        let written = self.write_in_order(frames).and_then(|()| self.close());
        if let Err(error) = written {
            self.store.forget(&self.fresh);
            return Err(error).context("writing packs into the store");
        }
        let place = |(pack, offset, length): &(usize, u64, u32)| Place {
            pack: self.packs[*pack],
            offset: *offset,
            length: *length,
        };
        Ok((self.frames.iter().map(place).collect(), self.fresh))
    }

    fn write_in_order(&mut self, frames: &Receiver<Frame>) -> Result<()> {
        let mut early = BTreeMap::new();
        for (number, frame) in frames {
            early.insert(number, frame.context("compressing a chunk")?);
            while let Some(frame) = early.remove(&self.frames.len()) {
                self.write(&frame)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, frame: &[u8]) -> Result<()> {
        let length = u32::try_from(frame.len()).context("a frame is too long")?;
        if self.length + u64::from(length) > LONGEST_PACK {
            self.close()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(self.store.begin_blob()?),
        };
        open.write_all(frame)?;
        self.frames.push((self.packs.len(), self.length, length));
        self.length += u64::from(length);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            let (blob, fresh) = open.finish()?;
            self.packs.push(blob);
            if fresh {
                self.fresh.push(blob);
            }
            self.length = 0;
        }
        Ok(())
    }
}

fn assemble(cut: Cut, places: &[Place], fresh: Vec<Blob>) -> Packed {
    let mut packs = Vec::new();
    let mut numbers = HashMap::new();
    let mut entries = Vec::with_capacity(cut.pieces.len());
    for (offset, length, digest, source) in cut.pieces {
        let place = match source {
            Source::Zero => None,
            Source::Old(place) => Some(place),
            Source::New(number) => Some(places[number]),
        };
        let content = place.map_or(Extent::Zero, |place| {
            let pack = *numbers.entry(place.pack.digest).or_insert_with(|| {
                packs.push(place.pack);
                packs.len() as u32 - 1
            });
            Extent::Data { digest, pack, frame_offset: place.offset, frame_length: place.length }
        });
        entries.push(IndexEntry { offset, length, content });
    }
    Packed { entries, packs, fresh, raw: cut.raw, data: cut.data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_store_holds_up_the_reader() {
        let (told, wait) = sync_channel::<()>(0);
        let (sent, written) = side_by_side(
            |jobs| {
                let deadline = std::time::Instant::now() + std::time::Duration::from_secs(1);
                let mut sent = 0;
                while sent < 1000 && std::time::Instant::now() < deadline {
                    match jobs.try_send(Job { number: sent, data: vec![1; 4096] }) {
                        Ok(()) => sent += 1,
                        Err(_) => std::thread::yield_now(),
                    }
                }
                drop(told);
                sent
            },
            move |frames| {
                // until the reader gave up
                let _ = wait.recv();
                frames.iter().count()
            },
        );
        assert!((QUEUE..=2 * QUEUE + WORKERS).contains(&sent), "{sent} chunks are in memory");
        assert_eq!(written.unwrap(), sent);
    }
}
