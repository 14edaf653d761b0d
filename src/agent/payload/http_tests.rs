//! A server for one blob that misbehaves on demand.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::waiting::PATIENCE;
use super::*;
use crate::agent::payload::source;

/// A client with this patience, and all else as machines have it.
fn client(base: &HttpUrl, patience: Duration) -> HttpSource {
    HttpSource::with_bounds(base, Arc::new(Consoles::none()), Bounds { patience, ..Bounds::REAL }).unwrap()
}

/// What a server does with one request.
#[derive(Clone, Copy)]
enum Act {
    /// Sends this many bytes of the range, then hangs up.
    Cut(usize),
    /// Answers with this status.
    Status(&'static str),
    /// Sends what was asked for.
    Whole,
    /// Sends a byte at a time, with a pause before each.
    Trickle(Duration),
    /// Sends the whole blob, whatever was asked for.
    IgnoreRange,
}

/// A server for one blob that acts like this, request by request; returns its address and the ranges it was asked for.
fn server(content: Vec<u8>, acts: Vec<Act>) -> (HttpUrl, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let handle = std::thread::spawn(move || {
        let mut ranges = Vec::new();
        for act in acts {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let range = lines.iter().find_map(|line| line.strip_prefix("range: bytes=")).unwrap_or("0-");
            let (start, last) = range.split_once('-').unwrap();
            let start: usize = start.parse().unwrap();
            let last = last.parse().unwrap_or(content.len() - 1);
            ranges.push(range.to_owned());
            let (rest, size) = (&content[start..=last], content.len());
            let partial = format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {start}-{last}/{size}\r\nconnection: close\r\n\r\n",
                rest.len()
            );
            let sent = match act {
                Act::Cut(count) => {
                    stream.write_all(partial.as_bytes()).and_then(|()| stream.write_all(&rest[..count]))
                }
                Act::Whole => stream.write_all(partial.as_bytes()).and_then(|()| stream.write_all(rest)),
                Act::Trickle(pause) => stream.write_all(partial.as_bytes()).and_then(|()| {
                    rest.iter().try_for_each(|byte| {
                        std::thread::sleep(pause);
                        stream.write_all(&[*byte])
                    })
                }),
                Act::Status(status) => {
                    write!(
                        stream,
                        "HTTP/1.1 {status}\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    )
                }
                Act::IgnoreRange => {
                    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n")
                        .and_then(|()| stream.write_all(&content))
                }
            };
            let _ = sent;
        }
        ranges
    });
    (base, handle)
}

fn blob() -> (Vec<u8>, Blob) {
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let blob = Blob { digest: Digest::of(&content), size: content.len() as u64 };
    (content, blob)
}

fn fetch(acts: Vec<Act>, patience: Duration) -> (Result<Vec<u8>, Failure>, Vec<String>) {
    let (content, blob) = blob();
    let (base, handle) = server(content, acts);
    let source = client(&base, patience);
    let fetched = source::fetch(&source, &blob, 1 << 20).map(Verified::into_inner);
    (fetched, handle.join().unwrap())
}

#[test]
fn a_broken_stream_goes_on_at_the_byte_it_had_reached() {
    let acts = vec![Act::Cut(1000), Act::Status("503 Service Unavailable"), Act::Cut(50_000), Act::Whole];
    let (fetched, ranges) = fetch(acts, Duration::from_secs(60));
    assert_eq!(fetched.unwrap(), blob().0);
    assert_eq!(ranges, ["0-", "1000-", "1000-", "51000-"]);
}

#[test]
fn a_blob_that_is_not_there_is_told_at_once() {
    let failure = fetch(vec![Act::Status("404 Not Found")], Duration::from_secs(60)).0.unwrap_err();
    assert_eq!(failure.code, Code::PayloadUnreachable);
    assert!(failure.message.contains("404"), "{failure}");
}

#[test]
fn a_blob_that_is_gone_in_the_middle_may_come_back() {
    let acts =
        vec![Act::Cut(1000), Act::Status("404 Not Found"), Act::Status("429 Too Many Requests"), Act::Whole];
    assert!(fetch(acts, Duration::from_secs(60)).0.is_ok());
    // a server that is only busy has refused nothing
    assert!(fetch(vec![Act::Status("429 Too Many Requests"), Act::Whole], Duration::from_secs(60)).0.is_ok());
}

#[test]
fn patience_ends() {
    let acts = vec![Act::Status("503 Service Unavailable"); 3];
    let failure = fetch(acts, Duration::from_millis(1200)).0.unwrap_err();
    assert_eq!(failure.code, Code::PayloadUnreachable);
}

#[test]
fn a_server_without_ranges_is_read_from_the_beginning() {
    let (content, blob) = blob();
    for acts in [vec![Act::IgnoreRange], vec![Act::Cut(10), Act::IgnoreRange]] {
        assert_eq!(fetch(acts, Duration::from_secs(60)).0.unwrap(), content);
    }
    let (base, _server) = server(content.clone(), vec![Act::IgnoreRange]);
    let source = client(&base, Duration::from_secs(60));
    let mut part = [0; 20];
    source.open_part(&blob, 300_000, 20).unwrap().read(&mut part).unwrap();
    assert_eq!(part, content[300_000..300_020]);
}

#[test]
fn a_document_is_known_by_its_digest() {
    let (content, blob) = blob();
    let (base, handle) = server(content.clone(), vec![Act::Whole]);
    let source = HttpSource::new(&base, Arc::new(Consoles::none())).unwrap();
    assert_eq!(*source.document(&blob.digest, 1 << 20).unwrap(), content);
    handle.join().unwrap();
    let (base, handle) = server(content, vec![Act::Whole, Act::Whole]);
    let source = HttpSource::new(&base, Arc::new(Consoles::none())).unwrap();
    assert_eq!(source.document(&Digest::of(b"x"), 1 << 20).unwrap_err().code, Code::PayloadDamaged);
    handle.join().unwrap();
}

#[test]
fn a_part_is_asked_for_with_its_end_and_resumed_with_it() {
    let (content, blob) = blob();
    let (base, handle) = server(content.clone(), vec![Act::Cut(10), Act::Whole]);
    let source = client(&base, Duration::from_secs(60));
    let mut part = [0; 20];
    source.open_part(&blob, 30, 20).unwrap().read(&mut part).unwrap();
    assert_eq!(part, content[30..50]);
    assert_eq!(handle.join().unwrap(), ["30-49", "40-49"]);
}

#[test]
fn redirects_are_not_followed_and_told_at_once() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        // a second request would find nobody
        let (fetched, ranges) = fetch(vec![Act::Status(status)], Duration::from_secs(60));
        let failure = fetched.unwrap_err();
        assert_eq!((failure.code, ranges.len()), (Code::PayloadUnreachable, 1));
        assert!(failure.message.contains("redirects aren't followed"), "{failure}");
    }
}

