//! What is served: a map from the path in a request to a file, made from a signed manifest.
//!
//! Every path and size comes from the manifest, and blobs are named by digest. Contents aren't hashed at start (that would
//! read gigabytes before the first machine may boot): targets verify what they fetch. What is known of each file is
//! which one it is: another one under its name, or one that was written to, isn't sent as what the manifest names.
//!
//! The tree's directory is held open. A new tree at its place is another [`Tree`]; this one never mixes with it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail, ensure};

use super::proofs::Speaker;
use super::revoked::{self, Orders};
use crate::boot::grub::pxe_orders;
use crate::bundle::manifest;
use crate::order;
use crate::spec::image::{Blob, ImageManifest};
use crate::spec::manifest::{BundleFile, BundleManifest};
use crate::spec::order::InstallOrder;
use crate::spec::revocation::{self, Reason};
use crate::sys::directory::{Directory, Identity};
use crate::trust::{Purpose, SitePublicKey, TrustedKeys, Verified, event_public_key};
use crate::value::{Digest, DigestWriter, HostName, OrderId, Timestamp, stays_inside};

/// Longest manifest, signature or order archive that is read.
const MAX_DOCUMENT: u64 = 64 << 20;
/// How many missing files are named.
const SHOWN: usize = 5;

/// One served file.
#[derive(Debug)]
pub struct ServedFile {
    /// Where it is: in the tree, or absolute.
    path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// Digest that the manifest gives it.
    pub digest: Digest,
    known: Mutex<Known>,
    /// Its bytes, where they are held: those of manifest and signature, which say what this tree is.
    pub held: Option<Arc<Vec<u8>>>,
}

/// Which file has the bytes, and which one under its name was found not to.
#[derive(Debug)]
struct Known {
    is: Identity,
    is_not: Option<Identity>,
}

