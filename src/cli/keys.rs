//! The site's keys, read from their files.

use anyhow::{Context, Result, bail};

use super::paths::SitePaths;
use crate::sys::files;
use crate::trust::{SiteKey, SitePublicKey};

/// No key file is longer.
const MAX_KEY: u64 = 4096;

/// The secret key, for commands that sign.
///
/// # Errors
/// When the site has none or it can't be read.
pub fn secret(paths: &SitePaths) -> Result<SiteKey> {
    let path = paths.secret_key();
    if !path.exists() {
        bail!(
            "the site has no key: {} doesn't exist; `ironstrap init` makes one for a new site, `ironstrap key new` for this one",
            path.display()
        );
    }
    let text = files::read_text(&path, MAX_KEY)?;
    SiteKey::from_text(&text).with_context(|| format!("reading {}", path.display()))
}

/// The public key, for commands that verify.
///
/// # Errors
/// When it can't be read.
pub fn public(paths: &SitePaths) -> Result<SitePublicKey> {
    let path = paths.public_key();
    let text = files::read_text(&path, MAX_KEY)
        .with_context(|| format!("is {} a site? it has no ironstrap.pub", paths.root().display()))?;
    SitePublicKey::from_text(&text).with_context(|| format!("reading {}", path.display()))
}
