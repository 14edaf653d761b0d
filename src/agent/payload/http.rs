//! Blobs from a web server: one long request, continued with Range where it broke.
//!
//! A server may go away and come back: a stream is patient for [`PATIENCE`] since the last byte that arrived, and says on
//! the console when it waits and when it goes on. One that trickles isn't there either: see [`Pace`]. Redirects aren't
//! followed: a blob is where the signed order says, or nowhere. Nothing that arrives is trusted.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::redirect::Policy;

use super::source::{BlobSource, BlobStream};
use crate::agent::Failure;
use crate::agent::backoff::Backoff;
use crate::agent::report::console::Consoles;
use crate::spec::Code;
use crate::spec::image::Blob;
use crate::trust::Verified;
use crate::value::{Digest, HttpUrl};

/// How long a server may be away before the install gives up: a reboot of the server, or of a switch.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// A connection that gives nothing for this long is made anew.
const STALL: Duration = Duration::from_secs(20);
/// Bytes a second below which waiting for a server uses up the patience with it.
const FLOOR: u64 = 1024;
const CONNECT: Duration = Duration::from_secs(10);
/// Between two looks whether anybody still waits.
const GLANCE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The server that an order names.
#[derive(Debug)]
pub struct HttpSource {
    base: HttpUrl,
    client: Client,
    consoles: Arc<Consoles>,
    patience: Duration,
    /// It has given bytes of a blob: what it lacks since then may come back.
    delivered: AtomicBool,
    pace: Mutex<Pace>,
    given_up: AtomicBool,
}

/// How far a server is behind the slowest that is borne: [`FLOOR`] bytes for each second in which they were waited for. What is
/// done between the reads, a slow disk's writes above all, is not its fault.
#[derive(Debug, Default)]
struct Pace {
    behind: Duration,
}

impl Pace {
    /// So many bytes came after so long a wait; how far behind the server is now.
    fn add(&mut self, bytes: u64, waited: Duration) -> Duration {
        let earned = Duration::from_secs(bytes) / u32::try_from(FLOOR).unwrap_or(u32::MAX);
        self.behind = (self.behind + waited).saturating_sub(earned);
        self.behind
    }
}

impl HttpSource {
    /// Blobs are at `<base>/blobs/<sha256>`.
    ///
    /// # Errors
    /// A client can't be made; a bug.
    pub fn new(base: &HttpUrl, consoles: Arc<Consoles>) -> Result<Self, Failure> {
        Self::with_patience(base, consoles, PATIENCE)
    }

    fn with_patience(base: &HttpUrl, consoles: Arc<Consoles>, patience: Duration) -> Result<Self, Failure> {
        // in a blocking client this is the longest silence: for the answer's head, and for each read of its body
        let client = Client::builder().timeout(STALL).connect_timeout(CONNECT).redirect(Policy::none());
        let client = client.no_proxy().build();
        let client =
            client.map_err(|error| Failure::new(Code::Internal, format!("making a client: {error}")))?;
        let (delivered, given_up) = (AtomicBool::new(false), AtomicBool::new(false));
        let (base, pace) = (base.clone(), Mutex::default());
        Ok(Self { base, client, consoles, patience, delivered, pace, given_up })
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    fn url(&self, digest: &Digest) -> String {
        self.base.join("blobs").join(&digest.to_string()).to_string()
    }

    /// Fetches a document of which only the digest is known.
    ///
    /// # Errors
    /// The server can't be reached, or what it has isn't the document.
    pub fn document(&self, digest: &Digest, limit: u64) -> Result<Verified<Vec<u8>>, Failure> {
        let mut waiting = Waiting::new(self);
        loop {
            let url = self.url(digest);
            let fetch = || -> Result<Vec<u8>, Trouble> {
                let answer = self.check_status(self.client.get(&url).send().map_err(Trouble::passing)?)?;
                self.read_all(answer.take(limit))
            };
            match fetch() {
                Ok(bytes) => {
                    return Verified::by_digest(bytes, digest)
                        .map_err(|error| Failure::new(Code::PayloadDamaged, format!("{url}: {error}")));
                }
                Err(trouble) => waiting.after(&url, trouble)?,
            }
        }
    }
}

impl HttpSource {
    fn read_all(&self, mut answer: impl Read) -> Result<Vec<u8>, Trouble> {
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let begin = Instant::now();
            match answer.read(&mut buffer).map_err(Trouble::passing)? {
                0 => return Ok(bytes),
                count => {
                    bytes.extend_from_slice(&buffer[..count]);
                    self.keep_pace(count, begin.elapsed()).map_err(Trouble::lasting)?;
                }
            }
        }
    }

    /// Says when the server has used up all patience though it always gave something.
    fn keep_pace(&self, count: usize, waited: Duration) -> Result<(), String> {
        let behind = self.pace.lock().unwrap_or_else(PoisonError::into_inner).add(count as u64, waited);
        if behind < self.patience {
            return Ok(());
        }
        let patience = self.patience.as_secs();
        Err(format!(
            "the server gives less than {FLOOR} bytes a second; waited {patience} s longer than that"
        ))
    }
}

/// Why a request gave nothing.
struct Trouble {
    passing: bool,
    why: String,
}

impl Trouble {
    fn passing(error: impl std::error::Error) -> Self {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            why = inner.to_string();
            cause = inner.source();
        }
        Self { passing: true, why }
    }

    fn lasting(why: String) -> Self {
        Self { passing: false, why }
    }
}

