//! Texts that are added to a site. Nothing that is there is ever overwritten.

use anyhow::{Result, ensure};

use super::paths::SitePaths;
use crate::sys::files;

/// Writes new texts, in this order, each 0600: they may hold hashes, and scripts what they like. Returns their paths in the site.
///
/// # Errors
/// When one is there already, and then none is written; when one can't be written.
pub fn write(paths: &SitePaths, texts: Vec<(String, &str)>) -> Result<Vec<String>> {
    for (path, _) in &texts {
        let path = paths.root().join(path);
        let shown = path.display();
        ensure!(
            !path.exists(),
            "{shown} is there already, and nothing is overwritten; name the host otherwise with --name"
        );
    }
    for (path, text) in &texts {
        files::write_whole(&paths.root().join(path), 0o600, text.as_bytes())?;
    }
    Ok(texts.into_iter().map(|(path, _)| path).collect())
}
