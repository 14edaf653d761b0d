//! The access log, and the bodies that know how much of them went out.
//!
//! A line is written when the response's body is dropped: it was sent, the client went, or the server stops. `sent`
//! counts what was handed to the connection, which the kernel may still buffer.

use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use http_body::{Frame, SizeHint};

use crate::sys::clock::Clock;

/// Where the lines go.
pub struct AccessLog {
    out: Mutex<Box<dyn Write + Send>>,
    clock: Arc<dyn Clock + Send + Sync>,
}

impl AccessLog {
    /// Lines go to this writer, each in one call.
    pub fn new(out: Box<dyn Write + Send>, clock: Arc<dyn Clock + Send + Sync>) -> Self {
        Self { out: Mutex::new(out), clock }
    }

    /// A log that can't be written must not stop installs.
    fn write(&self, line: &str) {
        let text = format!("{} {line}\n", self.clock.now());
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// What a line says about the request.
pub struct Asked {
    client: SocketAddr,
    method: Method,
    path: String,
    range: String,
}

/// Requests are written by strangers: nothing of them may forge or garble a line.
fn plain(text: &[u8]) -> String {
    const LONGEST: usize = 1024;
    let shown = &text[..text.len().min(LONGEST)];
    let mut plain = String::new();
    for byte in shown {
        match byte {
            b'!'..=b'~' if *byte != b'\\' => plain.push(char::from(*byte)),
            _ => plain.push_str(&format!("\\x{byte:02x}")),
        }
    }
    if text.len() > LONGEST {
        plain.push_str("...");
    }
    plain
}

impl Asked {
    /// Remembers what was asked for.
    pub fn new(client: SocketAddr, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let range = headers.get(header::RANGE).map_or("-".to_owned(), |range| plain(range.as_bytes()));
        let path = plain(uri.path_and_query().map_or("", |path| path.as_str()).as_bytes());
        Self { client, method: method.clone(), path, range }
    }
}

/// A body that counts, is slowed down if asked to, and writes its line at its end.
pub struct Measured {
    inner: Body,
    asked: Asked,
    status: StatusCode,
    length: u64,
    sent: u64,
    log: Arc<AccessLog>,
    pace: Option<Pace>,
}

/// No faster than a rate: after a frame the next one waits until the rate allows what was sent.
struct Pace {
    rate: u64,
    wait: Pin<Box<tokio::time::Sleep>>,
}

impl Measured {
    /// Wraps the body of a response; `length` is what its headers promise, where they do.
    pub fn new(
        inner: Body,
        asked: Asked,
        status: StatusCode,
        length: Option<u64>,
        log: Arc<AccessLog>,
        rate: Option<u64>,
    ) -> Self {
        // a response to HEAD has the length of GET's and no body
        let length = match length {
            _ if asked.method == Method::HEAD => 0,
            Some(length) => length,
            None => inner.size_hint().exact().unwrap_or(0),
        };
        let pace =
            rate.map(|rate| Pace { rate: rate.max(1), wait: Box::pin(tokio::time::sleep(Duration::ZERO)) });
        Self { inner, asked, status, length, sent: 0, log, pace }
    }
}

impl HttpBody for Measured {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if let Some(pace) = &mut this.pace
            && pace.wait.as_mut().poll(cx).is_pending()
        {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let count = frame.data_ref().map_or(0, Bytes::len);
            this.sent += count as u64;
            if let Some(pace) = &mut this.pace {
                let pause = Duration::from_secs_f64(count as f64 / pace.rate as f64);
                let next = pace.wait.deadline().max(tokio::time::Instant::now()) + pause;
                pace.wait.as_mut().reset(next);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let Self { asked: Asked { client, method, path, range }, status, length, sent, .. } = self;
        let end = if sent == length { "whole" } else { "cut" };
        let status = status.as_u16();
        self.log.write(&format!(
            "{client} {method} {path} range={range} status={status} sent={sent}/{length} {end}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_can_not_forge_a_line() {
        assert_eq!(plain(b"/a b\n\x1b[0m\\\xff"), "/a\\x20b\\x0a\\x1b[0m\\x5c\\xff");
        assert!(plain(&[b'a'; 5000]).len() < 1100);
    }
}
