//! The signed list of a bundle's files.

use anyhow::{Context, Result};

use super::host::{BundledHost, ContentFile, time};
use crate::spec::FormatVersion;
use crate::spec::image::Blob;
use crate::spec::manifest::{BundleFile, BundleHost, BundleManifest};
use crate::trust::{Purpose, SiteKey};
use crate::value::Digest;

/// The manifest's path in a bundle.
pub const NAME: &str = "manifest.json";
/// Its signature's path: minisign's own naming.
pub const SIGNATURE_NAME: &str = "manifest.json.minisig";

/// The manifest as it is stored.
#[derive(Debug, Clone)]
pub struct SignedManifest {
    /// The bytes that were signed.
    pub json: Vec<u8>,
    /// minisign's signature file.
    pub signature: String,
}

/// Lists a bundle. Nothing in it comes from the clock or the machine.
pub fn list(hosts: &[BundledHost], files: &[ContentFile], blobs: &[Blob]) -> BundleManifest {
    let made = files.iter().map(|file| BundleFile {
        path: file.path.clone(),
        size: file.content.len() as u64,
        digest: Digest::of(&file.content),
    });
    let stored = blobs.iter().map(|blob| BundleFile {
        path: format!("blobs/{}", blob.digest),
        size: blob.size,
        digest: blob.digest,
    });
    let mut files: Vec<_> = made.chain(stored).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut named: Vec<_> = hosts
        .iter()
        .map(|host| BundleHost {
            host: host.order.host.clone(),
            order: host.order.id.clone(),
            generation: host.order.generation,
            former_events: host.former_events.clone(),
        })
        .collect();
    named.sort_by(|a, b| a.host.cmp(&b.host));
    BundleManifest {
        version: FormatVersion,
        generator: env!("CARGO_PKG_VERSION").to_owned(),
        time: time(hosts),
        hosts: named,
        files,
    }
}

/// Signs a manifest; `minisign -V` accepts the result.
///
/// # Errors
/// When it can't be written as JSON; no valid one can't.
pub fn sign(manifest: &BundleManifest, key: &SiteKey) -> Result<SignedManifest> {
    let mut json = serde_json::to_vec_pretty(manifest).context("writing the bundle's manifest")?;
    json.push(b'\n');
    let signature = key.sign(Purpose::Bundle, &json);
    Ok(SignedManifest { json, signature })
}
