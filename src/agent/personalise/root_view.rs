//! The mounted root, as the rules that it was judged by at build time see it.

use anyhow::Result;

use crate::image_rules::{Name, RootView};
use crate::sys::rooted::{EntryKind, RootedDir};

impl RootView for RootedDir {
    fn text(&self, path: &str) -> Result<Option<String>> {
        self.read_text(path)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        Ok(Self::exists(self, path))
    }

    fn name(&self, path: &str) -> Result<Option<Name>> {
        Ok(match self.kind(path)? {
            Some(EntryKind::File) => Some(Name::File),
            Some(EntryKind::Link) => self.read_link(path)?.map(Name::Link),
            _ => None,
        })
    }

    fn list(&self, path: &str) -> Result<Vec<String>> {
        Ok(Self::list(self, path)?.into_iter().map(|(name, _)| name).collect())
    }
}
