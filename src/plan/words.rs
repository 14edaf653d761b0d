//! Disks and refusals in words.

use crate::spec::Code;
use crate::spec::facts::{Disk, DiskContent, Facts};
use crate::spec::order::Grant;
use crate::spec::plan::Refusal;

/// One disk in words: for refusals and the countdown.
pub fn describe(disk: &Disk) -> String {
    let mut text = format!("{}: {}", disk.name, disk.model.as_deref().unwrap_or("unknown model"));
    text += &format!(", serial {}", disk.serial.as_deref().unwrap_or("none"));
    if let Some(wwn) = &disk.wwn {
        text += &format!(", wwn {wwn}");
    }
    let bytes = disk.size.as_bytes();
    text += &format!(", {:.1} GB ({bytes} bytes), ", bytes as f64 / 1e9);
    text += &match &disk.content {
        DiskContent::Blank => "blank".to_owned(),
        DiskContent::Unsampled => "its ends are blank".to_owned(),
        DiskContent::Ours { claim, beside, .. } => {
            let beside = beside.as_ref().map(|what| format!(", and holds {what}")).unwrap_or_default();
            let Grant { order, host, generation, .. } = &claim.grant;
            format!("claimed by order {order} of {host}, generation {generation}{beside}")
        }
        DiskContent::Foreign { looks_like } => format!("holds {looks_like}"),
        DiskContent::Unreadable { error } => format!("can't be read ({error})"),
    };
    for (flag, word) in [
        (disk.boot_medium, "our boot medium"),
        (disk.removable, "removable or USB"),
        (!disk.removable && !disk.transport.is_local_fixed(), disk.transport.words()),
        (disk.read_only, "read-only"),
        (disk.logical_block != 512, "not made of 512-byte blocks"),
    ] {
        if flag {
            text += &format!(", {word}");
        }
    }
    text
}

/// A refusal that lists every disk of the machine.
pub(super) fn with_disks(code: Code, message: &str, facts: &Facts) -> Refusal {
    let mut text = format!("{message}\ndisks of this machine:");
    for disk in &facts.disks {
        text += &format!("\n  {}", describe(disk));
    }
    if facts.disks.is_empty() {
        text += " none";
    }
    Refusal::new(code, text)
}
