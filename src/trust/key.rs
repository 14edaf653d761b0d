//! The site's Ed25519 key and minisign's text forms.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use blake2::{Blake2b512, Digest as _, digest::consts::U32};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::Verified;
use super::event;
use crate::value::{Digest, EventSecret, KeyId, OrderId, Seal};

/// What kind of document a signature is for. Its text is the signature's trusted comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// An install order.
    Order,
    /// The manifest of a bundle.
    Bundle,
    /// The manifest of a golden image.
    Image,
}

/// What is signed before the bytes themselves where a signature must be short: it can't be taken for one of another kind.
const SEAL_CONTEXT: &[u8] = b"ironstrap grant v1\n";

/// The same for permits, which are whole documents.
const PERMIT_CONTEXT: &[u8] = b"ironstrap permit v2\n";

impl Purpose {
    fn trusted_comment(self) -> &'static str {
        match self {
            Self::Order => "ironstrap order v1",
            Self::Bundle => "ironstrap bundle v1",
            Self::Image => "ironstrap image v1",
        }
    }
}

/// Why bytes are not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustError {
    /// They have another digest.
    Digest {
        /// The trusted digest.
        expected: Digest,
        /// The digest they have.
        found: Digest,
    },
    /// The signature isn't by this key, or not for these bytes.
    Signature(String),
    /// The signature is good, but for another kind of document.
    Purpose {
        /// What was asked for.
        expected: &'static str,
        /// What the signer said.
        found: String,
    },
    /// None of the keys that are trusted made the signature.
    Stranger {
        /// Whose it says it is.
        found: KeyId,
        /// Those that are trusted, the current one first.
        trusted: Vec<KeyId>,
    },
    /// The key's text can't be read.
    Key(String),
}

impl std::fmt::Display for TrustError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Digest { expected, found } => write!(f, "digest is {found}, expected {expected}"),
            Self::Signature(why) => write!(f, "signature doesn't hold: {why}"),
            Self::Purpose { expected, found } => write!(f, "signed as `{found}`, expected `{expected}`"),
            Self::Stranger { found, trusted } => {
                let trusted: Vec<_> = trusted.iter().map(ToString::to_string).collect();
                write!(f, "it is signed by key {found}; trusted are {}", trusted.join(", "))
            }
            Self::Key(why) => write!(f, "key can't be read: {why}"),
        }
    }
}

impl std::error::Error for TrustError {}

/// The secret half. Never printed; its text form is minisign's unencrypted secret key file.
pub struct SiteKey {
    id: KeyId,
    key: SigningKey,
}

impl std::fmt::Debug for SiteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SiteKey({})", self.id)
    }
}

fn checksum(id: &KeyId, secret: &[u8; 64]) -> [u8; 32] {
    let mut hash = blake2::Blake2b::<U32>::new();
    hash.update(b"Ed");
    hash.update(id.as_bytes());
    hash.update(secret);
    hash.finalize().into()
}

fn base64_line(text: &str) -> Result<Vec<u8>, TrustError> {
    let line = text.lines().nth(1).ok_or_else(|| TrustError::Key("it has no second line".to_owned()))?;
    BASE64.decode(line.trim()).map_err(|error| TrustError::Key(error.to_string()))
}

impl SiteKey {
    /// A new key from 40 random bytes: 32 of the secret, 8 of the id.
    pub fn from_random(random: [u8; 40]) -> Self {
        let seed: [u8; 32] = std::array::from_fn(|i| random[i]);
        let id = KeyId::from_bytes(std::array::from_fn(|i| random[32 + i]));
        Self { id, key: SigningKey::from_bytes(&seed) }
    }

