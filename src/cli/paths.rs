//! Where things stand in a site's directory.

use std::path::{Path, PathBuf};

use crate::value::HostName;

/// The layout of a site. Under version control: `site.yaml`, `hosts/`, `profiles/`, `templates/`, `files/`,
/// `scripts/`, `ironstrap.lock`, `ironstrap.pub`. Never under version control: all of `.ironstrap/` (0700, and it
/// ignores itself in Git).
#[derive(Debug, Clone)]
pub struct SitePaths {
    root: PathBuf,
}

impl SitePaths {
    /// The site in this directory.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The site's directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The site's own templates.
    pub fn templates(&self) -> PathBuf {
        self.root.join("templates")
    }

    /// Key, orders, store, cache: what is not the site's text.
    pub fn private(&self) -> PathBuf {
        self.root.join(".ironstrap")
    }

    /// The secret key, 0600.
    pub fn secret_key(&self) -> PathBuf {
        self.private().join("site.key")
    }

    /// The public key, minisign's format.
    pub fn public_key(&self) -> PathBuf {
        self.root.join("ironstrap.pub")
    }

    /// Pinned images.
    pub fn lock_file(&self) -> PathBuf {
        self.root.join("ironstrap.lock")
    }

    /// The image store.
    pub fn store(&self) -> PathBuf {
        self.private().join("store")
    }

    /// What can be made again.
    pub fn cache(&self) -> PathBuf {
        self.private().join("cache")
    }

    /// Permits, a file a host.
    pub fn permits(&self) -> PathBuf {
        self.private().join("orders")
    }

    /// The permit of one host.
    pub fn permit(&self, host: &HostName) -> PathBuf {
        self.permits().join(format!("{host}.json"))
    }

    /// The last permit of a host that was disarmed. Not `.json`: no host's permit can have this name.
    pub fn disarmed_permit(&self, host: &HostName) -> PathBuf {
        self.permits().join(format!("{host}.disarmed"))
    }

    /// Orders that nobody may carry out any more. Not among the permits: no host's permit can be taken for it.
    pub fn revoked(&self) -> PathBuf {
        self.private().join("revoked.json")
    }

    /// The media that were built, as far as their orders may still hold.
    pub fn media(&self) -> PathBuf {
        self.private().join("media.json")
    }

    /// Hosts of which what was heard so far counts no more.
    pub fn forgotten(&self) -> PathBuf {
        self.private().join("forgotten.json")
    }

    /// Events that `serve` received, one JSON a line.
    pub fn events(&self) -> PathBuf {
        self.private().join("events.jsonl")
    }
}
