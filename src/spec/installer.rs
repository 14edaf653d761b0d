//! Debian's installer, where it starts the agent: its releases, what is pinned of one, and how it hands a machine over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::value::Digest;

/// A release of debian-installer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DebianRelease {
    /// bookworm.
    #[serde(rename = "debian-12")]
    Debian12,
    /// trixie.
    #[serde(rename = "debian-13")]
    Debian13,
}

impl DebianRelease {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Debian12, Self::Debian13];

    /// As profiles, the lock file and boot media spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian12 => "debian-12",
            Self::Debian13 => "debian-13",
        }
    }
}

impl std::fmt::Display for DebianRelease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What starts the agent on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentStart {
    /// The golden image's own kernel, as its first process.
    Kernel,
    /// Debian's installer, which hands the machine over.
    Installer(DebianRelease),
}

impl AgentStart {
    /// The installer that hands over, if one does.
    pub fn installer(self) -> Option<DebianRelease> {
        match self {
            Self::Kernel => None,
            Self::Installer(release) => Some(release),
        }
    }
}

/// An installer by content: SHA-256 of every file of it that a boot medium is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallerPin {
    /// Its kernel.
    pub kernel: Digest,
    /// Its initrd.
    pub initrd: Digest,
    /// The packages of its kernel's modules, by file name.
    pub udebs: BTreeMap<String, Digest>,
}

/// Words of its command line: whatever it may want to know, it never stops to ask.
pub const WORDS: [&str; 2] = ["auto=true", "priority=critical"];
/// Where the agent stands in the installer's file tree.
pub const AGENT: &str = "ironstrap/agent";
/// The agent's hidden route by which the installer's `preseed/early_command` starts it.
pub const TAKE_OVER: &str = "agent-take-over";
/// The preseed that the installer reads out of its initrd (`initrd-preseed`, file `/preseed.cfg`).
pub const PRESEED: &str = "preseed.cfg";
