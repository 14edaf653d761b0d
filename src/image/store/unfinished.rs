//! What imports that are under way have in the store, and what those left there that were killed.
//!
//! Files of an import carry a lock (`flock`) that ends with its process, however that ends: its temporary files, and its
//! journal `blobs/.ironstrap-import-*`, which names each blob before the blob gets its name. So the next import knows what was left
//! behind, and a concurrent one's files stay. Who looks for leftovers, gives a name or takes a blob away holds the store's
//! directory `blobs` for that moment, so that none of them sees another half done.
//!
//! Promises: nothing goes that an image's name leads to or that an import under way has put there or found there. Where the file
//! system knows no locks nothing is cleared.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{MAX_MANIFEST, Store};
use crate::spec::image::{Blob, ImageManifest};
use crate::value::{Digest, ImageRef};

/// How all that has no name yet begins.
pub(super) const UNNAMED: &str = ".ironstrap-";
/// How journals do.
const JOURNAL: &str = ".ironstrap-import-";
/// No journal is longer: a line for each pack of some hundred versions.
const LONGEST_JOURNAL: u64 = 16 << 20;

/// What one import has put into the store so far. Dropped with its import, it is removed.
#[derive(Debug)]
pub(super) struct Journal {
    /// Holds the lock.
    file: File,
    path: PathBuf,
}

impl Drop for Journal {
    fn drop(&mut self) {
        // what stays is taken for a killed import's
        let _ = fs::remove_file(&self.path);
    }
}

impl Journal {
    /// Says that this blob gets its name now, and whether it was there before.
    pub(super) fn note(&self, digest: &Digest, fresh: bool) -> io::Result<()> {
        let mark = if fresh { '+' } else { '=' };
        (&self.file).write_all(format!("{mark}{digest}\n").as_bytes())
    }
}

/// The blobs of a journal: those that it brought, and those that it found.
fn noted(text: &str) -> (Vec<Digest>, Vec<Digest>) {
    let of = |mark| text.lines().filter_map(move |line| line.strip_prefix(mark)?.parse().ok()).collect();
    (of('+'), of('='))
}

/// Locks a file that nobody else has locked; `None` where somebody has, or where nobody can.
fn try_lock(file: &File) -> Option<()> {
    file.try_lock().ok()
}

impl Store {
    /// The same store for an import, with what killed ones left behind cleared away.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn begin_import(&self) -> Result<Self> {
        let blobs = self.blobs();
        fs::create_dir_all(&blobs).with_context(|| format!("making {}", blobs.display()))?;
        let making = || format!("making a file in {}", blobs.display());
        let alone = self.alone()?;
        self.clear(&alone);
        let file = tempfile::Builder::new().prefix(JOURNAL).tempfile_in(&blobs).with_context(making)?;
        let locked = try_lock(file.as_file());
        let (file, path) = file.keep().map_err(|error| error.error).with_context(making)?;
        let journal = Journal { file, path };
        let journal = locked.map(|()| std::sync::Arc::new(journal));
        Ok(Self { journal, ..self.clone() })
    }

    /// Keeps all others out who name, remove or clear; for a moment. `None` inside where the file system knows no locks.
    pub(super) fn alone(&self) -> Result<Option<File>> {
        let blobs = self.blobs();
        let dir = File::open(&blobs).with_context(|| format!("opening {}", blobs.display()))?;
        match dir.lock() {
            Ok(()) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
            Err(error) => Err(error).with_context(|| format!("locking {}", blobs.display())),
        }
    }

    /// Removes what killed imports left. Best effort: what stays takes space and does no harm.
    pub(super) fn clear(&self, alone: &Option<File>) {
        if alone.is_none() {
            return;
        }
        let mut dead = Vec::new();
        let mut left = Vec::new();
        for path in unnamed_in(&self.blobs()) {
            let Ok(file) = File::open(&path) else { continue };
            if try_lock(&file).is_none() {
                continue;
            }
            if is_journal(&path)
                && let Ok(text) = crate::sys::files::read_text(&path, LONGEST_JOURNAL)
            {
                left.extend(noted(&text).0);
            }
            dead.push(path);
        }
        self.remove_unused(&left);
        // names are given alone: what stands there is left over
        let images = fs::read_dir(self.root.join("images")).into_iter().flatten().flatten();
        dead.extend(images.flat_map(|name| unnamed_in(&name.path())));
        for path in dead {
            let _ = fs::remove_file(path);
        }
    }

    /// Removes blobs of an import that failed, but not those that somebody else needs by now.
    pub fn forget(&self, blobs: &[Blob]) {
        let digests: Vec<_> = blobs.iter().map(|blob| blob.digest).collect();
        // an unnamed blob is useless, not harmful
        if let Ok(_alone) = self.alone() {
            self.remove_unused(&digests);
        }
    }

    fn remove_unused(&self, digests: &[Digest]) {
        if digests.is_empty() {
            return;
        }
        let Ok(used) = self.used() else { return };
        for digest in digests.iter().filter(|digest| !used.contains(digest)) {
            let _ = fs::remove_file(self.blob_path(digest));
            let _ = fs::remove_file(self.signature_path(digest));
        }
    }

    /// Says of blobs that this import is going to use what is there: nobody takes them away from now on. Whether they still are there
    /// is to be looked at afterwards.
    ///
    /// # Errors
    /// When it can't be written down.
    pub fn note_wanted<'a>(&self, blobs: impl Iterator<Item = &'a Digest>) -> Result<()> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let _alone = self.alone()?;
        let noted = blobs.into_iter().try_for_each(|digest| journal.note(digest, false));
        noted.with_context(|| format!("writing {}", journal.path.display()))
    }

    /// All that names lead to, and that imports under way have.
    fn used(&self) -> Result<HashSet<Digest>> {
        self.used_but(&[])
    }

    /// The same without these names.
    pub(super) fn used_but(&self, images: &[ImageRef]) -> Result<HashSet<Digest>> {
        let mut used = HashSet::new();
        for path in unnamed_in(&self.blobs()).into_iter().filter(|path| is_journal(path)) {
            let own = self.journal.as_ref().is_some_and(|own| own.path == path);
            let file = File::open(&path);
            if own || file.is_ok_and(|file| try_lock(&file).is_some()) {
                continue;
            }
            let (brought, found) = noted(&crate::sys::files::read_text(&path, LONGEST_JOURNAL)?);
            used.extend(brought.into_iter().chain(found));
        }
        for (_, digest) in self.list()?.into_iter().filter(|(image, _)| !images.contains(image)) {
            // a name that leads nowhere leads to no packs either
            if !self.blob_path(&digest).exists() {
                continue;
            }
            let bytes = self.read_blob(&digest, MAX_MANIFEST)?.into_inner();
            let manifest: ImageManifest = serde_json::from_slice(&bytes)
                .with_context(|| format!("reading manifest {}", self.blob_path(&digest).display()))?;
            used.extend(manifest.packs.iter().map(|pack| pack.digest));
            used.extend([digest, manifest.index.digest]);
        }
        Ok(used)
    }
}

