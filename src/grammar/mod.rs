//! Models of the grammars that targets read: what an answer file says, and what its reader would stumble over.
//!
//! Stock validators are shallow: a misspelt preseed key, `8G` in a partman recipe or an undefined volume group pass them all and
//! end in a question that nobody answers. These models know what the installers' own sources say. They judge any file, also one
//! that ironstrap didn't write. Pure: text in, findings out; nothing is run, and no file is opened.

pub mod autoinstall;
pub mod cloud_config;
pub mod cmdline;
pub mod detect;
pub mod grub;
pub mod kickstart;
pub mod preseed;
pub mod recipe;
pub mod rules;
pub mod words;

use crate::value::rule::Rule;
pub use crate::value::rule::Severity;

/// One thing that the reader of a file would stumble over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Line of the file, from 1.
    pub line: usize,
    /// How bad it is.
    pub severity: Severity,
    /// What it is: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The one version of the reader that it holds for, where it doesn't for another that is asked about.
    pub only: Option<cloud_config::Version>,
    /// What kind of mistake it is.
    pub rule: &'static Rule,
}

/// Those that break the install.
pub fn errors(found: &[Finding]) -> impl Iterator<Item = &Finding> {
    found.iter().filter(|finding| finding.severity == Severity::Error)
}

impl Finding {
    /// Something that breaks the install.
    pub fn error(rule: &'static Rule, line: usize, message: impl Into<String>) -> Self {
        Self::new(rule, Severity::Error, line, message.into())
    }

    /// Something that is seldom meant.
    pub fn warning(rule: &'static Rule, line: usize, message: impl Into<String>) -> Self {
        Self::new(rule, Severity::Warning, line, message.into())
    }

    fn new(rule: &'static Rule, severity: Severity, line: usize, message: String) -> Self {
        debug_assert!(rule.severities().contains(&severity), "{rule} is no {}", severity.name());
        Self { line, severity, message, help: None, only: None, rule }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Findings after which a file isn't looked into further: whoever has two hundred knows enough, and a hostile file can't take
/// our time.
const MAX_FINDINGS: usize = 200;

/// A text as it may stand in a finding: no control characters, no longer than a line.
fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}
