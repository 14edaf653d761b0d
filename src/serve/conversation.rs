//! One connection: requests one after the other, each answered and logged.
//!
//! Files go from the page cache to the socket inside the kernel; small ones together with their head in one write. A
//! connection that waits holds a buffer of a page at most, and an answer that isn't taken holds nothing that others
//! don't hold anyway.
//!
//! Why by hand: no library for HTTP/1 of this language lets a file bypass the process, and that is most of what a
//! server of images does. Only what the routes need is here; see [`request`](super::request) for what is refused.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, StatusCode};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::access::{Asked, Line};
use super::answer::{Body, Response, sentence};
use super::connections::{Limits, told};
use super::http::{self, App};
use super::journal::MAX_EVENT;
use super::places::{Flow, Place};
use super::request::{Head, MAX_HEAD, Request, parse};
use crate::sys::sockets;

/// What a connection reads at once, and keeps.
const PAGE: usize = 4 << 10;
/// Files up to this size go out with their head.
const SMALL: u64 = 16 << 10;
/// What one call hands to the kernel at most, so that connections take turns.
const PIECE: u64 = 512 << 10;

/// What the steps of a conversation share.
#[derive(Clone, Copy)]
pub struct Talk<'a> {
    /// The socket.
    pub stream: &'a TcpStream,
    /// Who is at its other end.
    pub peer: SocketAddr,
    /// What is served.
    pub app: &'a Arc<App>,
    /// What moves here.
    pub flow: &'a Arc<Flow>,
    /// What may be taken.
    pub limits: Limits,
}

/// Answers requests until one side ends it.
pub async fn hold(talk: Talk<'_>, mut stop: watch::Receiver<bool>) {
    let mut input = Vec::new();
    loop {
        let head = tokio::select! {
            head = timeout(talk.limits.head, talk.head(&mut input)) => head,
            () = told(&mut stop) => return,
        };
        let (request, length) = match head {
            Ok(Ok(Head::Whole(request, length))) => (request, length),
            Ok(Ok(Head::Bad(status, text))) => return talk.refuse(status, text).await,
            _ => return,
        };
        input.drain(..length);
        let stopping = *stop.borrow();
        let Ok(true) = talk.exchange(&request, &mut input, stopping).await else { return };
        if !input.is_empty() {
            // who sends many requests at once waits behind those who send one
            tokio::task::yield_now().await;
        } else if input.capacity() > PAGE {
            input = Vec::new();
        }
    }
}

