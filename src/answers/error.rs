//! Why a host has no answers, for whoever does something else for each kind: `import` takes refused keys out of its draft, the
//! commands say which values stand in a line that can't be read.

use crate::grammar::{self, Finding};
use crate::host::{Host, Refusal};
use crate::value::HostName;

use super::Unreadable;

/// Why a host's answers couldn't be rendered.
///
/// It isn't a [`std::error::Error`] itself: what it holds is, and [`anyhow::Error`] takes that, with its causes and whose fault
/// it is.
#[derive(Debug)]
pub enum RenderError {
    /// What the installer can't say of the host, all of it.
    Unsupported(Refusal),
    /// A command line for the installer's kernel that would be misread.
    CommandLine(CommandLine),
    /// A file that its reader would stumble over.
    Unreadable(Unreadable),
    /// A template that fails, or a value that nothing can carry.
    Failed(anyhow::Error),
}

impl std::fmt::Display for RenderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unsupported(refusal) => refusal.fmt(f),
            Self::CommandLine(wrong) => wrong.fmt(f),
            Self::Unreadable(wrong) => wrong.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl From<RenderError> for anyhow::Error {
    fn from(error: RenderError) -> Self {
        match error {
            RenderError::Unsupported(refusal) => refusal.into(),
            RenderError::CommandLine(wrong) => wrong.into(),
            RenderError::Unreadable(wrong) => wrong.into(),
            RenderError::Failed(error) => error,
        }
    }
}

impl From<Refusal> for RenderError {
    fn from(refusal: Refusal) -> Self {
        Self::Unsupported(refusal)
    }
}

impl From<CommandLine> for RenderError {
    fn from(wrong: CommandLine) -> Self {
        Self::CommandLine(wrong)
    }
}

impl From<Unreadable> for RenderError {
    fn from(wrong: Unreadable) -> Self {
        Self::Unreadable(wrong)
    }
}

impl From<anyhow::Error> for RenderError {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// What the kernel or the installer would stumble over in the command line of a host's installer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    host: HostName,
    problems: Vec<String>,
}

impl CommandLine {
    /// The key whose value is at fault.
    pub const KEY: &'static str = "kernel_args";

    /// Holds a command line against what the kernel and the installer take.
    ///
    /// # Errors
    /// All that is wrong.
    pub(super) fn check(host: &Host, args: &[String], reader: grammar::cmdline::Reader) -> Result<(), Self> {
        let found: Vec<Finding> = grammar::cmdline::lint(&args.join(" "), reader);
        let problems: Vec<_> = grammar::errors(&found).map(|finding| finding.message.clone()).collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Self { host: host.name.clone(), problems }),
        }
    }

    /// What it says, without the host: a sentence.
    pub fn sentence(&self) -> String {
        format!("{}: the installer's command line: {}", Self::KEY, self.problems.join("; "))
    }
}

impl std::error::Error for CommandLine {}

impl std::fmt::Display for CommandLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.host, self.sentence())
    }
}
