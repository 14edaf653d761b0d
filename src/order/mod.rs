//! Permits and install orders: minted, joined with what the profile says now, signed.
//!
//! `arm` mints a [`Permit`](crate::spec::order::Permit); [`build()`] turns it into an install order and refuses what it was
//! not given for ([`check()`] tells beforehand); [`sign()`] and [`verify()`] are the two ends of the order's way to a
//! target. Pure: randomness, time and keys come in as arguments. Where permits are kept is the command line's business.

mod build;
mod mint;
mod sign;

pub use build::{BuildError, Meant, OrderParts, build, check};
pub use mint::{MintRequest, mint};
pub use sign::{SignedOrder, is_granted, seal, sign, verify};

#[cfg(test)]
pub(crate) mod fixtures;
