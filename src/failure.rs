//! Whose fault an error is: the exit code.

use std::process::ExitCode;

/// Attached as context to an `anyhow` error where the answer is not "the user's input". Found in the chain by
/// [`exit_code`]; without one, an error counts as the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The machine, the network or a tool failed: exit code 3.
    Environment,
    /// ironstrap itself is wrong: exit code 4.
    Bug,
}

impl std::fmt::Display for Blame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Environment => "the environment failed",
            Self::Bug => "this is a bug in ironstrap; please report it",
        })
    }
}

/// An `anyhow` error that knows whose fault it is.
#[derive(Debug)]
struct Blamed {
    blame: Blame,
    error: anyhow::Error,
}

impl std::fmt::Display for Blamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Blamed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Says whose fault the error of a result is.
pub trait BlameExt<T> {
    /// Marks the error; the innermost mark counts.
    ///
    /// # Errors
    /// The same error as before.
    fn blame(self, blame: Blame) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> BlameExt<T> for Result<T, E> {
    fn blame(self, blame: Blame) -> anyhow::Result<T> {
        self.map_err(|error| anyhow::Error::new(Blamed { blame, error: error.into() }))
    }
}

/// 1 the user's input is wrong, 3 the environment failed, 4 a bug. (2, wrong usage, is clap's.)
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    let marked = error.chain().filter_map(|cause| cause.downcast_ref::<Blamed>()).last();
    // what the user named may be missing or be something else; everything else the machine has to answer for
    let out_of_luck = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|io| {
        use std::io::ErrorKind::{
            AlreadyExists, InvalidData, InvalidInput, IsADirectory, NotADirectory, NotFound, UnexpectedEof,
        };
        !matches!(
            io.kind(),
            AlreadyExists
                | InvalidData
                | InvalidInput
                | IsADirectory
                | NotADirectory
                | NotFound
                | UnexpectedEof
        )
    });
    ExitCode::from(match marked.map(|marked| marked.blame) {
        Some(Blame::Environment) => 3,
        Some(Blame::Bug) => 4,
        None if out_of_luck => 3,
        None => 1,
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_exit_code_tells_whose_fault_it_is() {
        assert_eq!(exit_code(&anyhow::anyhow!("no such host")), ExitCode::from(1));
        let full: anyhow::Result<()> =
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull)).context("writing usb.img");
        assert_eq!(exit_code(&full.unwrap_err()), ExitCode::from(3));
        let tool: anyhow::Result<()> =
            Err(anyhow::anyhow!("tool failed")).blame(Blame::Environment).context("building");
        let error = tool.unwrap_err();
        assert_eq!(format!("{error:#}"), "building: tool failed");
        assert_eq!(exit_code(&error), ExitCode::from(3));
    }
}
