//! Secrets of 32 bytes that documents carry: they have a text form for those, and none for people. And the public half of one.

use std::fmt;
use std::str::FromStr;

use super::{Digest, ValueError, hex, serde_through_text, unhex};

/// The half of an event key that a server judges by; see `trust`. Text form: 64 hexadecimal digits. Bytes that are no key prove
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPublicKey([u8; 32]);

impl EventPublicKey {
    /// From a key's bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for EventPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for EventPublicKey {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bytes = unhex(text);
        bytes.map(Self).ok_or_else(|| {
            ValueError::new(format!("`{}` is not an event key (64 hexadecimal digits)", text.escape_debug()))
        })
    }
}

serde_through_text!(EventPublicKey);

/// A type for such a secret: serde knows its text, `Debug` doesn't.
macro_rules! secret {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $type([u8; 32]);

        impl $type {
            /// From bytes that are random, or derived from a secret.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes, for whoever uses them.
            pub fn reveal(&self) -> &[u8; 32] {
                &self.0
            }

            /// The text that stands in documents: 64 hexadecimal digits.
            pub fn reveal_text(&self) -> String {
                hex(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($type), "(…)"))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.reveal_text())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                let bytes = unhex(&text);
                // the text isn't shown: it may be nearly right
                bytes.map(Self).ok_or_else(|| serde::de::Error::custom(concat!($what, " has 64 hexadecimal digits")))
            }
        }
    };
}

secret! {
    /// What vouches for the runs under one order; see `trust`.
    EventSecret, "the secret of events"
}

secret! {
    /// What signs the events of one run; see `trust`.
    RunSecret, "the secret of a run"
}

secret! {
    /// What an installed system shows once, to prove one outcome of its hand-off.
    Token, "a token"
}

impl Token {
    /// What is told of it beforehand: the SHA-256 of its bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_read_back_and_do_not_show_themselves() {
        let (run, token) = (RunSecret::from_bytes([3; 32]), Token::from_bytes([5; 32]));
        let text = serde_json::to_string(&(&run, &token)).unwrap();
        let read: (RunSecret, Token) = serde_json::from_str(&text).unwrap();
        assert_eq!((&read.0, &read.1), (&run, &token));
        assert_eq!(format!("{run:?} {token:?}"), "RunSecret(…) Token(…)");
        assert!(text.contains(&token.reveal_text()));
        let error = serde_json::from_str::<Token>("\"0505\"").unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits") && !error.contains("0505"), "{error}");
    }
}
