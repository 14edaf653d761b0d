//! Read-only file trees inside an image: Linux file systems and FAT, without root and without mounting.
//!
//! Promises: nothing is written to the device; a damaged file system, and one that was made to do harm, is an error with the path in
//! it: no panic, no work without end, no memory by what the file system says of itself. All trees of a command draw from one
//! [`Budget`]. Contents aren't trusted further than that: whoever installs what was read here compares digests.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use fatfs::{FatType, FileSystem, FsOptions};

use super::ext4::inode::Inodes;
use super::volume::{self, Volume};
use crate::sys::block::{BlockDevice, Window};
use crate::sys::budget::{Budget, Budgeted};

/// No file that is read whole is longer: kernels, modules and firmware are half of it.
const LONGEST_FILE: u64 = 128 << 20;
/// No directory of FAT has more entries (Microsoft's FAT specification, section 6).
const MOST_IN_DIRECTORY: usize = 65_536;
/// No loader in an ESP is longer: shim and GRUB are a fiftieth of it.
const LONGEST_LOADER: u64 = 64 << 20;
/// Bytes that finding and listing may read: four times what the longest directory of a FAT volume costs.
const LISTING: u64 = 16 << 20;

/// What a name stands for, without following it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryType {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Device, socket, pipe.
    Other,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub kind: EntryType,
}

/// A read-only file tree. Paths are absolute inside the tree; a missing leading `/` doesn't matter.
pub trait ReadTree {
    /// The bytes of a file, symbolic links followed inside the tree.
    ///
    /// # Errors
    /// Missing, not a file, or the file system is damaged.
    fn read(&self, path: &str) -> Result<Vec<u8>>;

    /// The same of a file that isn't longer than this.
    ///
    /// # Errors
    /// As [`read`](Self::read); a longer one, of which nothing is read.
    fn read_at_most(&self, path: &str, limit: u64) -> Result<Vec<u8>> {
        let bytes = self.read(path)?;
        ensure!(bytes.len() as u64 <= limit, "{path} has {} bytes, the limit is {limit}", bytes.len());
        Ok(bytes)
    }

    /// So many bytes from the beginning of a file, or all of it where it has fewer.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn read_start(&self, path: &str, count: u64) -> Result<Vec<u8>> {
        let mut bytes = self.read(path)?;
        bytes.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// The names in a directory, sorted, without `.` and `..`; links in the path are followed. Names that aren't UTF-8 are
    /// left out.
    ///
    /// # Errors
    /// Missing, not a directory, or the file system is damaged.
    fn list(&self, path: &str) -> Result<Vec<Entry>>;

    /// What a path stands for, the last link not followed; `None` where there is nothing.
    ///
    /// # Errors
    /// When the file system is damaged.
    fn kind(&self, path: &str) -> Result<Option<EntryType>>;

    /// Whether a path leads to something that exists, links followed.
    ///
    /// # Errors
    /// When the file system is damaged.
    fn exists(&self, path: &str) -> Result<bool>;

    /// Where a symbolic link points, as text. Trees without links have none.
    ///
    /// # Errors
    /// No link, not UTF-8, or the file system is damaged.
    fn read_link(&self, path: &str) -> Result<String> {
        bail!("reading link {path}: no link")
    }
}

/// The tree of a Linux file system, or of several that are mounted in one another.
#[derive(Debug, Clone)]
pub struct Tree<V> {
    volume: V,
}

/// An ext4 file system in a range of a device.
pub type Ext4Tree = Tree<Arc<Inodes>>;

impl Ext4Tree {
    /// The file system that begins at this byte.
    ///
    /// # Errors
    /// Not ext4, damaged, or with features that can't be read.
    pub fn open(device: Arc<dyn BlockDevice>, start: u64, length: u64) -> Result<Self> {
        let inodes = Inodes::open(device, start, length, Budget::of(length));
        let inodes = inodes.with_context(|| format!("opening ext4 at byte {start}"))?;
        Ok(Self::of(Arc::new(inodes)))
    }
}

impl<V: Volume> Tree<V> {
    /// The tree of this file system.
    pub fn of(volume: V) -> Self {
        Self { volume }
    }

    fn find(&self, path: &str, follow: bool) -> Result<Option<V::Node>> {
        volume::find(&self.volume, path.as_bytes(), follow)
            .with_context(|| format!("looking for {path} in the image"))
    }

    fn open_file(&self, path: &str) -> Result<volume::Content<'_>> {
        let Some(node) = self.find(path, true)? else { bail!("reading {path} in the image: it isn't there") };
        self.volume.content(&node).with_context(|| format!("reading {path} in the image"))
    }
}

fn absolute(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

impl<V: Volume> ReadTree for Tree<V> {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.read_at_most(path, LONGEST_FILE)
    }

    fn read_at_most(&self, path: &str, limit: u64) -> Result<Vec<u8>> {
        let path = absolute(path);
        let (mut content, length) = self.open_file(&path)?;
        ensure!(length <= limit, "{path} in the image has {length} bytes, the limit is {limit}");
        let mut bytes = Vec::with_capacity(usize::try_from(length).context("sizing a file")?);
        content.read_to_end(&mut bytes).with_context(|| format!("reading {path} in the image"))?;
        Ok(bytes)
    }

    fn read_start(&self, path: &str, count: u64) -> Result<Vec<u8>> {
        let path = absolute(path);
        let mut bytes = Vec::new();
        let (content, _) = self.open_file(&path)?;
        content
            .take(count)
            .read_to_end(&mut bytes)
            .with_context(|| format!("reading {path} in the image"))?;
        Ok(bytes)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let path = absolute(path);
        let Some(node) = self.find(&path, true)? else {
            bail!("listing {path} in the image: it isn't there")
        };
        let names = self.volume.names(&node).with_context(|| format!("listing {path} in the image"))?;
        let entry =
            |(name, kind): (Vec<u8>, EntryType)| Some(Entry { name: String::from_utf8(name).ok()?, kind });
        Ok(names.into_iter().filter_map(entry).collect())
    }

    fn kind(&self, path: &str) -> Result<Option<EntryType>> {
        Ok(self.find(&absolute(path), false)?.map(|node| self.volume.kind(&node)))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.find(&absolute(path), true)?.is_some())
    }

    fn read_link(&self, path: &str) -> Result<String> {
        let path = absolute(path);
        let reading = || format!("reading link {path} in the image");
        let node = self.find(&path, false)?.context("it isn't there").with_context(reading)?;
        let target = String::from_utf8(self.volume.link(&node).with_context(reading)?);
        target.context("not UTF-8").with_context(reading)
    }
}

