//! The order's bytes and their signature.

use anyhow::{Context, Result, ensure};

use crate::spec::claim::Claim;
use crate::spec::order::{Grant, InstallOrder};
use crate::trust::{Purpose, SiteKey, SitePublicKey, TrustedKeys, Verified};
use crate::value::Seal;

/// An order as it travels. Not `Verified`: whoever receives one calls [`verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedOrder {
    /// The JSON bytes that were signed.
    pub json: Vec<u8>,
    /// minisign's signature file for them.
    pub signature: String,
}

/// Signs an order. The same order and key give the same bytes.
///
/// # Errors
/// When the order can't be written as JSON; no valid one can't.
pub fn sign(order: &InstallOrder, key: &SiteKey) -> Result<SignedOrder> {
    let mut json =
        serde_json::to_vec_pretty(order).with_context(|| format!("writing the order of {}", order.host))?;
    json.push(b'\n');
    let signature = key.sign(Purpose::Order, &json);
    Ok(SignedOrder { json, signature })
}

/// The seal that an order's claims carry.
pub fn seal(grant: &Grant, key: &SiteKey) -> Seal {
    key.seal(&grant.to_signed_bytes())
}

/// Whether a claim is of an order that one of the site's keys allowed. What it says beside its grant is the target's word.
pub fn is_granted(claim: &Claim, keys: &TrustedKeys) -> bool {
    keys.sealer(&claim.grant.to_signed_bytes(), &claim.seal).is_some()
}

/// Accepts an order that the site's key signed.
///
/// # Errors
/// Another key, changed bytes, a signature of another kind of document, or an order of an unknown version.
pub fn verify(json: &[u8], signature: &str, key: &SitePublicKey) -> Result<Verified<InstallOrder>> {
    let bytes = key.verify(Purpose::Order, json, signature).context("checking the order's signature")?;
    let order = bytes.parse_json::<InstallOrder>().context("reading the order")?;
    // its claims would be taken for somebody's data, and its retries refused
    ensure!(
        key.has_sealed(&order.grant().to_signed_bytes(), &order.seal),
        "the order of {} isn't sealed by this site's key",
        order.host
    );
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::super::{build, fixtures};
    use super::*;

    fn signed() -> (SiteKey, SignedOrder, InstallOrder) {
        let key = SiteKey::from_random([3; 40]);
        let order = build(&fixtures::permit(), fixtures::parts(), &key, fixtures::now()).unwrap();
        let signed = sign(&order, &key).unwrap();
        (key, signed, order)
    }

    #[test]
    fn what_was_signed_verifies_and_is_the_same_every_time() {
        let (key, travelling, order) = signed();
        assert_eq!(sign(&order, &key).unwrap(), travelling);
        let verified = verify(&travelling.json, &travelling.signature, &key.public()).unwrap();
        assert_eq!(verified.into_inner(), order);
    }

    #[test]
    fn another_key_another_byte_and_another_version_are_refused() {
        let (key, travelling, _) = signed();
        let stranger = SiteKey::from_random([4; 40]);
        assert!(verify(&travelling.json, &travelling.signature, &stranger.public()).is_err());
        for at in 0..travelling.json.len() {
            let mut changed = travelling.json.clone();
            changed[at] ^= 1;
            assert!(verify(&changed, &travelling.signature, &key.public()).is_err(), "byte {at}");
        }
        let newer = String::from_utf8(travelling.json).unwrap().replace("\"version\": 3", "\"version\": 9");
        let signature = key.sign(Purpose::Order, newer.as_bytes());
        let error = verify(newer.as_bytes(), &signature, &key.public()).unwrap_err();
        assert!(format!("{error:#}").contains("version 9"), "{error:#}");
    }
}
