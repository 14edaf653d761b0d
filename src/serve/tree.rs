//! What is served: a map from the path in a request to a file, made once from a signed manifest.
//!
//! Every path and size comes from the manifest, and blobs are named by digest. Contents aren't hashed at start (that would
//! read gigabytes before the first machine may boot): targets verify what they fetch.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::boot::grub::pxe_orders;
use crate::bundle::manifest;
use crate::order;
use crate::spec::image::{Blob, ImageManifest};
use crate::spec::manifest::{BundleFile, BundleManifest};
use crate::spec::order::InstallOrder;
use crate::sys::files;
use crate::trust::{Purpose, SitePublicKey, Verified};
use crate::value::{Digest, HostName, OrderId, stays_inside};

/// Longest manifest, signature or order archive that is read.
const MAX_DOCUMENT: u64 = 64 << 20;
/// How many missing files are named.
const SHOWN: usize = 5;

/// One served file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// Digest that the manifest gives it.
    pub digest: Digest,
}

/// All that is served.
#[derive(Debug)]
pub struct Tree {
    files: HashMap<String, ServedFile>,
    orders: BTreeMap<HostName, OrderId>,
}

impl Tree {
    /// Verifies the manifest in `dir` and finds each file it names there, or in the store if it is a blob; then the
    /// blobs of the images that the orders install.
    ///
    /// # Errors
    /// Not signed by this key, files missing or of another size, an order that can't be read.
    pub fn open(dir: &Path, store: &Path, key: &SitePublicKey) -> Result<Self> {
        let manifest_path = dir.join(manifest::NAME);
        let hint = || format!("{} holds no tree; make one with `ironstrap bundle --pxe`", dir.display());
        let text = files::read_text(&manifest_path, MAX_DOCUMENT).with_context(hint)?;
        let signature =
            files::read_text(&dir.join(manifest::SIGNATURE_NAME), MAX_DOCUMENT).with_context(hint)?;
        let listed = key
            .verify(Purpose::Bundle, text.as_bytes(), &signature)
            .with_context(|| format!("verifying {} with the site's key", manifest_path.display()))?
            .parse_json::<BundleManifest>()
            .with_context(|| format!("reading {}", manifest_path.display()))?;
        let mut tree = Self { files: HashMap::new(), orders: BTreeMap::new() };
        tree.add_listed(dir, store, &listed.files)?;
        for (name, content) in [(manifest::NAME, &text), (manifest::SIGNATURE_NAME, &signature)] {
            let digest = Digest::of(content.as_bytes());
            let file = ServedFile { path: dir.join(name), size: content.len() as u64, digest };
            tree.files.insert(name.to_owned(), file);
        }
        for host in &listed.hosts {
            tree.orders.insert(host.host.clone(), host.order.clone());
            let order = tree
                .read_order(&host.host, key)
                .with_context(|| format!("reading the order of {}", host.host))?;
            ensure!(order.id == host.order, "{}: the tree's order is not the manifest's", host.host);
            tree.add_image(store, &order).with_context(|| format!("finding the image of {}", host.host))?;
        }
        Ok(tree)
    }

    fn add_listed(&mut self, dir: &Path, store: &Path, listed: &[BundleFile]) -> Result<()> {
        let mut wrong = Vec::new();
        for BundleFile { path, size, digest } in listed {
            ensure!(stays_inside(path), "the manifest has an impossible path `{}`", path.escape_debug());
            let in_store = path.strip_prefix("blobs/").map(|name| store.join("blobs").join(name));
            match std::iter::once(dir.join(path)).chain(in_store).find(|path| path.is_file()) {
                None => wrong.push(format!("{path} is missing")),
                Some(found) => match std::fs::metadata(&found) {
                    Ok(meta) if meta.len() == *size => {
                        self.files
                            .insert(path.clone(), ServedFile { path: found, size: *size, digest: *digest });
                    }
                    Ok(meta) => wrong.push(format!("{path} has {} bytes, not {size}", meta.len())),
                    Err(error) => wrong.push(format!("{path}: {error}")),
                },
            }
        }
        match wrong.len() {
            0 => Ok(()),
            count => {
                wrong.truncate(SHOWN);
                let dir = dir.display();
                bail!(
                    "{dir}: {count} files are not as the manifest says ({}); build the bundle again",
                    wrong.join("; ")
                )
            }
        }
    }

    /// The order out of the second initramfs of a host: signed, so it can be believed whatever else is in the archive.
    fn read_order(&self, host: &HostName, key: &SitePublicKey) -> Result<InstallOrder> {
        let path = pxe_orders(host);
        let name = path.trim_start_matches('/');
        let file = self.files.get(name).with_context(|| format!("{name} is not in the bundle"))?;
        ensure!(file.size <= MAX_DOCUMENT, "{name} has {} bytes, that is no order", file.size);
        let archive =
            std::fs::read(&file.path).with_context(|| format!("reading {}", file.path.display()))?;
        let path = crate::spec::boot::order_path(host);
        let (json, signature) =
            (from_cpio(&archive, &path)?, from_cpio(&archive, &format!("{path}.minisig"))?);
        let signature = String::from_utf8(signature).context("reading the signature")?;
        let order = order::verify(&json, &signature, key)?;
        ensure!(order.host == *host, "{name} holds the order of {}", order.host);
        Ok(order.into_inner())
    }

    fn add_image(&mut self, store: &Path, order: &InstallOrder) -> Result<()> {
        let pin = &order.image;
        let name = format!("blobs/{}", pin.manifest);
        let path = self.files.get(&name).map_or_else(|| store.join(&name), |file| file.path.clone());
        let text = files::read_text(&path, MAX_DOCUMENT)?;
        let bytes = Verified::by_digest(text.as_bytes(), &pin.manifest)
            .with_context(|| format!("verifying {}", path.display()))?;
        let manifest =
            bytes.parse_json::<ImageManifest>().with_context(|| format!("reading {}", path.display()))?;
        let own = Blob { digest: pin.manifest, size: text.len() as u64 };
        for blob in [own, manifest.index].iter().chain(&manifest.packs) {
            let name = format!("blobs/{}", blob.digest);
            if self.files.contains_key(&name) {
                continue;
            }
            let path = store.join(&name);
            let size =
                std::fs::metadata(&path).with_context(|| format!("looking for {}", path.display()))?.len();
            ensure!(size == blob.size, "{} has {size} bytes, not {}", path.display(), blob.size);
            self.files.insert(name, ServedFile { path, size, digest: blob.digest });
        }
        Ok(())
    }

    /// The file behind the path of a request, without its leading `/`.
    pub fn file(&self, path: &str) -> Option<&ServedFile> {
        self.files.get(path)
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing is served.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Hosts and their orders.
    pub fn orders(&self) -> impl Iterator<Item = (&HostName, &OrderId)> {
        self.orders.iter()
    }
}

/// One file out of a newc archive.
fn from_cpio(archive: &[u8], path: &str) -> Result<Vec<u8>> {
    let mut rest = archive;
    loop {
        let mut entry = cpio::NewcReader::new(rest).context("reading the archive")?;
        ensure!(!entry.entry().is_trailer(), "{path} is not in the archive");
        if entry.entry().name().trim_start_matches("./").trim_start_matches('/') == path {
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).context("reading the archive")?;
            return Ok(content);
        }
        rest = entry.finish().context("reading the archive")?;
    }
}
