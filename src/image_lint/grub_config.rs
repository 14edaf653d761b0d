//! `image-grub-config`: where GRUB looks for its configuration, and what it finds.
//!
//! A signed GRUB looks in its vendor's folder of the ESP; what stands there leads to the one in `/boot`, by its UUID, which the agent
//! writes anew in both.

use anyhow::Result;

use super::rules::GRUB_CONFIG;
use super::{Finding, Subject};

/// What `/boot` has.
const OF_ROOT: [&str; 3] = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub/grub.cfg"];

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    let folders = subject.esp.list("/EFI")?;
    let mut in_esp = false;
    for folder in &folders {
        in_esp |= subject.esp.exists(&format!("/EFI/{folder}/grub.cfg"))?;
    }
    // an image without a loader is not for GRUB
    if folders.is_empty() {
        return Ok(found);
    }
    if !in_esp {
        let message = "no folder of it has a grub.cfg, where a signed GRUB looks first";
        let help = "run grub-install, or write one that leads to /boot/grub/grub.cfg";
        found.push(Finding::new(&GRUB_CONFIG, message).at("/EFI in the ESP").help(help));
    }
    let mut in_root = false;
    for path in OF_ROOT {
        in_root |= subject.root.exists(path)?;
    }
    if !in_root {
        let message = format!("there is no {} and no {}", OF_ROOT[0], OF_ROOT[1]);
        found.push(
            Finding::new(&GRUB_CONFIG, message)
                .help("run update-grub, or grub2-mkconfig -o /boot/grub2/grub.cfg"),
        );
    }
    Ok(found)
}
