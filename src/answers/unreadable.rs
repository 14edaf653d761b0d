//! A file that was made here and that its reader would stumble over.
//!
//! It comes from a template of the site, or from a value that our own templates don't know how to write: so the lines are kept,
//! for whoever wants to say which values stand in them. A line may hold a password's hash: it is never printed.

use crate::grammar::{self, Finding};
use crate::host::Host;
use crate::value::HostName;
use crate::value::rule::Rule;

use super::AnswerFormat;

/// What is wrong with the file of a host.
#[derive(Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The host.
    pub host: HostName,
    /// The template that made the file.
    pub template: String,
    /// What it should have been.
    pub format: &'static str,
    /// The errors, each with the line that it is about.
    pub found: Vec<(Finding, String)>,
}

impl Unreadable {
    /// Lets a file pass in which nothing, or only warnings, were found, or errors of rules that the site waives: those are
    /// returned.
    ///
    /// # Errors
    /// All other errors.
    pub(super) fn unless_fine(
        host: &Host,
        waivable: &[&'static Rule],
        template: &str,
        format: &dyn AnswerFormat,
        text: &str,
    ) -> Result<Vec<Finding>, Self> {
        let found = format.lint(text);
        let line = |finding: &Finding| text.lines().nth(finding.line.saturating_sub(1)).unwrap_or_default();
        let (waived, errors): (Vec<&Finding>, Vec<_>) =
            grammar::errors(&found).partition(|finding| waivable.contains(&finding.rule));
        let waived = waived.into_iter().cloned().collect();
        let found: Vec<_> =
            errors.into_iter().map(|finding| (finding.clone(), line(finding).to_owned())).collect();
        if found.is_empty() {
            return Ok(waived);
        }
        Err(Self { host: host.name.clone(), template: template.to_owned(), format: format.name(), found })
    }
}

impl Unreadable {
    /// What it says, without the host: a sentence, and a line for each error.
    pub fn sentence(&self) -> String {
        let found: String =
            self.found.iter().map(|(finding, _)| format!("\n{finding} [{}]", finding.rule)).collect();
        format!("what {} made is no {}:{found}", self.template, self.format)
    }
}

impl std::error::Error for Unreadable {}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.host, self.sentence())
    }
}

/// Without the lines.
impl std::fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
