//! SELinux labels of what is made in a foreign tree: the attribute `security.selinux`, as `setfiles` writes it, with its final NUL.
//!
//! Promises: with [`Labels`], whatever gets a name has its label before; a path for which there is none gets that of its directory, as a
//! kernel does that enforces a policy (type transitions aside). The path that is asked about is the real one, links resolved inside
//! the tree. Without root (tests) nothing is labelled, as nothing is given away.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use anyhow::{Context, Result};
use rustix::fs::XattrFlags;
use rustix::io::Errno;

use super::{EntryKind, RootedDir};

const ATTRIBUTE: &str = "security.selinux";
/// No policy has longer ones; the kernel's limit is a page.
const LONGEST: usize = 4096;

/// Says which label a path gets.
pub trait Labels: fmt::Debug {
    /// The label of this kind of file at this path of the tree; `None` where there is none.
    ///
    /// # Errors
    /// When that can't be told.
    fn label(&self, path: &str, kind: EntryKind) -> Result<Option<String>>;
}

impl RootedDir {
    /// The same tree; what is made in it from now on is labelled.
    #[must_use]
    pub fn labelled(self, labels: Box<dyn Labels>) -> Self {
        Self { labels: Some(labels), ..self }
    }

    /// Labels an open file or directory that has, or is to have, this name.
    pub(super) fn label(&self, fd: impl AsFd, parent: &OwnedFd, name: &str, kind: EntryKind) -> Result<()> {
        let Some(label) = self.wanted(parent, name, kind)? else { return Ok(()) };
        rustix::fs::fsetxattr(fd, ATTRIBUTE, &label, XattrFlags::empty()).context("setting its SELinux label")
    }

    /// Labels a link that stands under one name and is to have another.
    pub(super) fn label_link(&self, parent: &OwnedFd, now: &str, name: &str) -> Result<()> {
        let Some(label) = self.wanted(parent, name, EntryKind::Link)? else { return Ok(()) };
        // a link can't be opened for writing, and this call takes no directory
        let path = of_process(parent).join(now);
        rustix::fs::lsetxattr(path, ATTRIBUTE, &label, XattrFlags::empty())
            .context("setting its SELinux label")
    }

    fn wanted(&self, parent: &OwnedFd, name: &str, kind: EntryKind) -> Result<Option<Vec<u8>>> {
        let Some(labels) = &self.labels else { return Ok(None) };
        let path = format!("{}/{name}", self.place(parent)?.trim_end_matches('/'));
        let label =
            labels.label(&path, kind).with_context(|| format!("looking for the SELinux label of {path}"))?;
        if !self.sets_owners {
            return Ok(None);
        }
        match label {
            Some(label) => Ok(Some([label.as_bytes(), b"\0"].concat())),
            None => label_of(parent).context("reading its directory's SELinux label"),
        }
    }

    /// Where an open directory of the tree is in it.
    fn place(&self, directory: &OwnedFd) -> Result<String> {
        let [root, directory] = [&self.root, directory].map(|fd| std::fs::read_link(of_process(fd)));
        let (root, directory) =
            (root.context("asking where the tree is")?, directory.context("asking where a directory is")?);
        let below = directory.strip_prefix(&root).context("a directory of the tree isn't in it")?;
        Ok(format!("/{}", below.to_str().context("a directory's name is not UTF-8")?))
    }
}

fn of_process(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn label_of(directory: &OwnedFd) -> Result<Option<Vec<u8>>, Errno> {
    let mut label = vec![0; LONGEST];
    match rustix::fs::fgetxattr(directory, ATTRIBUTE, &mut label[..]) {
        Ok(length) => {
            label.truncate(length);
            Ok(Some(label))
        }
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