    /// minisign's secret key file, not encrypted: `minisign -S -s FILE` can use it. Keep it at mode 0600.
    pub fn to_text(&self) -> String {
        let secret = self.key.to_keypair_bytes();
        let mut bytes = Vec::with_capacity(158);
        bytes.extend_from_slice(b"Ed\0\0B2");
        bytes.extend_from_slice(&[0; 48]); // salt and limits of a key derivation that isn't used
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&secret);
        bytes.extend_from_slice(&checksum(&self.id, &secret));
        format!("untrusted comment: ironstrap site secret key {}\n{}\n", self.id, BASE64.encode(bytes))
    }

    /// Reads [`to_text`](Self::to_text) or a secret key that `minisign -G -W` made.
    ///
    /// # Errors
    /// When the text is damaged, or the key is encrypted.
    pub fn from_text(text: &str) -> Result<Self, TrustError> {
        let bytes = base64_line(text)?;
        if bytes.len() != 158 || &bytes[..2] != b"Ed" || &bytes[4..6] != b"B2" {
            return Err(TrustError::Key("it isn't a minisign secret key".to_owned()));
        }
        if bytes[2..4] != [0, 0] {
            return Err(TrustError::Key(
                "it is encrypted; ironstrap runs unattended and needs an unencrypted one".to_owned(),
            ));
        }
        let id = KeyId::from_bytes(std::array::from_fn(|i| bytes[54 + i]));
        let secret: [u8; 64] = std::array::from_fn(|i| bytes[62 + i]);
        // minisign leaves the checksum of an unencrypted key zero
        if bytes[126..] != [0; 32] && bytes[126..] != checksum(&id, &secret) {
            return Err(TrustError::Key("its checksum is wrong".to_owned()));
        }
        let key =
            SigningKey::from_keypair_bytes(&secret).map_err(|error| TrustError::Key(error.to_string()))?;
        Ok(Self { id, key })
    }

    /// The public half.
    pub fn public(&self) -> SitePublicKey {
        SitePublicKey { id: self.id, key: self.key.verifying_key().to_bytes() }
    }

    /// A signature file for these bytes.
    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> String {
        let signature = self.key.sign(&Blake2b512::digest(bytes)).to_bytes();
        let comment = purpose.trusted_comment();
        let global = self.key.sign(&[&signature[..], comment.as_bytes()].concat()).to_bytes();
        let first = [&b"ED"[..], self.id.as_bytes(), &signature].concat();
        format!(
            "untrusted comment: signature by ironstrap site key {}\n{}\ntrusted comment: {comment}\n{}\n",
            self.id,
            BASE64.encode(first),
            BASE64.encode(global)
        )
    }

    /// A signature of 64 bytes over a grant, for a place that has no room for a signature file.
    pub fn seal(&self, grant: &[u8]) -> Seal {
        Seal::from_bytes(self.key.sign(&[SEAL_CONTEXT, grant].concat()).to_bytes())
    }
}

/// What speaks for the hosts of its orders.
impl SiteKey {
    /// The secret of the key under which the host of an order tells how it goes.
    pub fn event_secret(&self, order: &OrderId) -> EventSecret {
        event::derive(&self.key.to_bytes(), order)
    }
}

/// What proves that a permit is as `arm` minted it.
impl SiteKey {
    /// A signature of 64 bytes over a permit.
    pub fn seal_permit(&self, permit: &[u8]) -> Seal {
        Seal::from_bytes(self.key.sign(&[PERMIT_CONTEXT, permit].concat()).to_bytes())
    }
}

/// The public half: in every initramfs, and given to whoever verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePublicKey {
    id: KeyId,
    key: [u8; 32],
}

impl SitePublicKey {
    /// minisign's public key file.
    pub fn to_text(&self) -> String {
        format!("untrusted comment: ironstrap site public key {}\n{self}\n", self.id)
    }

    /// Reads minisign's public key file.
    ///
    /// # Errors
    /// When the text is damaged.
    pub fn from_text(text: &str) -> Result<Self, TrustError> {
        Self::from_bytes(&base64_line(text)?)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.len() != 42 || &bytes[..2] != b"Ed" {
            return Err(TrustError::Key("it isn't a minisign public key".to_owned()));
        }
        let id = KeyId::from_bytes(std::array::from_fn(|i| bytes[2 + i]));
        Ok(Self { id, key: std::array::from_fn(|i| bytes[10 + i]) })
    }

    /// Whether this key sealed these bytes.
    pub fn has_sealed(&self, grant: &[u8], seal: &Seal) -> bool {
        self.made(SEAL_CONTEXT, grant, seal)
    }

    /// Whether this key sealed this permit.
    pub fn has_sealed_permit(&self, permit: &[u8], seal: &Seal) -> bool {
        self.made(PERMIT_CONTEXT, permit, seal)
    }

    fn made(&self, context: &[u8], bytes: &[u8], seal: &Seal) -> bool {
        let signature = Signature::from_bytes(seal.as_bytes());
        let key = VerifyingKey::from_bytes(&self.key);
        key.is_ok_and(|key| key.verify_strict(&[context, bytes].concat(), &signature).is_ok())
    }

