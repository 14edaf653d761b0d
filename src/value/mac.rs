//! Hardware addresses of network interfaces.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// A unicast IEEE 802 MAC address. Text form: lower case with colons; dashes are read too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The six octets in transmission order.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// With dashes, as pxelinux and `BOOTIF` spell it.
    pub fn dashed(self) -> String {
        self.to_string().replace(':', "-")
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mac({self})")
    }
}

impl FromStr for Mac {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let shown = text.escape_debug();
        let wrong = || ValueError::new(format!("`{shown}` is not a MAC address (like 52:54:00:12:34:56)"));
        let mut octets = [0; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().ok_or_else(wrong)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        if octets[0] & 1 == 1 {
            return Err(ValueError::new(format!(
                "`{text}` is a group address; no interface has it as its own"
            )));
        }
        if octets == [0; 6] {
            return Err(ValueError::new(format!(
                "`{text}` is the null address; name the interface's real one"
            )));
        }
        Ok(Self(octets))
    }
}

serde_through_text!(Mac, {
    "description": "The permanent hardware address of a network card.",
    "pattern": "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$",
    "examples": ["52:54:00:12:34:56"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_separators_and_prints_one() {
        let mac: Mac = "52-54-00-AB-CD-EF".parse().unwrap();
        assert_eq!(mac.to_string(), "52:54:00:ab:cd:ef");
        assert_eq!(mac.dashed(), "52-54-00-ab-cd-ef");
    }

    #[test]
    fn refuses_group_null_and_misshapen_addresses() {
        for text in [
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "52:54:00:12:34",
            "52:54:00:12:34:5",
            "52:54:00:12:34:56:78",
            "",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }
}
