//! The site's keys, read from their files.
//!
//! `ironstrap.pub` is read before `ironstrap.keys`: a rotation writes the list first, so that what is read together belongs together.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::paths::SitePaths;
use crate::sys::files;
use crate::trust::{KeyRing, SiteKey, TrustedKeys};

/// No key file is longer.
const MAX_KEY: u64 = 4096;
/// Nor a list of the keys that a site ever had.
pub const MAX_LIST: u64 = 1 << 20;

/// What a command that signs needs: both of one moment.
#[derive(Debug)]
pub struct Signing {
    /// The current key.
    pub key: SiteKey,
    /// Those of the former keys that are here.
    pub former: Vec<SiteKey>,
    /// The keys that count, this one first.
    pub trusted: TrustedKeys,
}

/// The secret key, with the keys that count.
///
/// # Errors
/// When the site has none, others may read or write it, or it can't be read.
pub fn signing(paths: &SitePaths) -> Result<Signing> {
    let ring = ring(paths).with_context(|| match paths.secret_key().exists() {
        false => "the site has no key".to_owned(),
        true => format!("{} has no public half", paths.secret_key().display()),
    })?;
    let trusted = ring.trusted();
    let former = trusted.former().iter().map(|key| read_secret(&paths.former_secret_key(key.id())));
    let former = former.filter_map(Result::transpose).collect::<Result<_>>()?;
    Ok(Signing { key: secret_of(paths, &ring)?, former, trusted })
}

/// The secret key, for commands that only sign.
///
/// # Errors
/// As [`signing`].
pub fn secret(paths: &SitePaths) -> Result<SiteKey> {
    signing(paths).map(|signing| signing.key)
}

/// The secret half of the current key.
///
/// # Errors
/// When it isn't here, others may read or write it, or it can't be read.
pub fn secret_of(paths: &SitePaths, ring: &KeyRing) -> Result<SiteKey> {
    let (path, id) = (paths.secret_key(), ring.current().id());
    // a rotation that was cut off has left it beside its place
    if let Some(next) = unfinished(paths, ring)? {
        return Ok(next);
    }
    let Some(key) = read_secret(&path)? else {
        bail!(
            "the site has no key: {} doesn't exist, which is the secret half of {id} in {}; copy it from where the site was made (it \
             isn't under version control), or, if it is lost for good, `ironstrap key rotate --lost` makes another one",
            path.display(),
            paths.public_key().display()
        );
    };
    if key.public() != *ring.current() {
        bail!(
            "{} is another key ({}) than the public one in {} ({id}); targets would refuse what it signs; take both from one place",
            path.display(),
            key.public().id(),
            paths.public_key().display()
        );
    }
    Ok(key)
}

/// The current secret key that a rotation which was cut off has left beside its place.
///
/// # Errors
/// When there is one that can't be read, or that others may read or write.
pub fn unfinished(paths: &SitePaths, ring: &KeyRing) -> Result<Option<SiteKey>> {
    let next = read_secret(&paths.next_secret_key())?;
    Ok(next.filter(|next| next.public() == *ring.current()))
}

/// A secret key; `None` where there is no such file.
///
/// # Errors
/// When others may read or write it, or it can't be read.
pub fn read_secret(path: &Path) -> Result<Option<SiteKey>> {
    if !path.exists() {
        return Ok(None);
    }
    require_private(path)?;
    let text = files::read_text(path, MAX_KEY)?;
    SiteKey::from_text(&text).map(Some).with_context(|| format!("reading {}", path.display()))
}

/// All keys that the site has and had.
///
/// # Errors
/// When they can't be read.
pub fn ring(paths: &SitePaths) -> Result<KeyRing> {
    let (current, list) = (paths.public_key(), paths.key_list());
    let text = files::read_text(&current, MAX_KEY).with_context(|| match paths.site_file().exists() {
        true => format!(
            "{} has no ironstrap.pub; it is under version control, or `ironstrap key new` makes a first key",
            paths.root().display()
        ),
        false => format!("is {} a site? it has no ironstrap.pub", paths.root().display()),
    })?;
    let listed = files::read_text_if_there(&list, MAX_LIST)?;
    KeyRing::parse(&text, listed.as_deref()).with_context(|| match listed {
        Some(_) => format!("reading {} and {}", current.display(), list.display()),
        None => format!("reading {}", current.display()),
    })
}

/// The keys that count, for commands that verify.
///
/// # Errors
/// When they can't be read.
pub fn trusted(paths: &SitePaths) -> Result<TrustedKeys> {
    Ok(ring(paths)?.trusted())
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
