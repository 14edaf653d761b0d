//! Answer files that people hand over: read whole, but no more of them than any real one has.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::sys::files;

/// Longest file in bytes; people's are a hundred times shorter.
const MAX_FILE: u64 = 1 << 20;

/// A text file, or standard input where it is called `-`.
///
/// # Errors
/// What can't be read, is too long, is no text, or isn't UTF-8: with its line.
pub fn read(path: &Path) -> Result<String> {
    let reading = || format!("reading {}", path.display());
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(reading)?;
        (bytes.len() as u64 <= MAX_FILE).then_some(bytes)
    } else {
        files::read_bounded(path, MAX_FILE).with_context(reading)?
    };
    let Some(bytes) = bytes else {
        bail!("reading {}: more than {MAX_FILE} bytes; no answer file is that long", path.display());
    };
    ensure!(!bytes.contains(&0), "reading {}: a binary file, not a text", path.display());
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
        anyhow!("reading {}: not UTF-8 in line {line}", path.display())
    })
}
