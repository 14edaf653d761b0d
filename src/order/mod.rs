//! Permits and install orders: minted, joined with what the profile says now, signed.
//!
//! `arm` mints a [`Permit`](crate::spec::order::Permit); `build` turns it into an install order and refuses what it was
//! not given for (`check` tells beforehand, `Summary` what is armed); `sign` and `verify` are the two ends of the order's way to a
//! target. Pure: randomness, time and keys come in as arguments. Where permits are kept is the command line's business.

mod build;
mod mint;
mod sealed;
mod sign;
mod summary;

pub(crate) use build::{BuildError, Meant, OrderParts, build, check};
pub(crate) use mint::{MintRequest, mint};
pub use sealed::SealedPermit;
pub use sign::seal;
pub(crate) use sign::{SignedOrder, is_granted, sign, verify};
pub(crate) use summary::{Past, PastDisk, Summary, question};

#[cfg(test)]
pub(crate) mod fixtures;
