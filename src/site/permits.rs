//! The site's permits: a file a host, and the last one of a host that was disarmed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::paths::SitePaths;
use super::revocations;
use crate::order::SealedPermit;
use crate::spec::order::Permit;
use crate::spec::revocation::{Reason, Revoked};
use crate::sys::files;
use crate::trust::{SiteKey, TrustedKeys};
use crate::value::{HostName, OrderId, Timestamp};

/// No permit is longer.
const LONGEST: u64 = 64 << 10;

/// What every version of a permit says: enough to count on from it and to revoke it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stub {
    /// The order.
    pub id: OrderId,
    /// Whose it is.
    pub host: HostName,
    /// Counts the host's permits, from 1.
    pub generation: u64,
    /// When it ends.
    pub not_after: Timestamp,
}

impl Stub {
    /// The revocation of it.
    pub fn revoked(&self, time: Timestamp, reason: Reason) -> Revoked {
        let Self { id, host, not_after, .. } = self;
        Revoked { order: id.clone(), host: host.clone(), time, until: *not_after, reason }
    }
}

/// The permit of an armed host, as one of the site's keys sealed it.
///
/// # Errors
/// When it is there and can't be read, or was edited: names host and file.
pub fn proven(paths: &SitePaths, host: &HostName, keys: &TrustedKeys) -> Result<Option<Permit>> {
    let path = paths.permit(host);
    let way_out = || {
        format!(
            "{host}: its permit {} is not as `arm` minted it with this site's key; only to install {host}, \
             `ironstrap arm {host}` mints a new one, and `ironstrap disarm {host}` takes this one away",
            path.display()
        )
    };
    let Some(sealed) = read_file(&path).with_context(way_out)? else { return Ok(None) };
    ensure!(sealed.by(keys).is_some(), "{}", way_out());
    ensure!(sealed.permit().host == *host, "{}: it is the permit of {}", way_out(), sealed.permit().host);
    Ok(Some(sealed.permit().clone()))
}

/// The permits in force, by host name, whether they are proven or not.
///
/// # Errors
/// When one can't be read.
pub fn all(paths: &SitePaths) -> Result<Vec<SealedPermit>> {
    let mut permits = Vec::new();
    for path in files_of(paths)? {
        permits.extend(read_file(&path)?);
    }
    permits.sort_by(|a, b| a.permit().host.cmp(&b.permit().host));
    Ok(permits)
}

/// Those of them that can be read.
///
/// # Errors
/// When they can't be listed.
pub fn readable(paths: &SitePaths) -> Result<Vec<SealedPermit>> {
    Ok(files_of(paths)?.iter().filter_map(|path| read_file(path).ok().flatten()).collect())
}

/// Where permits are, sorted.
fn files_of(paths: &SitePaths) -> Result<Vec<PathBuf>> {
    let directory = paths.permits();
    let entries = files::list_dir(&directory).with_context(|| format!("reading {}", directory.display()))?;
    let names = entries.into_iter().map(|entry| directory.join(entry.name));
    Ok(names.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect())
}

/// The permit in force, whatever its version, proven or not.
///
/// # Errors
/// When it is there and can't be read.
pub fn in_force(paths: &SitePaths, host: &HostName) -> Result<Option<Stub>> {
    stub(&paths.permit(host))
}

/// The highest generation that a host ever had, disarmed or not: the next one counts on from it; 0 for none.
///
/// # Errors
/// When one is there and can't be read.
pub fn last_generation(paths: &SitePaths, host: &HostName) -> Result<u64> {
    let both = [in_force(paths, host)?, stub(&paths.disarmed_permit(host))?];
    Ok(both.into_iter().flatten().map(|permit| permit.generation).max().unwrap_or(0))
}

