//! A tree of an image, as `image_rules` sees it.

use anyhow::{Context, Result};

use super::tree::{EntryType, ReadTree};
use crate::image_rules::{Name, RootView};

/// No text of a system that anybody asks for is longer.
pub const LONGEST_TEXT: u64 = 1 << 20;

/// Any tree that can be read.
pub struct TreeView<'a>(pub &'a dyn ReadTree);

impl std::fmt::Debug for TreeView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeView").finish_non_exhaustive()
    }
}

impl RootView for TreeView<'_> {
    fn text(&self, path: &str) -> Result<Option<String>> {
        if !self.0.exists(path)? {
            return Ok(None);
        }
        let text = String::from_utf8(self.0.read_at_most(path, LONGEST_TEXT)?);
        text.map(Some).with_context(|| format!("reading {path} in the image: not UTF-8"))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        self.0.exists(path)
    }

    fn name(&self, path: &str) -> Result<Option<Name>> {
        Ok(match self.0.kind(path)? {
            Some(EntryType::File) => Some(Name::File),
            Some(EntryType::Symlink) => Some(Name::Link(self.0.read_link(path)?)),
            _ => None,
        })
    }

    fn list(&self, path: &str) -> Result<Vec<String>> {
        // behind the dot a link to a directory is that directory, and anything else is nothing; FAT has neither links nor such names
        let is_directory = self.0.kind(path)? == Some(EntryType::Directory);
        if !is_directory && !self.0.exists(&format!("{path}/."))? {
            return Ok(Vec::new());
        }
        Ok(self.0.list(path)?.into_iter().map(|entry| entry.name).collect())
    }
}
