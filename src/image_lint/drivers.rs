//! `image-no-driver`: devices that no driver of the image answers to.

use std::collections::BTreeSet;

use anyhow::Result;

use super::rules::NO_DRIVER;
use super::{Finding, LIKE_RHEL, Shelf, Subject, kernel_flavour};
use crate::value::rule::Severity;

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// Disks.
    Storage,
    /// Ethernet.
    Network,
    /// Keyboards, and media to boot from.
    Usb,
}

impl Use {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Storage => "disk controller",
            Self::Network => "network card",
            Self::Usb => "USB controller or disk",
        }
    }

    /// Where the kernel's drivers of it are.
    fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Storage => &["drivers/ata/", "drivers/scsi/", "drivers/message/", "drivers/nvme/host/"],
            Self::Network => &["drivers/net/ethernet/"],
            Self::Usb => &["drivers/usb/host/"],
        }
    }
}

/// A device that a system can't do without, or not well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Device<'a> {
    pub(super) modalias: &'a str,
    pub(super) of: Use,
}

impl Device<'_> {
    /// `network card 8086:10fb`.
    pub(super) fn in_words(&self) -> String {
        let part = |mark: char| {
            let (_, rest) = self.modalias.strip_prefix("pci:")?.split_once(mark)?;
            rest.get(4..8).map(str::to_ascii_lowercase)
        };
        let id = part('v').zip(part('d')).map(|(vendor, device)| format!("{vendor}:{device}"));
        format!("{} {}", self.of.name(), id.unwrap_or_else(|| self.modalias.escape_debug().to_string()))
    }
}

/// What of these is a disk controller, a network card, or for USB; each once.
pub(super) fn devices(modaliases: &[String]) -> Vec<Device<'_>> {
    let of = |modalias: &'_ str| {
        if let Some(rest) = modalias.strip_prefix("virtio:d") {
            // numbers of virtio devices: virtio specification, section 5
            return match rest.get(..8)? {
                "00000001" => Some(Use::Network),
                "00000002" | "00000008" => Some(Use::Storage),
                _ => None,
            };
        }
        if modalias.starts_with("usb:") {
            // class 8: mass storage, by bulk only or UAS
            return modalias.contains("ic08isc06").then_some(Use::Usb);
        }
        // classes of PCI: pci_ids.h
        let (_, class) = modalias.strip_prefix("pci:")?.rsplit_once("bc")?;
        match (class.get(..2)?, class.get(2..6)?) {
            ("01", _) => Some(Use::Storage),
            ("02", "sc00") => Some(Use::Network),
            ("0C", "sc03") => Some(Use::Usb),
            _ => None,
        }
    };
    let known = |modalias: &'_ String| modalias.len() < 512 && modalias.is_ascii();
    let found: BTreeSet<_> = modaliases
        .iter()
        .filter(|modalias| known(modalias))
        .filter_map(|modalias| Some(Device { of: of(modalias)?, modalias }))
        .collect();
    found.into_iter().collect()
}

pub(super) fn find(subject: &Subject<'_>, shelf: &Shelf, devices: &[Device<'_>]) -> Result<Vec<Finding>> {
    let modules = shelf.modules(subject)?;
    let (driven, without): (Vec<_>, Vec<_>) =
        devices.iter().partition(|device| !modules.drivers(device.modalias).is_empty());
    let has_network = driven.iter().any(|device| device.of == Use::Network);
    let told = |device: &&Device<'_>| {
        let is_needed = match device.of {
            Use::Storage => true,
            Use::Network => !has_network,
            Use::Usb => false,
        };
        let may_be_builtin = modules.may_be_builtin(device.of.folders());
        let severity = if is_needed && !may_be_builtin { Severity::Error } else { Severity::Warning };
        let kernel = &subject.system.kernel;
        let message = format!("{}: kernel {kernel} has no driver for it", device.in_words());
        Finding::new(&NO_DRIVER, message).of_severity(severity).help(cure(subject, may_be_builtin))
    };
    Ok(without.iter().map(told).collect())
}

/// Which package brings more drivers.
fn cure(subject: &Subject<'_>, may_be_builtin: bool) -> String {
    let kernel = &subject.system.kernel;
    let sure = match may_be_builtin {
        true => "; what the kernel's built-in drivers answer to isn't known, so it may have one after all",
        false => "",
    };
    let package = match kernel_flavour::cure(subject) {
        Some(cure) => format!("install {cure}"),
        None if subject.is_like(&["ubuntu"]) => format!("install linux-modules-extra-{kernel}"),
        None if subject.is_like(LIKE_RHEL) => {
            format!("install kernel-modules and kernel-modules-extra of {kernel}")
        }
        None if subject.is_like(&["opensuse-leap", "opensuse-tumbleweed", "sles"]) => {
            "install kernel-default instead of kernel-default-base".to_owned()
        }
        None => "a newer kernel may have one".to_owned(),
    };
    package + sure
}
