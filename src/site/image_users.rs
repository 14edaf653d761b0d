//! Who needs an image of the store: what is pinned, armed, or on a medium whose orders still hold.
//!
//! Of this site only: one that borrows the store of another is not known there.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use super::media::{self, MediumKind};
use super::paths::SitePaths;
use super::{lock_file, permits};
use crate::value::{Digest, HostName, Timestamp};

/// Somebody who needs an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum User {
    /// The lock file pins it.
    Lock,
    /// A host is armed with it.
    Armed {
        /// Which.
        host: HostName,
    },
    /// A stick's image carries an order for it.
    Stick {
        /// Where it was written.
        path: PathBuf,
    },
    /// A tree does.
    Tree {
        /// Where it was written.
        path: PathBuf,
    },
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock => f.write_str("ironstrap.lock"),
            Self::Armed { host } => write!(f, "{host} (armed)"),
            Self::Stick { path } => write!(f, "stick {}", path.display()),
            Self::Tree { path } => write!(f, "tree {}", path.display()),
        }
    }
}

/// All users of images, by the digest of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users(BTreeMap<Digest, Vec<User>>);

impl Users {
    /// Those of a site.
    ///
    /// # Errors
    /// A lock file, a permit or a list of media that can't be read: somebody may need an image then.
    pub fn of(paths: &SitePaths, now: Timestamp) -> Result<Self> {
        let mut users = Self::default();
        let lock = lock_file::read(paths)?;
        let exported = lock.exports.values().map(|export| &export.manifest);
        for manifest in lock.images.values().chain(exported) {
            users.add(manifest, User::Lock);
        }
        for sealed in permits::all(paths)? {
            let permit = sealed.permit();
            users.add(&permit.manifest, User::Armed { host: permit.host.clone() });
        }
        for medium in media::read(paths)? {
            for carried in medium.orders.iter().filter(|carried| carried.until >= now) {
                let Some(pin) = &carried.image else { continue };
                let path = medium.path.clone();
                users.add(
                    &pin.manifest,
                    match medium.kind {
                        MediumKind::Usb => User::Stick { path },
                        MediumKind::Pxe => User::Tree { path },
                    },
                );
            }
        }
        Ok(users)
    }

    fn add(&mut self, manifest: &Digest, user: User) {
        let users = self.0.entry(*manifest).or_default();
        if !users.contains(&user) {
            users.push(user);
        }
    }

    /// Who needs this one, in the order lock, armed hosts, media.
    pub fn of_image(&self, manifest: &Digest) -> &[User] {
        self.0.get(manifest).map_or(&[], Vec::as_slice)
    }

    /// All that somebody needs.
    pub fn manifests(&self) -> impl Iterator<Item = &Digest> {
        self.0.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::super::media::{Carried, Medium};
    use super::*;
    use crate::order::fixtures;
    use crate::spec::image::ImagePin;
    use crate::spec::lock::LockFile;

    #[test]
    fn what_is_pinned_armed_or_on_a_medium_whose_order_holds_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        let now = fixtures::now();
        assert_eq!(Users::of(&paths, now).unwrap(), Users::default());

        let (permit, key) = (fixtures::permit(), fixtures::key());
        permits::replace(&paths, &permit, &key).unwrap();
        let mut lock = LockFile::default();
        lock.images.insert(permit.image.clone(), permit.manifest);
        lock_file::write(&paths, &lock).unwrap();
        let carried = |seed: &[u8], until: i64| Carried {
            host: permit.host.clone(),
            order: permit.id.clone(),
            until: Timestamp::from_unix(now.as_unix() + until),
            image: Some(ImagePin { image: permit.image.clone(), manifest: Digest::of(seed) }),
        };
        let orders = vec![carried(b"held", 1), carried(b"ended", -1)];
        let path = PathBuf::from("/media/usb.img");
        let medium = Medium { kind: MediumKind::Usb, path: path.clone(), time: now, key: None, orders };
        media::add(&paths, medium, &key.alone()).unwrap();

        let users = Users::of(&paths, now).unwrap();
        let host = permit.host.clone();
        assert_eq!(users.of_image(&permit.manifest), [User::Lock, User::Armed { host }]);
        assert_eq!(users.of_image(&Digest::of(b"held")), [User::Stick { path }]);
        assert_eq!(users.of_image(&Digest::of(b"ended")), []);

        std::fs::write(paths.permit(&permit.host), "{").unwrap();
        assert!(Users::of(&paths, now).is_err(), "a permit that can't be read may need an image");
    }
}
