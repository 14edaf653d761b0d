//! `ironstrap.lock` as it is, for all commands; `lock` alone writes it.
//!
//! A machine's file: nobody types it, so it goes through serde's own YAML, which also writes, and whose one message with a line
//! is enough. What people write is read by [`crate::profile::decode`], with a caret for each mistake; don't read such a file here.

use anyhow::{Context, Result};

use super::paths::SitePaths;
use crate::spec::lock::LockFile;
use crate::sys::files;

/// Longest lock file that is read.
const MAX_LOCK: u64 = 64 << 20;

/// Reads the lock file; an empty one where there is none.
///
/// # Errors
/// When it is there and can't be read.
pub fn read(paths: &SitePaths) -> Result<LockFile> {
    let path = paths.lock_file();
    let Some(text) = files::read_text_if_there(&path, MAX_LOCK)? else { return Ok(LockFile::default()) };
    serde_yaml::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// Writes the lock file, whole or not at all.
///
/// # Errors
/// When it can't be written.
pub fn write(paths: &SitePaths, lock: &LockFile) -> Result<()> {
    let text = serde_yaml::to_string(lock).context("writing the lock file")?;
    files::write_whole(&paths.lock_file(), 0o644, text.as_bytes())
}
