//! Accepting connections, each within limits: a bounded number, in all and for each peer; a request's head and an event
//! must come in time; a peer that is gone is noticed.
//!
//! Promises: who connects and says nothing, or says it slowly, doesn't keep others from being served. A connection over
//! the limit is closed at once; targets try again. Transfers may take as long as they like while they get on.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Extension, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sys::sockets;

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the head of a request, the wait for the first byte of the next one counted in.
    pub head: Duration,
    /// For an event, from its head to the answer.
    pub event: Duration,
    /// Connections in all. Each takes two of the 1024 files that a process may have open.
    pub most: usize,
    /// Connections from one address, behind which a whole rack may be.
    pub most_of_peer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs(30);
        Self { head: seconds, event: seconds, most: 448, most_of_peer: 128 }
    }
}

/// Open connections by the address of their peer.
#[derive(Debug, Clone, Default)]
struct Open(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of the open connections, until it is dropped.
struct Place {
    open: Open,
    peer: IpAddr,
}

impl Open {
    fn take(&self, peer: IpAddr, limits: &Limits) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, of_peer) = (open.values().sum::<usize>(), open.get(&peer).copied().unwrap_or(0));
        if all >= limits.most || of_peer >= limits.most_of_peer {
            return None;
        }
        open.insert(peer, of_peer + 1);
        Some(Place { open: self.clone(), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Serves until `stop` says so, and then until the requests that were begun are answered.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    /// After a failure to accept, as when this process has too many files open.
    const PAUSE: Duration = Duration::from_millis(200);
    let open = Open::default();
    let mut tasks = JoinSet::new();
    let stopped = stop.clone();
    let mut told = pin!(told(&mut stop));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(place) = open.take(peer.ip(), &limits) {
                        let one = connection(stream, peer, router.clone(), limits, stopped.clone());
                        tasks.spawn(async move {
                            one.await;
                            drop(place);
                        });
                    }
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = tasks.join_next() => {}
            () = &mut told => break,
        }
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

async fn told(stop: &mut watch::Receiver<bool>) {
    // who could tell being gone means the same
    let _ = stop.wait_for(|told| *told).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    // without them it still works, if not for ever
    let _ = stream.set_nodelay(true);
    let _ = sockets::end_when_peer_is_gone(&stream);
    let service = TowerToHyperService::new(router.layer(Extension(ConnectInfo(peer))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // its errors are the peer's, which is gone
    tokio::select! {
        _ = &mut connection => return,
        () = told(&mut stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Answers a request whose body doesn't come in time, and ends its connection.
pub async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let text = format!("the request didn't come whole within {} s; send it again\n", limit.as_secs());
            let headers =
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CONNECTION, "close")];
            (StatusCode::REQUEST_TIMEOUT, headers, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::time::Instant;

    use axum::body::Bytes;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;

    use super::*;

    const LIMITS: Limits = Limits {
        head: Duration::from_millis(300),
        event: Duration::from_millis(300),
        most: 3,
        most_of_peer: 2,
    };

    /// A server on the loopback, which ends with the runtime; it answers a POST with the length of its body.
    fn server() -> (tokio::runtime::Runtime, SocketAddr, watch::Sender<bool>) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let length = |ConnectInfo(peer): ConnectInfo<SocketAddr>, body: Bytes| async move {
            format!("{} {}", peer.ip(), body.len())
        };
        let router = Router::new().route("/", post(length)).layer(from_fn_with_state(LIMITS.event, in_time));
        let (told, stop) = watch::channel(false);
        runtime.spawn(serve(listener, router, LIMITS, stop));
        (runtime, address, told)
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
        let (_runtime, address, _told) = server();
        let whole = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
        assert!(send(address, whole).0.ends_with("\r\n\r\n127.0.0.1 3"));
        for (begun, answer) in [
            ("", ""),
            ("POST / HTT", ""),
            ("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na", "send it again"),
            // answered, and then kept open without another request
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", "127.0.0.1 1"),
        ] {
            let (got, took) = send(address, begun);
            assert!(got.contains(answer) && took >= LIMITS.head, "{begun:?}: {got:?} after {took:?}");
        }
    }

    #[test]
    fn one_peer_can_not_take_all_connections_and_gets_them_back() {
        let place = |open: &Open, last| open.take(IpAddr::from([10, 0, 0, last]), &LIMITS);
        let open = Open::default();
        let (first, _second) = (place(&open, 1).unwrap(), place(&open, 1).unwrap());
        assert!(place(&open, 1).is_none(), "its third");
        let other = place(&open, 2).unwrap();
        assert!(place(&open, 3).is_none(), "the fourth of all");
        drop((first, other));
        assert!(place(&open, 1).is_some() && !open.0.lock().unwrap().contains_key(&[10, 0, 0, 2].into()));
    }

    #[test]
    fn a_server_that_is_told_to_stop_ends_idle_connections() {
        let (runtime, address, told) = server();
        let mut idle = std::net::TcpStream::connect(address).unwrap();
        idle.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na").unwrap();
        let mut first = [0; 8];
        idle.read_exact(&mut first).unwrap();
        told.send(true).unwrap();
        idle.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        idle.read_to_end(&mut Vec::new()).unwrap();
        drop(runtime);
    }
}
