//! The image store: a directory of blobs named by digest, and names of images.
//!
//! ```text
//! blobs/<sha256>                    manifests, indexes, packs
//! blobs/<manifest sha256>.minisig   the manifest's signature
//! images/<name>/<version>           the manifest's digest; its time is the image's date
//! .readers                          locked by who reads, and by who takes images out
//! ```
//!
//! Promises: a blob's name appears when all of it is there and never changes its content; a name of an image appears
//! last. Nothing in a store is trusted: a manifest counts when the site's key signed it, all else by digest from there.

pub mod housekeeping;
mod unfinished;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use self::unfinished::{Journal, UNNAMED};
use super::read::{Index, check_layout};
use crate::spec::image::{Blob, ImageManifest, MAX_INDEX};
use crate::sys::files;
use crate::trust::{Purpose, SiteKey, SitePublicKey, TrustedKeys, Verified, signer};
use crate::value::{Digest, DigestWriter, ImageName, ImageRef, ImageVersion, KeyId};

/// Manifests are read whole; no real one comes near.
const MAX_MANIFEST: u64 = 16 << 20;

/// A store in a directory, which need not exist yet.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// Of the import that it is used by.
    journal: Option<Arc<Journal>>,
}

impl Store {
    /// The store in this directory; it is made when something is put into it.
    ///
    /// # Errors
    /// When the path is there and isn't a directory.
    pub fn open(root: &Path) -> Result<Self> {
        ensure!(!root.exists() || root.is_dir(), "the store {} is not a directory", root.display());
        Ok(Self { root: root.to_owned(), journal: None })
    }

    /// Its directory; what an import needs room for stands beside the store's own.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a blob stands, if it is there.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.to_string())
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Where the signature of a manifest stands.
    pub fn signature_path(&self, manifest: &Digest) -> PathBuf {
        self.blobs().join(format!("{manifest}.minisig"))
    }

    fn name_path(&self, image: &ImageRef) -> PathBuf {
        self.root.join("images").join(image.name().to_string()).join(image.version().to_string())
    }

