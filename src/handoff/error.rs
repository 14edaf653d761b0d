//! Why a host has no hand-off, for whoever takes refused keys out of a draft.

use crate::host::Refusal;

/// Why a hand-off couldn't be made. It becomes an [`anyhow::Error`] of what it holds.
#[derive(Debug)]
pub enum SeedError {
    /// Values that can't be used, all of them.
    Unsupported(Refusal),
    /// Anything else.
    Failed(anyhow::Error),
}

impl std::fmt::Display for SeedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsupported(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl From<SeedError> for anyhow::Error {
    fn from(error: SeedError) -> Self {
        match error {
            SeedError::Unsupported(refusal) => refusal.into(),
            SeedError::Failed(error) => error,
        }
    }
}
