//! Sizes in bytes.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// A number of bytes. Text form: an integer with a unit; `K M G T` and `KiB…` are powers of 1024, `kB MB GB TB` of 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

const BINARY: [(&str, u64); 4] = [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

impl ByteSize {
    /// A size known in bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    /// The largest binary unit that loses nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match BINARY.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}iB", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let shown = text.escape_debug();
        let wrong = || ValueError::new(format!("`{shown}` is not a size (like 512M, 8GiB or 500GB)"));
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let factor = match unit.trim() {
            "" | "B" => 1,
            "K" | "KiB" => 1 << 10,
            "M" | "MiB" => 1 << 20,
            "G" | "GiB" => 1 << 30,
            "T" | "TiB" => 1 << 40,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            _ => return Err(wrong()),
        };
        number
            .checked_mul(factor)
            .map(Self)
            .ok_or_else(|| ValueError::new(format!("`{shown}` is over 16 EiB")))
    }
}

serde_through_text!(ByteSize, {
    "description": "A number of bytes with a unit: K, M, G, T (or KiB…) are powers of 1024; kB, MB, GB, TB of 1000.",
    "pattern": "^[0-9]+\\s*(B|[KMGT](iB|B)?|kB)?\\s*$",
    "examples": ["8GiB", "500GB"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_and_decimal_units_differ() {
        assert_eq!("8G".parse(), Ok(ByteSize(8 << 30)));
        assert_eq!("8GB".parse(), Ok(ByteSize(8_000_000_000)));
        assert_eq!("512".parse(), Ok(ByteSize(512)));
        assert!("8 gigs".parse::<ByteSize>().is_err());
        assert!("-1".parse::<ByteSize>().is_err());
        assert!("99999999T".parse::<ByteSize>().is_err());
    }

    #[test]
    fn printing_loses_nothing() {
        for bytes in [0, 1, 1023, 1 << 10, 1 << 30, (1 << 30) + 512, 500_000_000_000] {
            assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }
    }
}
