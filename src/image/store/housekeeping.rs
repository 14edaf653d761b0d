//! What a store holds for which image, and taking images out of it.
//!
//! Who takes images out is alone for that time: readers ([`Store::reading`]) are waited for, and others are kept out. An import
//! under way is not waited for: its journal says what it needs. What is kept beside the store's own names (what a lock pins, what
//! was armed) is the caller's to say, once it is alone.
//!
//! Promises: killed at any moment, each name that is left leads to all of its image: names go first, and durably, then what only
//! they led to. Nothing goes while a manifest that has a name can't be read: what it needs isn't known then.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};

use super::{MAX_MANIFEST, Store};
use crate::spec::image::{Blob, ImageManifest};
use crate::sys::interrupt;
use crate::value::{Digest, ImageRef};

/// How often somebody who waits looks again.
const LOOK: Duration = Duration::from_millis(100);

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Name and version.
    pub image: ImageRef,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// When it got its name here, as finely as the file system keeps it: two imports can share a second.
    pub imported: SystemTime,
    /// What it takes; `None` where its manifest can't be read.
    pub size: Option<Sizes>,
}

/// Bytes in a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// In files that no other image uses: what would become free.
    pub own: u64,
    /// In files that others use too.
    pub shared: u64,
}

/// What was taken out of a store, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Held by whoever takes something out of a store: nobody reads there then.
#[derive(Debug)]
pub struct Alone {
    _readers: File,
}

impl Store {
    fn readers(&self) -> PathBuf {
        self.root.join(".readers")
    }

    /// Keeps those away who would take out what is read, as long as it lives. `None` where nobody can: a store that can't be
    /// written, or without locks.
    pub fn reading(&self) -> Option<File> {
        // not made: a store that isn't there has no images
        let file = if self.root.is_dir() { open_lock(&self.readers()).ok()? } else { return None };
        file.lock_shared().is_ok().then_some(file)
    }

