//! The site's keys, read from their files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::paths::SitePaths;
use crate::sys::files;
use crate::trust::{SiteKey, SitePublicKey};

/// No key file is longer.
const MAX_KEY: u64 = 4096;

/// The secret key, for commands that sign.
///
/// # Errors
/// When the site has none, others may read or write it, or it can't be read.
pub fn secret(paths: &SitePaths) -> Result<SiteKey> {
    let path = paths.secret_key();
    if !path.exists() {
        bail!(
            "the site has no key: {} doesn't exist; copy it from where the site was made (it isn't under version control)",
            path.display()
        );
    }
    require_private(&path)?;
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

/// Refuses a key that is nobody's secret, as ssh does.
fn require_private(path: &Path) -> Result<()> {
    let metadata = std::fs::metadata(path).with_context(|| format!("reading {}", path.display()))?;
    let mode = metadata.permissions().mode() & 0o777;
    let may = match (mode & 0o044 != 0, mode & 0o022 != 0) {
        (true, true) => "read and write",
        (true, false) => "read",
        (false, true) => "write",
        (false, false) => return Ok(()),
    };
    let path = path.display();
    bail!(
        "others than its owner may {may} the site's secret key {path} (mode {mode:04o}), so whatever it signs proves nothing; \
         run `chmod 600 {path}`, and if somebody may have copied it, make a new one"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_key_that_others_may_read_or_write_is_refused_with_the_chmod_to_run() {
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        let key = SiteKey::from_random([5; 40]);
        files::write_whole(&paths.public_key(), 0o644, key.public().to_text().as_bytes()).unwrap();
        for (mode, why) in [
            (0o644, Some("may read the")),
            (0o640, Some("may read the")),
            (0o604, Some("may read the")),
            (0o620, Some("may write the")),
            (0o602, Some("may write the")),
            (0o666, Some("may read and write the")),
            (0o600, None),
            (0o400, None),
            (0o700, None),
        ] {
            files::write_whole(&paths.secret_key(), mode, key.to_text().as_bytes()).unwrap();
            let found = secret(&paths).map(drop).map_err(|error| format!("{error:#}"));
            match why {
                None => assert_eq!(found, Ok(()), "{mode:o}"),
                Some(why) => {
                    let found = found.unwrap_err();
                    let chmod = format!("`chmod 600 {}`", paths.secret_key().display());
                    assert!(found.contains(why) && found.contains(&chmod), "{mode:o}: {found}");
                    assert!(!found.contains(&key.to_text()[60..80]), "{found}");
                }
            }
        }
    }
}
