//! When files of a foreign tree were changed, for programs that take that for a time.

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags, Timespec, Timestamps};

use super::RootedDir;
use crate::value::Timestamp;

impl RootedDir {
    /// When the content of what stands under this name was changed last, the last link not followed; `None` where there is
    /// nothing.
    ///
    /// # Errors
    /// When its directory can't be read.
    pub fn modified(&self, path: &str) -> Result<Option<Timestamp>> {
        Ok(self.stat(path)?.map(|stat| Timestamp::from_unix(stat.st_mtime)))
    }

    /// Sets when a file was read and changed last; links are not followed.
    ///
    /// # Errors
    /// Nothing there, or a link.
    pub fn set_modified(&self, path: &str, time: Timestamp) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let time = Timespec { tv_sec: time.as_unix(), tv_nsec: 0 };
        rustix::fs::openat(&parent, name, flags, Mode::empty())
            .and_then(|fd| {
                rustix::fs::futimens(&fd, &Timestamps { last_access: time, last_modification: time })?;
                rustix::fs::fsync(&fd)
            })
            .with_context(|| format!("setting the time of {path}"))
    }
}
