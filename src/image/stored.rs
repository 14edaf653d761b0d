//! An image in the store as a disk: random and sequential reads without unpacking it to a file.
//!
//! Promises: what is read was verified chunk by chunk; a damaged pack is an error that names the pack, never wrong bytes. The trees
//! in it draw from one budget. Read only.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use super::mounts::{Filesystem, Mounts, SystemTree};
use super::read::{Index, decode_frame};
use super::store::Store;
use super::tree::FatTree;
use crate::spec::image::{Extent, ImageFilesystem, ImageManifest, ImagePartition, IndexEntry};
use crate::sys::block::BlockDevice;
use crate::sys::budget::Budget;
use crate::trust::Verified;

/// Decoded chunks that are kept: file systems jump between inode tables, directories and data.
const KEPT_CHUNKS: usize = 32;

/// An image in the store. Cheap to clone.
#[derive(Clone)]
pub struct StoredImage(Arc<Inner>);

struct Inner {
    store: Store,
    manifest: ImageManifest,
    index: Index,
    budget: Budget,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    packs: HashMap<u32, Arc<File>>,
    chunks: VecDeque<(u64, Arc<Verified<Vec<u8>>>)>,
}

impl std::fmt::Debug for StoredImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StoredImage").field(&self.0.manifest.image).finish()
    }
}

impl StoredImage {
    /// Opens an image; reads and checks its index.
    ///
    /// # Errors
    /// When the index is missing or damaged. Packs are opened when they are needed.
    pub fn open(store: &Store, manifest: &Verified<ImageManifest>) -> Result<Self> {
        let index = store.index(manifest)?;
        let (store, manifest) = (store.clone(), (**manifest).clone());
        let budget = Budget::of(manifest.size.as_bytes());
        Ok(Self(Arc::new(Inner { store, manifest, index, budget, state: Mutex::default() })))
    }

    /// What the image is.
    pub fn manifest(&self) -> &ImageManifest {
        &self.0.manifest
    }

    /// What is left of it to read.
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }

    /// The EFI system partition.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn esp(&self) -> Result<FatTree> {
        let esp = self.partition(self.0.manifest.esp)?;
        FatTree::open_within(Arc::new(self.clone()), esp.offset, esp.length, &self.0.budget)
            .context("opening the image's ESP")
    }

    /// The root, with what is mounted in it.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn root(&self) -> Result<SystemTree> {
        let root = self.filesystem(&self.0.manifest.root).context("opening the image's root")?;
        let boot = self.0.manifest.boot.as_ref().map(|boot| self.filesystem(boot));
        Ok(SystemTree::of(Mounts::new(root, boot.transpose().context("opening the image's /boot")?)))
    }

    /// One of its file systems.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn filesystem(&self, wanted: &ImageFilesystem) -> Result<Filesystem> {
        let device: Arc<dyn BlockDevice> = Arc::new(self.clone());
        Filesystem::open(&device, self.partition(wanted.partition)?, wanted.kind, &self.0.budget)
    }

    fn partition(&self, number: u32) -> Result<&ImagePartition> {
        self.0.manifest.partition(number).with_context(|| format!("the image has no partition {number}"))
    }
}

impl Inner {
    fn chunk(&self, entry: &IndexEntry) -> Result<Option<Arc<Verified<Vec<u8>>>>> {
        let Extent::Data { pack, frame_offset, frame_length, .. } = entry.content else { return Ok(None) };
        let file = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = state.chunks.iter().position(|(offset, _)| *offset == entry.offset) {
                // the most recent one last
                let kept = state.chunks.remove(at);
                state.chunks.extend(kept);
                return Ok(state.chunks.back().map(|(_, chunk)| Arc::clone(chunk)));
            }
            self.pack(&mut state, pack)?
        };
        self.budget.read(entry.length)?;
        let mut frame = vec![0; frame_length as usize];
        let name =
            || format!("pack {}", self.store.blob_path(&self.manifest.packs[pack as usize].digest).display());
        file.read_exact_at(&mut frame, frame_offset).with_context(|| format!("reading {}", name()))?;
        let chunk = decode_frame(entry, &frame).with_context(|| format!("{} is damaged", name()))?;
        let chunk = Arc::new(chunk);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.chunks.len() >= KEPT_CHUNKS {
            state.chunks.pop_front();
        }
        state.chunks.push_back((entry.offset, Arc::clone(&chunk)));
        Ok(Some(chunk))
    }

    fn pack(&self, state: &mut State, number: u32) -> Result<Arc<File>> {
        if let Some(file) = state.packs.get(&number) {
            return Ok(Arc::clone(file));
        }
        // the index was checked: the number is one of the manifest's
        let path = self.store.blob_path(&self.manifest.packs[number as usize].digest);
        let file = File::open(&path).with_context(|| format!("opening pack {}", path.display()))?;
        let file = Arc::new(file);
        state.packs.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

impl BlockDevice for StoredImage {
    fn size(&self) -> u64 {
        self.0.manifest.size.as_bytes()
    }

    fn logical_block(&self) -> u32 {
        self.0.manifest.logical_block
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let place = offset + filled as u64;
            let entry = self.0.index.containing(place).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("byte {place} is past the end of the image"),
                )
            })?;
            let within = place - entry.offset;
            let count =
                usize::try_from(entry.length - within).unwrap_or(usize::MAX).min(buffer.len() - filled);
            let target = &mut buffer[filled..filled + count];
            let chunk = self.0.chunk(&entry).map_err(|error| io::Error::other(format!("{error:#}")))?;
            match chunk {
                Some(chunk) => target.copy_from_slice(&chunk[within as usize..within as usize + count]),
                None => target.fill(0),
            }
            filled += count;
        }
        Ok(())
    }

    fn next_data(&self, from: u64) -> io::Result<Option<std::ops::Range<u64>>> {
        let mut place = from;
        while let Some(entry) = self.0.index.containing(place) {
            let end = entry.offset + entry.length;
            if matches!(entry.content, Extent::Data { .. }) {
                return Ok(Some(place..end));
            }
            place = end;
        }
        Ok(None)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "an image in the store is never written to"))
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
