//! Which keys count: the site's current one, and those that it had before and hasn't retired.
//!
//! A rotation must not make strangers of what the key before it signed: trees, images, permits, and above all the claims on
//! disks. Whoever asks says by the method which keys may answer: what is new must be [`TrustedKeys::current`]'s.

use super::{Purpose, SiteKey, SitePublicKey, TrustError, Verified, signer};
use crate::value::{KeyId, Seal};

/// The public keys that a site stands by. There is always a current one, and no two have the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKeys {
    current: SitePublicKey,
    former: Vec<SitePublicKey>,
}

impl TrustedKeys {
    /// A current key and former ones.
    ///
    /// # Errors
    /// When two of them have the same id.
    pub fn new(current: SitePublicKey, former: Vec<SitePublicKey>) -> Result<Self, TrustError> {
        let keys = Self { current, former };
        let mut ids = keys.ids();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(TrustError::Key(format!("the key {} is there twice", pair[0]))),
            None => Ok(keys),
        }
    }

    /// The key that signs what is new.
    pub fn current(&self) -> &SitePublicKey {
        &self.current
    }

    /// Those before it.
    pub fn former(&self) -> &[SitePublicKey] {
        &self.former
    }

    fn all(&self) -> impl Iterator<Item = &SitePublicKey> {
        std::iter::once(&self.current).chain(&self.former)
    }

    fn ids(&self) -> Vec<KeyId> {
        self.all().map(SitePublicKey::id).collect()
    }

    /// Whether this key is one of them.
    pub fn contains(&self, key: &SitePublicKey) -> bool {
        self.all().any(|known| known == key)
    }

    /// Accepts bytes that one of these keys signed for this purpose, and says which one.
    ///
    /// # Errors
    /// A key that isn't trusted, changed bytes, a changed comment, or a signature for another purpose.
    pub fn verify<T: AsRef<[u8]>>(
        &self,
        purpose: Purpose,
        bytes: T,
        signature: &str,
    ) -> Result<(&SitePublicKey, Verified<T>), TrustError> {
        let found = signer(signature)?;
        let key = self.all().find(|key| key.id() == found);
        let key = key.ok_or_else(|| TrustError::Stranger { found, trusted: self.ids() })?;
        Ok((key, key.verify(purpose, bytes, signature)?))
    }

    /// Which of these keys sealed this grant.
    pub fn sealer(&self, grant: &[u8], seal: &Seal) -> Option<&SitePublicKey> {
        self.all().find(|key| key.has_sealed(grant, seal))
    }

    /// Which of these keys sealed this permit.
    pub fn permit_sealer(&self, permit: &[u8], seal: &Seal) -> Option<&SitePublicKey> {
        self.all().find(|key| key.has_sealed_permit(permit, seal))
    }

    /// The former keys, one a line; nothing where there are none.
    pub fn former_text(&self) -> String {
        self.former.iter().map(|key| format!("{key}\n")).collect()
    }

    /// A current key, and former ones as [`former_text`](Self::former_text) writes them.
    ///
    /// # Errors
    /// When one is damaged or there twice.
    pub fn with_former(current: SitePublicKey, former: &str) -> Result<Self, TrustError> {
        Self::new(current, former.lines().map(str::parse).collect::<Result<_, _>>()?)
    }
}

/// A site that never had another one.
impl From<SitePublicKey> for TrustedKeys {
    fn from(current: SitePublicKey) -> Self {
        Self { current, former: Vec::new() }
    }
}

impl SiteKey {
    /// The trust of a site that has this key and never had another one.
    pub fn alone(&self) -> TrustedKeys {
        self.public().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SiteKey {
        SiteKey::from_random([seed; 40])
    }

    #[test]
    fn former_keys_count_and_strangers_are_named() {
        let keys = TrustedKeys::new(key(2).public(), vec![key(1).public()]).unwrap();
        for seed in [1, 2] {
            let signature = key(seed).sign(Purpose::Bundle, b"tree");
            let (by, _) = keys.verify(Purpose::Bundle, b"tree", &signature).unwrap();
            assert_eq!(*by, key(seed).public());
            assert!(keys.verify(Purpose::Bundle, b"trees", &signature).is_err());
            assert!(keys.verify(Purpose::Image, b"tree", &signature).is_err());
            assert_eq!(keys.sealer(b"grant", &key(seed).seal(b"grant")), Some(&key(seed).public()));
            // a seal of a grant is none of a permit
            assert_eq!(keys.permit_sealer(b"grant", &key(seed).seal(b"grant")), None);
        }
        let stranger = keys.verify(Purpose::Bundle, b"tree", &key(3).sign(Purpose::Bundle, b"tree"));
        let said = stranger.unwrap_err().to_string();
        assert_eq!(
            said,
            "it is signed by key 0303030303030303; trusted are 0202020202020202, 0101010101010101"
        );
        assert_eq!(keys.sealer(b"grant", &key(3).seal(b"grant")), None);
    }

    #[test]
    fn a_key_is_there_once_and_the_texts_read_back() {
        assert!(TrustedKeys::new(key(1).public(), vec![key(1).public()]).is_err());
        let keys = TrustedKeys::new(key(3).public(), vec![key(1).public(), key(2).public()]).unwrap();
        let (read, former) =
            (|text: &str| TrustedKeys::with_former(key(3).public(), text), keys.former_text());
        assert_eq!(read(&former), Ok(keys));
        assert!(read(&former[1..]).is_err(), "damaged");
        assert!(read(&format!("{former}{former}")).is_err(), "twice");
        assert_eq!(key(1).alone().former_text(), "");
    }

    #[test]
    fn a_key_that_bears_the_id_of_another_is_not_taken_for_it() {
        // an attacker may choose the id of a key, it is no digest
        let forged = SiteKey::from_random(std::array::from_fn(|i| if i < 32 { 9 } else { 1 }));
        assert_eq!(forged.public().id(), key(1).public().id());
        let keys = key(1).alone();
        assert!(keys.verify(Purpose::Bundle, b"tree", &forged.sign(Purpose::Bundle, b"tree")).is_err());
        assert!(!keys.contains(&forged.public()));
        assert!(TrustedKeys::new(key(1).public(), vec![forged.public()]).is_err());
    }
}