/// Puts a permit in force. The one that it replaces is revoked first, and given back.
///
/// # Errors
/// When the old one can't be revoked or the new one can't be written.
pub fn replace(paths: &SitePaths, permit: &Permit, key: &SiteKey) -> Result<Option<Stub>> {
    let sealed = SealedPermit::new(permit.clone(), key)?;
    let _held = files::hold(&paths.permits_lock())?;
    let replaced = in_force(paths, &permit.host)?;
    let revoked = replaced.iter().map(|old| old.revoked(permit.not_before, Reason::Replaced)).collect();
    revocations::add(paths, revoked)?;
    files::write_whole(&paths.permit(&permit.host), 0o600, sealed.to_text()?.as_bytes())?;
    Ok(replaced)
}

/// Revokes a host's permit and takes it out of force; `None` where there was none. It is kept under another name, for its
/// generation.
///
/// # Errors
/// When it can't be revoked or moved.
pub fn revoke(paths: &SitePaths, host: &HostName, now: Timestamp) -> Result<Option<Stub>> {
    if !paths.permit(host).exists() {
        return Ok(None);
    }
    let _held = files::hold(&paths.permits_lock())?;
    let Some(permit) = in_force(paths, host).with_context(|| format!("disarming {host}"))? else {
        return Ok(None);
    };
    revocations::add(paths, vec![permit.revoked(now, Reason::Disarmed)])?;
    let moved = files::rename(&paths.permit(host), &paths.disarmed_permit(host));
    // somebody who doesn't hold the lock may have taken it away: it is revoked, and the other hosts wait
    if paths.permit(host).exists() {
        moved.with_context(|| format!("disarming {host}"))?;
    }
    Ok(Some(permit))
}

/// What became of the permits when the key changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SealedAnew {
    /// The hosts whose permits have a seal of the current key now.
    pub hosts: Vec<HostName>,
    /// A sentence for each permit that was left as it is, since it is none of these keys' or can't be read.
    pub left: Vec<String>,
}

/// Seals the permits that another trusted key sealed with the current one. What they permit stays.
///
/// # Errors
/// When they can't be listed, or one can't be written; those before it are done then.
pub fn seal_anew(paths: &SitePaths, keys: &TrustedKeys, key: &SiteKey) -> Result<SealedAnew> {
    let mut done = SealedAnew::default();
    let _held = files::hold(&paths.permits_lock())?;
    for path in files_of(paths)? {
        let sealed = match read_file(&path) {
            Ok(sealed) => sealed,
            Err(error) => {
                done.left.push(format!("{error:#}"));
                continue;
            }
        };
        let Some(sealed) = sealed else { continue };
        let host = sealed.permit().host.clone();
        match sealed.by(keys) {
            Some(by) if *by == key.public() => {}
            Some(_) => {
                let anew = SealedPermit::new(sealed.permit().clone(), key)?;
                files::write_whole(&path, 0o600, anew.to_text()?.as_bytes())?;
                done.hosts.push(host);
            }
            None => {
                done.left.push(format!("{host}: its permit {} is not as `arm` minted it", path.display()))
            }
        }
    }
    Ok(done)
}

fn read_file(path: &Path) -> Result<Option<SealedPermit>> {
    let Some(text) = files::read_text_if_there(path, LONGEST)? else { return Ok(None) };
    SealedPermit::from_text(&text).map(Some).with_context(|| format!("reading {}", path.display()))
}

