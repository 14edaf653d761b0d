//! Answers: heads, conditions and ranges. Pure but for the open file that an answer may hold.
//!
//! Promises: an answer's length is known before its first byte; tags are digests, so they never name other content; one
//! range is honoured, a list of ranges is answered whole (RFC 9110, 14.2 allows it).

use std::fmt::Write as _;
use std::fs::File;
use std::sync::Arc;

use http::StatusCode;

use super::request::Request;
use crate::value::Digest;

/// What follows the head.
#[derive(Debug)]
pub enum Body {
    /// A few words.
    Text(String),
    /// What many answers share.
    Shared(Arc<Vec<u8>>),
    /// Part of a file.
    File {
        /// Open; whatever happens to its name, these are its bytes.
        file: File,
        /// Where the part begins.
        at: u64,
        /// Its bytes.
        length: u64,
    },
}

impl Body {
    /// Its bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Shared(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    /// Its code.
    pub status: StatusCode,
    /// What the body is; empty when there is none.
    pub kind: &'static str,
    /// More header fields, each with its line's end.
    pub fields: String,
    /// What follows.
    pub body: Body,
    /// The connection ends after it.
    pub close: bool,
}

impl Response {
    /// The head as it goes out.
    pub fn head(&self, date: &str, keep: bool) -> String {
        let Self { status, kind, fields, body, .. } = self;
        let mut head = String::with_capacity(384);
        let reason = status.canonical_reason().unwrap_or("Unknown");
        let _ = write!(head, "HTTP/1.1 {} {reason}\r\nDate: {date}\r\n", status.as_u16());
        if *status != StatusCode::NOT_MODIFIED {
            let _ = write!(head, "Content-Length: {}\r\n", body.length());
        }
        if !kind.is_empty() {
            let _ = write!(head, "Content-Type: {kind}\r\n");
        }
        head.push_str(fields);
        head.push_str(if keep { "Connection: keep-alive\r\n\r\n" } else { "Connection: close\r\n\r\n" });
        head
    }
}

/// A line for people.
pub fn sentence(status: StatusCode, text: &str) -> Response {
    let mut plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.push('\n');
    let kind = "text/plain; charset=utf-8";
    Response { status, kind, fields: String::new(), body: Body::Text(plain), close: false }
}

/// What to answer where a file is asked for that is there.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// The asker has it.
    Same,
    /// All of it.
    Whole,
    /// From the first byte, so many.
    Range(u64, u64),
    /// It has no such part.
    None,
}

/// Which part of a file with this tag and size a request asks for.
pub fn part(request: &Request, tag: &str, size: u64) -> Part {
    if request.if_none_match.as_deref().is_some_and(|list| lists(list, tag)) {
        return Part::Same;
    }
    let same = request.if_range.as_deref().is_none_or(|wanted| wanted.trim_ascii() == tag.as_bytes());
    match request.range.as_deref().filter(|_| same).map(|range| range_of(range, size)) {
        None | Some(Asked::Else) => Part::Whole,
        Some(Asked::Part(from, count)) => Part::Range(from, count),
        Some(Asked::Nothing) => Part::None,
    }
}

/// Whether `If-None-Match` lists a tag, which is compared weakly there (RFC 9110, 13.1.2).
fn lists(list: &[u8], tag: &str) -> bool {
    let one =
        |listed: &[u8]| listed == b"*" || listed.strip_prefix(b"W/").unwrap_or(listed) == tag.as_bytes();
    list.split(|byte| *byte == b',').any(|listed| one(listed.trim_ascii()))
}

enum Asked {
    Part(u64, u64),
    Nothing,
    /// Several ranges, another unit, no range at all: as if it weren't there.
    Else,
}

fn range_of(range: &[u8], size: u64) -> Asked {
    let text = std::str::from_utf8(range).unwrap_or_default().trim();
    let Some((unit, spec)) = text.split_once('=') else { return Asked::Else };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asked::Else };
    let number = |text: &str| -> Option<u64> {
        // a number that is larger than any file is still a number
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Else;
    }
    match (first.is_empty(), number(first), last.is_empty(), number(last)) {
        (true, _, _, Some(count)) if count == 0 || size == 0 => Asked::Nothing,
        (true, _, _, Some(count)) => Asked::Part(size - count.min(size), count.min(size)),
        (_, Some(from), false, Some(to)) if to < from => Asked::Else,
        (_, Some(from), _, _) if from >= size && (last.is_empty() || number(last).is_some()) => {
            Asked::Nothing
        }
        (_, Some(from), true, _) => Asked::Part(from, size - from),
        (_, Some(from), false, Some(to)) => Asked::Part(from, to.min(size - 1) - from + 1),
        _ => Asked::Else,
    }
}

/// The tag of content.
pub fn tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// What a file is, by its name; firmware judges boot files by it (UEFI 2.10, 24.7.4.2.1).
pub fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "efi" => "application/efi",
        "json" => "application/json",
        "cfg" | "conf" | "ipxe" | "minisig" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::{Head, parse};
    use super::*;

    fn asked(fields: &str) -> Part {
        let Head::Whole(request, _) = parse(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes()) else {
            panic!("{fields}")
        };
        part(&request, "\"a\"", 100)
    }

    #[test]
    fn one_range_is_honoured_and_what_is_none_is_ignored() {
        for (range, part) in [
            ("bytes=0-9", Part::Range(0, 10)),
            ("bytes=90-", Part::Range(90, 10)),
            ("bytes=90-1000", Part::Range(90, 10)),
            ("bytes=-10", Part::Range(90, 10)),
            ("bytes=-1000", Part::Range(0, 100)),
            ("Bytes = 5-5", Part::Range(5, 1)),
            ("bytes=0-99999999999999999999999", Part::Range(0, 100)),
            ("bytes=100-", Part::None),
            ("bytes=-0", Part::None),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=9-5", Part::Whole),
            ("bytes=x-5", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=0-5", Part::Whole),
            ("\u{9f}", Part::Whole),
        ] {
            assert_eq!(asked(&format!("Range: {range}\r\n")), part, "{range}");
        }
    }

    #[test]
    fn conditions_hold_for_the_digest_only() {
        for (fields, part) in [
            ("If-None-Match: \"a\"\r\nRange: bytes=0-1\r\n", Part::Same),
            ("If-None-Match: \"x\", W/\"a\"\r\n", Part::Same),
            ("If-None-Match: *\r\n", Part::Same),
            ("If-None-Match: \"x\"\r\n", Part::Whole),
            ("Range: bytes=0-1\r\nIf-Range: \"a\"\r\n", Part::Range(0, 2)),
            ("Range: bytes=0-1\r\nIf-Range: W/\"a\"\r\n", Part::Whole),
            ("Range: bytes=0-1\r\nIf-Range: Mon, 30 Nov 2026 00:00:00 GMT\r\n", Part::Whole),
        ] {
            assert_eq!(asked(fields), part, "{fields}");
        }
    }
}
