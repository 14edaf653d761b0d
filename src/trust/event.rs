//! Who may speak for a host: event keys, run keys, and what a post carries to prove itself.
//!
//! An order has an *event key*, derived from the site's key and the order's name. Its secret half is in the order, so that whoever
//! holds the order can speak under it, and nobody else. Each run makes a *run key* on the host. The event key vouches for it
//! once, and it signs every event of the run: the run is named after its public half, so that nobody else can add to it.
//! What that proves is that the sender had the order; what that is worth on each medium is in `docs/serving.md`.
//!
//! The installed system can't sign. It has tokens instead, of which the signed word that the disk boots names the digests.

use std::fmt;
use std::str::FromStr;

use blake2::Blake2bMac;
use blake2::digest::consts::U32;
use blake2::digest::{FixedOutput, KeyInit, Update};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::value::{EventPublicKey, EventSecret, OrderId, RunSecret, Seal, ValueError, hex, unhex};

/// What is derived and signed for each purpose begins with its own words, so that none can be taken for another.
const DERIVATION: &[u8] = b"ironstrap event key v1\n";
const VOUCHER: &[u8] = b"ironstrap run v1\n";
const EVENT: &[u8] = b"ironstrap event v1\n";

/// Name of the header field that carries a [`Proof`].
pub const PROOF_HEADER: &str = "ironstrap-proof";

/// Derives the secret of an order's events from a secret of the site (keyed BLAKE2b, RFC 7693, 2.9).
pub(super) fn derive(secret: &[u8; 32], order: &OrderId) -> EventSecret {
    let mut key = [0; 64];
    key[..32].copy_from_slice(secret);
    let mac = Blake2bMac::<U32>::new(&key.into()).chain(DERIVATION).chain(order.to_string());
    EventSecret::from_bytes(mac.finalize_fixed().into())
}

/// The half of an event key that a server judges by.
pub fn event_public_key(secret: &EventSecret) -> EventPublicKey {
    EventPublicKey::from_bytes(SigningKey::from_bytes(secret.reveal()).verifying_key().to_bytes())
}

fn voucher_bytes(order: &OrderId, run: &str) -> Vec<u8> {
    [VOUCHER, order.to_string().as_bytes(), b"\n", run.as_bytes(), b"\n"].concat()
}

fn sign(secret: &[u8; 32], bytes: &[u8]) -> Seal {
    Seal::from_bytes(SigningKey::from_bytes(secret).sign(bytes).to_bytes())
}

/// Name of the run with this secret: the public half of its key, 64 hexadecimal digits.
pub fn run_name(secret: &RunSecret) -> String {
    hex(SigningKey::from_bytes(secret.reveal()).verifying_key().as_bytes())
}

/// An event key's word that a run is its order's. Not secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Voucher {
    order: OrderId,
    seal: Seal,
}

impl Voucher {
    /// Has the order's event key vouch for a run.
    pub fn new(events: &EventSecret, order: &OrderId, run: &RunSecret) -> Self {
        let seal = sign(events.reveal(), &voucher_bytes(order, &run_name(run)));
        Self { order: order.clone(), seal }
    }

    /// Signs an event of the run.
    pub fn prove(&self, run: &RunSecret, body: &[u8]) -> Proof {
        let signature = sign(run.reveal(), &[EVENT, body].concat());
        Proof { order: self.order.clone(), voucher: self.seal, signature }
    }
}

/// What a post carries beside its event: order, voucher and signature, with spaces between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Under which order it was sent.
    pub order: OrderId,
    voucher: Seal,
    signature: Seal,
}

impl Proof {
    /// Whether this shows that the sender of these bytes, an event of this run, had the order with this key.
    pub fn is_by(&self, events: &EventPublicKey, run: &str, body: &[u8]) -> bool {
        let Some(run_key) = unhex(run) else { return false };
        let holds = |key: &[u8; 32], bytes: &[u8], seal: &Seal| {
            let signature = Signature::from_bytes(seal.as_bytes());
            VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(bytes, &signature).is_ok())
        };
        holds(events.as_bytes(), &voucher_bytes(&self.order, run), &self.voucher)
            && holds(&run_key, &[EVENT, body].concat(), &self.signature)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.order, self.voucher, self.signature)
    }
}

impl FromStr for Proof {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let words: Vec<_> = text.split(' ').collect();
        let [order, voucher, signature] = words[..] else {
            return Err(ValueError::new("a proof is an order, a voucher and a signature"));
        };
        Ok(Self { order: order.parse()?, voucher: voucher.parse()?, signature: signature.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::SiteKey;
    use super::*;

    fn order(number: u8) -> OrderId {
        OrderId::from_random([number; 16])
    }

    #[test]
    fn an_event_key_is_one_orders_and_one_sites() {
        let (site, other) = (SiteKey::from_random([1; 40]), SiteKey::from_random([2; 40]));
        let key = site.event_secret(&order(1));
        assert_eq!(key, site.event_secret(&order(1)));
        assert_ne!(key, site.event_secret(&order(2)));
        assert_ne!(key, other.event_secret(&order(1)));
    }

    #[test]
    fn a_proof_holds_for_its_bytes_run_order_and_key_only() {
        let site = SiteKey::from_random([1; 40]);
        let events = site.event_secret(&order(1));
        let public = event_public_key(&events);
        let (run, thief) = (RunSecret::from_bytes([3; 32]), RunSecret::from_bytes([4; 32]));
        let voucher = Voucher::new(&events, &order(1), &run);
        let proof: Proof = voucher.prove(&run, b"event").to_string().parse().unwrap();
        assert!(proof.is_by(&public, &run_name(&run), b"event"));
        assert!(!proof.is_by(&public, &run_name(&run), b"another"));
        assert!(!proof.is_by(&public, &run_name(&thief), b"event"));
        let others = event_public_key(&site.event_secret(&order(2)));
        assert!(!proof.is_by(&others, &run_name(&run), b"event"));
        // the voucher was overheard, the run's secret was not
        let forged = voucher.prove(&thief, b"event");
        assert!(!forged.is_by(&public, &run_name(&run), b"event"));
        assert!(!forged.is_by(&public, &run_name(&thief), b"event"));
        let renamed = Proof { order: order(2), ..proof };
        assert!(!renamed.is_by(&public, &run_name(&run), b"event"));
        assert!(!renamed.is_by(&public, "not a key", b"event"));
        assert!("one two".parse::<Proof>().is_err());
    }
}
