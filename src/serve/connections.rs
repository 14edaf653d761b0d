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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::sync::Mutex;
    use std::time::Instant;

    use super::super::access::AccessLog;
    use super::super::follow::{Followed, Source};
    use super::super::forgotten::Watched;
    use super::super::journal::Journal;
    use super::super::revoked::Revoked;
    use super::super::state::FleetState;
    use super::*;
    use crate::spec::FormatVersion;
    use crate::spec::manifest::BundleManifest;
    use crate::sys::clock::SystemClock;
    use crate::trust::{Purpose, SiteKey};
    use crate::value::Timestamp;

    const LIMITS: Limits = Limits {
        head: Duration::from_millis(300),
        event: Duration::from_millis(300),
        most: 8,
        floor: Some(Floor { window: 2, bytes: 2 << 10 }),
    };

    /// A tree without files.
    fn app(dir: &std::path::Path) -> Arc<App> {
        let key = SiteKey::from_random([7; 40]);
        let (generator, time) = ("test".to_owned(), Timestamp::from_unix(0));
        let (version, files, hosts) = (FormatVersion, Vec::new(), Vec::new());
        let manifest =
            serde_json::to_vec(&BundleManifest { version, generator, time, files, hosts }).unwrap();
        std::fs::write(dir.join("manifest.json"), &manifest).unwrap();
        let signature = key.sign(Purpose::Bundle, &manifest);
        std::fs::write(dir.join("manifest.json.minisig"), signature).unwrap();
        let log = Arc::new(AccessLog::new(Box::new(std::io::sink()), Arc::new(SystemClock)));
        let source =
            Source { tree: dir.to_owned(), store: dir.to_owned(), keys: Arc::new(move || Ok(key.alone())) };
        let mut fleet = FleetState::default();
        let forgotten = Mutex::new(Watched::open(&dir.join("forgotten.json"), &mut fleet).unwrap());
        let journal = Mutex::new(Journal::open(&dir.join("events.jsonl"), &mut fleet).unwrap());
        Arc::new(App {
            site: Followed::open(source, Arc::clone(&log)).unwrap(),
            revoked: Revoked::open(&dir.join("revoked.json")).unwrap(),
            forgotten,
            fleet: Mutex::new(fleet),
            journal,
            proofs: Mutex::default(),
            page: Default::default(),
            turns: Default::default(),
            long_events: Places::new(2),
            clock: Arc::new(SystemClock),
            log,
            rate: None,
        })
    }

    struct Served {
        _runtime: tokio::runtime::Runtime,
        _dir: tempfile::TempDir,
        address: SocketAddr,
        told: watch::Sender<bool>,
    }

    fn server() -> Served {
        let dir = tempfile::tempdir().unwrap();
        let app = app(dir.path());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (told, stop) = watch::channel(false);
        runtime.spawn(serve(listener, app, LIMITS, stop));
        Served { _runtime: runtime, _dir: dir, address, told }
    }

    /// Sends some bytes and reads until the server closes; how long that took.
    fn send(address: SocketAddr, text: &str) -> (String, Duration) {
        let started = Instant::now();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // a connection that the server resets has ended too
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the server keeps the connection");
        }
        (String::from_utf8(answer).unwrap(), started.elapsed())
    }

    #[test]
    fn slow_heads_slow_bodies_and_silence_end_and_whole_requests_are_answered() {
        let served = server();
        let whole = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert!(send(served.address, whole).0.ends_with("\r\n\r\nalive\n"));
        for (begun, answer) in [
            ("", ""),
            ("POST / HTT", ""),
            ("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""),
            ("POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na", "send it again"),
            // answered, and then kept open without another request
            ("POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", "not an event"),
        ] {
            let (got, took) = send(served.address, begun);
            assert!(got.contains(answer) && took >= LIMITS.head, "{begun:?}: {got:?} after {took:?}");
        }
    }

    #[test]
    fn requests_that_come_together_are_answered_in_their_order() {
        let served = server();
        let (got, _) = send(
            served.address,
            "GET /health HTTP/1.1\r\n\r\nPOST /v1/events HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}HEAD /ready HTTP/1.1\r\n\r\nGET /nothing HTTP/1.0\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
        );
        let codes: Vec<_> = got.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")).collect();
        assert_eq!(codes, ["200 OK", "400 Bad Request", "200 OK", "404 Not Found"], "{got}");
        assert_eq!(got.matches("ready").count(), 0, "an answer to HEAD has no body");
        let (got, _) = send(served.address, "POST /v1/events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(got.starts_with("HTTP/1.1 411 Length Required"), "{got}");
    }

    #[test]
    fn who_does_not_read_its_answers_is_ended_by_the_floor() {
        let served = server();
        let mut deaf = std::net::TcpStream::connect(served.address).unwrap();
        deaf.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        let ask = "GET /nothing HTTP/1.1\r\n\r\n".repeat(1000);
        let started = Instant::now();
        while deaf.write_all(ask.as_bytes()).is_ok() {
            assert!(started.elapsed() < Duration::from_secs(60), "it may go on for ever");
        }
    }

    #[test]
    fn a_server_that_is_told_to_stop_ends_idle_connections() {
        let served = server();
        let mut idle = std::net::TcpStream::connect(served.address).unwrap();
        idle.write_all(b"GET /health HTTP/1.1\r\n\r\n").unwrap();
        let mut first = [0; 8];
        idle.read_exact(&mut first).unwrap();
        served.told.send(true).unwrap();
        idle.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        idle.read_to_end(&mut Vec::new()).unwrap();
    }

    #[test]
    fn limits_fit_the_files_that_may_be_open() {
        assert_eq!((Limits::of(1024, None).most, Limits::of(1 << 20, None).most), (480, 2048));
        assert_eq!(Limits::of(64, None).most, 16);
        assert!(Limits::of(1024, None).floor.is_some() && Limits::of(1024, Some(9)).floor.is_none());
    }
}
