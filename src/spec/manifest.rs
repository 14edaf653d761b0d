//! The signed list of a bundle's files.

use serde::{Deserialize, Serialize};

use super::FormatVersion;
use crate::value::{Digest, EventPublicKey, HostName, OrderId, Timestamp};

/// All and only the files of a bundle. Its JSON bytes are signed; stored as `manifest.json` with `manifest.json.minisig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleManifest {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// Version of the ironstrap that built it.
    pub generator: String,
    /// Newest `not_before` of the orders in it: the floor for clocks on targets. Not the time of building.
    pub time: Timestamp,
    /// Hosts whose orders it carries, sorted.
    pub hosts: Vec<BundleHost>,
    /// Files, sorted by path. The manifest and its signature are not among them.
    pub files: Vec<BundleFile>,
}

/// One host in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleHost {
    /// Its name.
    pub host: HostName,
    /// Its order.
    pub order: OrderId,
    /// Generation of the order.
    pub generation: u64,
    /// Event keys that former keys of the site gave this order: media that were built under them carry those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_events: Vec<EventPublicKey>,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleFile {
    /// Path relative to the tree or the ESP, with `/`; blobs are `blobs/<sha256>`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub digest: Digest,
}
