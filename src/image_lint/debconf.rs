//! `image-grub-device`: disks of the machine on which the image was made, where GRUB's packages remember them.

use anyhow::Result;

use super::rules::GRUB_DEVICE;
use super::{Finding, Subject};

const CONFIG: &str = "/var/cache/debconf/config.dat";
const QUESTIONS: [&str; 3] =
    ["grub-pc/install_devices", "grub-efi/install_devices", "grub-pc/install_devices_disks_changed"];
const MAP: &str = "/boot/grub/device.map";

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    let text = subject.text(CONFIG)?.unwrap_or_default();
    for block in text.split("\n\n") {
        let value = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let Some(question) = value("Name").filter(|name| QUESTIONS.contains(name)) else { continue };
        if let Some(devices) = value("Value").filter(|value| value.contains("/dev/")) {
            let message = format!("{question} is {}", devices.escape_debug());
            found.push(Finding::new(&GRUB_DEVICE, message).at(CONFIG));
        }
    }
    if let Some(map) = subject.text(MAP)?
        && map.contains("/dev/")
    {
        found.push(
            Finding::new(&GRUB_DEVICE, "it maps disks of the machine on which the image was made").at(MAP),
        );
    }
    Ok(found)
}
