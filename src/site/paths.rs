//! Where things stand in a site's directory.

use std::path::{Path, PathBuf};

use crate::value::{HostName, KeyId};

/// The layout of a site. Under version control: `site.yaml`, `hosts/`, `profiles/`, `templates/`, `files/`,
/// `scripts/`, `ironstrap.lock`, `ironstrap.pub`, `ironstrap.keys`. Never under version control: all of `.ironstrap/` (0700, and it
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

    /// What makes a directory a site.
    pub fn site_file(&self) -> PathBuf {
        self.root.join("site.yaml")
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

    /// The secret key that a rotation is about to put into its place, 0600; gone when the rotation is finished.
    pub fn next_secret_key(&self) -> PathBuf {
        self.private().join("next.key")
    }

    /// The secret half of a key that the site had before, 0600, until that key is retired.
    pub fn former_secret_key(&self, key: KeyId) -> PathBuf {
        self.private().join("former").join(format!("{key}.key"))
    }

    /// Held by whoever changes the site's keys.
    pub fn keys_lock(&self) -> PathBuf {
        self.private().join("keys.lock")
    }

    /// The public key, minisign's format.
    pub fn public_key(&self) -> PathBuf {
        self.root.join("ironstrap.pub")
    }

    /// Public halves of all keys that the site ever had, with their dates; a site may have none of it.
    pub fn key_list(&self) -> PathBuf {
        self.root.join("ironstrap.keys")
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

    /// Facts of machines, a JSON file each, as `ironstrap facts` prints them.
    pub fn facts(&self) -> PathBuf {
        self.root().join("facts")
    }

    /// Permits, a file a host.
    pub fn permits(&self) -> PathBuf {
        self.private().join("orders")
    }

    /// Held by whoever changes permits.
    pub fn permits_lock(&self) -> PathBuf {
        self.private().join("orders.lock")
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
