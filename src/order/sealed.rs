//! A permit as the site keeps it: with the seal of the key that minted it.
//!
//! A permit is a right to wipe. Whoever may write into the site's state but hasn't its key can take permits away; a permit that
//! was edited, be it only its end, is none.

use anyhow::{Context, Result};

use crate::spec::order::Permit;
use crate::trust::{SiteKey, SitePublicKey, TrustedKeys};
use crate::value::Seal;

/// Key of the seal beside those of the permit.
const SEAL: &str = "seal";

/// A permit and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPermit {
    permit: Permit,
    seal: Seal,
}

impl SealedPermit {
    /// Seals a permit.
    ///
    /// # Errors
    /// When it can't be written as JSON; no valid one can't.
    pub fn new(permit: Permit, key: &SiteKey) -> Result<Self> {
        let seal = key.seal_permit(&bytes(&permit)?);
        Ok(Self { permit, seal })
    }

    /// The permit, proven or not.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Which of these keys sealed it; `None` where it is what none of them did.
    pub fn by<'a>(&self, keys: &'a TrustedKeys) -> Option<&'a SitePublicKey> {
        keys.permit_sealer(&bytes(&self.permit).ok()?, &self.seal)
    }

    /// The file: the permit's keys, and its seal among them.
    ///
    /// # Errors
    /// When it can't be written as JSON; no valid one can't.
    pub fn to_text(&self) -> Result<String> {
        let mut json = serde_json::to_value(&self.permit).context("writing a permit")?;
        json[SEAL] = self.seal.to_string().into();
        Ok(format!("{json:#}\n"))
    }

    /// Reads the file. It is as untrusted afterwards as it was before: ask [`by`](Self::by).
    ///
    /// # Errors
    /// When it isn't a permit with a seal.
    pub fn from_text(text: &str) -> Result<Self> {
        let mut json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).context("reading a permit")?;
        let seal = json.remove(SEAL);
        // an old one has no seal and another version, which says more
        let permit = serde_json::from_value(json.into()).context("reading a permit")?;
        let seal =
            serde_json::from_value(seal.context("the permit has no seal")?).context("reading its seal")?;
        Ok(Self { permit, seal })
    }
}

/// What is sealed: the permit as JSON, its keys in the order of the type.
fn bytes(permit: &Permit) -> Result<Vec<u8>> {
    serde_json::to_vec(permit).context("writing a permit")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    #[test]
    fn a_permit_reads_back_and_is_by_the_key_that_sealed_it() {
        let key = fixtures::key();
        let sealed = SealedPermit::new(fixtures::permit(), &key).unwrap();
        let read = SealedPermit::from_text(&sealed.to_text().unwrap()).unwrap();
        assert_eq!(read, sealed);
        assert_eq!(read.by(&key.alone()), Some(&key.public()));
        assert_eq!(read.by(&SiteKey::from_random([9; 40]).alone()), None);
    }

    #[test]
    fn no_value_of_a_permit_can_be_edited() {
        let key = fixtures::key();
        let text = SealedPermit::new(fixtures::permit(), &key).unwrap().to_text().unwrap();
        let edits = [
            (r#""web01""#, r#""web02""#),
            (r#""generation": 1"#, r#""generation": 9"#),
            ("debian-12@1", "debian-12@2"),
            ("DISK-A", "DISK-B"),
            ("52:54:00:12:34:56", "52:54:00:12:34:57"),
            (r#""ours""#, r#""foreign""#),
            ("2026-11-23T", "2036-11-23T"),
        ];
        for (from, to) in edits {
            let edited = text.replace(from, to);
            assert_ne!(edited, text, "{from}");
            assert_eq!(SealedPermit::from_text(&edited).unwrap().by(&key.alone()), None, "{from}");
        }
        // a grant of the same key is no permit, and the other way round
        let grant = key.seal(&bytes(&fixtures::permit()).unwrap());
        assert!(!key.public().has_sealed_permit(&bytes(&fixtures::permit()).unwrap(), &grant));
        assert!(SealedPermit::from_text(&text.replace("\"seal\"", "\"steal\"")).is_err());
        let old = text.replace("\"version\": 2", "\"version\": 1");
        assert!(format!("{:#}", SealedPermit::from_text(&old).unwrap_err()).contains("version 1"));
    }
}
