//! Points in time on the wire.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// Whole seconds since the Unix epoch, UTC. Text form: RFC 3339 with `Z`. Comes from `sys::Clock` or from signed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 9999-12-30, the last day jiff can print in every zone.
const LAST_SECOND: i64 = 253_402_207_200;

impl Timestamp {
    /// Clamped to what can be printed: year 1970 to 9999.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.clamp(0, LAST_SECOND))
    }

    /// Seconds since 1970-01-01T00:00:00Z, never negative.
    pub fn as_unix(self) -> i64 {
        self.0
    }

    /// This many seconds later, stopping at the last printable second.
    #[must_use]
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self::from_unix(self.0.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let shown = text.escape_debug();
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            ValueError::new(format!("`{shown}` is not a time (RFC 3339, like 2026-11-23T07:00:00Z)"))
        })?;
        Ok(Self::from_unix(time.as_second()))
    }
}

serde_through_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_and_reads_it_back() {
        let time = Timestamp::from_unix(1_795_417_200);
        assert_eq!(time.to_string(), "2026-11-23T07:00:00Z");
        assert_eq!("2026-11-23T08:00:00+01:00".parse(), Ok(time));
        assert_eq!(Timestamp::from_unix(i64::MAX).to_string().parse(), Ok(Timestamp::from_unix(i64::MAX)));
    }
}
