//! How a host's permit stands, which is another question than how far its install is.

use serde::{Deserialize, Serialize};

use crate::spec::revocation::Reason;
use crate::value::Timestamp;

/// Whether a host may be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "permit", rename_all = "kebab-case")]
pub enum Standing {
    /// It is armed, and a medium carries its order.
    Armed,
    /// It is armed, and no medium that was built carries its order.
    LeftOut,
    /// Its permit is over.
    Expired {
        /// Since when.
        since: Timestamp,
    },
    /// Its order was revoked.
    Revoked {
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// Its permit isn't as it was minted.
    Edited,
    /// The site has no such host any more.
    Removed,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Armed => f.write_str("armed"),
            Self::LeftOut => f.write_str("left out: armed, but in no bundle; run `ironstrap bundle`"),
            Self::Expired { since } => write!(f, "expired at {since}"),
            Self::Revoked { since, reason } => write!(f, "revoked at {since}: {reason}"),
            Self::Edited => f.write_str("edited: its permit isn't as `arm` minted it"),
            Self::Removed => f.write_str("removed: the site has no such host"),
        }
    }
}
