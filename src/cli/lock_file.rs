//! `ironstrap.lock` as it is, for all commands; [`super::lock`] alone writes it.

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
    if !path.exists() {
        return Ok(LockFile::default());
    }
    let text = files::read_text(&path, MAX_LOCK)?;
    serde_yaml::from_str(&text).with_context(|| format!("reading {}", path.display()))
}
