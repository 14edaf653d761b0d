//! What the agent will do, as data: printed before it runs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Code;
use super::facts::Disk;
use crate::value::{ByteSize, Digest, HostName, OrderId, Timestamp};

/// An install that nothing speaks against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// For whom.
    pub host: HostName,
    /// By which order.
    pub order: OrderId,
    /// The one disk that matches.
    pub disk: Disk,
    /// How much of it is to be done.
    pub work: Work,
    /// First run of this order on this disk, or a further one.
    pub attempt: u32,
    /// How many runs of it failed so far.
    pub failures: u32,
    /// What was believed to be the time when the first of them began.
    pub time: Timestamp,
    /// What is believed to be the time now.
    pub now: BelievedTime,
    /// Size of the image.
    pub covers: ByteSize,
    /// Its root file system, and the first byte of that.
    pub root: (Uuid, ByteSize),
    /// Digest of the samples beyond the image as they were judged before this run.
    pub outside: Digest,
    /// The disk held something that isn't ours and the order allows its loss.
    pub overwrites_foreign: bool,
    /// The same of the first run of this order: what its claim says.
    pub foreign: bool,
    /// Older orders of this host that were done or claimed on this disk, the newest first. They are marked done together with
    /// this one: a medium that still carries one of them then boots the disk, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<OrderId>,
    /// Manifests of the images that the disk may hold, wholly or in part, by the word of a claim that names them; the one that was
    /// written last comes first. What of theirs is wanted isn't fetched: a hint, every byte is verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Digest>,
}

/// What a plan takes for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BelievedTime {
    /// The time; it may be later by now, where only marks of the past told it.
    pub time: Timestamp,
    /// Whether a clock or a mark told it. If not, it is the bundle's time, which the order takes for want of a better one: no
    /// mark may pass it on.
    pub vouched: bool,
}

impl BelievedTime {
    /// The time, if others may rely on it.
    pub fn vouched_time(self) -> Option<Timestamp> {
        self.vouched.then_some(self.time)
    }
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// The whole install.
    Install,
    /// The tables: all else was written under this order, and is in use perhaps.
    Tables {
        /// CRC-32 of the partition entries that were made, as the claim has it.
        entries: u32,
    },
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
