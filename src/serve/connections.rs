//! Accepting connections and holding each within its limits: a request's head and an event must come in time, an answer
//! must go on, a peer that is gone is noticed; and there is always a place for one more (see [`places`](super::places)).
//!
//! Promises: who connects and says nothing, or says it slowly, doesn't keep others from being served, and costs no
//! more than a few kilobytes while it does.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::conversation::{self, Talk};
use super::http::App;
use super::places::{Floor, Flow, Places};
use crate::sys::sockets;

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the head of a request, the wait for the first byte of the next one counted in.
    pub head: Duration,
    /// For an event, from its head to its last byte.
    pub event: Duration,
    /// Connections in all.
    pub most: usize,
    /// What an answer must go on by.
    pub floor: Option<Floor>,
}

impl Limits {
    /// Those of a process that may open so many files: a connection takes two.
    pub fn of(files: u64, rate: Option<u64>) -> Self {
        /// At 16 KiB each, they stay far below what a small machine has.
        const MOST: u64 = 2048;
        /// Listener, log, events, tree, what the system's libraries open.
        const OTHERS: u64 = 64;
        const FLOOR: Floor = Floor { window: 30, bytes: 30 << 10 };
        let seconds = Duration::from_secs(30);
        let most = (files.saturating_sub(OTHERS) / 2).clamp(16, MOST);
        // who is slowed down on purpose isn't slow
        let floor = rate.is_none().then_some(FLOOR);
        Self { head: seconds, event: seconds, most: usize::try_from(most).unwrap_or(16), floor }
    }
}

/// Serves until `stop` says so, and then until the requests that were begun are answered.
pub async fn serve(listener: TcpListener, app: Arc<App>, limits: Limits, mut stop: watch::Receiver<bool>) {
    /// After a failure to accept, as when this process has too many files open.
    const PAUSE: Duration = Duration::from_millis(50);
    let places = Places::new(limits.most);
    let mut tasks = JoinSet::new();
    let stopped = stop.clone();
    let mut told = pin!(told(&mut stop));
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    tasks.spawn(connection(stream, peer, Arc::clone(&app), limits, &places, stopped.clone()));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = tasks.join_next() => {}
            _ = second.tick() => places.tick(limits.floor),
            () = &mut told => break,
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// Returns when the server is told to stop.
pub async fn told(stop: &mut watch::Receiver<bool>) {
    // who could tell being gone means the same
    let _ = stop.wait_for(|told| *told).await;
}

/// Takes a place at once and returns the connection's life.
fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    app: Arc<App>,
    limits: Limits,
    places: &Arc<Places>,
    stop: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send + 'static {
    // without them it still works, if not for ever
    let _ = stream.set_nodelay(true);
    let _ = sockets::end_when_peer_is_gone(&stream);
    let stream = Arc::new(stream);
    let seen = Arc::downgrade(&stream);
    let flow = Flow::new(Box::new(move || {
        seen.upgrade().and_then(|stream| sockets::unconfirmed(&*stream).ok()).unwrap_or(0)
    }));
    let place = places.take(peer.ip(), &flow);
    async move {
        let talk = Talk { stream: &stream, peer, app: &app, flow: &flow, limits };
        tokio::select! {
            biased;
            () = flow.ended() => {
                // what it didn't take would stay in the kernel's memory
                let _ = sockets::abort_at_close(&*stream);
            }
            () = conversation::hold(talk, stop) => {}
        }
        drop(place);
    }
}