impl HttpSource {
    /// What a server refuses before it has given anything, it will go on refusing. In the middle of an install its tree may
    /// be on its way: a new one is being put there, or a proxy is starting.
    fn check_status(&self, answer: Response) -> Result<Response, Trouble> {
        let status = answer.status();
        let busy = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(answer),
            _ if status.is_redirection() => {
                Err(Trouble::lasting(format!("the server says {status}; redirects aren't followed")))
            }
            _ => {
                let passing = !status.is_client_error()
                    || busy.contains(&status)
                    || self.delivered.load(Ordering::Relaxed);
                Err(Trouble { passing, why: format!("the server says {status}") })
            }
        }
    }
}

/// How long a server has been silent, and what was said of it.
struct Waiting<'a> {
    source: &'a HttpSource,
    since: Option<Instant>,
    backoff: Backoff,
}

impl<'a> Waiting<'a> {
    fn new(source: &'a HttpSource) -> Self {
        Self { source, since: None, backoff: Backoff::up_to(LONGEST_PAUSE) }
    }

    /// Pauses before another try, or gives up.
    fn after(&mut self, url: &str, trouble: Trouble) -> Result<(), Failure> {
        let failure = |why: String| Failure::new(Code::PayloadUnreachable, format!("{url}: {why}"));
        if !trouble.passing {
            return Err(failure(trouble.why));
        }
        if self.since.is_none() {
            self.source.consoles.line(&format!("waiting for {url}: {}", trouble.why));
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.source.patience {
            return Err(failure(format!("{}; waited {} s", trouble.why, self.source.patience.as_secs())));
        }
        let until = Instant::now() + self.backoff.pause();
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.source.is_given_up() {
                return Err(failure(format!("{}; nobody waits for it any more", trouble.why)));
            }
            std::thread::sleep(left.min(GLANCE));
        }
        Ok(())
    }

    fn over(&mut self, url: &str, position: u64) {
        if self.since.take().is_some() {
            self.source.consoles.line(&format!("resumed {url} at byte {position}"));
        }
        self.backoff.reset();
    }
}

impl BlobSource for HttpSource {
    fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    fn open<'a>(&'a self, blob: &Blob, offset: u64) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        self.open_part(blob, offset, blob.size.saturating_sub(offset))
    }

    fn open_part<'a>(
        &'a self,
        blob: &Blob,
        offset: u64,
        length: u64,
    ) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        Ok(Box::new(HttpStream {
            source: self,
            url: self.url(&blob.digest),
            size: blob.size,
            position: offset,
            end: offset.saturating_add(length).min(blob.size),
            answer: None,
            waiting: Waiting::new(self),
        }))
    }
}

struct HttpStream<'a> {
    source: &'a HttpSource,
    url: String,
    size: u64,
    position: u64,
    /// First byte that nobody will read.
    end: u64,
    answer: Option<Response>,
    waiting: Waiting<'a>,
}

impl HttpStream<'_> {
    fn ask(&self) -> Result<Response, Trouble> {
        let last = self.end.saturating_sub(1);
        let range = match self.end < self.size {
            true => format!("bytes={}-{last}", self.position),
            false => format!("bytes={}-", self.position),
        };
        let request = self.source.client.get(&self.url).header(RANGE, range);
        let answer = self.source.check_status(request.send().map_err(Trouble::passing)?)?;
        let expected = format!("bytes {}-{last}/{}", self.position, self.size);
        let found = answer.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        match (answer.status(), found) {
            (StatusCode::PARTIAL_CONTENT, Some(found)) if found == expected => Ok(answer),
            (StatusCode::OK, _) if self.position == 0 && answer.content_length() == Some(self.size) => {
                Ok(answer)
            }
            (StatusCode::OK, _) if self.position > 0 => {
                Err(Trouble::lasting("the server doesn't know Range requests".to_owned()))
            }
            (_, found) => {
                let found = found.unwrap_or("nothing about its range");
                Err(Trouble::lasting(format!("the server sends `{found}`, expected `{expected}`")))
            }
        }
    }

    /// Some bytes, from the answer that is open or from a new one.
    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, Trouble> {
        let mut answer = match self.answer.take() {
            Some(answer) => answer,
            None => self.ask()?,
        };
        let count = answer.read(buffer).map_err(Trouble::passing)?;
        if count == 0 {
            return Err(Trouble {
                passing: true,
                why: format!("the answer ended at byte {}", self.position),
            });
        }
        self.answer = Some(answer);
        Ok(count)
    }
}

impl BlobStream for HttpStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        if self.position.saturating_add(buffer.len() as u64) > self.end {
            let text = format!("{}: read past the end", self.url);
            return Err(Failure::new(Code::PayloadDamaged, text));
        }
        let (mut done, mut begin) = (0, Instant::now());
        while done < buffer.len() {
            if self.source.is_given_up() {
                let text = format!("{}: nobody waits for it any more", self.url);
                return Err(Failure::new(Code::PayloadUnreachable, text));
            }
            match self.some(&mut buffer[done..]) {
                Ok(count) => {
                    self.source.delivered.store(true, Ordering::Relaxed);
                    self.waiting.over(&self.url, self.position);
                    done += count;
                    self.position += count as u64;
                    self.source.keep_pace(count, begin.elapsed()).map_err(|why| {
                        Failure::new(Code::PayloadUnreachable, format!("{}: {why}", self.url))
                    })?;
                    begin = Instant::now();
                }
                Err(trouble) => self.waiting.after(&self.url, trouble)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
