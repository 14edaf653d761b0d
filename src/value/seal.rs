//! A signature in few bytes, for what must carry its own proof.

use std::fmt;
use std::str::FromStr;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::{ValueError, serde_through_text};

/// An Ed25519 signature (RFC 8032), 64 bytes; which bytes and whose key is for `trust` to say. Text form: base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seal([u8; 64]);

impl Seal {
    /// A signature read from a binary record, or just made.
    pub fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({self})")
    }
}

impl FromStr for Seal {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bytes = BASE64.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            ValueError::new(format!("`{}` is not a signature (64 bytes in base64)", text.escape_debug()))
        })
    }
}

serde_through_text!(Seal);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_reads_back_and_a_shorter_one_does_not() {
        let seal = Seal::from_bytes(std::array::from_fn(|i| i as u8));
        assert_eq!(seal.to_string().parse(), Ok(seal));
        assert!(BASE64.encode([1; 63]).parse::<Seal>().is_err());
        assert!("not base64!".parse::<Seal>().is_err());
    }
}
