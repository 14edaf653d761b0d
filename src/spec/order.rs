//! Permits and install orders.
//!
//! `arm` mints a [`Permit`] into the site's state; `bundle` joins it with what the profile says now into an
//! [`InstallOrder`] and signs that. A target acts on a verified order only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FormatVersion;
use super::image::ImagePin;
use super::secure_boot::Loaders;
use super::system::{NetworkSpec, SystemSpec};
use crate::value::{
    Digest, DiskSelector, EventSecret, HostName, HttpUrl, ImageRef, Mac, OrderId, Pattern, Seal,
    SerialNumber, SystemUuid, Timestamp,
};

/// A right to wipe one disk of one host once. Lives in the site's state, sealed by the site's key, never on a medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// Format of this document; the first one had no seal.
    pub version: FormatVersion<2>,
    /// Name of the order that will be signed.
    pub id: OrderId,
    /// Whose disk.
    pub host: HostName,
    /// Counts the host's permits, from 1. A disk that knows a higher one refuses this one.
    pub generation: u64,
    /// Not valid earlier.
    pub not_before: Timestamp,
    /// Not valid later.
    pub not_after: Timestamp,
    /// The image that was locked when the host was armed; another one needs another permit.
    pub image: ImageRef,
    /// Digest of that image's manifest.
    pub manifest: Digest,
    /// The disk that was meant when the host was armed; another one needs another permit.
    pub target: DiskSelector,
    /// How the machine was recognised when the host was armed; other rules need another permit.
    pub matching: HostMatch,
    /// What might be overwritten when the host was armed; another policy needs another permit.
    pub wipe: WipePolicy,
}

impl Permit {
    /// What stands on a disk of it.
    pub fn grant(&self) -> Grant {
        Grant {
            host: self.host.clone(),
            order: self.id.clone(),
            generation: self.generation,
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }
}

/// What a permit says of itself, in few enough bytes to stand on a disk. The site signs it, so that a claim shows by itself
/// that somebody who may arm this host did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Whose disk.
    pub host: HostName,
    /// The order.
    pub order: OrderId,
    /// Counts the host's orders, from 1.
    pub generation: u64,
    /// Not valid earlier: whoever sees it knows that it is later.
    pub not_before: Timestamp,
    /// Not valid later.
    pub not_after: Timestamp,
}

impl Grant {
    /// What is signed: one line a field. None of them can hold a line break.
    pub fn to_signed_bytes(&self) -> Vec<u8> {
        let Self { host, order, generation, not_before, not_after } = self;
        let (from, until) = (not_before.as_unix(), not_after.as_unix());
        format!("{host}\n{order}\n{generation}\n{from}\n{until}\n").into_bytes()
    }
}

/// All that a target needs to know to install one host. Signed as bytes; see `trust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallOrder {
    /// Format of this document.
    pub version: FormatVersion<3>,
    /// Name of this order; the done file is called after it.
    pub id: OrderId,
    /// The host's name in the site.
    pub host: HostName,
    /// Counts the host's orders, from 1.
    pub generation: u64,
    /// Not valid earlier. What is taken for the time is the agent's judgement: see `crate::plan`.
    pub not_before: Timestamp,
    /// Not valid later.
    pub not_after: Timestamp,
    /// The site's signature over [`InstallOrder::grant`]: it goes into the claim.
    pub seal: Seal,
    /// What vouches for the runs under this order: whoever has the order can speak for its host.
    pub events: EventSecret,
    /// Which machine this is for; every key given must match, any one of the MACs.
    pub matching: HostMatch,
    /// What is written.
    pub image: ImagePin,
    /// What starts it: a firmware with Secure Boot may refuse that. Orders of earlier versions don't say it, and images whose
    /// loaders can't be read have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaders: Option<Loaders>,
    /// Where it is written.
    pub target: DiskSelector,
    /// Whether data that isn't ours may be overwritten.
    pub wipe: WipePolicy,
    /// Length of the countdown before the first write; 0 turns it off.
    pub confirm_seconds: u32,
    /// How long a machine that refused waits for a hand before it goes on by itself.
    pub refusal_pause_seconds: u32,
    /// Whether a clock that nothing vouches for is taken for the bundle's time: machines without a battery, far from a network.
    pub allow_dead_clock: bool,
    /// How the agent and the installed system reach the network.
    pub network: NetworkSpec,
    /// Where blobs are when they aren't on the boot medium: `<base>/blobs/<sha256>`.
    pub payload: Option<HttpUrl>,
    /// Where events are posted: `<base>/v1/events`.
    pub server: Option<HttpUrl>,
    /// What makes the installed system this host's.
    pub system: SystemSpec,
}

impl InstallOrder {
    /// What its claim says of it.
    pub fn grant(&self) -> Grant {
        Grant {
            host: self.host.clone(),
            order: self.id.clone(),
            generation: self.generation,
            not_before: self.not_before,
            not_after: self.not_after,
        }
    }
}

/// How a machine is recognised. At least one of MACs, UUID and serial is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostMatch {
    /// One of these must be on one of the machine's interfaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macs: Vec<Mac>,
    /// SMBIOS system UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<SystemUuid>,
    /// SMBIOS system serial number, compared without case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<SerialNumber>,
    /// SMBIOS system manufacturer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Pattern>,
    /// SMBIOS product name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Pattern>,
}

impl HostMatch {
    /// Whether this machine is the one. A key that the machine doesn't report (or reports as a placeholder) doesn't match.
    pub fn matches(&self, machine: &super::facts::Machine) -> bool {
        let Self { macs, uuid, serial, vendor, model } = self;
        let names_someone = !macs.is_empty() || uuid.is_some() || serial.is_some();
        let same_serial = |want: &SerialNumber, have: &SerialNumber| {
            want.to_string().eq_ignore_ascii_case(&have.to_string())
        };
        names_someone
            && (macs.is_empty() || machine.nics.iter().any(|nic| macs.contains(&nic.mac)))
            && uuid.is_none_or(|want| machine.uuid == Some(want))
            && serial
                .as_ref()
                .is_none_or(|want| machine.serial.as_ref().is_some_and(|have| same_serial(want, have)))
            && vendor
                .as_ref()
                .is_none_or(|want| machine.vendor.as_ref().is_some_and(|have| want.matches(have)))
            && model.as_ref().is_none_or(|want| machine.model.as_ref().is_some_and(|have| want.matches(have)))
    }
}

/// What may be overwritten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WipePolicy {
    /// Blank disks, and disks with our own claim or done mark.
    #[default]
    Ours,
    /// The disk that the selector names by serial number or world-wide name, whatever it holds.
    Foreign,
    /// Any disk that the selector fits, whatever it holds: also one that only its model or size describe. When the disk that
    /// was meant is gone, that may be another one.
    AnyMatch,
}

impl WipePolicy {
    /// Whether data that isn't ours may be lost.
    pub fn allows_foreign(self) -> bool {
        match self {
            Self::Ours => false,
            Self::Foreign | Self::AnyMatch => true,
        }
    }
}

impl std::fmt::Display for WipePolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ours => "ours",
            Self::Foreign => "foreign",
            Self::AnyMatch => "any-match",
        })
    }
}
