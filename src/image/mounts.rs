//! The file systems of an image as its system mounts them: the root, and `/boot` where that is a file system of its own.
//!
//! A kind of file system that images may have is one variant here. The ESP isn't among them: loaders look into it before anything
//! is mounted.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use uuid::Uuid;

use super::ext4::inode::{Inode, Inodes, ROOT};
use super::tree::{EntryType, Tree};
use super::volume::{Content, Volume};
use super::xfs::{self, XfsVolume};
use crate::spec::image::{FilesystemKind, ImagePartition};
use crate::spec::ondisk::{ext4, filesystems};
use crate::sys::block::BlockDevice;
use crate::sys::budget::Budget;

/// The tree of an image's system.
pub type SystemTree = Tree<Mounts>;

/// One file system.
#[derive(Debug, Clone)]
pub enum Filesystem {
    /// ext4.
    Ext4(Arc<Inodes>),
    /// XFS.
    Xfs(Arc<XfsVolume>),
}

/// A node of one of them.
#[derive(Debug, Clone)]
pub enum Node {
    /// Of ext4.
    Ext4(Inode),
    /// Of XFS.
    Xfs(xfs::Node),
}

/// Which file system begins in this partition; `None` for any that a system can't be in.
///
/// # Errors
/// The device's.
pub fn kind_of(
    device: &dyn BlockDevice,
    partition: &ImagePartition,
) -> std::io::Result<Option<FilesystemKind>> {
    // shorter ones have no room for what is looked at
    if partition.length <= 4096 {
        return Ok(None);
    }
    for (mark, kind) in [(ext4::MAGIC, FilesystemKind::Ext4), (filesystems::xfs::MAGIC, FilesystemKind::Xfs)]
    {
        let mut found = [0; 8];
        let found = &mut found[..mark.bytes.len()];
        device.read_at(partition.offset + mark.at, found)?;
        if found == mark.bytes {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

impl Filesystem {
    /// The file system of this kind in a partition; what is read of it is drawn from this budget.
    ///
    /// # Errors
    /// Another one, damaged, or with what isn't understood; names the partition.
    pub fn open(
        device: &Arc<dyn BlockDevice>,
        partition: &ImagePartition,
        kind: FilesystemKind,
        budget: &Budget,
    ) -> Result<Self> {
        let ImagePartition { number, offset, length, .. } = *partition;
        let device = Arc::clone(device);
        let opened = match kind {
            FilesystemKind::Ext4 => Inodes::open(device, offset, length, budget.clone())
                .map(|inodes| Self::Ext4(Arc::new(inodes))),
            FilesystemKind::Xfs => {
                XfsVolume::open(device, offset, length, budget).map(|volume| Self::Xfs(Arc::new(volume)))
            }
        };
        opened.with_context(|| format!("partition {number}, {} at byte {offset}", kind.name()))
    }

    /// Its UUID.
    pub fn uuid(&self) -> Uuid {
        match self {
            Self::Ext4(inodes) => inodes.uuid(),
            Self::Xfs(volume) => volume.uuid(),
        }
    }
}

impl Node {
    fn is_root(&self) -> bool {
        match self {
            Self::Ext4(inode) => inode.number == ROOT,
            Self::Xfs(node) => node.is_root(),
        }
    }
}

/// A node is asked for what it is by the file system that it came from.
const FOREIGN: &str = "a node was asked for in another file system";

impl Volume for Filesystem {
    type Node = Node;

    fn root(&self) -> Result<Node> {
        match self {
            Self::Ext4(inodes) => inodes.root().map(Node::Ext4),
            Self::Xfs(volume) => volume.root().map(Node::Xfs),
        }
    }

    fn kind(&self, node: &Node) -> EntryType {
        match (self, node) {
            (Self::Ext4(inodes), Node::Ext4(node)) => inodes.kind(node),
            (Self::Xfs(volume), Node::Xfs(node)) => volume.kind(node),
            _ => EntryType::Other,
        }
    }

    fn called(&self, node: &Node) -> String {
        match (self, node) {
            (Self::Ext4(inodes), Node::Ext4(node)) => inodes.called(node),
            (Self::Xfs(volume), Node::Xfs(node)) => volume.called(node),
            _ => FOREIGN.to_owned(),
        }
    }

    fn lookup(&self, directory: &Node, name: &[u8]) -> Result<Option<Node>> {
        Ok(match (self, directory) {
            (Self::Ext4(inodes), Node::Ext4(directory)) => {
                Volume::lookup(inodes, directory, name)?.map(Node::Ext4)
            }
            (Self::Xfs(volume), Node::Xfs(directory)) => volume.lookup(directory, name)?.map(Node::Xfs),
            _ => bail!(FOREIGN),
        })
    }

    fn names(&self, directory: &Node) -> Result<Vec<(Vec<u8>, EntryType)>> {
        match (self, directory) {
            (Self::Ext4(inodes), Node::Ext4(directory)) => Volume::names(inodes, directory),
            (Self::Xfs(volume), Node::Xfs(directory)) => volume.names(directory),
            _ => bail!(FOREIGN),
        }
    }

    fn link(&self, node: &Node) -> Result<Vec<u8>> {
        match (self, node) {
            (Self::Ext4(inodes), Node::Ext4(node)) => Volume::link(inodes, node),
            (Self::Xfs(volume), Node::Xfs(node)) => volume.link(node),
            _ => bail!(FOREIGN),
        }
    }

    fn content(&self, file: &Node) -> Result<Content<'_>> {
        match (self, file) {
            (Self::Ext4(inodes), Node::Ext4(file)) => Volume::content(inodes, file),
            (Self::Xfs(volume), Node::Xfs(file)) => volume.content(file),
            _ => bail!(FOREIGN),
        }
    }

    fn progress(&self) {
        match self {
            Self::Ext4(inodes) => inodes.progress(),
            Self::Xfs(volume) => volume.progress(),
        }
    }
}

/// The root with what is mounted in it.
#[derive(Debug, Clone)]
pub struct Mounts {
    root: Filesystem,
    boot: Option<Filesystem>,
}

impl Mounts {
    /// A root, and what is mounted at its `/boot`.
    pub fn new(root: Filesystem, boot: Option<Filesystem>) -> Self {
        Self { root, boot }
    }

    fn of(&self, place: Place) -> &Filesystem {
        match (place, &self.boot) {
            (Place::Boot, Some(boot)) => boot,
            _ => &self.root,
        }
    }
}

/// Which of the two a node is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The root.
    Root,
    /// What is mounted at `/boot`.
    Boot,
}

impl Volume for Mounts {
    type Node = (Place, Node);

    fn root(&self) -> Result<Self::Node> {
        Ok((Place::Root, self.root.root()?))
    }

    fn kind(&self, (place, node): &Self::Node) -> EntryType {
        self.of(*place).kind(node)
    }

    fn called(&self, (place, node): &Self::Node) -> String {
        let called = self.of(*place).called(node);
        match place {
            Place::Root => called,
            Place::Boot => format!("{called} of /boot"),
        }
    }

    fn lookup(&self, (place, directory): &Self::Node, name: &[u8]) -> Result<Option<Self::Node>> {
        if let (Place::Root, b"boot", Some(boot)) = (place, name, &self.boot)
            && directory.is_root()
        {
            return Ok(Some((Place::Boot, boot.root()?)));
        }
        Ok(self.of(*place).lookup(directory, name)?.map(|node| (*place, node)))
    }

    fn names(&self, (place, directory): &Self::Node) -> Result<Vec<(Vec<u8>, EntryType)>> {
        self.of(*place).names(directory)
    }

    fn link(&self, (place, node): &Self::Node) -> Result<Vec<u8>> {
        self.of(*place).link(node)
    }

    fn content(&self, (place, file): &Self::Node) -> Result<Content<'_>> {
        self.of(*place).content(file)
    }

    fn progress(&self) {
        self.root.progress();
    }
}

#[cfg(test)]
#[path = "mounts_tests.rs"]
mod tests;
