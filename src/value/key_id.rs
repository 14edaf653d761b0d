//! The name of a key, as minisign prints it.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// The id that minisign gives a key: 8 random bytes, printed as a little-endian number of 16 hexadecimal digits. It tells keys
/// apart and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// The id as it stands in keys and signatures.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_one);
        number.map(|number| Self(number.to_le_bytes())).ok_or_else(|| {
            ValueError::new(format!(
                "`{}` is not the id of a key (16 hexadecimal digits, as `ironstrap key show` prints it)",
                text.escape_debug()
            ))
        })
    }
}

serde_through_text!(KeyId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_in_either_case_and_nothing_else_is_one() {
        let id = KeyId::from_bytes([1, 2, 3, 4, 5, 6, 7, 0xab]);
        assert_eq!(id.to_string(), "AB07060504030201");
        assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
        for wrong in ["", "AB0706050403020", "AB070605040302011", "+B07060504030201", "web01"] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
    }
}
