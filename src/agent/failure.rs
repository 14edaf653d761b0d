//! Why an install broke off.

use crate::spec::Code;

/// An install that had begun, or was about to, and can't go on. The disk isn't bootable then, or still as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable code.
    pub code: Code,
    /// What happened, a sentence that names disk, byte, blob or file.
    pub message: String,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Reading or writing the disk failed.
    pub fn disk(doing: impl std::fmt::Display, error: &std::io::Error) -> Self {
        Self::new(Code::DiskIo, format!("{doing}: {error}"))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}\n{}: {}", self.code, self.message, self.code, self.code.advice())
    }
}

impl std::error::Error for Failure {}
