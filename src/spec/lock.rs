//! `ironstrap.lock`: what a bundle may be built from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FormatVersion;
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
}
