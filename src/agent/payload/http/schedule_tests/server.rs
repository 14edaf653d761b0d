//! A web server on loopback that does what a schedule says, request by request: the faults of servers, proxies and lines.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// No connection is held longer, whatever an act says.
const LONGEST: Duration = Duration::from_secs(20);

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// What was asked for arrives.
    Whole,
    /// It arrives, and the connection is closed though nobody said so.
    HangsUp,
    /// So many bytes arrive, then the connection is closed.
    Cut(usize),
    /// So many bytes arrive, then the connection is reset.
    Reset(usize),
    /// So many bytes arrive, then none, and the connection stays.
    Stalls(usize),
    /// Not even a head arrives.
    Silent,
    /// This status, with a page for people.
    Status(&'static str),
    /// 404, of packs; other requests are answered with 503.
    PackMissing,
    /// What arrives isn't HTTP.
    Garbage,
    /// More arrives than was announced.
    More(usize),
    /// It arrives twice.
    Twice,
    /// In chunks.
    Chunked,
    /// Its length isn't said; it ends with the connection.
    Unsaid,
    /// All of the blob, whatever was asked for.
    NoRange,
    /// All of the blob, but for what is missing at its end.
    NoRangeCut(usize),
    /// Less than was asked for, and it is said.
    Less(usize),
    /// The range begins so many bytes earlier, and it is said.
    Early(usize),
    /// The range begins so many bytes later, and it is said.
    Late(usize),
    /// Its length isn't said, and so many bytes are missing at the end.
    Truncated(usize),
    /// The blob is said to be so many bytes longer.
    Longer(usize),
    /// It is said to be compressed.
    Gzip,
    /// One bit arrives changed.
    Flip(usize),
    /// So many bytes arrive one by one, with this pause before each; then the rest.
    Trickle(usize, Duration),
}

/// The server.
pub struct Server<'a> {
    /// By the path that they are asked for with.
    blobs: &'a BTreeMap<String, Vec<u8>>,
    listener: TcpListener,
    acts: Mutex<VecDeque<Act>>,
    then: Act,
    over: AtomicBool,
}

struct Request {
    path: String,
    /// First byte, and the last one where it is said.
    range: Option<(usize, Option<usize>)>,
}

/// What is sent of a blob, as the head says it.
struct Part<'c> {
    content: &'c [u8],
    range: Range<usize>,
    is_partial: bool,
}

impl<'a> Server<'a> {
    /// One that acts like this, and then goes on like that.
    pub fn new(blobs: &'a BTreeMap<String, Vec<u8>>, acts: Vec<Act>, then: Act) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Self { blobs, listener, acts: Mutex::new(acts.into()), then, over: AtomicBool::new(false) })
    }

    /// Where it is.
    pub fn base(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// Serves until [`end`](Self::end).
    pub fn run(&self) {
        std::thread::scope(|scope| {
            for stream in self.listener.incoming() {
                if self.over.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(stream) = stream {
                    scope.spawn(move || self.converse(stream));
                }
            }
        });
    }

    /// Nobody asks any more.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.listener.local_addr().unwrap());
    }

    fn converse(&self, mut stream: TcpStream) {
        let Ok(clone) = stream.try_clone() else { return };
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(LONGEST));
        let mut reader = BufReader::new(clone);
        while let Ok(Some(request)) = Request::read(&mut reader) {
            let act = self.acts.lock().unwrap().pop_front().unwrap_or(self.then);
            if !self.answer(&mut stream, &request, act).unwrap_or(false) {
                return;
            }
        }
    }

    /// Acts; whether the connection goes on.
    fn answer(&self, stream: &mut TcpStream, request: &Request, act: Act) -> io::Result<bool> {
        let Some(content) = self.blobs.get(&request.path) else { return page(stream, "404 Not Found") };
        let part = Part::of(content, request.range);
        let (head, body) = (part.head(""), part.body());
        let some = |count: usize| &body[..count.min(body.len())];
        match act {
            Act::Whole => stream.write_all(&[head.as_bytes(), body].concat())?,
            Act::HangsUp => {
                stream.write_all(&[head.as_bytes(), body].concat())?;
                return Ok(false);
            }
            Act::Cut(count) => {
                stream.write_all(&[head.as_bytes(), some(count)].concat())?;
                return Ok(false);
            }
            Act::Reset(count) => {
                stream.write_all(&[head.as_bytes(), some(count)].concat())?;
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
                return Ok(false);
            }
            Act::Stalls(count) => {
                stream.write_all(&[head.as_bytes(), some(count)].concat())?;
                return self.holds();
            }
            Act::Silent => return self.holds(),
            Act::Status(status) => return page(stream, status),
            Act::PackMissing if request.range.is_none() => return page(stream, "503 Service Unavailable"),
            Act::PackMissing => return page(stream, "404 Not Found"),
            Act::Garbage => {
                stream.write_all(b"220 mail.example ESMTP ready\r\n\r\n")?;
                return Ok(false);
            }
            Act::More(count) => {
                stream.write_all(&[head.as_bytes(), body, &vec![b'x'; count]].concat())?;
            }
            Act::Twice => stream.write_all(&[head.as_bytes(), body, head.as_bytes(), body].concat())?,
            Act::Trickle(count, pause) => return self.trickle(stream, &head, body, count, pause),
            act => return part.sent_otherwise(stream, act),
        }
        Ok(true)
    }

    fn trickle(
        &self,
        stream: &mut TcpStream,
        head: &str,
        body: &[u8],
        count: usize,
        pause: Duration,
    ) -> io::Result<bool> {
        stream.write_all(head.as_bytes())?;
        let (slow, rest) = body.split_at(count.min(body.len()));
        for byte in slow {
            if self.over.load(Ordering::Relaxed) {
                return Ok(false);
            }
            std::thread::sleep(pause);
            stream.write_all(&[*byte])?;
        }
        stream.write_all(rest)?;
        Ok(true)
    }

    /// Keeps the connection, and says nothing.
    fn holds(&self) -> io::Result<bool> {
        let begin = Instant::now();
        while !self.over.load(Ordering::Relaxed) && begin.elapsed() < LONGEST {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }
}

