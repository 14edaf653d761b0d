//! `image-cloud-init-disabled`: what switches cloud-init off, where the image has it.

use anyhow::Result;

use super::rules::CLOUD_INIT_DISABLED;
use super::{Finding, Subject};

/// Files whose being there is enough: cloud-init's tools/ds-identify and systemd generator.
const MARKS: [&str; 1] = ["/etc/cloud/cloud-init.disabled"];
/// Where the kernel's command line of the installed system is made, or stands.
const LINES: [&str; 5] = [
    "/etc/default/grub",
    "/etc/kernel/cmdline",
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/etc/cmdline.d/cloud.conf",
];

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    if !subject.system.tools.iter().any(|tool| tool == "cloud-init") {
        return Ok(found);
    }
    for path in MARKS {
        if subject.root.exists(path)? {
            found.push(
                Finding::new(&CLOUD_INIT_DISABLED, "cloud-init doesn't run where this file is").at(path),
            );
        }
    }
    let mut texts = subject.texts("/etc/default/grub.d", ".cfg")?;
    texts.extend(subject.texts("/boot/loader/entries", ".conf")?);
    for path in LINES {
        texts.extend(subject.text(path)?.map(|text| (path.to_owned(), text)));
    }
    for (path, text) in texts {
        let is_off =
            |line: &&str| line.contains("cloud-init=disabled") && !line.trim_start().starts_with('#');
        if text.lines().any(|line| is_off(&line)) {
            let message = "`cloud-init=disabled` is on the kernel's command line";
            found.push(Finding::new(&CLOUD_INIT_DISABLED, message).at(path));
        }
    }
    Ok(found)
}
