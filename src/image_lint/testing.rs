//! An image as a map, for tests.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};

use super::Tree;
use crate::image_rules::{Name, RootView};

/// Files by path.
#[derive(Debug, Clone, Default)]
pub(super) struct MapImage {
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl RootView for MapImage {
    fn text(&self, path: &str) -> Result<Option<String>> {
        Ok(self.files.get(path).map(|bytes| String::from_utf8(bytes.clone())).transpose()?)
    }

    fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.files.contains_key(path) || !self.list(path)?.is_empty())
    }

    fn name(&self, path: &str) -> Result<Option<Name>> {
        Ok(self.files.contains_key(path).then_some(Name::File))
    }

    fn list(&self, path: &str) -> Result<Vec<String>> {
        let below = |full: &String| {
            let rest = full.strip_prefix(path)?.strip_prefix('/')?;
            Some(rest.split('/').next().unwrap_or(rest).to_owned())
        };
        let names: BTreeSet<_> = self.files.keys().filter_map(below).collect();
        Ok(names.into_iter().collect())
    }
}

impl Tree for MapImage {
    fn bytes(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let bytes = self.files.get(path).cloned();
        ensure!(bytes.as_ref().is_none_or(|bytes| bytes.len() as u64 <= limit), "{path} is too long");
        Ok(bytes)
    }

    fn start(&self, path: &str, count: u64) -> Result<Option<Vec<u8>>> {
        let count = usize::try_from(count)?;
        Ok(self.files.get(path).map(|bytes| bytes[..bytes.len().min(count)].to_vec()))
    }
}
