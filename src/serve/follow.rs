//! The tree that is served now, and the look whether another one has taken its place.
//!
//! Promises: a new tree is verified whole before it is served, and then takes over at once; transfers that were begun
//! go on with the files they opened. A tree that isn't signed, or isn't whole, is refused with a line in the log, and
//! the one before it goes on. Trees may be signed by the site's key or one that it had before; when that one is retired, nothing
//! of its trees is handed out any more, without a restart. No request is answered with content that its tree's manifest doesn't name.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::access::AccessLog;
use super::tree::{Stamp, Tree, stamp};
use crate::trust::TrustedKeys;

/// Reads the keys that the site trusts now.
pub type ReadKeys = Arc<dyn Fn() -> Result<TrustedKeys> + Send + Sync>;

/// Where trees come from.
pub struct Source {
    /// The tree's place.
    pub tree: PathBuf,
    /// Where blobs are that it doesn't hold.
    pub store: PathBuf,
    /// One of whom must have signed it. Read again at each look: a rotation needs no restart.
    pub keys: ReadKeys,
}

/// A tree and its successors.
pub struct Followed {
    source: Source,
    now: RwLock<Arc<Tree>>,
    /// Whether the key that signed it was retired since.
    retired: AtomicBool,
    looks: Mutex<Looks>,
    log: Arc<AccessLog>,
}

/// What the looks at the place came to. Held while one is taken, so that there is one at a time.
struct Looks {
    refused: Option<Refused>,
    /// As they could be read last: who damages the files takes no trust away, and gives none.
    keys: TrustedKeys,
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
        let keys = (source.keys)()?;
        let tree = Tree::open(&source.tree, &source.store, &keys)?;
        let looks = Mutex::new(Looks { refused: None, keys });
        Ok(Self { source, now: RwLock::new(Arc::new(tree)), retired: AtomicBool::new(false), looks, log })
    }

    /// What is served now.
    pub fn now(&self) -> Arc<Tree> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why what is served now isn't to be handed out, where the key that signed it was retired.
    pub fn retired(&self) -> Option<String> {
        let signer = |tree: &Tree| {
            let id = tree.signer().id();
            format!(
                "the tree is signed by key {id}, which this site doesn't trust any more; build it again with `ironstrap bundle --pxe`"
            )
        };
        self.retired.load(Ordering::Acquire).then(|| signer(&self.now()))
    }

    /// Takes note of the keys that the site trusts now.
    fn look_at_keys(&self, looks: &mut Looks) {
        if let Ok(keys) = (self.source.keys)() {
            looks.keys = keys;
        }
        let retired = !looks.keys.contains(self.now().signer());
        if self.retired.swap(retired, Ordering::AcqRel) != retired {
            self.log.note(&self.retired().unwrap_or_else(|| "the served tree's key is trusted".to_owned()));
        }
    }

    /// Looks at the place and the keys, which may block. `taken_over` is called with a new tree before it is served.
    pub fn look(&self, taken_over: impl FnOnce(&Tree)) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        self.look_at_keys(&mut looks);
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
        match Tree::open(&self.source.tree, &self.source.store, &looks.keys) {
            Ok(tree) => {
                looks.refused = None;
                taken_over(&tree);
                let (files, hosts) = (tree.len(), tree.orders().count());
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tree);
                self.retired.store(false, Ordering::Release);
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