impl ServedFile {
    fn new(path: PathBuf, identity: Identity, digest: Digest) -> Self {
        let known = Mutex::new(Known { is: identity, is_not: None });
        Self { path, size: identity.size(), digest, known, held: None }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file of the tree, looked for.
#[derive(Debug)]
pub enum Found {
    /// It is what it was.
    Open(File),
    /// It isn't there any more.
    Gone,
    /// Something else has its name, or it was written to.
    Changed,
}

/// Which tree is at a place: its manifest and its signature.
pub type Stamp = [Option<Identity>; 2];

/// Looks which tree is at a place, without reading it.
pub fn stamp(dir: &Path) -> Stamp {
    let dir = Directory::open(dir).ok();
    [manifest::NAME, manifest::SIGNATURE_NAME]
        .map(|name| dir.as_ref().and_then(|dir| dir.identity(Path::new(name)).ok()))
}

/// All that is served.
#[derive(Debug)]
pub struct Tree {
    root: Directory,
    signer: SitePublicKey,
    stamp: Stamp,
    files: HashMap<String, ServedFile>,
    orders: BTreeMap<HostName, OrderId>,
    speakers: BTreeMap<OrderId, Speaker>,
    revoked: Orders,
}

impl Tree {
    /// Verifies the manifest in `dir` and finds each file it names there, or in the store if it is a blob; then the
    /// blobs of the images that the orders install.
    ///
    /// # Errors
    /// Not signed by one of these keys, files missing or of another size, an order that can't be read.
    pub fn open(dir: &Path, store: &Path, keys: &TrustedKeys) -> Result<Self> {
        let manifest_path = dir.join(manifest::NAME);
        let hint = || format!("{} holds no tree; make one with `ironstrap bundle --pxe`", dir.display());
        let root = Directory::open(dir).with_context(hint)?;
        let read = |name: &str| read(&root, Path::new(name)).with_context(hint);
        let ((text, own), (signature, its)) = (read(manifest::NAME)?, read(manifest::SIGNATURE_NAME)?);
        let words = String::from_utf8(signature.clone()).context("reading the signature")?;
        let (signer, bytes) = keys
            .verify(Purpose::Bundle, &text, &words)
            .with_context(|| format!("verifying {} with the site's key", manifest_path.display()))?;
        let listed = bytes
            .parse_json::<BundleManifest>()
            .with_context(|| format!("reading {}", manifest_path.display()))?;
        let stamp = [Some(own), Some(its)];
        let mut tree = Self {
            root,
            signer: signer.clone(),
            stamp,
            files: HashMap::new(),
            orders: BTreeMap::new(),
            speakers: BTreeMap::new(),
            revoked: Orders::new(),
        };
        tree.add_listed(dir, store, &listed.files)?;
        tree.revoked = tree.read_revoked()?;
        for (name, content, identity) in
            [(manifest::NAME, text, own), (manifest::SIGNATURE_NAME, signature, its)]
        {
            let mut file = ServedFile::new(name.into(), identity, Digest::of(&content));
            (file.size, file.held) = (content.len() as u64, Some(Arc::new(content)));
            tree.files.insert(name.to_owned(), file);
        }
        for host in &listed.hosts {
            tree.orders.insert(host.host.clone(), host.order.clone());
            let order = tree
                .read_order(&host.host, signer)
                .with_context(|| format!("reading the order of {}", host.host))?;
            ensure!(order.id == host.order, "{}: the tree's order is not the manifest's", host.host);
            let own = event_public_key(&order.events);
            let keys = std::iter::once(own).chain(host.former_events.iter().copied()).collect();
            let speaker = Speaker { host: order.host.clone(), keys, until: order.not_after };
            tree.speakers.insert(order.id.clone(), speaker);
            tree.add_image(store, &order).with_context(|| format!("finding the image of {}", host.host))?;
        }
        Ok(tree)
    }

    /// Who signed it, and all orders in it.
    pub fn signer(&self) -> &SitePublicKey {
        &self.signer
    }

    /// Which tree this is.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Whether the directory still holds it; else a sentence.
    pub fn is_there(&self) -> Result<()> {
        // by the handle: the name may lead to another one
        self.root
            .identity(Path::new(manifest::NAME))
            .context("the served tree's directory was removed, and no good one is at its place")?;
        Ok(())
    }

    /// Looks for a file.
    pub fn find(&self, file: &ServedFile) -> Found {
        match self.root.file(&file.path) {
            Ok((open, identity)) if identity == file.known().is => Found::Open(open),
            Ok(_) => Found::Changed,
            Err(_) => Found::Gone,
        }
    }

    /// Looks for a file that was changed, and believes it again if its bytes are those that the manifest names (it was
    /// copied once more, say). Reads it, once for each change, and blocks.
    pub fn find_again(&self, file: &ServedFile) -> Found {
        let Ok((open, identity)) = self.root.file(&file.path) else { return Found::Gone };
        let mut known = file.known();
        if identity == known.is {
            return Found::Open(open);
        }
        if known.is_not == Some(identity) || identity.size() != file.size {
            return Found::Changed;
        }
        let same = digest(&open).is_ok_and(|digest| digest == file.digest);
        // it may be written to while it is read
        if same && self.root.identity(&file.path).is_ok_and(|after| after == identity) {
            known.is = identity;
            return Found::Open(open);
        }
        known.is_not = Some(identity);
        Found::Changed
    }

    /// When and why this order was revoked, as far as this tree knows.
    pub fn revoked(&self, order: &OrderId) -> Option<(Timestamp, Reason)> {
        self.revoked.get(order).copied()
    }

    fn read_revoked(&self) -> Result<Orders> {
        let Some(file) = self.files.get(revocation::NAME) else { return Ok(Orders::new()) };
        let path = file.path.display();
        let (text, _) = read(&self.root, &file.path).with_context(|| format!("reading {path}"))?;
        let right = Digest::of(&text) == file.digest;
        ensure!(right, "{path} isn't the one that the manifest names");
        revoked::parse(&text).with_context(|| format!("reading {path}"))
    }

    fn add_listed(&mut self, dir: &Path, store: &Path, listed: &[BundleFile]) -> Result<()> {
        let mut wrong = Vec::new();
        for BundleFile { path, size, digest } in listed {
            ensure!(stays_inside(path), "the manifest has an impossible path `{}`", path.escape_debug());
            let in_store = path.strip_prefix("blobs/").map(|name| store.join("blobs").join(name));
            let places = std::iter::once(PathBuf::from(path)).chain(in_store);
            let looked = places.map(|path| self.root.identity(&path).map(|identity| (path, identity)));
            match looked.reduce(|first, next| if first.is_ok() { first } else { next.or(first) }) {
                Some(Ok((found, identity))) if identity.size() == *size => {
                    self.files.insert(path.clone(), ServedFile::new(found, identity, *digest));
                }
                Some(Ok((_, found))) => {
                    wrong.push(format!("{path} has {} bytes, not {size}", found.size()));
                }
                Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                    wrong.push(format!("{path}: {error}"));
                }
                _ => wrong.push(format!("{path} is missing")),
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
        let (archive, _) =
            read(&self.root, &file.path).with_context(|| format!("reading {}", file.path.display()))?;
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
        let (text, _) = read(&self.root, &path).with_context(|| format!("reading {}", path.display()))?;
        let bytes = Verified::by_digest(&text, &pin.manifest)
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
            let identity =
                self.root.identity(&path).with_context(|| format!("looking for {}", path.display()))?;
            let size = identity.size();
            ensure!(size == blob.size, "{} has {size} bytes, not {}", path.display(), blob.size);
            self.files.insert(name, ServedFile::new(path, identity, blob.digest));
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

    /// Who can speak under which order.
    pub fn speakers(&self) -> impl Iterator<Item = (&OrderId, &Speaker)> {
        self.speakers.iter()
    }

    /// Hosts and their orders.
    pub fn orders(&self) -> impl Iterator<Item = (&HostName, &OrderId)> {
        self.orders.iter()
    }
}

/// A document of the tree, and which file it is of.
fn read(root: &Directory, path: &Path) -> Result<(Vec<u8>, Identity)> {
    let (file, identity) = root.file(path)?;
    let mut content = Vec::new();
    file.take(MAX_DOCUMENT + 1).read_to_end(&mut content)?;
    ensure!(content.len() as u64 <= MAX_DOCUMENT, "it has more than {MAX_DOCUMENT} bytes");
    Ok((content, identity))
}

fn digest(mut file: &File) -> std::io::Result<Digest> {
    let mut sum = DigestWriter::new(std::io::sink());
    std::io::copy(&mut file, &mut sum)?;
    // who sends it says where it begins
    Ok(sum.finish().1)
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
