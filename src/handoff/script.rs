//! A script of the site's own, run once as root.

use anyhow::{Result, ensure};

use super::{Takeover, file, reporter};

pub(super) fn takeover(content: &str) -> Result<Takeover> {
    let first = content.lines().next().unwrap_or_default();
    ensure!(
        first.strip_prefix("#!").is_some_and(|program| program.trim_start().starts_with('/')),
        "handoff.script: the first line is `{}`, expected `#!` and the path of an interpreter (like `#!/bin/sh`)",
        first.chars().take(40).collect::<String>().escape_debug()
    );
    let line = content.split('\n').next().unwrap_or_default();
    ensure!(
        !line.ends_with('\r'),
        "handoff.script: lines end as on Windows (CR LF); the kernel would look for an interpreter named with a CR"
    );
    ensure!(
        !content.contains('\0'),
        "handoff.script: it holds a NUL character; binaries can't be handed off"
    );
    // only root reads it: it may hold what a site wouldn't show to every user
    let files = vec![file(reporter::COMMAND, 0o700, content)];
    Ok(Takeover { by: "script", command: Some(reporter::COMMAND.to_owned()), files, units: Vec::new() })
}
