//! The proof.

use std::ops::Deref;

use super::TrustError;
use crate::value::Digest;

/// A value whose bytes were compared with a digest or a signature that is trusted. Made only in this module tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// For `key`: the signature held.
    pub(super) fn by_signature(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for code that only reads it.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: AsRef<[u8]>> Verified<T> {
    /// Accepts bytes that have this digest. The digest must come from something verified.
    ///
    /// # Errors
    /// [`TrustError::Digest`] when they differ.
    pub fn by_digest(bytes: T, expected: &Digest) -> Result<Self, TrustError> {
        let found = Digest::of(bytes.as_ref());
        if found != *expected {
            return Err(TrustError::Digest { expected: *expected, found });
        }
        Ok(Self(bytes))
    }

    /// Reads a JSON document out of the verified bytes; what was read is as trusted as they are.
    ///
    /// # Errors
    /// When the bytes aren't this document (unknown version included).
    pub fn parse_json<D: serde::de::DeserializeOwned>(&self) -> Result<Verified<D>, serde_json::Error> {
        serde_json::from_slice(self.0.as_ref()).map(Verified)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_changed_bit_is_not_verified() {
        let digest = Digest::of(b"abc");
        assert!(Verified::by_digest(b"abc", &digest).is_ok());
        assert!(Verified::by_digest(b"abb", &digest).is_err());
    }
}