fn is_journal(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(JOURNAL))
}

/// Files in a directory that have no name yet.
fn unnamed_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let unnamed =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(UNNAMED)));
    unnamed.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn names(store: &Store) -> Vec<String> {
        super::super::names_in(&store.blobs()).unwrap()
    }

    /// What a killed import leaves: its files, without its locks.
    fn killed(store: &Store) -> Digest {
        let others = unnamed_in(&store.blobs());
        let import = store.begin_import().unwrap();
        let blob = import.put_blob(b"of a killed import").unwrap();
        let mut open = import.begin_blob().unwrap();
        open.write_all(b"half").unwrap();
        let own = unnamed_in(&store.blobs()).into_iter().filter(|path| !others.contains(path));
        let copies: Vec<_> = own.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        assert_eq!(copies.len(), 2);
        drop((open, import));
        for (path, content) in copies {
            fs::write(path, content).unwrap();
        }
        blob.digest
    }

    #[test]
    fn an_import_clears_what_a_killed_one_left_and_nothing_of_one_under_way() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let other = store.begin_import().unwrap();
        let theirs = other.put_blob(b"of another import").unwrap().digest;
        let mut writing = other.begin_blob().unwrap();
        writing.write_all(b"not yet whole").unwrap();
        let before = names(&store);
        let left = killed(&store);
        fs::create_dir_all(dir.path().join("images/x")).unwrap();
        let name = dir.path().join("images/x/.ironstrap-abc");
        fs::write(&name, "").unwrap();
        assert_eq!(names(&store).len(), before.len() + 3);
        drop(store.begin_import().unwrap());
        assert_eq!(names(&store), before);
        assert!(!store.blob_path(&left).exists() && !name.exists() && store.blob_path(&theirs).exists());
        let (blob, fresh) = writing.finish().unwrap();
        assert!(fresh && store.blob_path(&blob.digest).exists());
    }

    #[test]
    fn what_another_import_found_there_stays_when_the_one_that_brought_it_fails() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (one, other) = (store.begin_import().unwrap(), store.begin_import().unwrap());
        let brought = one.put_blob(b"the same").unwrap();
        assert_eq!(other.put_blob(b"the same").unwrap(), brought);
        one.forget(&[brought]);
        assert!(store.blob_path(&brought.digest).exists());
        drop(other);
        one.forget(&[brought]);
        assert!(!store.blob_path(&brought.digest).exists());
    }
}
