//! The site's keys, read from their files.

use anyhow::{Context, Result, bail, ensure};

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
            "the site has no key: {} doesn't exist; copy it from where the site was made (it isn't under version control)",
            path.display()
        );
    }
    let text = files::read_text(&path, MAX_KEY)?;
    let key = SiteKey::from_text(&text).with_context(|| format!("reading {}", path.display()))?;
    let public = public(paths)?;
    ensure!(
        key.public() == public,
        "{} is another key than the public one in {} ({}); targets would refuse what it signs",
        path.display(),
        paths.public_key().display(),
        public.id()
    );
    Ok(key)
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
