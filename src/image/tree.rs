//! Read-only file trees inside an image: ext4 and FAT, without root and without mounting.
//!
//! Promises: nothing is written to the device; a damaged file system is an error with the path in it, never a panic of
//! ours. File systems are not trusted further than that: whoever installs what was read here compares digests.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use ext4_view::{Ext4, Ext4Read, FileType};
use fatfs::{FatType, FileSystem, FsOptions};
use uuid::Uuid;

use crate::spec::ondisk::ext4;
use crate::sys::block::{BlockDevice, Window};
use crate::sys::budget::Budgeted;

/// No file that is read whole is longer: kernels and initramfs are a tenth of it.
const LONGEST_FILE: u64 = 1 << 30;
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

/// An ext4 file system in a range of a device.
#[derive(Clone)]
pub struct Ext4Tree {
    filesystem: Ext4,
}

impl fmt::Debug for Ext4Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ext4Tree").field("uuid", &self.uuid()).finish()
    }
}

struct Ext4Range {
    device: Arc<dyn BlockDevice>,
    start: u64,
    length: u64,
}

impl Ext4Read for Ext4Range {
    fn read(
        &mut self,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        let end = start.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(format!("byte {start} is outside the partition of {} bytes", self.length).into());
        }
        Ok(self.device.read_at(self.start + start, buffer)?)
    }
}

impl Ext4Tree {
    /// The file system that begins at this byte.
    ///
    /// # Errors
    /// Not ext4, damaged, or with features that can't be read.
    pub fn open(device: Arc<dyn BlockDevice>, start: u64, length: u64) -> Result<Self> {
        let range = Ext4Range { device, start, length };
        let filesystem =
            Ext4::load(Box::new(range)).with_context(|| format!("opening ext4 at byte {start}"))?;
        Ok(Self { filesystem })
    }

    /// UUID of the file system.
    pub fn uuid(&self) -> Uuid {
        Uuid::from_bytes(*self.filesystem.uuid().as_bytes())
    }

    /// The content of a file, to be read piece by piece.
    ///
    /// # Errors
    /// No file, or the file system is damaged.
    pub fn open_file(&self, path: &[u8]) -> Result<impl Read + use<>> {
        let reading = || format!("reading {} in the image", String::from_utf8_lossy(path));
        self.filesystem.open(path).with_context(reading)
    }

    /// Owner, group, permissions and length of what a path names, a last link not followed.
    ///
    /// # Errors
    /// Missing, or the file system is damaged.
    pub fn owner_and_mode(&self, path: &[u8]) -> Result<(u32, u32, u32, u64)> {
        let path = if path.is_empty() { b"/" } else { path };
        let reading = || format!("reading {} in the image", String::from_utf8_lossy(path));
        let seen = self.filesystem.symlink_metadata(path).with_context(reading)?;
        Ok((seen.uid(), seen.gid(), u32::from(seen.mode() & 0o7777), seen.len()))
    }

    /// Where a symbolic link points, byte for byte.
    ///
    /// # Errors
    /// No link, or the file system is damaged.
    pub fn link_bytes(&self, path: &[u8]) -> Result<Vec<u8>> {
        let reading = || format!("reading link {} in the image", String::from_utf8_lossy(path));
        Ok(self.filesystem.read_link(path).with_context(reading)?.as_ref().to_vec())
    }
}

/// Whether an ext2, ext3 or ext4 superblock stands here.
///
/// # Errors
/// The device's.
pub fn has_ext_magic(device: &dyn BlockDevice, start: u64) -> std::io::Result<bool> {
    let mut magic = [0; 2];
    device.read_at(start + ext4::MAGIC.at, &mut magic)?;
    Ok(magic == ext4::MAGIC.bytes)
}

fn absolute(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

fn ext4_kind(kind: FileType) -> EntryType {
    match kind {
        FileType::Regular => EntryType::File,
        FileType::Directory => EntryType::Directory,
        FileType::Symlink => EntryType::Symlink,
        _ => EntryType::Other,
    }
}

impl ReadTree for Ext4Tree {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let path = absolute(path);
        let reading = || format!("reading {path} in the image");
        let length = self.filesystem.metadata(path.as_str()).with_context(reading)?.len();
        ensure!(
            length <= LONGEST_FILE,
            "{path} in the image has {length} bytes, the limit is {LONGEST_FILE}"
        );
        self.filesystem.read(path.as_str()).with_context(reading)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let path = absolute(path);
        let listing = || format!("listing {path} in the image");
        let mut entries = Vec::new();
        for entry in self.filesystem.read_dir(path.as_str()).with_context(listing)? {
            let entry = entry.with_context(listing)?;
            let name = entry.file_name();
            let Ok(name) = name.as_str() else { continue };
            if name != "." && name != ".." {
                let kind = ext4_kind(entry.file_type().with_context(listing)?);
                entries.push(Entry { name: name.to_owned(), kind });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn kind(&self, path: &str) -> Result<Option<EntryType>> {
        let path = absolute(path);
        match self.filesystem.symlink_metadata(path.as_str()) {
            Ok(metadata) => Ok(Some(ext4_kind(metadata.file_type()))),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking for {path} in the image")),
        }
    }

    fn exists(&self, path: &str) -> Result<bool> {
        let path = absolute(path);
        match self.filesystem.metadata(path.as_str()) {
            Ok(_) => Ok(true),
            Err(error) if is_absence(&error) => Ok(false),
            Err(error) => Err(error).with_context(|| format!("looking for {path} in the image")),
        }
    }

    fn read_link(&self, path: &str) -> Result<String> {
        let path = absolute(path);
        let reading = || format!("reading link {path} in the image");
        let target = self.filesystem.read_link(path.as_str()).with_context(reading)?;
        Ok(target.to_str().with_context(reading)?.to_owned())
    }
}

fn is_absence(error: &ext4_view::Ext4Error) -> bool {
    use ext4_view::Ext4Error::{NotADirectory, NotFound, TooManySymlinks};
    matches!(error, NotFound | NotADirectory | TooManySymlinks)
}

/// A FAT file system in a range of a device.
#[derive(Clone)]
pub struct FatTree {
    device: Arc<dyn BlockDevice>,
    start: u64,
    length: u64,
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
        let tree = Self { device, start, length };
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

    /// For one operation, which may read so many bytes: a damaged directory has no end.
    fn filesystem(&self, budget: u64) -> Result<Fat<'_>> {
        let window = Budgeted::new(Window::new(&*self.device, self.start, self.length), budget);
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
        let path = path.trim_matches('/');
        let reading = || format!("reading {path} in the ESP");
        // beside its content, a file costs an entry of the allocation table for each cluster
        let filesystem = self.filesystem(LISTING + 2 * LONGEST_LOADER)?;
        let file = filesystem.root_dir().open_file(path).with_context(reading)?;
        let mut bytes = Vec::new();
        file.take(LONGEST_LOADER + 1).read_to_end(&mut bytes).with_context(reading)?;
        ensure!(
            bytes.len() as u64 <= LONGEST_LOADER,
            "{path} in the ESP is longer than the {LONGEST_LOADER} bytes that a loader may have"
        );
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