fn page(stream: &mut TcpStream, status: &str) -> io::Result<bool> {
    let page = format!("<html>{status}</html>\n");
    let length = page.len();
    write!(stream, "HTTP/1.1 {status}\r\nlocation: /elsewhere\r\ncontent-length: {length}\r\n\r\n{page}")?;
    Ok(true)
}

impl Request {
    fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let (mut first, mut range) = (String::new(), None);
        if reader.read_line(&mut first)? == 0 {
            return Ok(None);
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                return Ok(Some(Self { path, range }));
            }
            if let Some((start, last)) =
                line.trim().strip_prefix("range: bytes=").and_then(|r| r.split_once('-'))
            {
                range = start.parse().ok().map(|start| (start, last.parse().ok()));
            }
        }
    }
}

impl<'c> Part<'c> {
    fn of(content: &'c [u8], range: Option<(usize, Option<usize>)>) -> Self {
        let (start, last) = range.unwrap_or((0, None));
        let end = last.map_or(content.len(), |last| (last + 1).min(content.len()));
        Self { content, range: start.min(end)..end, is_partial: range.is_some() }
    }

    fn whole(content: &'c [u8]) -> Self {
        Self { content, range: 0..content.len(), is_partial: false }
    }

    fn body(&self) -> &'c [u8] {
        &self.content[self.range.clone()]
    }

    fn head(&self, more: &str) -> String {
        self.head_of(self.content.len(), &format!("content-length: {}\r\n{more}", self.range.len()))
    }

    fn head_of(&self, size: usize, more: &str) -> String {
        let Range { start, end } = self.range;
        match self.is_partial {
            true => {
                let range = format!("content-range: bytes {start}-{}/{size}", end.saturating_sub(1));
                format!("HTTP/1.1 206 Partial Content\r\n{range}\r\n{more}\r\n")
            }
            false => format!("HTTP/1.1 200 OK\r\n{more}\r\n"),
        }
    }

    /// The same part, of another range.
    fn moved(&self, range: Range<usize>) -> Self {
        let range = if self.is_partial && !range.is_empty() { range } else { self.range.clone() };
        Self { range, ..*self }
    }

    /// Sends it in another form; whether the connection goes on.
    fn sent_otherwise(self, stream: &mut TcpStream, act: Act) -> io::Result<bool> {
        let Range { start, end } = self.range;
        let send = |stream: &mut TcpStream, part: &Self| {
            stream.write_all(&[part.head("").as_bytes(), part.body()].concat()).map(|()| true)
        };
        match act {
            Act::NoRange => send(stream, &Self::whole(self.content)),
            Act::NoRangeCut(missing) => {
                let whole = Self::whole(self.content);
                let body = &self.content[..self.content.len().saturating_sub(missing)];
                stream.write_all(&[whole.head("").as_bytes(), body].concat())?;
                Ok(false)
            }
            Act::Less(count) => send(stream, &self.moved(start..end.min(start + count.max(1)))),
            Act::Early(count) => send(stream, &self.moved(start.saturating_sub(count)..end)),
            Act::Late(count) => send(stream, &self.moved((start + count).min(end)..end)),
            Act::Longer(count) => {
                let said = format!("content-length: {}\r\n", self.range.len());
                let head = self.head_of(self.content.len() + count, &said);
                stream.write_all(&[head.as_bytes(), self.body()].concat())?;
                Ok(true)
            }
            Act::Gzip => {
                let head = self.head("content-encoding: gzip\r\n");
                stream.write_all(&[head.as_bytes(), self.body()].concat())?;
                Ok(true)
            }
            Act::Flip(at) => {
                let mut body = self.body().to_vec();
                let at = at % (body.len() * 8).max(1);
                if let Some(byte) = body.get_mut(at / 8) {
                    *byte ^= 1 << (at % 8);
                }
                stream.write_all(&[self.head("").as_bytes(), &body].concat())?;
                Ok(true)
            }
            Act::Chunked => {
                stream.write_all(
                    self.head_of(self.content.len(), "transfer-encoding: chunked\r\n").as_bytes(),
                )?;
                for piece in self.body().chunks(1000) {
                    write!(stream, "{:x}\r\n", piece.len())?;
                    stream.write_all(&[piece, b"\r\n"].concat())?;
                }
                stream.write_all(b"0\r\n\r\n")?;
                Ok(true)
            }
            Act::Unsaid | Act::Truncated(_) => {
                let missing = if let Act::Truncated(missing) = act { missing } else { 0 };
                let body = &self.body()[..self.range.len().saturating_sub(missing)];
                let head = self.head_of(self.content.len(), "connection: close\r\n");
                stream.write_all(&[head.as_bytes(), body].concat())?;
                Ok(false)
            }
            act => unreachable!("{act:?} is an answer in the usual form"),
        }
    }
}
