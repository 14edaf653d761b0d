//! An image's tree as a map, for tests of this and other modules.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Name, RootView};

/// Files by path with their texts; links by path with their targets.
#[derive(Debug, Clone, Default)]
pub(crate) struct MapTree {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) links: BTreeMap<String, String>,
}

impl MapTree {
    /// What the usual hosts of tests ask for: accounts, shells, a time zone, cloud-init.
    pub(crate) fn usual() -> Self {
        let files = [
            ("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\ndebian:x:1000:1000::/home/debian:/bin/sh\n"),
            ("/etc/shadow", "root:*:19000:0:99999:7:::\n"),
            ("/etc/group", "root:x:0:\nsudo:x:27:\ndebian:x:1000:\n"),
            ("/bin/sh", ""),
            ("/bin/bash", ""),
            ("/usr/share/zoneinfo/Europe/Berlin", ""),
            ("/lib/systemd/system/cloud-init.target", ""),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        Self { files: files.into(), links: BTreeMap::new() }
    }

    pub(crate) fn without(mut self, path: &str) -> Self {
        assert!(self.files.remove(path).is_some(), "{path}");
        self
    }
}

impl RootView for MapTree {
    fn text(&self, path: &str) -> Result<Option<String>> {
        Ok(self.files.get(path).cloned())
    }

    fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.files.contains_key(path) || !self.list(path)?.is_empty())
    }

    fn name(&self, path: &str) -> Result<Option<Name>> {
        let link = self.links.get(path).cloned().map(Name::Link);
        Ok(link.or_else(|| self.files.contains_key(path).then_some(Name::File)))
    }

    fn list(&self, path: &str) -> Result<Vec<String>> {
        let below = |full: &String| {
            let rest = full.strip_prefix(path)?.strip_prefix('/')?;
            Some(rest.split('/').next().unwrap_or(rest).to_owned())
        };
        let names: std::collections::BTreeSet<_> =
            self.files.keys().chain(self.links.keys()).filter_map(below).collect();
        Ok(names.into_iter().collect())
    }
}
