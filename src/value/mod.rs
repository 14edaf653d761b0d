//! Newtypes that make an illegal value impossible to hold.
//!
//! Every type here has private fields, one constructor (`FromStr` or a checked `new`), and speaks serde through it, so
//! that a command-line argument, a profile and a wire message are judged by the same rule. Parsing what was printed
//! gives the same value back. No I/O, no clock, no knowledge of profiles: a type that needs one belongs elsewhere.

mod account;
mod digest;
mod disk_selector;
mod image_ref;
mod inner_path;
mod mac;
mod machine;
mod names;
mod pattern;
mod size;
mod time;
mod url;

pub use account::{AccountName, PasswordHash, SshPublicKey};
pub use digest::{Digest, DigestWriter};
pub use disk_selector::{DiskIdentity, DiskSelector};
pub use image_ref::{ImageName, ImageRef, ImageVersion};
pub use inner_path::stays_inside;
pub use mac::Mac;
pub use machine::{SerialNumber, SystemUuid};
pub use names::{HostName, KernelArg, OrderId};
pub use pattern::Pattern;
pub use size::ByteSize;
pub use time::Timestamp;
pub use url::HttpUrl;

/// Why a text is not a value of the type that was asked for: lower case, names what was found and what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError(String);

impl ValueError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl std::fmt::Display for ValueError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ValueError {}

/// Gives a type serde through its `FromStr` and `Display`, so that there is one spelling everywhere.
macro_rules! serde_through_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_through_text;
