//! Whether the order still stands: asked again right before the claim, and all the while after it.
//!
//! Promises: an answer that the order is revoked stops the run for good, signed or not; no answer never does, and is said. The
//! asking is done in a thread of its own, so that a server that is away doesn't slow the install; only before the commit is
//! it waited for, and not for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Result;

use crate::agent::Failure;
use crate::agent::disk::install::Leave;
use crate::spec::Code;
use crate::spec::boot::OrderState;
use crate::spec::plan::Refusal;
use crate::value::{HttpUrl, OrderId};

/// Pause between two questions after the claim.
pub const EVERY: Duration = Duration::from_secs(15);

/// Refuses an order that was revoked since it was asked about first. Done it can't be by now: this run is the one that does it.
///
/// # Errors
/// [`Code::OrderRevoked`].
pub fn check(ask: &dyn Fn() -> Result<OrderState>, note: &dyn Fn(&str)) -> Result<(), Refusal> {
    match ask() {
        Ok(OrderState::Revoked) => Err(Refusal::new(Code::OrderRevoked, sentence("before the claim"))),
        Ok(OrderState::Waits | OrderState::Done) => Ok(()),
        Err(error) => {
            note(&unanswered(&error));
            Ok(())
        }
    }
}

/// What is said where nobody answers.
pub fn unanswered(error: &anyhow::Error) -> String {
    format!("nobody says whether this order was revoked, so it goes on: {error:#}")
}

fn sentence(when: &str) -> String {
    format!("the order was revoked {when}: its host was disarmed, or armed anew")
}

/// Asks until it is dropped.
pub struct Watch<A> {
    ask: Arc<A>,
    revoked: Arc<AtomicBool>,
    /// Closed when it is dropped.
    _end: Sender<()>,
}

impl<A: Fn() -> Result<OrderState> + Send + Sync + 'static> Watch<A> {
    /// Begins to ask, at once and then after each pause. `say` hears when nobody answers, and when somebody does again.
    pub fn begin(ask: A, every: Duration, say: impl Fn(&str) + Send + 'static) -> Self {
        let (ask, revoked) = (Arc::new(ask), Arc::new(AtomicBool::new(false)));
        let (end, ended) = channel::<()>();
        let (asks, tells) = (Arc::clone(&ask), Arc::clone(&revoked));
        std::thread::spawn(move || {
            let mut silent = false;
            loop {
                match asks() {
                    Ok(OrderState::Revoked) => return tells.store(true, Ordering::Release),
                    Ok(OrderState::Waits | OrderState::Done) if silent => {
                        say("the server answers again: the order stands");
                        silent = false;
                    }
                    Ok(OrderState::Waits | OrderState::Done) => {}
                    Err(error) if !silent => {
                        say(&unanswered(&error));
                        silent = true;
                    }
                    Err(_) => {}
                }
                if ended.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self { ask, revoked, _end: end }
    }
}

impl<A: Fn() -> Result<OrderState> + Send + Sync + 'static> Leave for Watch<A> {
    fn holds(&self) -> Result<(), Failure> {
        match self.revoked.load(Ordering::Acquire) {
            true => Err(Failure::new(Code::OrderRevoked, sentence("after the claim"))),
            false => Ok(()),
        }
    }

    fn holds_now(&self) -> Result<(), Failure> {
        self.holds()?;
        if matches!((self.ask)(), Ok(OrderState::Revoked)) {
            self.revoked.store(true, Ordering::Release);
        }
        self.holds()
    }
}

/// How a server is asked, again and again.
pub fn asks(server: &HttpUrl, order: &OrderId) -> impl Fn() -> Result<OrderState> + Send + Sync + 'static {
    let (server, order) = (server.clone(), order.clone());
    move || super::order_status::ask(&server, &order, &mut None)
}

#[cfg(test)]
#[path = "revocation_tests.rs"]
mod tests;