    /// The id that minisign prints, 16 hexadecimal digits.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Accepts bytes that this key signed for this purpose.
    ///
    /// # Errors
    /// Another key, changed bytes, a changed comment, or a signature for another purpose.
    pub fn verify<T: AsRef<[u8]>>(
        &self,
        purpose: Purpose,
        bytes: T,
        signature: &str,
    ) -> Result<Verified<T>, TrustError> {
        let wrong = |error: minisign_verify::Error| TrustError::Signature(error.to_string());
        let key = minisign_verify::PublicKey::decode(&self.to_text())
            .map_err(|error| TrustError::Key(error.to_string()))?;
        let signature = minisign_verify::Signature::decode(signature).map_err(wrong)?;
        key.verify(bytes.as_ref(), &signature, false).map_err(wrong)?;
        let found = signature.trusted_comment();
        if found != purpose.trusted_comment() {
            return Err(TrustError::Purpose { expected: purpose.trusted_comment(), found: found.to_owned() });
        }
        Ok(Verified::by_signature(bytes))
    }
}

/// The key as one line, as minisign's `-P` takes it.
impl std::fmt::Display for SitePublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64.encode([&b"Ed"[..], self.id.as_bytes(), &self.key].concat()))
    }
}

impl std::str::FromStr for SitePublicKey {
    type Err = TrustError;

    fn from_str(line: &str) -> Result<Self, TrustError> {
        let bytes = BASE64.decode(line).map_err(|error| TrustError::Key(error.to_string()))?;
        Self::from_bytes(&bytes)
    }
}

impl serde::Serialize for SitePublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for SitePublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let line = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
        line.parse().map_err(serde::de::Error::custom)
    }
}

/// Whose a signature file says it is. Nothing is verified by that.
///
/// # Errors
/// When it isn't a signature file.
pub fn signer(signature: &str) -> Result<KeyId, TrustError> {
    let bytes = base64_line(signature)?;
    match bytes.get(2..10).and_then(|id| id.try_into().ok()) {
        Some(id) if bytes.len() == 74 => Ok(KeyId::from_bytes(id)),
        _ => Err(TrustError::Signature("it isn't a minisign signature".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SiteKey {
        SiteKey::from_random(std::array::from_fn(|i| i as u8))
    }

    #[test]
    fn keys_read_back_and_do_not_show_themselves() {
        let text = key().to_text();
        assert_eq!(SiteKey::from_text(&text).unwrap().to_text(), text);
        assert!(!format!("{:?}", key()).contains(&text[60..80]));
        let public = key().public();
        assert_eq!(SitePublicKey::from_text(&public.to_text()).unwrap(), public);
        assert!(SiteKey::from_text(&text.replace('A', "B")).is_err());
    }

    #[test]
    fn a_seal_holds_for_its_bytes_and_its_key_only() {
        let seal = key().seal(b"grant");
        assert!(key().public().has_sealed(b"grant", &seal));
        assert!(!key().public().has_sealed(b"granT", &seal));
        assert!(!SiteKey::from_random([7; 40]).public().has_sealed(b"grant", &seal));
        // no part of a signature file is a seal
        let signed = key().sign(Purpose::Order, b"grant");
        let bytes = base64_line(&signed).unwrap();
        let part = Seal::from_bytes(std::array::from_fn(|i| bytes[10 + i]));
        assert!(!key().public().has_sealed(b"grant", &part));
    }

    #[test]
    fn keys_of_stock_minisign_are_read() {
        let mut bytes = base64_line(&key().to_text()).unwrap();
        bytes[126..].fill(0);
        let theirs =
            format!("untrusted comment: minisign unencrypted secret key\n{}\n", BASE64.encode(bytes));
        assert_eq!(SiteKey::from_text(&theirs).unwrap().public(), key().public());
    }

    #[test]
    fn a_signature_holds_for_its_bytes_key_and_purpose_only() {
        let (key, other) = (key(), SiteKey::from_random([9; 40]));
        let signature = key.sign(Purpose::Order, b"wipe web01");
        assert_eq!(signature, key.sign(Purpose::Order, b"wipe web01"), "signatures are deterministic");
        assert!(key.public().verify(Purpose::Order, b"wipe web01", &signature).is_ok());
        assert!(key.public().verify(Purpose::Order, b"wipe web02", &signature).is_err());
        assert!(other.public().verify(Purpose::Order, b"wipe web01", &signature).is_err());
        assert!(matches!(
            key.public().verify(Purpose::Image, b"wipe web01", &signature),
            Err(TrustError::Purpose { .. })
        ));
        let moved = signature.replace("ironstrap order v1", "ironstrap image v1");
        assert!(key.public().verify(Purpose::Image, b"wipe web01", &moved).is_err());
    }
}
