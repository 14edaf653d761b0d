//! Paths of ext4, resolved as Linux does (path_resolution(7)), inside the tree.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::inode::{Inode, InodeKind, Inodes, ROOT};

/// Links on one path, as for Linux.
const MOST_LINKS: usize = 40;
/// Bytes of a path with the links in it, as for Linux.
const LONGEST_PATH: usize = 4096;

impl Inodes {
    /// What a path leads to; a link at its end is followed if asked for. `None` where there is nothing, as where a link leads
    /// nowhere or in a circle.
    ///
    /// # Errors
    /// A damaged file system; names the damaged directory or link by its inode.
    pub fn find(self: &Arc<Self>, path: &[u8], follow: bool) -> Result<Option<Inode>> {
        self.budget.progress();
        self.walk(path, follow)
    }

    fn walk(self: &Arc<Self>, path: &[u8], follow: bool) -> Result<Option<Inode>> {
        let mut rest = path.to_vec();
        let mut above = Vec::new();
        let mut here = self.get(ROOT)?;
        let mut links = 0;
        loop {
            let begin = rest.iter().position(|byte| *byte != b'/');
            // a path that ends in `/` asks for a directory
            let wants_directory = begin != Some(0) && !rest.is_empty();
            let Some(begin) = begin else {
                let fits = !wants_directory || here.kind == InodeKind::Directory;
                return Ok(fits.then_some(here));
            };
            if here.kind != InodeKind::Directory {
                return Ok(None);
            }
            let end = rest[begin..].iter().position(|byte| *byte == b'/').map_or(rest.len(), |at| begin + at);
            let name = rest[begin..end].to_vec();
            let behind = rest.split_off(end);
            match name.as_slice() {
                b"." => {}
                b".." => here = self.get(above.pop().unwrap_or(ROOT))?,
                name => {
                    let looking = || format!("looking through the directory in inode {}", here.number);
                    let Some(number) = self.lookup(&here, name).with_context(looking)? else {
                        return Ok(None);
                    };
                    let found = self.get(number)?;
                    if found.kind == InodeKind::Symlink && (follow || !behind.is_empty()) {
                        links += 1;
                        let leading = || format!("reading the link in inode {number}");
                        let mut target = self.link(&found).with_context(leading)?;
                        if target.len() + behind.len() > LONGEST_PATH || links > MOST_LINKS {
                            return Ok(None);
                        }
                        if target.starts_with(b"/") {
                            above.clear();
                            here = self.get(ROOT)?;
                        }
                        target.extend(behind);
                        rest = target;
                        continue;
                    }
                    above.push(here.number);
                    here = found;
                }
            }
            rest = behind;
        }
    }
}
