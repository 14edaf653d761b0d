//! What a machine remembers of its own ends over restarts: a firmware variable of a few bytes.
//!
//! It holds counts, and nothing that is believed about a disk: whoever changes it makes the machine wait longer or shorter.

use serde::{Deserialize, Serialize};

use crate::value::OrderId;

/// Counts that outlive a restart. All of them are about one order, or about a machine that has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::agent) struct Tries {
    /// The order; with another one all counts begin anew.
    pub(in crate::agent) order: Option<OrderId>,
    /// How often in a row the machine restarted because nothing of its own could be booted.
    #[serde(skip_serializing_if = "is_zero")]
    pub(in crate::agent) again: u32,
    /// How many runs failed after the claim; the claim counts them too, where the disk lets it.
    #[serde(skip_serializing_if = "is_zero")]
    pub(in crate::agent) failures: u32,
    /// The disk that the firmware was told to boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::agent) boot: Option<Boot>,
}

/// A disk that should have booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::agent) struct Boot {
    /// `Disk::stable_name`.
    pub(in crate::agent) disk: String,
    /// What its file systems said of their last mount then (`Bootable::mounted`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::agent) mounted: Option<String>,
    /// How often in a row the firmware was told to, with no mount between.
    pub(in crate::agent) tries: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Tries {
    /// As the variable holds it.
    pub(in crate::agent) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What a variable holds; nothing is remembered where it holds something else.
    pub(in crate::agent) fn from_bytes(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// What is remembered about this order.
    pub(super) fn about(&self, order: Option<&OrderId>) -> Self {
        if self.order.as_ref() == order {
            self.clone()
        } else {
            Self { order: order.cloned(), ..Self::default() }
        }
    }
}
