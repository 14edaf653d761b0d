//! A foreign system's tree under a directory: every path means what it means inside that system.
//!
//! The kernel resolves each path with `openat2(RESOLVE_IN_ROOT)`, so that a symbolic link in the tree, absolute or with
//! `..`, can't lead outside of it. Links are followed in the middle of a path; the last name is replaced, never followed,
//! by everything that writes or removes. What was written is durable when the call returns.
//!
//! Without root (tests), owners can't be given away: files then keep the caller's ids.

mod labels;
mod times;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid};
use rustix::io::Errno;

pub use self::labels::Labels;

/// Longest file that is read whole: account files and configuration, not logs.
const MAX_READ: u64 = 16 << 20;
/// Deepest tree that is removed or copied; no system has a deeper one in the places that are touched.
const MAX_DEPTH: usize = 64;

/// Permission bits and owner of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Attributes {
    /// Owned by root.
    pub fn root(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0 }
    }
}

/// What an entry of a directory is. The entry itself: links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Link,
    /// Device, socket, pipe.
    Other,
}

/// The directory that stands for `/`.
#[derive(Debug)]
pub struct RootedDir {
    root: OwnedFd,
    /// Whether owners are set as asked: only root can.
    sets_owners: bool,
    labels: Option<Box<dyn Labels>>,
}

