//! Keys, signatures, password hashes, and the proof that bytes were verified.
//!
//! Signatures have minisign's format (prehashed Ed25519, <https://jedisct1.github.io/minisign/>), so that the stock tool
//! can judge them, and are deterministic, so that a bundle built twice is the same. The trusted comment is fixed and says
//! what kind of document was signed: a signature of an order is no signature of an image.
//!
//! [`Verified`] has no public constructor but its two checks. Whoever may destroy something asks for one.
//! Pure: keys come in as text, randomness as an argument.

mod event;
mod key;
pub mod password;
mod verified;

pub use event::{EventPublicKey, PROOF_HEADER, Proof, Voucher, run_name};
pub use key::{Purpose, SiteKey, SitePublicKey, TrustError};
pub use verified::Verified;
