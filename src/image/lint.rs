//! An image of the store, as the rules of `image_lint` see it.
//!
//! Opened once however many hosts have it: what its rules say by itself is kept, and so is what they read of its modules and its
//! initrd. All is read within the image's budget.

use std::cell::OnceCell;

use anyhow::{Context, Result};

use super::loaders;
use super::root_view::TreeView;
use super::stored::StoredImage;
use super::system::kernel_path;
use super::tree::{EntryType, ReadTree};
use crate::image_lint::{self, Finding, Hardware, Shelf, Subject, Tree};
use crate::spec::image::ImageManifest;
use crate::spec::secure_boot::{Loaders, Program};
use crate::value::Timestamp;

/// No kernel is longer.
const LONGEST_KERNEL: u64 = 64 << 20;

/// An image that is judged, on one day.
pub struct Linter {
    root: Box<dyn ReadTree>,
    esp: Box<dyn ReadTree>,
    manifest: ImageManifest,
    loaders: Option<Loaders>,
    kernel: Option<Program>,
    now: Timestamp,
    shelf: Shelf,
    general: OnceCell<Vec<Finding>>,
}

impl std::fmt::Debug for Linter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Linter").field(&self.manifest.image).finish()
    }
}

impl Linter {
    /// Opens an image, and reads what starts it.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn open(image: &StoredImage, now: Timestamp) -> Result<Self> {
        let (root, esp) = (image.root()?, image.esp()?);
        let manifest = image.manifest().clone();
        let loaders = loaders::of_image(image)?;
        let kernel = root.read_at_most(&kernel_path(&manifest.system.kernel), LONGEST_KERNEL);
        let kernel = loaders::program_of(&kernel.context("reading the image's kernel")?);
        let (shelf, general) = Default::default();
        Ok(Self { root: Box::new(root), esp: Box::new(esp), manifest, loaders, kernel, now, shelf, general })
    }

    /// What the rules say of it by itself.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn general(&self) -> Result<&[Finding]> {
        if let Some(known) = self.general.get() {
            return Ok(known);
        }
        let found = self.judge(image_lint::general)?;
        Ok(self.general.get_or_init(|| found))
    }

    /// What they say of it on such hardware; nothing of what [`general`](Self::general) says.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn on_hardware(&self, hardware: &Hardware) -> Result<Vec<Finding>> {
        self.judge(|subject| image_lint::on_hardware(subject, &self.shelf, hardware))
    }

    fn judge(&self, rules: impl Fn(&Subject<'_>) -> Result<Vec<Finding>>) -> Result<Vec<Finding>> {
        let (root, esp) = (TreeView(&*self.root), TreeView(&*self.esp));
        let subject = Subject {
            root: &root,
            esp: &esp,
            system: &self.manifest.system,
            loaders: self.loaders.as_ref(),
            kernel: self.kernel.as_ref(),
            now: self.now,
        };
        rules(&subject).with_context(|| format!("judging image {}", self.manifest.image))
    }
}

impl Tree for TreeView<'_> {
    fn bytes(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        if !is_file(self.0, path)? {
            return Ok(None);
        }
        self.0.read_at_most(path, limit).map(Some)
    }

    fn start(&self, path: &str, count: u64) -> Result<Option<Vec<u8>>> {
        if !is_file(self.0, path)? {
            return Ok(None);
        }
        self.0.read_start(path, count).map(Some)
    }
}

/// Whether there are bytes behind the links: neither a directory nor a device.
fn is_file(tree: &dyn ReadTree, path: &str) -> Result<bool> {
    Ok(match tree.kind(path)? {
        Some(EntryType::File) => true,
        // nothing can be read of a device, and behind the dot a directory is one
        Some(EntryType::Symlink) => {
            tree.exists(path)? && !tree.exists(&format!("{path}/."))? && tree.read_start(path, 1).is_ok()
        }
        _ => false,
    })
}
