//! `ironstrap.lock`: what a bundle may be built from. Written and read by [`crate::site::lock_file`] alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FormatVersion;
use super::installer::{DebianRelease, InstallerPin};
use crate::value::{Digest, ImageRef};

/// The lock file, YAML in the site's root, under version control.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// Every image that a host uses, by the digest of its manifest.
    #[serde(default)]
    pub images: BTreeMap<ImageRef, Digest>,
    /// The tar of every image that a distribution's installer unpacks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<ImageRef, Export>,
    /// Every debian-installer that hands machines over to the agent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub debian_installer: BTreeMap<DebianRelease, InstallerPin>,
}

/// The tar that `image export` writes of an image: the same bytes each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Which image it was made of.
    pub manifest: Digest,
    /// SHA-256 of the tar, not packed.
    pub tar: Digest,
}

impl LockFile {
    /// The digest of an image's tar, if it was made of the image that is pinned.
    pub fn tar(&self, image: &ImageRef) -> Option<Digest> {
        let (manifest, export) = (self.images.get(image)?, self.exports.get(image)?);
        (export.manifest == *manifest).then_some(export.tar)
    }
}
