//! The access log: a line a request, and a line where the server takes over another tree or refuses it.
//!
//! A request's line is written when its answer was sent, the client went, or the server stops. `sent` counts what was
//! handed to the kernel, which may still buffer it.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, StatusCode};

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

    /// Something that isn't a request, in one line.
    pub fn note(&self, text: &str) {
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.write(&plain);
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
    method: String,
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
    pub fn new(client: SocketAddr, method: &Method, target: &str, range: Option<&[u8]>) -> Self {
        let range = range.map_or("-".to_owned(), plain);
        Self { client, method: plain(method.as_str().as_bytes()), path: plain(target.as_bytes()), range }
    }

    /// Something that is no request.
    pub fn unreadable(client: SocketAddr) -> Self {
        let [method, path, range] = ["-"; 3].map(str::to_owned);
        Self { client, method, path, range }
    }
}

/// A line in the making; written when it is dropped.
pub struct Line<'a> {
    asked: Asked,
    status: StatusCode,
    length: u64,
    sent: u64,
    log: &'a AccessLog,
}

impl<'a> Line<'a> {
    /// Nothing of a body of this length was sent yet.
    pub fn new(asked: Asked, status: StatusCode, length: u64, log: &'a AccessLog) -> Self {
        Self { asked, status, length, sent: 0, log }
    }

    /// So much more was handed to the kernel.
    pub fn sent(&mut self, count: u64) {
        self.sent += count;
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let Self { asked: Asked { client, method, path, range }, status, length, sent, log } = self;
        let end = if sent == length { "whole" } else { "cut" };
        let status = status.as_u16();
        log.write(&format!(
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
