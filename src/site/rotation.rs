//! The site's keys, made and exchanged.
//!
//! Promises: at every moment the site has one current key whose secret half is there, also when a change is cut off. A rotation
//! writes the next secret half beside the old one, then the list of keys, which reads the same with either, then `ironstrap.pub`:
//! with that the site has another key. What follows (seals of permits, signatures of images, the secret halves' places) is
//! finished by the next `key rotate` where it was cut off; until then former keys count for all of it.
//!
//! Secret halves are moved, never printed, and deleted only with the trust in them.

use anyhow::{Context, Result, bail, ensure};

use super::paths::SitePaths;
use super::permits::{self, SealedAnew};
use super::{keys, media};
use crate::image::store::Store;
use crate::sys::{files, random};
use crate::trust::{KeyRing, Record, RetireError, SiteKey};
use crate::value::{ImageRef, KeyId, Timestamp};

/// Makes a site's first key; one of which only the secret half was written gets its public half.
///
/// # Errors
/// When the site has a key, had others of which it isn't one, or files can't be written.
pub fn first(paths: &SitePaths, now: Timestamp) -> Result<KeyRing> {
    let _held = files::hold(&paths.keys_lock())?;
    let public = paths.public_key();
    if public.exists() {
        let id = keys::ring(paths)?.current().id();
        bail!(
            "the site has a key already: {} is {id}; `ironstrap key rotate` makes another one that takes its place",
            public.display()
        );
    }
    let left = keys::read_secret(&paths.secret_key())?;
    let list = files::read_text_if_there(&paths.key_list(), keys::MAX_LIST)?;
    let ring = match (&left, &list) {
        (Some(key), Some(list)) => KeyRing::parse(&key.public().to_text(), Some(list)).ok(),
        _ => None,
    };
    ensure!(
        list.is_none() || ring.as_ref().is_some_and(|ring| ring.since().is_some()),
        "the site had keys, which {} lists, and lacks ironstrap.pub: take both from version control",
        paths.key_list().display()
    );
    let key = match left {
        Some(key) => key,
        None => {
            let key = SiteKey::from_random(random::bytes()?);
            files::write_whole(&paths.private().join(".gitignore"), 0o600, b"*\n")?;
            files::write_whole(&paths.secret_key(), 0o600, key.to_text().as_bytes())?;
            key
        }
    };
    let ring = ring.unwrap_or_else(|| KeyRing::first(key.public(), now));
    write(paths, &ring)?;
    Ok(ring)
}

/// What a rotation did.
#[derive(Debug)]
pub struct Rotation {
    /// The keys as they are now.
    pub ring: KeyRing,
    /// Whether one was finished that had been cut off, and none was begun.
    pub resumed: bool,
    /// The permits.
    pub permits: SealedAnew,
    /// Images whose manifests the current key signed anew.
    pub images: Vec<ImageRef>,
    /// A sentence for each image that is left as it is.
    pub left: Vec<String>,
}

/// Makes another key that takes the place of the current one; finishes a rotation that was cut off instead, if there is one.
/// `lost` says that the current secret half is gone for good.
///
/// # Errors
/// A site without a key, a secret half that isn't here and not said to be lost, or is here and said to be; files that can't be
/// written. The site has the old key then, or the new one and a rotation to finish.
pub fn rotate(paths: &SitePaths, lost: bool, now: Timestamp) -> Result<Rotation> {
    // a directory that isn't a site stays as it is
    keys::ring(paths)?;
    let _held = files::hold(&paths.keys_lock())?;
    let ring = keys::ring(paths)?;
    if let Some(key) = keys::unfinished(paths, &ring)? {
        return finish(paths, ring, &key, true);
    }
    if lost {
        let there = keys::read_secret(&paths.secret_key())?;
        ensure!(
            there.is_none_or(|key| key.public() != *ring.current()),
            "the secret half of {} isn't lost: it is {}; leave out --lost",
            ring.current().id(),
            paths.secret_key().display()
        );
    } else {
        keys::secret_of(paths, &ring)?;
    }
    let next = SiteKey::from_random(random::bytes()?);
    let after = ring.rotated(next.public(), now)?;
    files::write_whole(&paths.next_secret_key(), 0o600, next.to_text().as_bytes())?;
    write(paths, &after)?;
    finish(paths, after, &next, false)
}

/// The list first: it reads the same with the key before.
fn write(paths: &SitePaths, ring: &KeyRing) -> Result<()> {
    files::write_whole(&paths.key_list(), 0o644, ring.list_text().as_bytes())?;
    files::write_whole(&paths.public_key(), 0o644, ring.current().to_text().as_bytes())
}

/// All of a rotation that follows on the change of the current key. It can be done again.
fn finish(paths: &SitePaths, ring: KeyRing, key: &SiteKey, resumed: bool) -> Result<Rotation> {
    if let Some(last) = ring.former().last() {
        media::attribute(paths, last.key.id())?;
    }
    let trusted = ring.trusted();
    let permits = permits::seal_anew(paths, &trusted, key)?;
    let store = Store::open(&paths.store())?;
    let (mut images, mut left) = (Vec::new(), Vec::new());
    for (image, manifest) in store.list()? {
        match store.sign_anew(&manifest, &trusted, key) {
            Ok(true) => images.push(image),
            Ok(false) => {}
            Err(error) => left.push(format!("{image}: {error:#}")),
        }
    }
    settle_secrets(paths)?;
    Ok(Rotation { ring, resumed, permits, images, left })
}

/// Puts the former secret half aside and the next one into its place.
fn settle_secrets(paths: &SitePaths) -> Result<()> {
    if let Some(old) = keys::read_secret(&paths.secret_key())? {
        let aside = paths.former_secret_key(old.public().id());
        files::make_private_place(&aside)?;
        files::rename(&paths.secret_key(), &aside)?;
    }
    files::rename(&paths.next_secret_key(), &paths.secret_key())
}

/// Ends the trust in a former key and deletes its secret half.
///
/// # Errors
/// Not a former key, a rotation that isn't finished, or files that can't be written.
pub fn retire(paths: &SitePaths, id: KeyId, now: Timestamp) -> Result<(KeyRing, Record)> {
    let _held = files::hold(&paths.keys_lock())?;
    let ring = keys::ring(paths)?;
    ensure!(
        keys::unfinished(paths, &ring)?.is_none(),
        "the last rotation was cut off; `ironstrap key rotate` finishes it"
    );
    let secret = paths.former_secret_key(id);
    let delete = || match secret.exists() {
        true => std::fs::remove_file(&secret).with_context(|| format!("deleting {}", secret.display())),
        false => Ok(()),
    };
    match ring.retire(id, now) {
        Ok((ring, record)) => {
            // the list alone: the current key stays
            files::write_whole(&paths.key_list(), 0o644, ring.list_text().as_bytes())?;
            delete()?;
            Ok((ring, record))
        }
        Err(error) => {
            if let RetireError::Already(..) = error {
                delete()?;
            }
            Err(error.into())
        }
    }
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
