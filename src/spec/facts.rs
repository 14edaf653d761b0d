//! What the agent saw on a machine: a dump that can be replayed offline.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FormatVersion;
use super::claim::Claim;
use super::samples::Samples;
use super::secure_boot::FirmwareTrust;
use super::transport::Transport;
use crate::value::{ByteSize, DiskIdentity, Mac, OrderId, SerialNumber, SystemUuid, Timestamp};

/// Everything the plan is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// The machine's clock; it may be wrong.
    pub clock: Timestamp,
    /// What else tells the time, where the clock can't be believed. Claims and done marks tell it too; they are with the disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vouchers: Vec<Voucher>,
    /// Who the machine is.
    pub machine: Machine,
    /// Every whole disk, sorted by name.
    pub disks: Vec<Disk>,
}

/// A time that somebody else than the machine's clock tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// Who tells it.
    pub source: VoucherSource,
    /// What it tells.
    pub time: Timestamp,
}

/// Who tells the time beside the machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoucherSource {
    /// The site's server, by the `Date` of an answer in this run. A reading.
    Server,
    /// The recorder of the boot medium: the newest time that was believed by an install from it. It is later by now.
    Recorder,
}

/// Identity of the machine and how it was booted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// SMBIOS system manufacturer.
    pub vendor: Option<String>,
    /// SMBIOS product name.
    pub model: Option<String>,
    /// SMBIOS serial; `None` where it is absent or a placeholder.
    pub serial: Option<SerialNumber>,
    /// SMBIOS UUID; `None` where it is absent or a placeholder.
    pub uuid: Option<SystemUuid>,
    /// Ethernet interfaces with their permanent addresses, sorted by name.
    pub nics: Vec<Nic>,
    /// Memory the kernel has.
    pub memory: ByteSize,
    /// What the firmware says about Secure Boot.
    pub secure_boot: SecureBoot,
    /// What the firmware lets start; `None` where it has no Secure Boot, or its variables couldn't be read. Facts of earlier versions
    /// don't say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<FirmwareTrust>,
    /// What the kernel's devices ask `modprobe` for, sorted, each once: which drivers a system on this machine needs. Only
    /// `ironstrap facts` records it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modaliases: Vec<String>,
}

impl Machine {
    /// What it says of itself, in words.
    pub fn in_words(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.vendor.iter().map(|text| format!("vendor {text}")));
        parts.extend(self.model.iter().map(|text| format!("model {text}")));
        parts.extend(self.serial.iter().map(|serial| format!("serial {serial}")));
        parts.extend(self.uuid.iter().map(|uuid| format!("uuid {uuid}")));
        parts.extend(self.nics.iter().map(|nic| format!("mac {}", nic.mac)));
        if parts.is_empty() { "without any identity".to_owned() } else { parts.join(", ") }
    }
}

/// State of Secure Boot (UEFI variables `SecureBoot` and `SetupMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecureBoot {
    /// Enforced.
    On,
    /// Supported but off, or in setup mode.
    Off,
    /// No such variable: no UEFI, or one without Secure Boot.
    Absent,
    /// There is UEFI, and its variables couldn't be read. Facts of earlier versions say `absent` of these too.
    Unread,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// The kernel's name in this boot.
    pub name: String,
    /// Permanent hardware address.
    pub mac: Mac,
    /// Driver bound to it, if any.
    pub driver: Option<String>,
    /// Whether it has a link.
    pub carrier: bool,
}

/// One whole disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The kernel's name in this boot, like `sda`.
    pub name: String,
    /// Size in bytes.
    pub size: ByteSize,
    /// Logical block size in bytes.
    pub logical_block: u32,
    /// Serial number, trimmed.
    pub serial: Option<String>,
    /// World-wide name.
    pub wwn: Option<String>,
    /// Model, trimmed.
    pub model: Option<String>,
    /// The kernel calls it removable, or it sits on USB: never a target.
    pub removable: bool,
    /// How it is reached. Facts of earlier versions don't say it.
    #[serde(default)]
    pub transport: Transport,
    /// Writes are refused.
    pub read_only: bool,
    /// It carries our payload or recorder: the medium we booted from or another one of ours.
    pub boot_medium: bool,
    /// What it holds.
    pub content: DiskContent,
    /// What stands at places all over it. Only disks that may be a target are looked at so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
    /// The error, where it was looked at so and couldn't be read everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// UUIDs of ext4, XFS and btrfs file systems found on its partitions or on the whole disk.
    pub filesystems: Vec<Uuid>,
    /// Orders whose done file is in its ESP.
    pub done: Vec<OrderId>,
    /// Root file systems that these done files name. An ESP outlives its system: only where `filesystems` has one of them
    /// is the installed system still there.
    #[serde(default)]
    pub done_roots: Vec<Uuid>,
    /// The newest time that these done files tell; those of older agents tell none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// Whether the root file system that the claim on this disk names is where the claim says.
    #[serde(default)]
    pub claimed_root_in_place: bool,
}

impl Disk {
    /// The view that selectors match.
    pub fn identity(&self) -> DiskIdentity<'_> {
        DiskIdentity {
            serial: self.serial.as_deref(),
            wwn: self.wwn.as_deref(),
            model: self.model.as_deref(),
            size: self.size,
        }
    }

    /// Whether the root file system of an install that was completed here is still there.
    pub fn holds_installed_root(&self) -> bool {
        self.done_roots.iter().any(|root| self.filesystems.contains(root))
    }

    /// Whether WWN or serial tell it from every other disk.
    pub fn is_unique(&self) -> bool {
        self.wwn.is_some() || self.serial.is_some()
    }

    /// A name that survives reboots: WWN, else serial, else model and size; what a claim is bound to. The last isn't unique
    /// (see [`Disk::is_unique`]), so a claim under it may be a copied one.
    pub fn stable_name(&self) -> String {
        match (&self.wwn, &self.serial) {
            (Some(wwn), _) => format!("wwn:{wwn}"),
            (None, Some(serial)) => format!("serial:{serial}"),
            (None, None) => {
                format!("model:{}:{}", self.model.as_deref().unwrap_or("?"), self.size.as_bytes())
            }
        }
    }
}

/// What a look at both ends of a disk found, and, where it may be a target, at places all over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum DiskContent {
    /// Both ends are blank, and nobody looked further: the disk isn't a candidate. It isn't known to be blank.
    Unsampled,
    /// Both ends are blank, and so are the places where file systems and volume managers keep what is needed to find them,
    /// and samples all over the disk. What only holds zeroes or only 0xFF, sector by sector, is blank.
    Blank,
    /// Our claim record is there and intact.
    Ours {
        /// The newest claim on this disk.
        claim: Box<Claim>,
        /// LBA 0 is zero, as our installs keep it until they are complete: firmware boots nothing from this disk.
        closed: bool,
        /// What stands there that our installs don't leave, in words like `looks_like`: it came later, or was never wiped. It
        /// is somebody's data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        beside: Option<String>,
    },
    /// Something else is there.
    Foreign {
        /// What it looks like, in words: `GPT`, `LUKS`, `LVM`, `md`, `ZFS`, `ext4`, … or `unknown data`, with the byte where
        /// it was found if that is neither of the ends.
        looks_like: String,
    },
    /// It couldn't be read.
    Unreadable {
        /// The error.
        error: String,
    },
}
