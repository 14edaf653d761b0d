//! A script of the site's own, run once as root.

use super::text::{no_nul, shown};
use super::{Manager, Outcome, Program, Takeover, Verdict};
use crate::host::Unsupported;
use crate::host::resolve::handoff::Work;
use crate::profile::diag::Diagnostic;
use crate::profile::spanned::Spanned;
use crate::value::{HostName, OrderId};

pub(super) const BY: &str = "script";

/// Its exit status says it all: the frame judges it.
pub(super) const OUTCOMES: &[Outcome] = &[
    Outcome::new("0", "*", Verdict::Converged, "the script succeeded"),
    Outcome::new("*", "*", Verdict::Failed, "the script failed"),
];

/// A script runs once as root.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    /// Its text, with `#!` line.
    pub content: String,
}

impl std::fmt::Debug for Script {
    /// Without the content, which may hold what must not be logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    /// What a profile says; `None` if something is wrong with it.
    pub(super) fn resolve(path: &Spanned<String>, work: &mut Work<'_, '_>) -> Option<Self> {
        let (content, place) = work.file(path)?;
        if let Err(message) = check(&content) {
            work.tell(Diagnostic::new(place, message));
        }
        Some(Self { content })
    }
}

impl Manager for Script {
    fn name(&self) -> &'static str {
        BY
    }

    fn key(&self) -> &'static str {
        "script"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[]
    }

    fn takeover(&self, _: &HostName, _: Option<&OrderId>) -> Result<Takeover, Vec<Unsupported>> {
        check(&self.content)
            .map_err(|reason| vec![Unsupported { key: "handoff.script".to_owned(), reason }])?;
        // on the machine only root reads it; on its way there, whoever has the medium or can ask the TFTP server does
        let program = Program { mode: 0o700, text: self.content.clone() };
        Ok(Takeover { program, files: Vec::new(), units: Vec::new() })
    }
}

/// The kernel must find an interpreter.
///
/// # Errors
/// What was found.
pub fn check(text: &str) -> Result<(), String> {
    let first = text.split('\n').next().unwrap_or_default();
    if !first.strip_prefix("#!").is_some_and(|program| program.trim_start().starts_with('/')) {
        return Err(format!(
            "the first line is `{}`, expected `#!` and the path of an interpreter (like `#!/bin/sh`)",
            shown(first)
        ));
    }
    if first.ends_with('\r') {
        return Err(
            "lines end as on Windows (CR LF); the kernel would look for an interpreter named with a CR"
                .to_owned(),
        );
    }
    no_nul(text, "binaries can't be handed off")
}
