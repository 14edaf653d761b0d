//! ext4 as one of the file systems in which paths are resolved.

use std::sync::Arc;

use anyhow::Result;

use super::content::Content;
use super::inode::{Inode, InodeKind, Inodes, ROOT};
use crate::image::tree::EntryType;
use crate::image::volume::{self, Volume};
use crate::spec::ondisk::ext4;

impl Volume for Arc<Inodes> {
    type Node = Inode;

    fn root(&self) -> Result<Inode> {
        self.get(ROOT)
    }

    fn kind(&self, node: &Inode) -> EntryType {
        match node.kind {
            InodeKind::File => EntryType::File,
            InodeKind::Directory => EntryType::Directory,
            InodeKind::Symlink => EntryType::Symlink,
            _ => EntryType::Other,
        }
    }

    fn called(&self, node: &Inode) -> String {
        format!("inode {}", node.number)
    }

    fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<Inode>> {
        Inodes::lookup(self, directory, name)?.map(|number| self.get(number)).transpose()
    }

    fn names(&self, directory: &Inode) -> Result<Vec<(Vec<u8>, EntryType)>> {
        let kind = |kind| match kind {
            ext4::FT_REG_FILE => EntryType::File,
            ext4::FT_DIR => EntryType::Directory,
            ext4::FT_SYMLINK => EntryType::Symlink,
            _ => EntryType::Other,
        };
        Ok(self.list(directory)?.iter().map(|name| (name.text.to_vec(), kind(name.kind))).collect())
    }

    fn link(&self, node: &Inode) -> Result<Vec<u8>> {
        Inodes::link(self, node)
    }

    fn content(&self, file: &Inode) -> Result<volume::Content<'_>> {
        Ok((Box::new(Content::open(self, file)?), file.size))
    }

    fn progress(&self) {
        self.budget.progress();
    }
}