fn stub(path: &Path) -> Result<Option<Stub>> {
    let Some(text) = files::read_text_if_there(path, LONGEST)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::fixtures;

    fn site() -> (tempfile::TempDir, SitePaths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        (dir, paths)
    }

    #[test]
    fn a_disarmed_host_is_not_armed_and_its_generation_counts_on() {
        let (_dir, paths) = site();
        let (key, host) = (fixtures::key(), fixtures::permit().host);
        let now = fixtures::now();
        assert_eq!(revoke(&paths, &host, now).unwrap(), None);
        for generation in 1..=3 {
            assert_eq!(last_generation(&paths, &host).unwrap(), generation - 1);
            let id = OrderId::from_random([generation as u8; 16]);
            let permit = Permit { generation, id: id.clone(), ..fixtures::permit() };
            assert_eq!(replace(&paths, &permit, &key).unwrap(), None);
            assert_eq!(proven(&paths, &host, &key.alone()).unwrap(), Some(permit));
            assert_eq!(revoke(&paths, &host, now).unwrap().unwrap().id, id);
            assert_eq!(proven(&paths, &host, &key.alone()).unwrap(), None);
            assert_eq!(revocations::read(&paths).unwrap().find(&id).unwrap().reason, Reason::Disarmed);
        }
    }

    #[test]
    fn arming_anew_revokes_what_it_replaces() {
        let (_dir, paths) = site();
        let (key, old) = (fixtures::key(), fixtures::permit());
        replace(&paths, &old, &key).unwrap();
        let new = Permit { generation: 2, id: OrderId::from_random([8; 16]), ..old.clone() };
        assert_eq!(replace(&paths, &new, &key).unwrap().unwrap().id, old.id);
        let list = revocations::read(&paths).unwrap();
        assert_eq!(list.find(&old.id).unwrap().reason, Reason::Replaced);
        assert_eq!(list.find(&new.id), None);
    }

    #[test]
    fn a_permit_that_was_edited_is_refused_with_host_and_file_and_can_be_taken_away() {
        let (_dir, paths) = site();
        let (key, permit) = (fixtures::key(), fixtures::permit());
        let file = paths.permit(&permit.host);
        let edits: [(&str, &str); 3] =
            [("2026-11-23", "2036-11-23"), ("\"seal\"", "\"steal\""), ("\"version\": 2", "\"version\": 1")];
        for (from, to) in edits {
            replace(&paths, &permit, &key).unwrap();
            let text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(&file, text.replace(from, to)).unwrap();
            let said = format!("{:#}", proven(&paths, &permit.host, &key.alone()).unwrap_err());
            assert!(said.starts_with("web01: ") && said.contains("orders/web01.json"), "{said}");
            assert!(revoke(&paths, &permit.host, fixtures::now()).unwrap().is_some());
        }
        // another host's, whole
        replace(&paths, &permit, &key).unwrap();
        let other: HostName = "db01".parse().unwrap();
        std::fs::rename(&file, paths.permit(&other)).unwrap();
        let said = format!("{:#}", proven(&paths, &other, &key.alone()).unwrap_err());
        assert!(said.contains("db01: ") && said.contains("the permit of web01"), "{said}");
    }
    #[test]
    fn a_rotation_seals_anew_what_its_keys_sealed_and_nothing_else() {
        let (_dir, paths) = site();
        let (old, new, stranger) =
            (fixtures::key(), SiteKey::from_random([4; 40]), SiteKey::from_random([9; 40]));
        let keys = TrustedKeys::new(new.public(), vec![old.public()]).unwrap();
        let permit = |host: &str| Permit { host: host.parse().unwrap(), ..fixtures::permit() };
        for (host, key) in [("web01", &old), ("web02", &new), ("web03", &stranger)] {
            replace(&paths, &permit(host), key).unwrap();
        }
        std::fs::write(paths.permits().join("web04.json"), "{").unwrap();
        let web01: HostName = "web01".parse().unwrap();
        assert_eq!(proven(&paths, &web01, &keys).unwrap(), Some(permit("web01")), "counts before it, too");
        let SealedAnew { hosts, left } = seal_anew(&paths, &keys, &new).unwrap();
        assert_eq!(hosts, std::slice::from_ref(&web01));
        assert!(left[0].starts_with("web03: ") && left[1].contains("web04.json"), "{left:?}");
        assert_eq!(proven(&paths, &web01, &new.alone()).unwrap(), Some(permit("web01")));
        assert!(proven(&paths, &"web03".parse().unwrap(), &keys).is_err());
        assert_eq!(seal_anew(&paths, &keys, &new).unwrap().hosts, []);
    }
}