/// A FAT file system in a range of a device.
#[derive(Clone)]
pub struct FatTree {
    device: Arc<dyn BlockDevice>,
    start: u64,
    length: u64,
    budget: Budget,
}

impl fmt::Debug for FatTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FatTree").field("start", &self.start).finish_non_exhaustive()
    }
}

type Fat<'a> = FileSystem<Budgeted<'a>>;

impl FatTree {
    /// The file system that begins at this byte.
    ///
    /// # Errors
    /// Not FAT, or damaged.
    pub fn open(device: Arc<dyn BlockDevice>, start: u64, length: u64) -> Result<Self> {
        Self::open_within(device, start, length, &Budget::of(length))
    }

    /// The same, of what is left to a command.
    ///
    /// # Errors
    /// As there.
    pub fn open_within(
        device: Arc<dyn BlockDevice>,
        start: u64,
        length: u64,
        budget: &Budget,
    ) -> Result<Self> {
        let tree = Self { device, start, length, budget: budget.clone() };
        tree.filesystem(LISTING)?;
        Ok(tree)
    }

    /// Whether it is FAT32, as an ESP should be.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn is_fat32(&self) -> Result<bool> {
        Ok(self.filesystem(LISTING)?.fat_type() == FatType::Fat32)
    }

    /// Bytes of a cluster, and how many clusters are free.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn free(&self) -> Result<(u64, u64)> {
        let stats = self.filesystem(LISTING)?.stats().context("counting free clusters in the ESP")?;
        Ok((u64::from(stats.cluster_size()), u64::from(stats.free_clusters())))
    }

    /// For one operation, which may read so many bytes: a damaged directory has no end.
    fn filesystem(&self, budget: u64) -> Result<Fat<'_>> {
        self.budget.progress();
        let window = Window::new(&*self.device, self.start, self.length);
        let window = Budgeted::new(window, budget).of(&self.budget);
        FileSystem::new(window, FsOptions::new())
            .with_context(|| format!("opening FAT at byte {}", self.start))
    }

    fn find(&self, path: &str) -> Result<Option<EntryType>> {
        let path = path.trim_matches('/');
        let Some((parent, name)) = path.rsplit_once('/').or((!path.is_empty()).then_some(("", path))) else {
            return Ok(Some(EntryType::Directory));
        };
        if self.find(parent)? != Some(EntryType::Directory) {
            return Ok(None);
        }
        let entries = self.list(parent)?;
        Ok(entries.iter().find(|entry| entry.name.eq_ignore_ascii_case(name)).map(|entry| entry.kind))
    }
}

impl ReadTree for FatTree {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let bytes = self.read_start(path, LONGEST_LOADER + 1)?;
        ensure!(
            bytes.len() as u64 <= LONGEST_LOADER,
            "{} in the ESP is longer than the {LONGEST_LOADER} bytes that a loader may have",
            path.trim_matches('/')
        );
        Ok(bytes)
    }

    fn read_at_most(&self, path: &str, limit: u64) -> Result<Vec<u8>> {
        let bytes = self.read_start(path, limit + 1)?;
        ensure!(bytes.len() as u64 <= limit, "{path} in the ESP is longer than {limit} bytes");
        Ok(bytes)
    }

    fn read_start(&self, path: &str, count: u64) -> Result<Vec<u8>> {
        let path = path.trim_matches('/');
        let reading = || format!("reading {path} in the ESP");
        // beside its content, a file costs an entry of the allocation table for each cluster
        let filesystem = self.filesystem(LISTING + 2 * LONGEST_LOADER)?;
        let file = filesystem.root_dir().open_file(path).with_context(reading)?;
        let mut bytes = Vec::new();
        file.take(count).read_to_end(&mut bytes).with_context(reading)?;
        Ok(bytes)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let path = path.trim_matches('/');
        let listing = || format!("listing {path} in the ESP");
        let filesystem = self.filesystem(LISTING)?;
        let root = filesystem.root_dir();
        let dir = if path.is_empty() { root } else { root.open_dir(path).with_context(listing)? };
        let mut entries = Vec::new();
        for entry in dir.iter() {
            let entry = entry.with_context(listing)?;
            let name = entry.file_name();
            if name != "." && name != ".." {
                let kind = if entry.is_dir() { EntryType::Directory } else { EntryType::File };
                entries.push(Entry { name, kind });
                self.budget.names(1)?;
                ensure!(
                    entries.len() <= MOST_IN_DIRECTORY,
                    "listing {path} in the ESP: it has more than {MOST_IN_DIRECTORY} names, which is impossible"
                );
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn kind(&self, path: &str) -> Result<Option<EntryType>> {
        self.find(path)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.find(path)?.is_some())
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