    /// The manifest digest of an image.
    ///
    /// # Errors
    /// When the name is there and doesn't hold a digest.
    pub fn find(&self, image: &ImageRef) -> Result<Option<Digest>> {
        let path = self.name_path(image);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let digest = text.trim().parse();
                digest.map(Some).with_context(|| format!("reading {}", path.display()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// All images with their manifests' digests, by name and version.
    ///
    /// # Errors
    /// A directory or name that can't be read.
    pub fn list(&self) -> Result<Vec<(ImageRef, Digest)>> {
        let mut found = Vec::new();
        for name in names_in(&self.root.join("images"))? {
            let Ok(image) = name.parse::<ImageName>() else { continue };
            for version in names_in(&self.root.join("images").join(&name))? {
                let Ok(version) = version.parse::<ImageVersion>() else { continue };
                let image = ImageRef::new(image.clone(), version);
                if let Some(digest) = self.find(&image)? {
                    found.push((image, digest));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// The manifest of this image, that one of these keys signed.
    ///
    /// # Errors
    /// Missing, changed, signed by another key, of an unknown version, of another image, or describing what can't be
    /// installed.
    pub fn manifest(
        &self,
        image: &ImageRef,
        digest: &Digest,
        keys: &TrustedKeys,
    ) -> Result<Verified<ImageManifest>> {
        let reading = || format!("reading image manifest {digest} in {}", self.root.display());
        let manifest = self.manifest_unnamed(digest, keys).with_context(reading)?;
        // names aren't signed, manifests are
        ensure!(
            manifest.image == *image,
            "the name {image} leads to manifest {digest}, and that is of image {}; import or build {image} again with --replace, then `ironstrap lock --update`",
            manifest.image
        );
        Ok(manifest)
    }

    /// Whose the signature of a manifest says it is.
    ///
    /// # Errors
    /// When it is missing or no signature.
    pub fn signer(&self, manifest: &Digest) -> Result<KeyId> {
        let path = self.signature_path(manifest);
        signer(&files::read_text(&path, MAX_MANIFEST)?).with_context(|| format!("reading {}", path.display()))
    }

    /// Signs a manifest that another one of these keys signed with the current one; whether it needed that.
    ///
    /// # Errors
    /// None of these keys signed it, it is damaged, or the store can't be written.
    pub fn sign_anew(&self, manifest: &Digest, keys: &TrustedKeys, key: &SiteKey) -> Result<bool> {
        let (by, bytes) = self.signed(manifest, keys)?;
        if *by == key.public() {
            return Ok(false);
        }
        let signature = key.sign(Purpose::Image, &bytes);
        let _alone = self.alone()?;
        files::write_whole(&self.signature_path(manifest), 0o644, signature.as_bytes())?;
        Ok(true)
    }

    /// The bytes of a manifest, and which of these keys signed them.
    fn signed<'k>(
        &self,
        digest: &Digest,
        keys: &'k TrustedKeys,
    ) -> Result<(&'k SitePublicKey, Verified<Vec<u8>>)> {
        let bytes = self.read_blob(digest, MAX_MANIFEST)?.into_inner();
        let path = self.signature_path(digest);
        let signature = files::read_text(&path, MAX_MANIFEST)?;
        keys.verify(Purpose::Image, bytes, &signature).with_context(|| {
            format!("checking {}; the site's key is {}", path.display(), keys.current().id())
        })
    }

    fn manifest_unnamed(&self, digest: &Digest, keys: &TrustedKeys) -> Result<Verified<ImageManifest>> {
        let (_, verified) = self.signed(digest, keys)?;
        let manifest = verified.parse_json::<ImageManifest>()?;
        check_layout(&manifest)?;
        Ok(manifest)
    }

    /// The index of an image.
    ///
    /// # Errors
    /// Missing, changed, or against the rules of [`Index`].
    pub fn index(&self, manifest: &ImageManifest) -> Result<Index> {
        let bytes = self
            .read_blob(&manifest.index.digest, MAX_INDEX)
            .with_context(|| format!("reading the index of {}", manifest.image))?;
        Index::parse(bytes, manifest)
    }

    /// A blob that fits in memory.
    ///
    /// # Errors
    /// Missing, longer than `limit`, or with another digest than its name.
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Verified<Vec<u8>>> {
        let path = self.blob_path(digest);
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(&path)?.take(limit + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().with_context(|| format!("reading {}", path.display()))?;
        ensure!(bytes.len() as u64 <= limit, "{} is longer than {limit} bytes", path.display());
        Verified::by_digest(bytes, digest).with_context(|| format!("the blob {} is damaged", path.display()))
    }

    /// Checks a blob of any size against its name.
    ///
    /// # Errors
    /// Missing, or its length or digest differ; the message names the file.
    pub fn check_blob(&self, blob: &Blob) -> Result<()> {
        let path = self.blob_path(&blob.digest);
        let mut file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
        let mut sink = DigestWriter::new(io::sink());
        io::copy(&mut file, &mut sink).with_context(|| format!("reading {}", path.display()))?;
        let (_, digest, size) = sink.finish();
        ensure!(
            size == blob.size,
            "{} is damaged: it has {size} bytes, expected {}; import or build the image again",
            path.display(),
            blob.size
        );
        ensure!(
            digest == blob.digest,
            "{} is damaged: its digest is {digest}; import or build the image again",
            path.display()
        );
        Ok(())
    }

    /// Begins a blob whose digest isn't known yet.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn begin_blob(&self) -> Result<BlobWriter> {
        let blobs = self.blobs();
        fs::create_dir_all(&blobs).with_context(|| format!("making {}", blobs.display()))?;
        let _alone = self.alone()?;
        let file = tempfile::Builder::new()
            .prefix(UNNAMED)
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(&blobs)
            .with_context(|| format!("making a file in {}", blobs.display()))?;
        // where there are no locks, nobody clears
        let _ = file.as_file().try_lock();
        Ok(BlobWriter { out: DigestWriter::new(file), store: self.clone() })
    }

    /// Puts a blob from memory.
    ///
    /// # Errors
    /// When the store can't be written.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Blob> {
        let mut blob = self.begin_blob()?;
        blob.write_all(bytes).with_context(|| format!("writing to {}", self.blobs().display()))?;
        Ok(blob.finish()?.0)
    }

    /// Signs a manifest, puts it, and gives it its name. Everything that it names must be there already; `fresh` is what of
    /// that was put for its sake and goes again when it gets no name.
    ///
    /// # Errors
    /// When the name belongs to another manifest and `replace` isn't set, or the store can't be written.
    pub fn publish(
        &self,
        manifest: &ImageManifest,
        key: &SiteKey,
        replace: bool,
        fresh: &[Blob],
    ) -> Result<Digest> {
        let bytes = serde_json::to_vec(manifest).context("writing the manifest")?;
        let own = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        let is_new = !self.blob_path(&own.digest).exists();
        let published = self.put_manifest(manifest, &bytes, &own.digest, key, replace);
        // a step may fail when it is done already: what a name leads to stays
        if published.is_err() && !self.may_lead_to(&manifest.image, &own.digest) {
            self.forget(fresh);
            if is_new {
                self.forget(&[own]);
            }
        }
        published.map(|()| own.digest)
    }

    /// Whether a name leads to this manifest; also where that can't be found out.
    fn may_lead_to(&self, image: &ImageRef, digest: &Digest) -> bool {
        self.find(image).map_or(true, |found| found == Some(*digest))
    }

    fn put_manifest(
        &self,
        manifest: &ImageManifest,
        bytes: &[u8],
        digest: &Digest,
        key: &SiteKey,
        replace: bool,
    ) -> Result<()> {
        let signature = key.sign(Purpose::Image, bytes);
        self.require_free(manifest, digest, replace)?;
        self.put_blob(bytes)?;
        let _alone = self.alone()?;
        // somebody may have been quicker
        self.require_free(manifest, digest, replace)?;
        files::write_whole(&self.signature_path(digest), 0o644, signature.as_bytes())?;
        // a name that is right already keeps its time, which is the image's date
        if self.find(&manifest.image)? == Some(*digest) {
            return Ok(());
        }
        files::write_whole(&self.name_path(&manifest.image), 0o644, format!("{digest}\n").as_bytes())
    }

    fn require_free(&self, manifest: &ImageManifest, digest: &Digest, replace: bool) -> Result<()> {
        match self.find(&manifest.image)? {
            Some(other) if other != *digest && !replace => bail!(
                "{} is in the store already with other content (manifest {other}); give the new image another version, or use --replace",
                manifest.image
            ),
            _ => Ok(()),
        }
    }
}

fn names_in(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.with_context(|| format!("listing {}", dir.display()))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("listing {}", dir.display()))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// A blob on its way into the store. Dropped without [`finish`](Self::finish), it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    out: DigestWriter<tempfile::NamedTempFile>,
    store: Store,
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl BlobWriter {
    /// Makes the blob durable under its digest; says whether it is new to the store.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn finish(self) -> Result<(Blob, bool)> {
        let (file, digest, size) = self.out.finish();
        let blobs = self.store.blobs();
        let path = self.store.blob_path(&digest);
        // also when it is there: the one that is there may be damaged, this one isn't
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))
            .and_then(|()| file.as_file().sync_all())
            .with_context(|| format!("writing {}", path.display()))?;
        let naming = || format!("naming {}", path.display());
        let fresh = {
            let _alone = self.store.alone()?;
            let fresh = !path.exists();
            if let Some(journal) = &self.store.journal {
                journal.note(&digest, fresh).with_context(naming)?;
            }
            file.persist(&path).with_context(naming)?;
            fresh
        };
        File::open(&blobs)
            .and_then(|dir| dir.sync_all())
            .with_context(|| format!("syncing {}", blobs.display()))?;
        Ok((Blob { digest, size }, fresh))
    }
}
