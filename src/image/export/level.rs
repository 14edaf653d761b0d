//! Directories that an export is in: which name is next.

use super::ESP;
use crate::image::ext4::directory::Names;
use crate::image::tree;

/// A name that is to be written next.
pub(super) enum Node {
    /// Its name in the tar, and its number.
    Inode(Vec<u8>, u32),
    /// Its name in the tar, and its path in the ESP.
    Esp(Vec<u8>, String, tree::EntryType),
}

/// A directory whose names are being written: memory for these alone, not for their paths.
pub(super) enum Level {
    /// Of the root file system.
    Root {
        path: Vec<u8>,
        names: Names,
        next: usize,
        /// Where the ESP's own directory stands among the names, if it is still to come.
        esp: Option<usize>,
    },
    /// Of the ESP.
    Esp { path: Vec<u8>, inner: String, entries: std::vec::IntoIter<tree::Entry> },
}

impl Iterator for Level {
    type Item = Node;

    fn next(&mut self) -> Option<Node> {
        let below = |path: &[u8], name: &[u8]| [path, b"/", name].concat();
        match self {
            Self::Root { esp, next, .. } if *esp == Some(*next) => {
                *esp = None;
                Some(Node::Esp(ESP.to_vec(), String::new(), tree::EntryType::Directory))
            }
            Self::Root { path, names, next, .. } => {
                let name = names.get(*next)?;
                *next += 1;
                Some(Node::Inode(below(path, name.text), name.inode))
            }
            Self::Esp { path, inner, entries } => {
                let entry = entries.next()?;
                let path = below(path, entry.name.as_bytes());
                Some(Node::Esp(path, format!("{inner}/{}", entry.name), entry.kind))
            }
        }
    }
}