impl Talk<'_> {
    /// Reads until there is a whole head. An end before it is an error.
    async fn head(&self, input: &mut Vec<u8>) -> io::Result<Head> {
        loop {
            if !input.is_empty() {
                match parse(input) {
                    Head::Partial => {}
                    head => return Ok(head),
                }
            }
            self.read(input, MAX_HEAD).await?;
        }
    }

    /// Reads what is there, up to so many bytes in all.
    async fn read(&self, input: &mut Vec<u8>, most: usize) -> io::Result<()> {
        loop {
            self.stream.readable().await?;
            let before = input.len();
            input.resize(before + PAGE.min(most.saturating_sub(before).max(1)), 0);
            let read = self.stream.try_read(&mut input[before..]);
            input.truncate(before + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.flow.moved(count);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers what can't be read as a request.
    async fn refuse(&self, status: StatusCode, text: &str) {
        let asked = Asked::unreadable(self.peer);
        let response = sentence(status, text);
        if self.send(&response, asked, false, false).await.is_ok() {
            self.let_go().await;
        }
    }

    /// Answers a request; whether another one may follow.
    async fn exchange(&self, request: &Request, input: &mut Vec<u8>, stopping: bool) -> io::Result<bool> {
        let asked = Asked::new(self.peer, &request.method, &request.target, request.range.as_deref());
        let response = if http::wants_body(request) {
            match self.body(request, input).await? {
                Ok((body, _place)) => {
                    http::events(self.app, self.peer.ip(), request.proof.as_deref(), body).await
                }
                Err(refused) => refused,
            }
        } else {
            let mut response = http::answer(self.app, request).await;
            // a body that nobody wants is not read
            response.close |= request.length > 0;
            response
        };
        let keep = request.keep && !response.close && !stopping;
        self.send(&response, asked, request.method == Method::HEAD, keep).await?;
        self.flow.sending(false);
        if response.close && request.length > 0 {
            self.let_go().await;
        }
        Ok(keep)
    }

    /// Reads the body of an event. Long ones need a place of their own: there are few of them.
    async fn body(
        &self,
        request: &Request,
        input: &mut Vec<u8>,
    ) -> io::Result<Result<(Vec<u8>, Option<Place>), Response>> {
        let Ok(length @ 0..=MAX_EVENT) = usize::try_from(request.length) else {
            let text = format!("an event has at most {MAX_EVENT} bytes");
            return Ok(Err(Response { close: true, ..sentence(StatusCode::PAYLOAD_TOO_LARGE, &text) }));
        };
        let place = (length > PAGE).then(|| self.app.long_events.take(self.peer.ip(), self.flow));
        if request.expects && input.len() < length {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let whole = async {
            while input.len() < length {
                self.read(input, length).await?;
            }
            io::Result::Ok(())
        };
        if let Ok(read) = timeout(self.limits.event, whole).await {
            read?;
            return Ok(Ok((input.drain(..length).collect(), place)));
        }
        let limit = self.limits.event.as_secs();
        let text = format!("the request didn't come whole within {limit} s; send it again");
        Ok(Err(Response { close: true, ..sentence(StatusCode::REQUEST_TIMEOUT, &text) }))
    }

    /// Sends an answer, and writes its line however that ends.
    async fn send(&self, response: &Response, asked: Asked, bare: bool, keep: bool) -> io::Result<()> {
        let Response { status, body, .. } = response;
        let length = if bare || *status == StatusCode::NOT_MODIFIED { 0 } else { body.length() };
        let mut line = Line::new(asked, *status, length, &self.app.log);
        let mut head = response.head(&self.app.date(), keep).into_bytes();
        match body {
            Body::Text(text) if length > 0 => head.extend_from_slice(text.as_bytes()),
            Body::File { file, at, length: 1..=SMALL } if length > 0 && self.app.rate.is_none() => {
                let before = head.len();
                head.resize(before + length as usize, 0);
                // a file that became shorter: its promised length can't be kept, so the connection ends
                file.read_exact_at(&mut head[before..], *at)?;
            }
            Body::Shared(_) | Body::File { .. } if length > 0 => {
                self.write(&head).await?;
                drop(head);
                return match body {
                    Body::Shared(bytes) => self.bytes(bytes, &mut line).await,
                    Body::File { file, at, length } => self.file(file, *at, *length, &mut line).await,
                    Body::Text(_) => Ok(()),
                };
            }
            _ => {}
        }
        self.write(&head).await?;
        line.sent(length);
        Ok(())
    }

    async fn bytes(&self, bytes: &[u8], line: &mut Line<'_>) -> io::Result<()> {
        for piece in bytes.chunks(PIECE as usize) {
            self.write(piece).await?;
            line.sent(piece.len() as u64);
        }
        Ok(())
    }

    async fn file(&self, file: &File, mut at: u64, length: u64, line: &mut Line<'_>) -> io::Result<()> {
        let end = at + length;
        // small pieces where the rate is small, or one piece would wait for seconds
        let most = self.app.rate.map_or(PIECE, |rate| (rate / 16).clamp(512, 64 << 10));
        while at < end {
            let count = (end - at).min(most);
            let sent = self.ready(|| {
                let mut from = at;
                sockets::send_file(self.stream, file, &mut from, count as usize)
            });
            let sent = sent.await? as u64;
            at += sent;
            line.sent(sent);
            match self.app.rate {
                Some(rate) => {
                    tokio::time::sleep(Duration::from_secs_f64(sent as f64 / rate.max(1) as f64)).await;
                }
                None => tokio::task::consume_budget().await,
            }
        }
        Ok(())
    }

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self
                .ready(|| {
                    rustix::net::send(self.stream, bytes, rustix::net::SendFlags::NOSIGNAL)
                        .map_err(io::Error::from)
                })
                .await?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Hands something to the kernel when it takes it; the floor counts while it doesn't.
    async fn ready(&self, mut hand_over: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match self.stream.try_io(Interest::WRITABLE, &mut hand_over) {
                Ok(count) => {
                    self.flow.moved(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.flow.sending(true);
            self.stream.writable().await?;
        }
    }

    /// Ends a connection of which not all was read, so that the answer isn't lost by a reset (RFC 9112, 9.6).
    async fn let_go(&self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        const MOST: usize = 1 << 20;
        if rustix::net::shutdown(self.stream, rustix::net::Shutdown::Write).is_err() {
            return;
        }
        let rest = async {
            let (mut unread, mut count) = (Vec::new(), 0);
            while count < MOST && self.read(&mut unread, PAGE).await.is_ok() {
                count += unread.len();
                unread.clear();
            }
        };
        let _ = timeout(PATIENCE, rest).await;
    }
}
