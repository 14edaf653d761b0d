//! Random bytes of the system, for names and secrets.

use anyhow::{Context, Result};

use crate::failure::{Blame, BlameExt};

/// So many of them.
///
/// # Errors
/// When the system has none to give.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).context("asking the system for randomness").blame(Blame::Environment)?;
    Ok(bytes)
}
