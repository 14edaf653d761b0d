//! The images that a site's hosts are pinned to, each opened once however many hosts have it.
//!
//! Promise: an image is only known here when one of the site's keys signed its manifest.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::cached_root::CachedRoot;
use crate::failure::{Blame, BlameExt};
use crate::image::lint::Linter;
use crate::image::loaders;
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::spec::image::{ImageManifest, ImagePin};
use crate::spec::secure_boot::Loaders;
use crate::trust::{TrustedKeys, Verified};
use crate::value::{Digest, ImageRef, Timestamp};

/// An image, opened.
#[derive(Debug)]
pub struct OpenImage {
    /// What it says of itself.
    pub manifest: Verified<ImageManifest>,
    /// Its root.
    pub inside: CachedRoot,
    image: StoredImage,
    loaders: OnceCell<Option<Loaders>>,
    linter: OnceCell<Linter>,
}

impl OpenImage {
    /// Who judges it, opened once; the day of the first call counts.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn linter(&self, now: Timestamp) -> Result<&Linter> {
        if let Some(known) = self.linter.get() {
            return Ok(known);
        }
        let opened = Linter::open(&self.image, now)
            .with_context(|| format!("reading image {}", self.manifest.image))?;
        Ok(self.linter.get_or_init(|| opened))
    }

    /// What starts it, read once; `None` where that can't be told from its files.
    ///
    /// # Errors
    /// When its ESP lacks them, or is damaged.
    pub fn loaders(&self) -> Result<Option<&Loaders>> {
        if let Some(known) = self.loaders.get() {
            return Ok(known.as_ref());
        }
        let read = loaders::of_image(&self.image)
            .with_context(|| format!("reading the loaders of image {}", self.manifest.image))?;
        Ok(self.loaders.get_or_init(|| read).as_ref())
    }
}

/// The images of a store.
#[derive(Debug)]
pub struct Images {
    store: Store,
    keys: TrustedKeys,
    opened: BTreeMap<Digest, OpenImage>,
    /// Why an image can't be opened, for every host that has it.
    damaged: BTreeMap<(ImageRef, Digest), String>,
}

impl Images {
    /// None is open yet.
    pub fn of(store: Store, keys: TrustedKeys) -> Self {
        Self { store, keys, opened: BTreeMap::new(), damaged: BTreeMap::new() }
    }

    /// Where they are.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether it is open under this name.
    fn is_open(&self, ImagePin { image, manifest }: &ImagePin) -> bool {
        self.opened.get(manifest).is_some_and(|known| known.manifest.image == *image)
    }

    /// Opens an image, if it isn't.
    ///
    /// # Errors
    /// It isn't in the store, is damaged, has another name, or none of the keys signed it.
    pub fn open(&mut self, pin: &ImagePin) -> Result<&OpenImage> {
        let ImagePin { image, manifest: digest } = pin;
        if !self.is_open(pin) {
            let manifest = self.store.manifest(image, digest, &self.keys)?;
            let image = StoredImage::open(&self.store, &manifest)?;
            let inside = CachedRoot::of(&image)?;
            let (loaders, linter) = Default::default();
            self.opened.insert(*digest, OpenImage { manifest, inside, image, loaders, linter });
        }
        self.get(digest)
    }

    /// One that was opened.
    ///
    /// # Errors
    /// It wasn't.
    pub fn get(&self, manifest: &Digest) -> Result<&OpenImage> {
        self.opened.get(manifest).context("an image is used before it is opened").blame(Blame::Bug)
    }

    /// Looks into an image, where it is in the store; why it can't be opened is found out once, too.
    pub fn look(&mut self, pin: &ImagePin) -> Option<Result<&OpenImage, &str>> {
        if self.is_open(pin) {
            return self.opened.get(&pin.manifest).map(Ok);
        }
        if !self.store.blob_path(&pin.manifest).exists() {
            return None;
        }
        let key = (pin.image.clone(), pin.manifest);
        if !self.damaged.contains_key(&key) {
            match self.open(pin) {
                Ok(_) => return self.opened.get(&pin.manifest).map(Ok),
                Err(error) => _ = self.damaged.insert(key.clone(), format!("{error:#}")),
            }
        }
        self.damaged.get(&key).map(|why| Err(why.as_str()))
    }
}
