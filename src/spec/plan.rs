//! What the agent will do, as data: printed before it runs.

use serde::{Deserialize, Serialize};

use super::Code;
use super::facts::Disk;
use crate::value::{HostName, OrderId};

/// An install that nothing speaks against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// For whom.
    pub host: HostName,
    /// By which order.
    pub order: OrderId,
    /// The one disk that matches.
    pub disk: Disk,
    /// First run of this order on this disk, or a further one.
    pub attempt: u32,
    /// The disk held something that isn't ours and the order allows its loss.
    pub overwrites_foreign: bool,
    /// Older orders of this host that were done or claimed on this disk, the newest first. They are marked done together with
    /// this one: a medium that still carries one of them then boots the disk, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<OrderId>,
}

/// Why there is no plan. Nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code.
    pub code: Code,
    /// What was seen, in a sentence; several lines where disks or hosts are listed.
    pub message: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}\n{}: {}", self.code, self.message, self.code, self.code.advice())
    }
}

impl std::error::Error for Refusal {}