#[test]
fn a_server_that_trickles_ends_the_patience_with_it() {
    let begin = Instant::now();
    let (fetched, _) = fetch(vec![Act::Trickle(Duration::from_millis(50))], Duration::from_secs(1));
    let failure = fetched.unwrap_err();
    assert_eq!(failure.code, Code::PayloadUnreachable);
    assert!(failure.message.contains("gives less than 1024 bytes a second"), "{failure}");
    assert!(begin.elapsed() < Duration::from_secs(30));

    let (content, blob) = blob();
    let (base, _server) = server(content, vec![Act::Trickle(Duration::from_millis(50))]);
    let source = client(&base, Duration::from_secs(1));
    assert_eq!(source.document(&blob.digest, 1 << 20).unwrap_err().code, Code::PayloadUnreachable);
}

#[test]
fn one_byte_in_nineteen_seconds_ends_it_after_the_patience_and_a_slow_link_never_does() {
    let mut trickle = Pace::default();
    let reads = (1..).find(|_| trickle.add(1, Duration::from_secs(19)) >= PATIENCE).unwrap();
    assert_eq!(reads, PATIENCE.as_secs().div_ceil(19));
    let mut slow = Pace::default();
    for _ in 0..100_000 {
        assert!(slow.add(2 * FLOOR, Duration::from_secs(1)).is_zero());
    }
    // what came fast before is no credit for later
    assert!(slow.add(0, PATIENCE) >= PATIENCE);
}

/// A disk broke: the install is over, and waiting for a server that is away, or that gives a byte now and then, must be too.
#[test]
fn what_nobody_needs_any_more_is_not_waited_for() {
    let (content, blob) = blob();
    for acts in [Vec::new(), vec![Act::Trickle(Duration::from_millis(20))]] {
        let (base, _server) = server(content.clone(), acts);
        let source = HttpSource::new(&base, Arc::new(Consoles::none())).unwrap();
        let begin = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                source.give_up();
            });
            let failure = source::fetch(&source, &blob, 1 << 20).unwrap_err();
            assert!(failure.message.contains("nobody waits for it any more"), "{failure}");
        });
        assert!(begin.elapsed() < Duration::from_secs(15));
    }
}

/// Once, even in the middle of an install, when a blob that is gone may come back.
#[test]
fn a_document_that_one_can_do_without_is_asked_for_once() {
    let (content, blob) = blob();
    let acts = vec![
        Act::IgnoreRange,
        Act::Whole,
        Act::Status("404 Not Found"),
        Act::Status("503 Service Unavailable"),
        Act::Status("302 Found"),
        Act::IgnoreRange,
    ];
    let (base, handle) = server(content.clone(), acts);
    let source = HttpSource::new(&base, Arc::new(Consoles::none())).unwrap();
    assert_eq!(source.hint(&blob.digest, 1 << 20), Some(content.clone()));
    source.open(&blob, 0).unwrap().read(&mut [0; 100]).unwrap();
    for _ in 0..3 {
        assert_eq!(source.hint(&blob.digest, 1 << 20), None);
    }
    assert_eq!(source.hint(&blob.digest, content.len() as u64 - 1), None, "it is longer than it may be");
    assert_eq!(handle.join().unwrap().len(), 6);
    // and nobody is there any more
    assert_eq!(source.hint(&blob.digest, 1 << 20), None);
}
