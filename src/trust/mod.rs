//! Keys, signatures, password hashes, and the proof that bytes were verified.
//!
//! Signatures have minisign's format (prehashed Ed25519, <https://jedisct1.github.io/minisign/>), so that the stock tool
//! can judge them, and are deterministic, so that a bundle built twice is the same. The trusted comment is fixed and says
//! what kind of document was signed: a signature of an order is no signature of an image.
//!
//! A site has one key that signs, and may have former ones: [`TrustedKeys`] says which public halves count, and [`KeyRing`] how
//! they come and go.
//!
//! [`Verified`] has no public constructor but its two checks. Whoever may destroy something asks for one.
//! Pure: keys come in as text, randomness as an argument.

mod event;
mod key;
pub mod password;
mod ring;
mod trusted;
mod verified;

pub use event::{PROOF_HEADER, Proof, Voucher, event_public_key, run_name};
pub use key::{Purpose, SiteKey, SitePublicKey, TrustError, signer};
pub use ring::{KeyRing, Record, RetireError};
pub use trusted::TrustedKeys;
pub use verified::Verified;
