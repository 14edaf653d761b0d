//! File systems of Linux by their nodes, and paths in them resolved as Linux does (path_resolution(7)), inside the tree.
//!
//! A file system says what its nodes are; what a path means is said here, once for all of them. Promises: links lead nowhere outside;
//! a path ends, however its links are made; nothing is written.

use std::io::Read;

use anyhow::{Context, Result};

use super::tree::EntryType;

/// Links on one path, as for Linux.
const MOST_LINKS: usize = 40;
/// Bytes of a path with the links in it, as for Linux.
const LONGEST_PATH: usize = 4096;

/// A content that is read from its beginning, and how long it is.
pub type Content<'a> = (Box<dyn Read + 'a>, u64);

/// A file system that can be read.
pub trait Volume {
    /// One file, directory or whatever else.
    type Node: Clone;

    /// The root directory.
    ///
    /// # Errors
    /// Damaged.
    fn root(&self) -> Result<Self::Node>;

    /// What it is.
    fn kind(&self, node: &Self::Node) -> EntryType;

    /// What an error calls it.
    fn called(&self, node: &Self::Node) -> String;

    /// What stands under this name in a directory; `None` where nothing does. Never asked for `.` and `..`.
    ///
    /// # Errors
    /// Damaged.
    fn lookup(&self, directory: &Self::Node, name: &[u8]) -> Result<Option<Self::Node>>;

    /// The names in a directory, sorted by bytes, without `.` and `..`.
    ///
    /// # Errors
    /// Damaged, or no directory.
    fn names(&self, directory: &Self::Node) -> Result<Vec<(Vec<u8>, EntryType)>>;

    /// Where a link leads.
    ///
    /// # Errors
    /// Damaged, no link, or one that is longer than Linux has them.
    fn link(&self, node: &Self::Node) -> Result<Vec<u8>>;

    /// What is in a file.
    ///
    /// # Errors
    /// Damaged, or no file.
    fn content(&self, file: &Self::Node) -> Result<Content<'_>>;

    /// A step of the work begins.
    fn progress(&self);
}

/// What a path leads to; a link at its end is followed if asked for. `None` where there is nothing, as where a link leads
/// nowhere or in a circle.
///
/// # Errors
/// A damaged file system; names the damaged directory or link.
pub fn find<V: Volume>(volume: &V, path: &[u8], follow: bool) -> Result<Option<V::Node>> {
    volume.progress();
    let mut rest = path.to_vec();
    let mut above = Vec::new();
    let mut here = volume.root()?;
    let mut links = 0;
    loop {
        let begin = rest.iter().position(|byte| *byte != b'/');
        // a path that ends in `/` asks for a directory
        let wants_directory = begin != Some(0) && !rest.is_empty();
        let is_directory = volume.kind(&here) == EntryType::Directory;
        let Some(begin) = begin else {
            return Ok((!wants_directory || is_directory).then_some(here));
        };
        if !is_directory {
            return Ok(None);
        }
        let end = rest[begin..].iter().position(|byte| *byte == b'/').map_or(rest.len(), |at| begin + at);
        let name = rest[begin..end].to_vec();
        let behind = rest.split_off(end);
        match name.as_slice() {
            b"." => {}
            b".." => here = above.pop().map_or_else(|| volume.root(), Ok)?,
            name => {
                let looking = || format!("looking through the directory in {}", volume.called(&here));
                let Some(found) = volume.lookup(&here, name).with_context(looking)? else {
                    return Ok(None);
                };
                if volume.kind(&found) == EntryType::Symlink && (follow || !behind.is_empty()) {
                    links += 1;
                    let reading = || format!("reading the link in {}", volume.called(&found));
                    let mut target = volume.link(&found).with_context(reading)?;
                    if target.len() + behind.len() > LONGEST_PATH || links > MOST_LINKS {
                        return Ok(None);
                    }
                    if target.starts_with(b"/") {
                        above.clear();
                        here = volume.root()?;
                    }
                    target.extend(behind);
                    rest = target;
                    continue;
                }
                above.push(std::mem::replace(&mut here, found));
            }
        }
        rest = behind;
    }
}
