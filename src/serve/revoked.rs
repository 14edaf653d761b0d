//! Which orders are revoked: what the tree's signed list says, and the site's list as it is at this moment.
//!
//! `disarm` writes the site's list; a running server looks at each question whether it is another one than before, which is one
//! look at a file's name. A server that stands elsewhere, with a copy of the tree, knows what the tree knows.
//!
//! A list that can't be read leaves what was known: nobody gets an order back by damaging it. So does one that is gone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

use super::tree::Tree;
use crate::site::revocations;
use crate::spec::revocation::{Reason, Revocations};
use crate::sys::directory::Identity;
use crate::value::{OrderId, Timestamp};

/// What is revoked.
#[derive(Debug)]
pub struct Revoked {
    path: PathBuf,
    of_site: Mutex<Seen>,
}

/// The site's list, as it was seen last.
#[derive(Debug, Default)]
struct Seen {
    /// What tells this file from the one that is renamed over it.
    mark: Option<Identity>,
    orders: Orders,
}

/// Orders, with when and why.
pub type Orders = HashMap<OrderId, (Timestamp, Reason)>;

impl Revoked {
    /// Reads the site's list.
    ///
    /// # Errors
    /// When it is there and can't be read.
    pub fn open(path: &Path) -> Result<Self> {
        let of_site = Seen { mark: Identity::at(path), orders: orders(revocations::read_file(path)?) };
        Ok(Self { path: path.to_owned(), of_site: Mutex::new(of_site) })
    }

    /// Reads the site's list again if it is another one; whether it was.
    pub fn look(&self) -> bool {
        self.seen().1
    }

    /// When and why this order was revoked, by the site or by this tree; `None` where it isn't.
    pub fn why(&self, tree: &Tree, order: &OrderId) -> Option<(Timestamp, Reason)> {
        tree.revoked(order).or_else(|| self.seen().0.orders.get(order).copied())
    }

    fn seen(&self) -> (MutexGuard<'_, Seen>, bool) {
        let mut seen = self.of_site.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = Identity::at(&self.path);
        if mark.is_some()
            && mark != seen.mark
            && let Ok(list) = revocations::read_file(&self.path)
        {
            *seen = Seen { mark, orders: orders(list) };
            return (seen, true);
        }
        (seen, false)
    }
}

/// What a tree's list says.
///
/// # Errors
/// When it is no such list.
pub fn parse(text: &[u8]) -> Result<Orders> {
    Ok(orders(serde_json::from_slice(text).context("reading the revoked orders")?))
}

fn orders(list: Revocations) -> Orders {
    list.orders.into_iter().map(|it| (it.order, (it.time, it.reason))).collect()
}
