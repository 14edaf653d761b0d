//! Reading XFS without mounting it, by the crate `lamxfs`, within the budget of the command.
//!
//! The crate holds what a volume says against limits of its own, made for firmware; here its reads are counted besides, a step's and
//! the command's, so that memory and time are bounded by what is read. A log that holds changes is replayed in memory, as the
//! target's kernel will do. It follows no links and finds by path only: what paths mean is said in [`volume`](super::volume), and
//! directories are kept for a while. Owners, times and attributes aren't told by the crate: who needs them can't use this.
//!
//! Promises: nothing is written; damage is an error and never a panic.

pub mod fitness;

use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use lamxfs::{BlockRead, EntryKind, Inode, Path, SuperblockReason, Xfs};
use uuid::Uuid;

use super::tree::EntryType;
use super::volume::{self, Volume};
use crate::sys::block::BlockDevice;
use crate::sys::budget::{Budget, Held};

/// What opening may read: superblock, the log's ends, and what is to be replayed, which is held in memory.
const OPENING: u64 = 32 << 20;
/// What listing a directory may read, with those above it: a quarter of a million names.
const LISTING: u64 = 64 << 20;
/// What finding a file's extents may read.
const FINDING: u64 = 32 << 20;
/// Linux has none that are longer (`XFS_SYMLINK_MAXLEN`).
const LONGEST_LINK: u64 = 1024;
/// Directories that are kept.
const KEPT: usize = 64;
/// Contents are read in pieces of this length: each costs finding the extents.
const PIECE: usize = 1 << 20;

/// An XFS file system in a range of a device.
pub struct XfsVolume {
    xfs: Mutex<Xfs<Counted>>,
    counter: Arc<Mutex<Counter>>,
    directories: Mutex<HashMap<Vec<u8>, Arc<Listing>>>,
    budget: Budget,
    uuid: Uuid,
}

/// A file, a directory or whatever else, and a path without links that leads to it.
#[derive(Debug, Clone)]
pub struct Node {
    path: Vec<u8>,
    number: u64,
    kind: EntryType,
    size: u64,
}

impl Node {
    /// Whether it is the root directory.
    pub fn is_root(&self) -> bool {
        self.path.is_empty()
    }
}

/// The names of a directory, sorted.
struct Listing {
    names: Vec<(Vec<u8>, EntryType, u64)>,
    _held: Held,
}

/// What is left to a step, and why a read failed: the crate passes on only that it did.
#[derive(Debug, Default)]
struct Counter {
    left: u64,
    trouble: Option<anyhow::Error>,
}

/// The range of the device, read by count.
struct Counted {
    device: Arc<dyn BlockDevice>,
    start: u64,
    length: u64,
    budget: Budget,
    counter: Arc<Mutex<Counter>>,
}

impl BlockRead for Counted {
    type Error = ();

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ()> {
        let read = self.read(offset, buffer);
        read.map_err(|error| locked(&self.counter).trouble = Some(error))
    }
}

impl Counted {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let count = buffer.len() as u64;
        let within = offset.checked_add(count).is_some_and(|end| end <= self.length);
        ensure!(within, "a block lies outside of the file system, at byte {offset}");
        {
            let mut counter = locked(&self.counter);
            let left = counter.left.checked_sub(count);
            counter.left = left.context("a log, directory or file has no end")?;
        }
        self.budget.read(count)?;
        self.device
            .read_at(self.start + offset, buffer)
            .with_context(|| format!("reading byte {offset} of it"))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for XfsVolume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("XfsVolume").field("uuid", &self.uuid).finish_non_exhaustive()
    }
}

impl XfsVolume {
    /// The file system that begins at this byte of the device; what is read of it is drawn from this budget.
    ///
    /// # Errors
    /// Not XFS, damaged, in need of repair, or with a feature that isn't understood.
    pub fn open(device: Arc<dyn BlockDevice>, start: u64, length: u64, budget: &Budget) -> Result<Self> {
        let counter = Arc::new(Mutex::new(Counter { left: OPENING, trouble: None }));
        let budget = budget.clone();
        let reader = Counted { device, start, length, budget: budget.clone(), counter: Arc::clone(&counter) };
        let xfs = Xfs::open(reader, length).map_err(|error| explained(&error, &counter))?;
        let uuid = Uuid::from_bytes(xfs.uuid());
        Ok(Self { xfs: Mutex::new(xfs), counter, directories: Mutex::default(), budget, uuid })
    }

    /// UUID of the file system, as `root=UUID=` has it.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// One step, which may read so many bytes.
    fn step<T>(
        &self,
        bytes: u64,
        work: impl FnOnce(&mut Xfs<Counted>) -> Result<T, lamxfs::Error>,
    ) -> Result<T> {
        let mut xfs = locked(&self.xfs);
        *locked(&self.counter) = Counter { left: bytes, trouble: None };
        work(&mut xfs).map_err(|error| explained(&error, &self.counter))
    }

    fn node(&self, path: Vec<u8>, number: u64) -> Result<Node> {
        let metadata = self.step(FINDING, |xfs| xfs.metadata(&Inode { ino: number }))?;
        let kind = if metadata.is_file() {
            EntryType::File
        } else if metadata.is_dir() {
            EntryType::Directory
        } else if metadata.is_symlink() {
            EntryType::Symlink
        } else {
            EntryType::Other
        };
        Ok(Node { path, number, kind, size: metadata.size() })
    }

