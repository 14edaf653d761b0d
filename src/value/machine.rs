//! Identity strings that firmware reports (SMBIOS type 1), and the ones that firmware vendors left as placeholders.
//!
//! A placeholder identifies thousands of machines at once: a profile that names one is refused, and a target that
//! reports one is treated as having none.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// Texts that vendors ship instead of a serial number or UUID (compared without case and surrounding space).
const PLACEHOLDERS: &[&str] = &[
    "default string",
    "to be filled by o.e.m.",
    "to be filled by o.e.m",
    "system serial number",
    "system product name",
    "serial number",
    "not specified",
    "not applicable",
    "not available",
    "unknown",
    "none",
    "n/a",
    "na",
    "oem",
    "o.e.m.",
    "empty",
    "invalid",
    "123456789",
    "1234567890",
    "0123456789",
    "xxxxxxxxxxx",
    "chassis serial number",
];

fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let mut letters = text.chars().filter(char::is_ascii_alphanumeric);
    let first = letters.next();
    PLACEHOLDERS.contains(&text.as_str()) || first.is_none() || letters.all(|c| Some(c) == first)
}

/// A system serial number that can tell one machine from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(String);

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SerialNumber {
    type Err = ValueError;

    /// # Errors
    /// Empty, over 128 characters, with control characters, or a known placeholder.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
            return Err(ValueError::new(format!("`{}` is not a serial number", text.escape_debug())));
        }
        if is_placeholder(text) {
            return Err(ValueError::new(format!(
                "`{text}` is a placeholder that many machines share; match by MAC address or UUID instead"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(SerialNumber, {
    "description": "The machine's serial number as its firmware reports it; placeholders like `To be filled by O.E.M.` are refused.",
    "examples": ["CZ3131WEB2"],
});

/// A system UUID that can tell one machine from another. Text form: lower case with dashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemUuid(uuid::Uuid);

/// UUIDs that whole production runs share.
const SHARED_UUIDS: &[&str] =
    &["03000200-0400-0500-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc"];

impl fmt::Display for SystemUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SystemUuid {
    type Err = ValueError;

    /// # Errors
    /// Not a UUID, or one that vendors ship on many machines.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let shown = text.escape_debug();
        let uuid = uuid::Uuid::try_parse(text.trim()).map_err(|_| {
            ValueError::new(format!("`{shown}` is not a UUID (like 8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33)"))
        })?;
        let printed = uuid.to_string();
        if is_placeholder(&printed) || SHARED_UUIDS.contains(&printed.as_str()) {
            return Err(ValueError::new(format!(
                "`{text}` is a placeholder that many machines share; match by MAC address or serial instead"
            )));
        }
        Ok(Self(uuid))
    }
}

serde_through_text!(SystemUuid, {
    "description": "The machine's UUID as its firmware reports it.",
    "examples": ["8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_identify_nothing() {
        for text in [
            "Default string",
            " To be filled by O.E.M. ",
            "0000000000",
            "....",
            "XXXXXXXX",
            "System Serial Number",
        ] {
            assert!(text.parse::<SerialNumber>().is_err(), "{text}");
        }
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "03000200-0400-0500-0006-000700080009",
        ] {
            assert!(text.parse::<SystemUuid>().is_err(), "{text}");
        }
    }

    #[test]
    fn real_identities_are_kept() {
        assert_eq!("CZ3131".parse::<SerialNumber>().unwrap().to_string(), "CZ3131");
        let uuid: SystemUuid = "8B3F12AC-7D01-4A7E-9F44-0C5B1F0A2D33".parse().unwrap();
        assert_eq!(uuid.to_string(), "8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33");
    }
}
