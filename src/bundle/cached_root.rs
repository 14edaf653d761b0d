//! The system inside an image of the store, as `image_rules` sees it.
//!
//! Hosts of one image ask the same questions: an answer is kept, so that a site of thousands asks the store once. Nothing
//! else may be done with what is read here.

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::Result;

use crate::image::mounts::SystemTree;
use crate::image::root_view::TreeView;
use crate::image::stored::StoredImage;
use crate::image::tree::ReadTree as _;
use crate::image_rules::{Name, RootView};

type Answers<T> = RefCell<BTreeMap<String, T>>;

/// The root of an image, with the answers that it gave.
#[derive(Debug)]
pub struct CachedRoot {
    tree: SystemTree,
    texts: Answers<Option<String>>,
    existing: Answers<bool>,
    names: Answers<Option<Name>>,
}

impl CachedRoot {
    /// Opens the root of an image.
    ///
    /// # Errors
    /// When the image is damaged or can't be read.
    pub fn of(image: &StoredImage) -> Result<Self> {
        let tree = image.root()?;
        let (texts, existing, names) = Default::default();
        Ok(Self { tree, texts, existing, names })
    }
}

fn kept<T: Clone>(answers: &Answers<T>, path: &str, ask: impl FnOnce() -> Result<T>) -> Result<T> {
    if let Some(known) = answers.borrow().get(path) {
        return Ok(known.clone());
    }
    let answer = ask()?;
    answers.borrow_mut().insert(path.to_owned(), answer.clone());
    Ok(answer)
}

impl RootView for CachedRoot {
    fn text(&self, path: &str) -> Result<Option<String>> {
        kept(&self.texts, path, || TreeView(&self.tree).text(path))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        kept(&self.existing, path, || self.tree.exists(path))
    }

    fn name(&self, path: &str) -> Result<Option<Name>> {
        kept(&self.names, path, || TreeView(&self.tree).name(path))
    }

    fn list(&self, path: &str) -> Result<Vec<String>> {
        TreeView(&self.tree).list(path)
    }
}
