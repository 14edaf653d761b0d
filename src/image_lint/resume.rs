//! `image-resume`: swap to resume from that the image's disks don't have.

use anyhow::Result;

use super::rules::RESUME;
use super::{Finding, Subject};

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let fstab = subject.text("/etc/fstab")?.unwrap_or_default();
    let mut texts = subject.texts("/etc/default/grub.d", ".cfg")?;
    for path in ["/etc/initramfs-tools/conf.d/resume", "/etc/default/grub", "/etc/kernel/cmdline"] {
        texts.extend(subject.text(path)?.map(|text| (path.to_owned(), text)));
    }
    let mut found = Vec::new();
    for (path, text) in texts {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let mut words =
            lines.flat_map(|line| line.split(|c: char| c.is_whitespace() || c == '"' || c == '\''));
        let asked = words.find_map(|word| {
            let value = word.strip_prefix("resume=").or_else(|| word.strip_prefix("RESUME="))?;
            value
                .starts_with("UUID=")
                .then_some(value)
                .or_else(|| value.starts_with("/dev/").then_some(value))
        });
        if let Some(value) = asked.filter(|value| !fstab.contains(value)) {
            let message = format!("it waits for {}, which /etc/fstab doesn't have", value.escape_debug());
            found.push(Finding::new(&RESUME, message).at(path));
        }
    }
    Ok(found)
}
