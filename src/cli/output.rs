//! Writing to the terminal without dying of a closed pipe.

use std::io::{self, IsTerminal as _, Write};

use anyhow::Context as _;

use crate::failure::{Blame, BlameExt as _};
use crate::profile::diag::Mistakes;

/// Writes text to standard output; a reader that went away is no error.
///
/// # Errors
/// Any other failure, such as a full disk behind a redirection.
pub fn print(text: &str) -> io::Result<()> {
    ignore_closed_pipe(io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()))
}

/// Writes text to standard error; nothing can be done if that fails.
pub fn note(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What `--json` prints: indented, with a line end.
///
/// # Errors
/// A value that JSON can't say is a bug.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    let text = serde_json::to_string_pretty(value).context("encoding the answer").blame(Blame::Bug)?;
    Ok(text + "\n")
}

/// Prints an error and its causes, outermost first; before it, the mistakes of a site or a recipe that it stands for.
pub fn error(error: &anyhow::Error) {
    if let Some(Mistakes(report)) = error.downcast_ref() {
        note(&report.render(io::stderr().is_terminal()));
    }
    note(&format!("error: {error:#}\n"));
}

fn ignore_closed_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
