//! Models of the grammars that targets read: what an answer file says, and what its reader would stumble over.
//!
//! Stock validators are shallow: a misspelt preseed key, `8G` in a partman recipe or an undefined volume group pass them all and
//! end in a question that nobody answers. These models know what the installers' own sources say. They judge any file, also one
//! that ironstrap didn't write. Pure: text in, findings out; nothing is run, and no file is opened.

pub mod kickstart;
pub mod preseed;
pub mod words;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The installer stops, asks, or does something else than the file says.
    Error,
    /// It works, but is deprecated, has no effect, or is seldom meant.
    Warning,
}

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
}

impl Finding {
    /// Something that breaks the install.
    pub fn error(line: usize, message: impl Into<String>) -> Self {
        Self { line, severity: Severity::Error, message: message.into(), help: None }
    }

    /// Something that is seldom meant.
    pub fn warning(line: usize, message: impl Into<String>) -> Self {
        Self { line, severity: Severity::Warning, message: message.into(), help: None }
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
