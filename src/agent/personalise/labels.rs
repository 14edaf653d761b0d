//! The mounted root, with the labels that its own SELinux policy gives to what is made in it.
//!
//! The policy isn't loaded in this kernel, which therefore labels nothing itself and takes any label. No relabelling boot is needed, and
//! none is asked for.

use std::path::Path;

use anyhow::Result;

use crate::image_rules::selinux::{self, Contexts, Kind};
use crate::sys::rooted::{EntryKind, Labels, RootedDir};

/// Takes this directory as `/`, with the labels of its policy where one is in use.
pub(super) fn open(root: &Path) -> Result<RootedDir> {
    let root = RootedDir::open(root)?;
    Ok(match selinux::contexts(&root)?? {
        Some(contexts) => root.labelled(Box::new(Policy(contexts))),
        None => root,
    })
}

#[derive(Debug)]
struct Policy(Contexts);

impl Labels for Policy {
    fn label(&self, path: &str, kind: EntryKind) -> Result<Option<String>> {
        let kind = match kind {
            EntryKind::File => Kind::File,
            EntryKind::Directory => Kind::Directory,
            EntryKind::Link => Kind::Link,
            EntryKind::Other => Kind::Other,
        };
        Ok(self.0.label(path, kind)?.map(str::to_owned))
    }
}
