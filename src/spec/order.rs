//! Permits and install orders.
//!
//! `arm` mints a [`Permit`] into the site's state; `bundle` joins it with what the profile says now into an
//! [`InstallOrder`] and signs that. A target acts on a verified order only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FormatVersion;
use super::image::ImagePin;
use super::system::{NetworkSpec, SystemSpec};
use crate::value::{
    Digest, DiskSelector, HostName, HttpUrl, ImageRef, Mac, OrderId, Pattern, SerialNumber, SystemUuid,
    Timestamp,
};

/// A right to wipe one disk of one host once. Lives in the site's state, never on a medium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// Format of this document.
    pub version: FormatVersion<1>,
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

/// All that a target needs to know to install one host. Signed as bytes; see `trust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallOrder {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// Name of this order; the done file is called after it.
    pub id: OrderId,
    /// The host's name in the site.
    pub host: HostName,
    /// Counts the host's orders, from 1.
    pub generation: u64,
    /// Not valid earlier. Judged against the later of the clock and this bundle's newest `not_before`.
    pub not_before: Timestamp,
    /// Not valid later.
    pub not_after: Timestamp,
    /// Which machine this is for; every key given must match, any one of the MACs.
    pub matching: HostMatch,
    /// What is written.
    pub image: ImagePin,
    /// Where it is written.
    pub target: DiskSelector,
    /// Whether data that isn't ours may be overwritten.
    pub wipe: WipePolicy,
    /// Length of the countdown before the first write; 0 turns it off.
    pub confirm_seconds: u32,
    /// How the agent and the installed system reach the network.
    pub network: NetworkSpec,
    /// Where blobs are when they aren't on the boot medium: `<base>/blobs/<sha256>`.
    pub payload: Option<HttpUrl>,
    /// Where events are posted: `<base>/v1/events`.
    pub server: Option<HttpUrl>,
    /// What makes the installed system this host's.
    pub system: SystemSpec,
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
    /// Any disk that the selector names, whatever it holds.
    Foreign,
}