impl RootedDir {
    /// Takes this directory as `/`.
    ///
    /// # Errors
    /// When it isn't a directory that can be opened.
    pub fn open(root: &Path) -> Result<Self> {
        let fd = rustix::fs::open(root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .with_context(|| format!("opening {}", root.display()))?;
        Ok(Self { root: fd, sets_owners: rustix::process::geteuid().is_root(), labels: None })
    }

    /// Content of a file, links followed inside the tree; `None` where there is none.
    ///
    /// # Errors
    /// Not a regular file, too large, or unreadable.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let fd = match self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            other => other.with_context(|| format!("reading {path}"))?,
        };
        let stat = rustix::fs::fstat(&fd).with_context(|| format!("reading {path}"))?;
        ensure!(kind(&stat) == EntryKind::File, "reading {path}: not a regular file");
        let mut content = Vec::new();
        File::from(fd)
            .take(MAX_READ + 1)
            .read_to_end(&mut content)
            .with_context(|| format!("reading {path}"))?;
        ensure!(content.len() as u64 <= MAX_READ, "reading {path}: over {MAX_READ} bytes");
        Ok(Some(content))
    }

    /// Like [`read`](Self::read), as text.
    ///
    /// # Errors
    /// As there, or not UTF-8.
    pub fn read_text(&self, path: &str) -> Result<Option<String>> {
        self.read(path)?
            .map(|bytes| String::from_utf8(bytes).with_context(|| format!("reading {path}: not UTF-8")))
            .transpose()
    }

    /// Whether the path leads to something, links followed inside the tree.
    pub fn exists(&self, path: &str) -> bool {
        self.resolve(path, OFlags::PATH).is_ok()
    }

    /// What stands under this name, the last link not followed; `None` where there is nothing.
    ///
    /// # Errors
    /// When its directory can't be read.
    pub fn kind(&self, path: &str) -> Result<Option<EntryKind>> {
        Ok(self.stat(path)?.as_ref().map(kind))
    }

    /// Permission bits and owner of what stands under this name; `None` where there is nothing.
    ///
    /// # Errors
    /// When its directory can't be read.
    pub fn attributes(&self, path: &str) -> Result<Option<Attributes>> {
        Ok(self.stat(path)?.map(|stat| Attributes {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
        }))
    }

    /// Writes a file whole: its name holds the old content or all of the new. The directory must exist; a link under
    /// this name is replaced.
    ///
    /// # Errors
    /// No such directory, a directory under this name, or no space.
    pub fn write(&self, path: &str, attributes: Attributes, content: &[u8]) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let temporary = format!(".ironstrap-{}", name.len());
        let write = || -> Result<()> {
            remove_name(&parent, &temporary)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file =
                File::from(rustix::fs::openat(&parent, &temporary, flags, Mode::RUSR | Mode::WUSR)?);
            file.write_all(content)?;
            self.set(&file, attributes)?;
            self.label(&file, &parent, name, EntryKind::File)?;
            file.sync_all()?;
            rustix::fs::renameat(&parent, &temporary, &parent, name)?;
            Ok(rustix::fs::fsync(&parent)?)
        };
        write().with_context(|| format!("writing {path}"))
    }

    /// Like [`write`](Self::write), keeping owner and permissions of the file that stood there.
    ///
    /// # Errors
    /// As there.
    pub fn rewrite(&self, path: &str, otherwise: Attributes, content: &[u8]) -> Result<()> {
        let attributes = match self.kind(path)? {
            Some(EntryKind::File) => self.attributes(path)?.unwrap_or(otherwise),
            _ => otherwise,
        };
        self.write(path, attributes, content)
    }

    /// Makes a directory and its missing parents; those that exist are left as they are.
    ///
    /// # Errors
    /// When something else stands under one of the names, or no space.
    pub fn make_dirs(&self, path: &str, attributes: Attributes) -> Result<()> {
        let mut made = String::new();
        for name in names(path)? {
            made.push('/');
            made.push_str(name);
            if self.exists(&made) {
                continue;
            }
            let (parent, name) = self.parent(&made)?;
            rustix::fs::mkdirat(&parent, name, Mode::RWXU)
                .map_err(anyhow::Error::from)
                .and_then(|()| {
                    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    let fd = rustix::fs::openat(&parent, name, flags, Mode::empty())?;
                    self.set(&fd, attributes)?;
                    self.label(&fd, &parent, name, EntryKind::Directory)?;
                    rustix::fs::fsync(&fd)?;
                    Ok(rustix::fs::fsync(&parent)?)
                })
                .with_context(|| format!("making directory {made}"))?;
        }
        Ok(())
    }

    /// Sets permissions and owner of a file or directory that exists; links are not followed.
    ///
    /// # Errors
    /// Nothing there, a link, or a file system that has no owners.
    pub fn set_attributes(&self, path: &str, attributes: Attributes) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&parent, name, flags, Mode::empty())
            .map_err(anyhow::Error::from)
            .and_then(|fd| {
                self.set(&fd, attributes)?;
                Ok(rustix::fs::fsync(&fd)?)
            })
            .with_context(|| format!("setting owner and permissions of {path}"))
    }

    /// Makes a symbolic link, in place of a file or link of this name.
    ///
    /// # Errors
    /// No such directory, or a directory under this name.
    pub fn symlink(&self, target: &str, path: &str, uid: u32, gid: u32) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let temporary = format!(".ironstrap-{}", name.len());
        let link = || -> Result<()> {
            remove_name(&parent, &temporary)?;
            rustix::fs::symlinkat(target, &parent, &temporary)?;
            if self.sets_owners {
                let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
                rustix::fs::chownat(&parent, &temporary, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
            }
            self.label_link(&parent, &temporary, name)?;
            rustix::fs::renameat(&parent, &temporary, &parent, name)?;
            Ok(rustix::fs::fsync(&parent)?)
        };
        link().with_context(|| format!("linking {path}"))
    }

    /// Where a symbolic link points, as text; `None` where there is no link.
    ///
    /// # Errors
    /// When it can't be read or isn't UTF-8.
    pub fn read_link(&self, path: &str) -> Result<Option<String>> {
        if self.kind(path)? != Some(EntryKind::Link) {
            return Ok(None);
        }
        let (parent, name) = self.parent(path)?;
        let target = rustix::fs::readlinkat(&parent, name, Vec::new())
            .with_context(|| format!("reading link {path}"))?;
        target.into_string().map(Some).with_context(|| format!("reading link {path}: not UTF-8"))
    }

    /// Removes a file or link, or a directory with all in it; links are not followed. Whether there was something.
    ///
    /// # Errors
    /// When something in it can't be removed.
    pub fn remove(&self, path: &str) -> Result<bool> {
        if self.kind(path)?.is_none() {
            return Ok(false);
        }
        let (parent, name) = self.parent(path)?;
        remove_below(&parent, name, 0)
            .and_then(|()| Ok(rustix::fs::fsync(&parent)?))
            .with_context(|| format!("removing {path}"))?;
        Ok(true)
    }

    /// Names and kinds in a directory, sorted; empty where there is none. Names that aren't UTF-8 are left out.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn list(&self, path: &str) -> Result<Vec<(String, EntryKind)>> {
        let fd = match self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
            other => other.with_context(|| format!("listing {path}"))?,
        };
        let mut entries = Vec::new();
        for name in entry_names(&fd).with_context(|| format!("listing {path}"))? {
            let stat = rustix::fs::statat(&fd, &name, AtFlags::SYMLINK_NOFOLLOW)
                .with_context(|| format!("listing {path}"))?;
            if let Ok(name) = name.into_string() {
                entries.push((name, kind(&stat)));
            }
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    /// Returns when everything written to this file system is on stable storage.
    ///
    /// # Errors
    /// The device's own error.
    pub fn sync(&self) -> Result<()> {
        rustix::fs::syncfs(&self.root).context("syncing the file system")
    }

    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let relative = match path.trim_start_matches('/') {
            "" => ".",
            path => path,
        };
        // EAGAIN: the kernel saw a rename while it resolved `..`
        for _ in 0..16 {
            match rustix::fs::openat2(&self.root, relative, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                other => return other,
            }
        }
        Err(Errno::AGAIN)
    }

    /// The open directory of a path, and the path's last name.
    fn parent<'a>(&self, path: &'a str) -> Result<(OwnedFd, &'a str)> {
        let Some(name) = names(path)?.pop() else { bail!("`{path}` names the whole tree") };
        let directory = path.trim_end_matches('/').strip_suffix(name).unwrap_or_default();
        let fd = self
            .resolve(directory, OFlags::RDONLY | OFlags::DIRECTORY)
            .with_context(|| format!("opening {directory}"))?;
        Ok((fd, name))
    }

    fn stat(&self, path: &str) -> Result<Option<Stat>> {
        let Some(name) = names(path)?.pop() else { bail!("`{path}` names the whole tree") };
        let directory = path.trim_end_matches('/').strip_suffix(name).unwrap_or_default();
        let found = self
            .resolve(directory, OFlags::PATH | OFlags::DIRECTORY)
            .and_then(|parent| rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW));
        match found {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking at {path}")),
        }
    }

    fn set(&self, fd: impl std::os::fd::AsFd, attributes: Attributes) -> Result<()> {
        let Attributes { mode, uid, gid } = attributes;
        // owner first: chown clears set-id bits
        if self.sets_owners {
            rustix::fs::fchown(&fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))?)
    }
}

/// The names of a path; `.`, `..` and NUL have no business in one that we write.
fn names(path: &str) -> Result<Vec<&str>> {
    let names: Vec<_> = path.split('/').filter(|name| !name.is_empty()).collect();
    ensure!(
        !names.iter().any(|name| matches!(*name, "." | "..") || name.contains('\0')),
        "`{}` is not a plain path",
        path.escape_debug()
    );
    Ok(names)
}

fn kind(stat: &Stat) -> EntryKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

fn entry_names(directory: &OwnedFd) -> Result<Vec<std::ffi::CString>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.as_bytes(), b"." | b"..") {
            found.push(name);
        }
    }
    Ok(found)
}

/// Removes one name that is no directory; fine if there is none.
fn remove_name(parent: &OwnedFd, name: &str) -> Result<()> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn remove_below(parent: &OwnedFd, name: impl rustix::path::Arg + Copy, depth: usize) -> Result<()> {
    ensure!(depth < MAX_DEPTH, "nested more than {MAX_DEPTH} directories deep");
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(Errno::NOENT) => return Ok(()),
        other => return Ok(other?),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    for entry in entry_names(&directory)? {
        remove_below(&directory, entry.as_c_str(), depth + 1)?;
    }
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

#[cfg(test)]
mod tests;
