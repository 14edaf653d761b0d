//! Names and numbers of network links.

use std::fmt;
use std::str::FromStr;

use super::{ValueError, serde_through_text};

/// A link's name as the kernel takes it (`IFNAMSIZ` less its NUL: 15 bytes), and as no configuration file misreads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName(String);

impl LinkName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LinkName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let good = text.len() <= 15
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if !good || text == "lo" || text == "all" || text == "default" {
            return Err(ValueError::new(format!(
                "`{}` is not a link's name (a lower-case letter, then letters, digits, `_`, `-`; at most 15)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(LinkName, {
    "description": "A link's name: at most 15 lower-case letters, digits, `_`, `-`.",
    "pattern": "^[a-z][a-z0-9_-]{0,14}$",
    "examples": ["bond0"],
});

/// Largest packet of a link in bytes: from IPv6's least (RFC 8200, section 5) to what jumbo frames allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mtu(u16);

impl Mtu {
    const LEAST: u16 = 1280;
    const MOST: u16 = 9216;

    /// The number of bytes.
    pub fn bytes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Mtu {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.parse() {
            Ok(bytes) if (Self::LEAST..=Self::MOST).contains(&bytes) => Ok(Self(bytes)),
            _ => Err(ValueError::new(format!(
                "`{}` is not an MTU ({} to {})",
                text.escape_debug(),
                Self::LEAST,
                Self::MOST
            ))),
        }
    }
}

serde_through_text!(Mtu, {
    "type": ["integer", "string"],
    "description": "Largest packet in bytes: 1280 to 9216.",
    "examples": ["9000"],
});

/// A VLAN's number (IEEE 802.1Q: 1 to 4094).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for VlanId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.parse() {
            Ok(id @ 1..=4094) => Ok(Self(id)),
            _ => {
                Err(ValueError::new(format!("`{}` is not a VLAN's number (1 to 4094)", text.escape_debug())))
            }
        }
    }
}

serde_through_text!(VlanId, {
    "type": ["integer", "string"],
    "description": "A VLAN's number: 1 to 4094.",
    "examples": ["100"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_as_the_kernel_can() {
        for good in ["bond0", "br-lan", "v100", "a"] {
            assert_eq!(good.parse::<LinkName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "lo", "Bond0", "0a", "a.b", "a b", "a/b", "sixteen-letters-"] {
            assert!(bad.parse::<LinkName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert!(
            "1500".parse::<Mtu>().is_ok() && "1279".parse::<Mtu>().is_err() && "9217".parse::<Mtu>().is_err()
        );
        assert!(
            "4094".parse::<VlanId>().is_ok()
                && "0".parse::<VlanId>().is_err()
                && "4095".parse::<VlanId>().is_err()
        );
    }
}
