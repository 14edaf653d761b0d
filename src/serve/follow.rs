//! The tree that is served now, and the look whether another one has taken its place.
//!
//! Promises: a new tree is verified whole before it is served, and then takes over at once; transfers that were begun
//! go on with the files they opened. A tree that isn't signed, or isn't whole, is refused with a line in the log, and
//! the one before it goes on. No request is answered with content that its tree's manifest doesn't name.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::access::AccessLog;
use super::tree::{Stamp, Tree, stamp};
use crate::trust::SitePublicKey;

/// Where trees come from.
pub struct Source {
    /// The tree's place.
    pub tree: PathBuf,
    /// Where blobs are that it doesn't hold.
    pub store: PathBuf,
    /// Who must have signed it.
    pub key: SitePublicKey,
}

/// A tree and its successors.
pub struct Followed {
    source: Source,
    now: RwLock<Arc<Tree>>,
    looks: Mutex<Looks>,
    log: Arc<AccessLog>,
}

/// What the looks at the place came to. Held while one is taken, so that there is one at a time.
#[derive(Default)]
struct Looks {
    refused: Option<Refused>,
}

/// The last refusal.
struct Refused {
    stamp: Stamp,
    why: String,
    /// To verify it again costs time, which isn't at the disposal of who asks.
    not_before: Instant,
}

/// Before a refused tree is looked at again.
const PAUSE: Duration = Duration::from_millis(500);

impl Followed {
    /// Opens the first tree; see [`Tree::open`].
    ///
    /// # Errors
    /// As it says.
    pub fn open(source: Source, log: Arc<AccessLog>) -> Result<Self> {
        let tree = Tree::open(&source.tree, &source.store, &source.key)?;
        Ok(Self { source, now: RwLock::new(Arc::new(tree)), looks: Mutex::default(), log })
    }

    /// What is served now.
    pub fn now(&self) -> Arc<Tree> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the place, which may block. `taken_over` is called with a new tree before it is served.
    pub fn look(&self, taken_over: impl FnOnce(&Tree)) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let there = stamp(&self.source.tree);
        if there == *self.now().stamp() {
            if looks.refused.take().is_some() {
                self.log.note("the refused tree is gone; the served one is at its place again");
            }
            return;
        }
        if looks
            .refused
            .as_ref()
            .is_some_and(|refused| refused.stamp == there && refused.not_before > Instant::now())
        {
            return;
        }
        let started = Instant::now();
        let place = self.source.tree.display();
        match Tree::open(&self.source.tree, &self.source.store, &self.source.key) {
            Ok(tree) => {
                looks.refused = None;
                taken_over(&tree);
                let (files, hosts) = (tree.len(), tree.orders().count());
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tree);
                self.log
                    .note(&format!("a new tree is at {place}: {files} files of {hosts} hosts, taken over"));
            }
            Err(error) => {
                let why = format!("{error:#}");
                // a copy that is still going on is refused until it is whole
                if looks.refused.as_ref().is_none_or(|refused| refused.why != why) {
                    self.log.note(&format!("the tree at {place} is refused, the former one goes on: {why}"));
                }
                let not_before = Instant::now() + (started.elapsed() * 10).max(PAUSE);
                looks.refused = Some(Refused { stamp: there, why, not_before });
            }
        }
    }

    /// Why the tree that is at the place isn't served, where it isn't.
    pub fn refusal(&self) -> Option<String> {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.refused.as_ref().map(|refused| refused.why.clone())
    }
}
