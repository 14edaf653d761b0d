//! Blobs from a web server: one long request, continued with Range where it broke.
//!
//! A server may go away and come back: a stream is patient for [`waiting::PATIENCE`] since the last byte that arrived, and says on
//! the console when it waits and when it goes on. One that trickles isn't there either: see [`Pace`]. A server that knows no
//! Range is read over from the blob's beginning. Redirects aren't followed: a blob is where the signed order says, or nowhere.
//! Nothing that arrives is trusted; what an answer says of itself is judged in [`answer`].

mod answer;
mod waiting;

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::RANGE;
use reqwest::redirect::Policy;

use self::answer::{Wanted, Wrong};
use self::waiting::{Bounds, FLOOR, Kind, Pace, Trouble, Waiting};
use super::source::{BlobSource, BlobStream};
use crate::agent::Failure;
use crate::agent::report::console::Consoles;
use crate::spec::Code;
use crate::spec::image::Blob;
use crate::trust::Verified;
use crate::value::{Digest, HttpUrl};

/// How long a document may take that one can do without.
const HINT_PATIENCE: Duration = Duration::from_secs(30);

/// The server that an order names.
#[derive(Debug)]
pub struct HttpSource {
    base: HttpUrl,
    client: Client,
    consoles: Arc<Consoles>,
    bounds: Bounds,
    /// It sends what comes before what it is asked for, and that was said.
    sends_more: AtomicBool,
    /// It has given bytes of a blob: what it lacks since then may come back.
    delivered: AtomicBool,
    pace: Mutex<Pace>,
    given_up: AtomicBool,
}

impl HttpSource {
    /// Blobs are at `<base>/blobs/<sha256>`.
    ///
    /// # Errors
    /// A client can't be made; a bug.
    pub fn new(base: &HttpUrl, consoles: Arc<Consoles>) -> Result<Self, Failure> {
        Self::with_bounds(base, consoles, Bounds::REAL)
    }

    fn with_bounds(base: &HttpUrl, consoles: Arc<Consoles>, bounds: Bounds) -> Result<Self, Failure> {
        // in a blocking client this is the longest silence: for the answer's head, and for each read of its body
        let client = Client::builder().timeout(bounds.silence).connect_timeout(bounds.connect);
        let client = client.redirect(Policy::none()).no_proxy().build();
        let client =
            client.map_err(|error| Failure::new(Code::Internal, format!("making a client: {error}")))?;
        let (delivered, given_up, sends_more) = Default::default();
        let (base, pace) = (base.clone(), Mutex::default());
        Ok(Self { base, client, consoles, bounds, sends_more, delivered, pace, given_up })
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    fn url(&self, digest: &Digest) -> String {
        self.base.join("blobs").join(&digest.to_string()).to_string()
    }

    /// Fetches a document of which only the digest is known; once more where it isn't that one.
    ///
    /// # Errors
    /// The server can't be reached, or what it has isn't the document.
    pub fn document(&self, digest: &Digest, limit: u64) -> Result<Verified<Vec<u8>>, Failure> {
        let mut waiting = Waiting::new(self);
        let url = self.url(digest);
        let fetch = || -> Result<Verified<Vec<u8>>, Trouble> {
            let answer = self.check_status(self.client.get(&url).send().map_err(Trouble::passing)?)?;
            answer::require_plain(answer.headers()).map_err(Trouble::wrong)?;
            let bytes = self.read_all(answer.take(limit))?;
            Verified::by_digest(bytes, digest).map_err(|error| Trouble::wrong(Wrong::Blob(error.to_string())))
        };
        loop {
            match fetch() {
                Ok(document) => return Ok(document),
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
        if behind < self.bounds.patience {
            return Ok(());
        }
        let patience = self.bounds.patience.as_secs();
        Err(format!(
            "the server gives less than {FLOOR} bytes a second; waited {patience} s longer than that"
        ))
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
                let is_passing = !status.is_client_error()
                    || busy.contains(&status)
                    || self.delivered.load(Ordering::Relaxed);
                let kind = if is_passing { Kind::Passing } else { Kind::Lasting };
                let why = format!("the server says {status}");
                Err(Trouble { kind, code: Code::PayloadUnreachable, why })
            }
        }
    }

    /// Reads what comes before the bytes that were asked for.
    fn read_over(&self, answer: &mut Response, mut left: u64) -> Result<(), Trouble> {
        if left > 0 && !self.sends_more.swap(true, Ordering::Relaxed) {
            self.consoles.line("the server sends more than it is asked for (no Range?): all of it is read, which takes longer");
        }
        let mut waste = vec![0; left.min(64 << 10) as usize];
        while left > 0 {
            if self.is_given_up() {
                return Err(Trouble::lasting("nobody waits for it any more".to_owned()));
            }
            let begin = Instant::now();
            let room = left.min(waste.len() as u64) as usize;
            let count = answer.read(&mut waste[..room]).map_err(Trouble::passing)?;
            if count == 0 {
                return Err(Trouble::passing(std::io::Error::other("the answer ended too early")));
            }
            self.keep_pace(count, begin.elapsed()).map_err(Trouble::lasting)?;
            left -= count as u64;
        }
        Ok(())
    }
}

impl BlobSource for HttpSource {
    fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    fn hint(&self, digest: &Digest, limit: u64) -> Option<Vec<u8>> {
        let begin = Instant::now();
        let request = self.client.get(self.url(digest)).timeout(HINT_PATIENCE);
        let mut answer = request.send().ok().filter(|answer| answer.status() == StatusCode::OK)?;
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let count = answer.read(&mut buffer).ok()?;
            bytes.extend_from_slice(&buffer[..count]);
            match count {
                0 => return Some(bytes),
                _ if bytes.len() as u64 > limit || begin.elapsed() > HINT_PATIENCE || self.is_given_up() => {
                    return None;
                }
                _ => {}
            }
        }
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
            over: Duration::ZERO,
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
    /// Time since the last byte that went into reading over others, which the pace knows of.
    over: Duration,
    waiting: Waiting<'a>,
}

impl HttpStream<'_> {
    fn ask(&mut self) -> Result<Response, Trouble> {
        let last = self.end.saturating_sub(1);
        let range = match self.end < self.size {
            true => format!("bytes={}-{last}", self.position),
            false => format!("bytes={}-", self.position),
        };
        let request = self.source.client.get(&self.url).header(RANGE, range);
        let mut answer = self.source.check_status(request.send().map_err(Trouble::passing)?)?;
        let wanted = Wanted { position: self.position, size: self.size };
        let before =
            answer::bytes_before(answer.status(), answer.headers(), answer.content_length(), &wanted)
                .map_err(Trouble::wrong)?;
        let begin = Instant::now();
        let over = self.source.read_over(&mut answer, before);
        self.over += begin.elapsed();
        over.map(|()| answer)
    }

    /// Some bytes, from the answer that is open or from a new one.
    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, Trouble> {
        let mut answer = match self.answer.take() {
            Some(answer) => answer,
            None => self.ask()?,
        };
        let count = answer.read(buffer).map_err(Trouble::passing)?;
        if count == 0 {
            let why = format!("the answer ended at byte {}", self.position);
            return Err(Trouble::passing(std::io::Error::other(why)));
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
                    let waited = begin.elapsed().saturating_sub(std::mem::take(&mut self.over));
                    self.source.keep_pace(count, waited).map_err(|why| {
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
mod schedule_tests;
#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
