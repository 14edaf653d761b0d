//! The head of a request, as far as this server has a use for it. Pure.
//!
//! Promises: what two readers could take for requests of different lengths is refused. Bodies in pieces
//! (`Transfer-Encoding`) are not read: every sender of events knows how long they are.

use http::{Method, StatusCode};

use crate::trust::PROOF_HEADER;

/// Longest head.
pub const MAX_HEAD: usize = 16 << 10;
/// Most header fields.
const MAX_FIELDS: usize = 64;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// GET, POST and so on.
    pub method: Method,
    /// Path and query, as they came.
    pub target: String,
    /// Header fields that matter here, as they came.
    pub range: Option<Vec<u8>>,
    /// See [`range`](Self::range).
    pub if_range: Option<Vec<u8>>,
    /// See [`range`](Self::range).
    pub if_none_match: Option<Vec<u8>>,
    /// What proves the event in the body, as it came.
    pub proof: Option<Vec<u8>>,
    /// Bytes of the body.
    pub length: u64,
    /// The sender waits for a word before it sends the body.
    pub expects: bool,
    /// The connection may carry another request.
    pub keep: bool,
}

impl Request {
    /// The path, without a query.
    pub fn path(&self) -> &str {
        self.target.split(['?', '#']).next().unwrap_or_default()
    }
}

/// What came so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Head {
    /// The beginning of a head.
    Partial,
    /// A request, and the length of its head.
    Whole(Box<Request>, usize),
    /// None of this can be answered.
    Bad(StatusCode, &'static str),
}

/// Reads the head at the beginning of these bytes.
pub fn parse(bytes: &[u8]) -> Head {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Head::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Head::Bad(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the head of this request is too long",
            );
        }
        Err(_) => return Head::Bad(StatusCode::BAD_REQUEST, "this isn't a request of HTTP/1"),
    };
    match request(&parsed) {
        Ok(request) => Head::Whole(Box::new(request), length),
        Err((status, text)) => Head::Bad(status, text),
    }
}

fn request(parsed: &httparse::Request<'_, '_>) -> Result<Request, (StatusCode, &'static str)> {
    let bad = |text| (StatusCode::BAD_REQUEST, text);
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes())
        .map_err(|_| bad("the method isn't a word"))?;
    let target = origin(parsed.path.unwrap_or_default()).to_owned();
    let mut request = Request {
        method,
        target,
        range: None,
        if_range: None,
        if_none_match: None,
        proof: None,
        length: 0,
        expects: false,
        keep: parsed.version == Some(1),
    };
    let mut length = None;
    for httparse::Header { name, value } in parsed.headers.iter() {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        let own = || Some(value.to_vec());
        if is("range") {
            request.range = own();
        } else if is("if-range") {
            request.if_range = own();
        } else if is("if-none-match") {
            // several fields are one list (RFC 9110, 5.3)
            let mut list =
                request.if_none_match.take().map_or_else(Vec::new, |list| [&list[..], b","].concat());
            list.extend_from_slice(value);
            request.if_none_match = Some(list);
        } else if is(PROOF_HEADER) {
            request.proof = own();
        } else if is("content-length") {
            let digits = value.iter().all(u8::is_ascii_digit) && !value.is_empty();
            let text = std::str::from_utf8(value).ok().filter(|_| digits);
            let count: u64 =
                text.and_then(|text| text.parse().ok()).ok_or(bad("the length isn't a number"))?;
            if length.replace(count).is_some_and(|before| before != count) {
                return Err(bad("the request has two lengths"));
            }
        } else if is("transfer-encoding") {
            return Err((StatusCode::LENGTH_REQUIRED, "send the body with its Content-Length"));
        } else if is("expect") {
            request.expects = value.eq_ignore_ascii_case(b"100-continue");
        } else if is("connection") {
            let words = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            for word in words {
                if word.eq_ignore_ascii_case(b"close") {
                    request.keep = false;
                } else if word.eq_ignore_ascii_case(b"keep-alive") && parsed.version == Some(0) {
                    request.keep = true;
                }
            }
        }
    }
    request.length = length.unwrap_or(0);
    Ok(request)
}

/// Path and query; proxies and some firmware send them with the server's name in front.
fn origin(target: &str) -> &str {
    let Some((scheme, rest)) = target.split_once("://") else { return target };
    if !scheme.eq_ignore_ascii_case("http") {
        return target;
    }
    rest.find('/').map_or("/", |at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Request {
        match parse(text.as_bytes()) {
            Head::Whole(request, length) if length == text.len() => *request,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    fn refused(text: &str) -> u16 {
        match parse(text.as_bytes()) {
            Head::Bad(status, _) => status.as_u16(),
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn a_connection_is_kept_as_its_version_says() {
        for (head, keep) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: TE, close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
        ] {
            assert_eq!(whole(head).keep, keep, "{head}");
        }
    }

    #[test]
    fn fields_and_paths_are_found_however_they_are_written() {
        let request = whole(
            "POST http://server:8080/v1/events?a=b HTTP/1.1\r\nCONTENT-length: 12\r\nexpect: 100-Continue\r\nIf-None-Match: \"a\"\r\nif-none-match: \"b\"\r\n\r\n",
        );
        assert_eq!((request.path(), request.target.as_str()), ("/v1/events", "/v1/events?a=b"));
        assert_eq!((request.length, request.expects), (12, true));
        assert_eq!(request.if_none_match.as_deref(), Some(&b"\"a\",\"b\""[..]));
        assert_eq!(whole("GET http://server HTTP/1.1\r\n\r\n").path(), "/");
    }

    #[test]
    fn what_could_be_read_in_two_ways_or_never_ends_is_refused() {
        for (fields, status) in [
            ("Content-Length: 1\r\nContent-Length: 2\r\n", 400),
            ("Content-Length: +1\r\n", 400),
            ("Content-Length: 1, 1\r\n", 400),
            ("Content-Length: 99999999999999999999\r\n", 400),
            ("Content-Length:\r\n", 400),
            ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 411),
            ("no field\r\n", 400),
        ] {
            assert_eq!(refused(&format!("POST / HTTP/1.1\r\n{fields}\r\n")), status, "{fields}");
        }
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65))), 431);
        assert_eq!(refused(&format!("GET /{}", "a".repeat(MAX_HEAD))), 431);
        assert_eq!(refused("\u{16}\u{3}\u{1} TLS"), 400);
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost"), Head::Partial);
    }
}
