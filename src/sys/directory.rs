//! A directory that is held open: what is read through it is of that directory, also when another one takes its name.
//!
//! Promises: [`Identity`] differs where a file was replaced, or written to in a way that moves its time. Not a sandbox:
//! links are followed, and an absolute path is what it says; see [`rooted`](super::rooted) for foreign trees.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, fstat, openat, statat};

/// What tells a file from the one that has its name later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            changed: (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        }
    }

    /// What identifies the file that has this name now; `None` where there is none to look at.
    pub fn at(path: &Path) -> Option<Self> {
        statat(CWD, path, AtFlags::empty()).ok().map(|stat| Self::of(&stat))
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// An open directory.
#[derive(Debug)]
pub struct Directory(OwnedFd);

impl Directory {
    /// Opens it.
    ///
    /// # Errors
    /// When it isn't there or is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, path, flags, Mode::empty())?))
    }

    /// Opens a file in it for reading, with what identifies it.
    ///
    /// # Errors
    /// When it isn't there, isn't a plain file or can't be read.
    pub fn file(&self, path: &Path) -> io::Result<(File, Identity)> {
        // a pipe with this name must not hold up a thread
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat(&self.0, path, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        require_file(&stat)?;
        Ok((File::from(file), Identity::of(&stat)))
    }

    /// What identifies a file in it.
    ///
    /// # Errors
    /// When it isn't there or isn't a plain file.
    pub fn identity(&self, path: &Path) -> io::Result<Identity> {
        let stat = statat(&self.0, path, AtFlags::empty())?;
        require_file(&stat)?;
        Ok(Identity::of(&stat))
    }
}

fn require_file(stat: &Stat) -> io::Result<()> {
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "it isn't a plain file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_through_it_outlives_its_name_and_changes_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("a");
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("f"), "one").unwrap();
        let held = Directory::open(&place).unwrap();
        let (_, before) = held.file(Path::new("f")).unwrap();
        std::fs::rename(&place, dir.path().join("b")).unwrap();
        std::fs::create_dir(&place).unwrap();
        std::fs::write(place.join("f"), "new").unwrap();
        assert_eq!(held.identity(Path::new("f")).unwrap(), before);
        assert_ne!(Directory::open(&place).unwrap().identity(Path::new("f")).unwrap(), before);
        std::fs::write(dir.path().join("b/f"), "longer").unwrap();
        assert_ne!(held.identity(Path::new("f")).unwrap(), before);
        assert!(held.identity(Path::new(".")).is_err() && held.file(Path::new("g")).is_err());
    }
}