    fn listing(&self, directory: &Node) -> Result<Arc<Listing>> {
        if let Some(kept) = locked(&self.directories).get(&directory.path) {
            return Ok(Arc::clone(kept));
        }
        let entries = self.step(LISTING, |xfs| xfs.read_dir(Path::new(&directory.path)))?;
        self.budget.names(entries.len() as u64)?;
        let bytes = entries.iter().map(|entry| entry.name.len() + 2 * size_of_val(entry)).sum::<usize>();
        let held = self.budget.hold(bytes as u64)?;
        let mut names = Vec::with_capacity(entries.len());
        for entry in entries {
            let plain = !entry.name.is_empty() && !entry.name.contains(&b'/') && !entry.name.contains(&0);
            ensure!(plain, "a name in a directory is damaged");
            let kind = match entry.kind {
                EntryKind::Regular => EntryType::File,
                EntryKind::Directory => EntryType::Directory,
                EntryKind::Symlink => EntryType::Symlink,
                EntryKind::Other => EntryType::Other,
            };
            names.push((entry.name, kind, entry.inode_number));
        }
        names.sort_unstable();
        let listing = Arc::new(Listing { names, _held: held });
        let mut directories = locked(&self.directories);
        if directories.len() >= KEPT {
            directories.clear();
        }
        directories.insert(directory.path.clone(), Arc::clone(&listing));
        Ok(listing)
    }
}

/// What the crate says, in words, and why a read failed.
fn explained(error: &lamxfs::Error, counter: &Mutex<Counter>) -> anyhow::Error {
    use lamxfs::Error;
    if let Some(trouble) = locked(counter).trouble.take() {
        return trouble.context("reading XFS");
    }
    match error {
        Error::BadSuperblock(reason) => anyhow!(match reason {
            SuperblockReason::BadMagic => "it isn't XFS",
            SuperblockReason::BadCrc => "the superblock has another checksum: it is damaged",
            SuperblockReason::UnsupportedVersion => "it is XFS of a version that isn't known",
            SuperblockReason::BadGeometry => "the superblock is damaged",
            SuperblockReason::ExternalLog => "its log is on another device",
            SuperblockReason::RealtimeDevice => "it has a real-time device",
            SuperblockReason::DirtyLog =>
                "it needs repair, or its log holds what only the kernel can bring in: mount and unmount it once, or run `xfs_repair`",
        }),
        Error::UnsupportedFeature(feature) => anyhow!("it has a feature that isn't understood ({feature})"),
        Error::BadCrc { what, ag, ag_block } => {
            anyhow!(
                "block {ag_block} of group {ag} has another checksum ({what}): the file system is damaged"
            )
        }
        other => anyhow!("the file system is damaged ({})", other.token()),
    }
}

/// A file's bytes from its beginning.
struct Content<'a> {
    volume: &'a XfsVolume,
    number: u64,
    position: u64,
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = FINDING + buffer.len() as u64;
        let read = self
            .volume
            .step(most, |xfs| xfs.read_file_at(&Inode { ino: self.number }, self.position, buffer))
            .map_err(|error| io::Error::other(format!("{error:#}")))?;
        self.volume.budget.progress();
        self.position += read as u64;
        Ok(read)
    }
}

impl Volume for Arc<XfsVolume> {
    type Node = Node;

    fn root(&self) -> Result<Node> {
        let root = self.step(FINDING, |xfs| xfs.resolve(Path::new(b"")))?;
        self.node(Vec::new(), root.ino)
    }

    fn kind(&self, node: &Node) -> EntryType {
        node.kind
    }

    fn called(&self, node: &Node) -> String {
        format!("inode {}", node.number)
    }

    fn lookup(&self, directory: &Node, name: &[u8]) -> Result<Option<Node>> {
        let listing = self.listing(directory)?;
        let Ok(at) = listing.names.binary_search_by(|(known, ..)| known.as_slice().cmp(name)) else {
            return Ok(None);
        };
        let path = [&directory.path[..], b"/", name].concat();
        self.node(path, listing.names[at].2).map(Some)
    }

    fn names(&self, directory: &Node) -> Result<Vec<(Vec<u8>, EntryType)>> {
        ensure!(directory.kind == EntryType::Directory, "inode {} is no directory", directory.number);
        let listing = self.listing(directory)?;
        Ok(listing.names.iter().map(|(name, kind, _)| (name.clone(), *kind)).collect())
    }

    fn link(&self, node: &Node) -> Result<Vec<u8>> {
        ensure!(node.kind == EntryType::Symlink, "it is no link");
        ensure!(
            (1..=LONGEST_LINK).contains(&node.size),
            "a link of {} bytes is impossible; {LONGEST_LINK} are the most",
            node.size
        );
        self.step(FINDING, |xfs| xfs.read_link(Path::new(&node.path)))
    }

    fn content(&self, file: &Node) -> Result<volume::Content<'_>> {
        ensure!(file.kind == EntryType::File, "it is no file");
        let content = Content { volume: self, number: file.number, position: 0 };
        let room = usize::try_from(file.size).unwrap_or(PIECE).clamp(1, PIECE);
        Ok((Box::new(BufReader::with_capacity(room, content)), file.size))
    }

    fn progress(&self) {
        self.budget.progress();
    }
}

#[cfg(test)]
#[path = "xfs_tests.rs"]
mod tests;
