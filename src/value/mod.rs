//! Newtypes that make an illegal value impossible to hold.
//!
//! Every type here has private fields, one constructor (`FromStr` or a checked `new`), and speaks serde through it, so
//! that a command-line argument, a profile and a wire message are judged by the same rule. Parsing what was printed
//! gives the same value back. No I/O, no clock, no knowledge of profiles: a type that needs one belongs elsewhere.

mod account;
mod digest;
mod disk_selector;
mod hex;
mod image_ref;
mod image_source;
mod inner_path;
mod key_id;
mod mac;
mod machine;
mod names;
mod near;
mod network;
mod package;
mod pattern;
pub mod rule;
mod seal;
mod secret;
mod size;
mod storage;
mod time;
mod url;
pub mod yaml;

pub use account::{AccountName, FullName, GrubHash, PasswordHash, SshPublicKey};
pub use digest::{Digest, DigestWriter};
pub use disk_selector::{DiskIdentity, DiskSelector, MissingProperty};
pub(crate) use hex::{hex, unhex};
pub use image_ref::{ImageName, ImageRef, ImageVersion};
pub use image_source::{ImageSource, OciRef};
pub use inner_path::stays_inside;
pub use key_id::KeyId;
pub use mac::Mac;
pub use machine::{SerialNumber, SystemUuid};
pub use names::{HostName, KernelArg, OrderId};
pub use near::{nearest, nearest_of_all, slips};
pub use network::{LinkName, Mtu, VlanId};
pub use package::{PackageKind, PackageName};
pub use pattern::Pattern;
pub use seal::Seal;
pub use secret::{EventPublicKey, EventSecret, RunSecret, Token};
pub use size::ByteSize;
pub use storage::{FsLabel, MountOption, MountPath, StorageId};
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

/// Gives a type serde through its `FromStr` and `Display`, so that there is one spelling everywhere, and a JSON Schema: a
/// string, with the keywords that follow the type. A `pattern` may accept more than `FromStr`, never less; `examples` must parse
/// (both tested below).
macro_rules! serde_through_text {
    ($type:ty) => {
        serde_through_text!($type, {});
    };
    ($type:ty, { $($keyword:literal: $value:tt),* $(,)? }) => {
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

        crate::value::schema_of_text!($type, { $($keyword: $value),* });
    };
}
pub(crate) use serde_through_text;

/// Gives a type the JSON Schema of a string with these keywords.
macro_rules! schema_of_text {
    ($type:ty, { $($keyword:literal: $value:tt),* $(,)? }) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema_id() -> std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($type)).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", $($keyword: $value),* })
            }
        }
    };
}
pub(crate) use schema_of_text;

/// The name under which a secret text goes through serde: what shows values to people asks for it and hides them. All
/// other formats see the text alone.
pub const SECRET: &str = "$ironstrap::Secret";

#[cfg(test)]
mod schema_tests;
