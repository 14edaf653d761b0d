//! The version field of every document.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A document's format version, known at compile time. Deserialising any other number fails and names both, so a struct
/// with this field can't be read by the wrong reader.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormatVersion<const N: u32>;

impl<const N: u32> Serialize for FormatVersion<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(N)
    }
}

impl<'de, const N: u32> Deserialize<'de> for FormatVersion<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = u32::deserialize(deserializer)?;
        if found != N {
            return Err(serde::de::Error::custom(format!(
                "format version {found} is not known here, this ironstrap reads version {N}; use the ironstrap that wrote it"
            )));
        }
        Ok(Self)
    }
}
