//! The body of `/v1/status`: made once for everybody who asks before something else was heard.
//!
//! Promises: it tells all that was heard when the request came; making it takes a tenth of the time at most, however
//! often something is heard and asked; whoever doesn't read it holds a share of it, and there are few bodies at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// Most bodies that exist at a time: where more are wanted, those who don't read get no newer one, nor does anybody else until
/// their connections end.
const MOST: usize = 4;
/// Longest wait of a reader for a new body.
const LONGEST: Duration = Duration::from_millis(500);

/// The body, and what it tells.
#[derive(Default)]
pub struct Page {
    heard: AtomicU64,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    body: Arc<Vec<u8>>,
    of: Option<u64>,
    alive: Vec<Weak<Vec<u8>>>,
    /// From when on another one may be made.
    not_before: Option<Instant>,
}

impl Page {
    /// What a body tells has changed.
    pub fn outdated(&self) {
        self.heard.fetch_add(1, Ordering::SeqCst);
    }

    /// The body; `make` may block, and is called where the last one is outdated.
    pub async fn body(&self, make: impl FnOnce() -> Vec<u8> + Send + 'static) -> Arc<Vec<u8>> {
        let asked_after = self.heard.load(Ordering::SeqCst);
        let mut made = self.made.lock().await;
        // who waited for another's body has what it asked for
        if made.of.is_some_and(|of| of >= asked_after) {
            return Arc::clone(&made.body);
        }
        if let Some(moment) = made.not_before {
            tokio::time::sleep_until(moment.into()).await;
        }
        made.alive.retain(|body| body.strong_count() > 0);
        if made.alive.len() >= MOST {
            return Arc::clone(&made.body);
        }
        let started = Instant::now();
        let of = self.heard.load(Ordering::SeqCst);
        let Ok(body) = tokio::task::spawn_blocking(make).await else { return Arc::clone(&made.body) };
        made.body = Arc::new(body);
        made.of = Some(of);
        let weak = Arc::downgrade(&made.body);
        made.alive.push(weak);
        made.not_before = Some(Instant::now() + (started.elapsed() * 9).min(LONGEST));
        Arc::clone(&made.body)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn a_body_is_shared_until_something_is_heard_and_few_are_held() {
        let page = Page::default();
        let count = Arc::new(AtomicUsize::new(0));
        let body = || {
            let count = Arc::clone(&count);
            page.body(move || vec![u8::try_from(count.fetch_add(1, Ordering::SeqCst)).unwrap()])
        };
        let first = body().await;
        assert!(Arc::ptr_eq(&first, &body().await) && *first == [0]);
        let mut held = vec![first];
        for _ in 0..20 {
            page.outdated();
            held.push(body().await);
        }
        assert_eq!(count.load(Ordering::SeqCst), MOST);
        assert_eq!(**held.last().unwrap(), [3]);
        held.clear();
        assert_eq!(*body().await, [4]);
    }
}
