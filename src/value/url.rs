//! Addresses that a target fetches from or reports to.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// An `http` or `https` URL without user information, query or fragment; safe on a kernel command line and in a template
/// (printable ASCII without blanks or quotes, which the URL standard guarantees).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpUrl(url::Url);

impl HttpUrl {
    /// Host part: a name or an address; IPv6 addresses keep their brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, 80 or 443 where none was given.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(80)
    }

    /// This URL with `path` (relative, segments joined by `/`) appended as a sub-resource.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/').filter(|segment| !segment.is_empty()));
        }
        Self(url)
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for HttpUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let url = url::Url::parse(text)
            .map_err(|error| ValueError::new(format!("not a URL (like http://10.0.0.1:8080): {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ValueError::new("only http and https can be fetched by a target"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ValueError::new(
                "a URL with a user name or password is refused: it would end in logs",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ValueError::new("a query or fragment has no meaning here"));
        }
        if url.as_str().contains(['\'', '"', '$', ';', '`', '\\']) {
            return Err(ValueError::new("quotes, `$`, `;` and backslashes are refused in URLs"));
        }
        Ok(Self(url))
    }
}

serde_through_text!(HttpUrl, {
    "description": "An http or https URL without user, query or fragment.",
    "pattern": "^\\s*[Hh][Tt][Tt][Pp][Ss]?:",
    "examples": ["https://images.example.com"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_below_itself_and_prints_without_a_trailing_slash() {
        let base: HttpUrl = "http://10.0.2.2:8080/site/".parse().unwrap();
        assert_eq!(base.to_string(), "http://10.0.2.2:8080/site");
        assert_eq!(base.join("packs/abc").to_string(), "http://10.0.2.2:8080/site/packs/abc");
        assert_eq!(base.port(), 8080);
    }

    #[test]
    fn refuses_what_could_leak_or_inject() {
        for text in
            ["http://u:p@h/", "ftp://h/", "http://h/?a=b", "http://h/a;b", "http://h/$(x)", "nonsense"]
        {
            assert!(text.parse::<HttpUrl>().is_err(), "{text}");
        }
    }
}
