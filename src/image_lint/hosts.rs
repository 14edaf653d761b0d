//! `image-builder-name`: the name of the machine on which the image was made, in `/etc/hosts`.

use anyhow::Result;

use super::rules::BUILDER_NAME;
use super::{Finding, Subject};

const HOSTS: &str = "/etc/hosts";

pub(super) fn find(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let own = subject.text("/etc/hostname")?.unwrap_or_default();
    let own = own.trim();
    let mut found = Vec::new();
    for (number, line) in (1..).zip(subject.text(HOSTS)?.unwrap_or_default().lines()) {
        // where Debian's installer writes a machine's own name
        let Some(names) = line.trim_start().strip_prefix("127.0.1.1") else { continue };
        let names: Vec<_> = names.split('#').next().unwrap_or_default().split_whitespace().collect();
        let is_own =
            |name: &&str| name.split('.').next() == own.split('.').next() || name.starts_with("localhost");
        if let Some(name) = names.first().filter(|_| !names.iter().any(is_own)) {
            let message = format!(
                "127.0.1.1 is `{}` there, and the image is `{}`",
                name.escape_debug(),
                own.escape_debug()
            );
            found.push(Finding::new(&BUILDER_NAME, message).at(format!("{HOSTS}:{number}")));
        }
    }
    Ok(found)
}
