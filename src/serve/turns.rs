//! Turns at what only one may do at a time: an address waits behind its own requests, and then behind one of each other address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex as Plain, PoisonError, Weak};

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::places::holder;

/// Who waits.
#[derive(Default)]
pub struct Turns {
    all: Arc<Mutex<()>>,
    of: Plain<HashMap<IpAddr, Weak<Mutex<()>>>>,
}

/// A turn, until it is dropped.
pub struct Turn {
    _all: OwnedMutexGuard<()>,
    _own: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits for the turn of an address.
    pub async fn take(&self, peer: IpAddr) -> Turn {
        let own = self.own(holder(peer)).lock_owned().await;
        Turn { _own: own, _all: self.all().await }
    }

    /// Waits for what all share.
    pub async fn all(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.all).lock_owned().await
    }

    fn own(&self, holder: IpAddr) -> Arc<Mutex<()>> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = of.get(&holder).and_then(Weak::upgrade) {
            return own;
        }
        of.retain(|_, own| own.strong_count() > 0);
        let own = Arc::default();
        of.insert(holder, Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_requests_of_one_address_do_not_hold_up_another() {
        let turns = Arc::new(Turns::default());
        let peer = |last| IpAddr::from([10, 0, 0, last]);
        let first = turns.take(peer(1)).await;
        let order = Arc::new(Plain::new(Vec::new()));
        let mut tasks = Vec::new();
        for from in [1, 1, 1, 1, 2] {
            let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let _turn = turns.take(peer(from)).await;
                order.lock().unwrap().push(from);
                tokio::task::yield_now().await;
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        let place = order.lock().unwrap().iter().position(|from| *from == 2);
        assert!(place <= Some(1), "{order:?}");
    }
}
