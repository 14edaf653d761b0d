//! `image-fstab-device`: disks by the kernel's names in `/etc/fstab`.

use anyhow::Result;

use super::rules::FSTAB_DEVICE;
use super::{Finding, Subject};
use crate::image_rules::fstab;

const FSTAB: &str = "/etc/fstab";
/// Disks whose number depends on what else is there. CD drives and floppies are named so in many an installed system.
const DISKS: [&str; 6] = ["/dev/sd", "/dev/vd", "/dev/xvd", "/dev/hd", "/dev/nvme", "/dev/mmcblk"];

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let text = subject.text(FSTAB)?.unwrap_or_default();
    let mut found = Vec::new();
    for line in fstab::lines(&text) {
        let fstab::Line { number, device, place, .. } = line;
        // `/dev/vdata/lv0` is a volume, whatever it is called
        let is_plain = device.matches('/').count() == 2;
        if !is_plain || !DISKS.iter().any(|disk| device.starts_with(disk)) {
            continue;
        }
        let device = device.escape_debug();
        let message = format!(
            "{} is mounted from {device}, which is another disk on other machines",
            place.escape_debug()
        );
        let finding = Finding::new(&FSTAB_DEVICE, message).at(format!("{FSTAB}:{number}"));
        found.push(finding.help("write UUID= and what blkid says of it"));
    }
    Ok(found)
}