    /// Waits until nobody reads the store, and keeps readers out. `waits` is called once when it has to wait.
    ///
    /// # Errors
    /// A file system without locks, a store that can't be written, an interruption.
    pub fn alone_with_images(&self, waits: &mut dyn FnMut()) -> Result<Alone> {
        let path = self.readers();
        let locking = || format!("locking {}", path.display());
        fs::create_dir_all(self.blobs()).with_context(locking)?;
        let file = open_lock(&path).with_context(locking)?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Alone { _readers: file }),
                Err(fs::TryLockError::WouldBlock) => {}
                Err(fs::TryLockError::Error(error)) => {
                    return Err(error).context(
                        "the store's file system knows no locks, so that nobody can tell who uses what; move the store to one that does",
                    );
                }
            }
            if !std::mem::replace(&mut told, true) {
                waits();
            }
            interrupt::check()?;
            std::thread::sleep(LOOK);
        }
    }

    /// When an image got its name in this store.
    ///
    /// # Errors
    /// When it has none, or its time can't be read.
    pub fn imported(&self, image: &ImageRef) -> Result<SystemTime> {
        modified(&self.name_path(image))
    }

    /// When a blob was put into this store.
    ///
    /// # Errors
    /// When it isn't there, or its time can't be read.
    pub fn stored(&self, blob: &Digest) -> Result<SystemTime> {
        modified(&self.blob_path(blob))
    }

    /// All images with what they take, by name and version.
    ///
    /// # Errors
    /// A directory or name that can't be read.
    pub fn holdings(&self) -> Result<Vec<Holding>> {
        let images = self.list()?;
        let mut parts = Vec::new();
        for (_, manifest) in &images {
            parts.push(self.parts(manifest).ok());
        }
        let mut users: HashMap<Digest, usize> = HashMap::new();
        for part in parts.iter().flatten().flatten() {
            *users.entry(part.digest).or_default() += 1;
        }
        let sizes = |parts: Vec<Blob>| {
            let mut sizes = Sizes::default();
            for Blob { digest, size } in parts {
                match users.get(&digest) {
                    Some(1) => sizes.own += size,
                    _ => sizes.shared += size,
                }
            }
            sizes
        };
        let holding = |((image, manifest), parts): ((ImageRef, Digest), Option<Vec<Blob>>)| {
            let imported = self.imported(&image)?;
            Ok(Holding { image, manifest, imported, size: parts.map(sizes) })
        };
        images.into_iter().zip(parts).map(holding).collect()
    }

    /// Everything that an image is made of, its manifest among it, each once.
    fn parts(&self, manifest: &Digest) -> Result<Vec<Blob>> {
        let bytes = self.read_blob(manifest, MAX_MANIFEST)?.into_inner();
        let own = Blob { digest: *manifest, size: bytes.len() as u64 };
        let read: ImageManifest = serde_json::from_slice(&bytes)
            .with_context(|| format!("reading manifest {}", self.blob_path(manifest).display()))?;
        let mut parts: Vec<_> = read.packs.into_iter().chain([read.index, own]).collect();
        parts.sort_unstable_by_key(|part| part.digest);
        parts.dedup_by_key(|part| part.digest);
        Ok(parts)
    }

    /// Takes images with these manifests out of the store, and all that no image which is left leads to, nor one of `kept`, nor an
    /// import under way. With `dry`, only tells.
    ///
    /// # Errors
    /// An image that isn't there or isn't that one any more, a manifest that can't be read: nothing is removed. A file that can't
    /// be removed: those before it are.
    pub fn remove(
        &self,
        _: &Alone,
        images: &[(ImageRef, Digest)],
        kept: &HashSet<Digest>,
        dry: bool,
    ) -> Result<Removed> {
        // no import gives a name from here on
        let held = self.alone()?;
        for (image, manifest) in images {
            let found = self.find(image)?;
            ensure!(found.is_some(), "{image} is not in the store");
            ensure!(
                found == Some(*manifest),
                "{image} was imported anew meanwhile; nothing was removed, try again"
            );
        }
        let names: Vec<_> = images.iter().map(|(image, _)| image.clone()).collect();
        let mut used = self.used_but(&names)?;
        for manifest in kept.iter().filter(|manifest| self.blob_path(manifest).exists()) {
            used.extend(self.parts(manifest)?.iter().map(|part| part.digest));
        }
        // before anything goes, so that what a killed import left is told, too
        let unused = self.unused(&used)?;
        if !dry {
            names.iter().try_for_each(|image| self.remove_name(image))?;
            for (path, _) in &unused {
                remove_file(path)?;
            }
            self.clear(&held);
        }
        Ok(Removed { files: unused.len(), bytes: unused.iter().map(|(_, size)| size).sum() })
    }

    /// Blobs and signatures that nobody uses, with the bytes that become free. What has another kind of name isn't the store's.
    fn unused(&self, used: &HashSet<Digest>) -> Result<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        for name in super::names_in(&self.blobs())? {
            let Ok(digest) = name.strip_suffix(".minisig").unwrap_or(&name).parse::<Digest>() else {
                continue;
            };
            if !used.contains(&digest) {
                let path = self.blobs().join(name);
                let file = fs::metadata(&path).with_context(|| format!("reading {}", path.display()))?;
                // a file with a second name, in a tree or another store, keeps its bytes
                let freed = if file.nlink() > 1 { 0 } else { file.len() };
                found.push((path, freed));
            }
        }
        Ok(found)
    }

    /// Durable when it returns: what the name led to goes after it.
    fn remove_name(&self, image: &ImageRef) -> Result<()> {
        let path = self.name_path(image);
        remove_file(&path)?;
        let directory = path.parent().unwrap_or(&self.root);
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .with_context(|| format!("syncing {}", directory.display()))?;
        match fs::remove_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(error).with_context(|| format!("removing {}", directory.display()))
            }
            _ => Ok(()),
        }
    }
}

/// For reading too: where locks go over a network, one that is shared needs that. A store of others that can't be written has readers
/// all the same, once there is such a file.
fn open_lock(path: &Path) -> io::Result<File> {
    File::options().create(true).read(true).append(true).open(path).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => File::open(path),
        _ => Err(error),
    })
}

fn modified(path: &Path) -> Result<SystemTime> {
    let modified = fs::metadata(path).and_then(|found| found.modified());
    modified.with_context(|| format!("reading the time of {}", path.display()))
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("removing {}", path.display())),
    }
}

/// Of each image name, the versions beside the newest `keep`, by when they were imported; the newest ones of those first.
/// What is as old as the oldest that stays, stays too: nothing says which of them is newer. What can't be read isn't a version to
/// keep, nor one to remove: it neither counts nor goes.
///
/// # Errors
/// When none would be kept.
pub fn surplus(holdings: &[Holding], keep: usize) -> Result<Vec<&Holding>> {
    if keep == 0 {
        bail!("--keep 0 would leave no version; `ironstrap image rm` takes out single ones");
    }
    let mut sorted: Vec<_> = holdings.iter().filter(|holding| holding.size.is_some()).collect();
    sorted.sort_by(|a, b| (b.imported, &b.image).cmp(&(a.imported, &a.image)));
    // of each name, how many stay, and when the last of them was imported
    let mut kept: HashMap<_, (usize, SystemTime)> = HashMap::new();
    let surplus = sorted.into_iter().filter(|holding| {
        let (count, oldest) = kept.entry(holding.image.name()).or_insert((0, holding.imported));
        let stays = *count < keep || holding.imported == *oldest;
        if stays {
            (*count, *oldest) = (*count + 1, holding.imported);
        }
        !stays
    });
    Ok(surplus.collect())
}

#[cfg(test)]
#[path = "housekeeping_tests.rs"]
mod tests;
