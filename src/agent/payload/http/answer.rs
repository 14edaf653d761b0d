//! What the head of an answer says of the bytes that follow: whether they are of the blob that was asked for, and where they begin.
//!
//! Servers and proxies may answer a request for a range with all of it, with less or with more; what helps is taken. Pure. That
//! the bytes are right is for whoever verifies them.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_ENCODING, CONTENT_RANGE, HeaderMap};

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The first byte that is needed.
    pub position: u64,
    /// Length of the blob.
    pub size: u64,
}

/// Why an answer doesn't help, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It isn't what was asked for.
    Answer(String),
    /// It is, but what the server has isn't the blob.
    Blob(String),
}

/// How many bytes come before the one that is wanted.
///
/// # Errors
/// They can't be the blob's, or don't reach that byte.
pub fn bytes_before(
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<u64>,
    wanted: &Wanted,
) -> Result<u64, Wrong> {
    require_plain(headers)?;
    let Wanted { position, size } = *wanted;
    let require_size = |found: Option<u64>| match found {
        Some(found) if found != size => {
            Err(Wrong::Blob(format!("the server has {found} bytes of it, the manifest says {size}")))
        }
        _ => Ok(()),
    };
    if status != StatusCode::PARTIAL_CONTENT {
        require_size(length)?;
        return Ok(position);
    }
    let said = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let range = said.and_then(parse);
    let text = said.unwrap_or("nothing about its range");
    let Some((first, last, total)) = range else {
        return Err(Wrong::Answer(format!(
            "the server sends `{text}`, expected `bytes {position}-…/{size}`"
        )));
    };
    require_size(total)?;
    match position.checked_sub(first) {
        Some(before) if position <= last && last < size => Ok(before),
        _ => Err(Wrong::Answer(format!("the server sends `{text}`, asked for byte {position} of {size}"))),
    }
}

/// Blobs are sent as they are. Somebody on the way who compresses them unasked would make others of them.
///
/// # Errors
/// The answer says that its bytes stand for others.
pub fn require_plain(headers: &HeaderMap) -> Result<(), Wrong> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding.as_bytes() != b"identity" => Err(Wrong::Answer(format!(
            "the server sends it as `Content-Encoding: {}`, which nobody asked for; let it send blobs as they are",
            String::from_utf8_lossy(encoding.as_bytes())
        ))),
        _ => Ok(()),
    }
}

/// First byte, last byte, and the length of the whole where it is said, of a `Content-Range` (RFC 9110, 14.4).
fn parse(value: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let total = if total.trim() == "*" { None } else { Some(number(total)?) };
    Some((number(first)?, number(last)?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, range: Option<&str>, length: Option<u64>, position: u64) -> Result<u64, Wrong> {
        let mut headers = HeaderMap::new();
        range.map(|range| headers.insert(CONTENT_RANGE, range.parse().unwrap()));
        let wanted = Wanted { position, size: 100 };
        bytes_before(StatusCode::from_u16(status).unwrap(), &headers, length, &wanted)
    }

    #[test]
    fn what_holds_the_wanted_byte_helps_wherever_it_begins_and_ends() {
        for (range, before) in
            [("bytes 40-99/100", 0), ("bytes 40-40/100", 0), ("bytes 30-60/100", 10), ("bytes 0-99/*", 40)]
        {
            assert_eq!(judge(206, Some(range), None, 40), Ok(before), "{range}");
        }
        assert_eq!(judge(200, None, Some(100), 40), Ok(40));
        assert_eq!(judge(200, None, None, 0), Ok(0));
    }

    #[test]
    fn another_range_or_none_is_not_what_was_asked_for() {
        for range in [
            "bytes 41-99/100",
            "bytes 0-39/100",
            "bytes 40-100/100",
            "bytes 60-39/100",
            "40-99/100",
            "bytes */100",
            "",
        ] {
            assert!(matches!(judge(206, Some(range), None, 40), Err(Wrong::Answer(_))), "{range}");
        }
        assert!(matches!(judge(206, None, Some(60), 40), Err(Wrong::Answer(_))));
    }

    #[test]
    fn another_size_is_another_blob() {
        assert!(matches!(judge(206, Some("bytes 40-98/99"), None, 40), Err(Wrong::Blob(_))));
        assert!(matches!(judge(200, None, Some(101), 0), Err(Wrong::Blob(_))));
    }

    #[test]
    fn what_was_compressed_on_the_way_is_refused_by_name() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, "identity".parse().unwrap());
        assert_eq!(require_plain(&headers), Ok(()));
        headers.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        let Err(Wrong::Answer(why)) = require_plain(&headers) else { panic!("it is taken") };
        assert!(why.contains("gzip"), "{why}");
    }
}
