//! Names of hosts and orders, and words on the kernel command line.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, hex, serde_through_text};

/// A host name by RFC 1123, optionally with its domain; lower case. It names files, so it can't hold `/` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

impl HostName {
    /// The whole name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first label: what goes into `/etc/hostname`.
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// What follows the first label, if anything.
    pub fn domain(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, domain)| domain)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let label_is_good = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() > 253 || !text.split('.').all(label_is_good) {
            return Err(ValueError::new(format!(
                "`{}` is not a host name (letters, digits and dashes, labels of 1 to 63, joined by dots)",
                text.escape_debug()
            )));
        }
        let short = text.split('.').next().unwrap_or(text);
        if short.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ValueError::new(format!(
                "`{text}` starts with a label of digits only; tools take it for an address"
            )));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

serde_through_text!(HostName, {
    "description": "A host's name, with its domain or without.",
    "pattern": "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
    "examples": ["web01", "web01.example.com"],
});

/// One word of the kernel command line: printable ASCII without blanks, quotes or anything a loader's shell would read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelArg(String);

impl KernelArg {
    /// The word as the kernel sees it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KernelArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KernelArg {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/@+%~^*[]!#".contains(c);
        if text.is_empty() || text.len() > 512 || !text.chars().all(allowed) {
            // it may hold a password for the installer: it is not shown
            return Err(ValueError::new(
                "not one kernel argument (no blanks, quotes, `;`, `$` or backslashes; at most 512 bytes)",
            ));
        }
        if text == "---" || text == "--" {
            return Err(ValueError::new(format!("`{text}` separates arguments; it can't be one")));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(KernelArg, {
    "description": "One word of the kernel's command line.",
    "pattern": "^[A-Za-z0-9_=.,:/@+%~^*\\[\\]!#-]+$",
    "examples": ["console=ttyS0,115200n8"],
});

/// The identity of one install order: 128 random bits as 32 lower-case hexadecimal digits. It names the done file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(String);

impl OrderId {
    /// From random bytes; `order::mint` is the only caller outside tests.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes, for a binary record.
    pub fn to_bytes(&self) -> [u8; 16] {
        let digit = |at: usize| {
            self.0.as_bytes().get(at).map_or(0, |digit| (*digit as char).to_digit(16).unwrap_or(0))
        };
        std::array::from_fn(|i| (digit(2 * i) << 4 | digit(2 * i + 1)) as u8)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrderId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(ValueError::new(format!(
                "`{}` is not an order id (32 hexadecimal digits)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(OrderId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_split_at_the_first_dot() {
        let name: HostName = "Web01.example.com".parse().unwrap();
        assert_eq!(
            (name.as_str(), name.short(), name.domain()),
            ("web01.example.com", "web01", Some("example.com"))
        );
    }

    #[test]
    fn host_names_can_not_escape_a_directory() {
        for text in ["", "..", "a/b", "-a", "a-", "a..b", "a b", "über", "1234", &"a".repeat(64)] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }

    #[test]
    fn kernel_arguments_can_not_leave_their_word() {
        assert!("console=ttyS0,115200n8".parse::<KernelArg>().is_ok());
        for text in ["a b", "a;b", "a\nb", "\"a\"", "$x", "---", "", "a\\b", "{a}"] {
            assert!(text.parse::<KernelArg>().is_err(), "{text}");
        }
    }
}
