//! Pinning: a host's image by content. No default and no guess; what isn't in the lock file isn't built.

use super::{Host, LockedHost};
use crate::spec::image::ImagePin;
use crate::spec::lock::LockFile;
use crate::value::{HostName, ImageRef, ImageSource};

/// Why a host can't be locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockError {
    /// Its image isn't in the lock file.
    NotPinned {
        /// The host.
        host: HostName,
        /// The image it names.
        image: ImageRef,
    },
    /// Its image is one of a registry, which only a distribution's installer fetches.
    NotStored {
        /// The host.
        host: HostName,
    },
    /// It names no image: another installer does it.
    NoImage {
        /// The host.
        host: HostName,
    },
}

impl std::fmt::Display for LockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotPinned { host, image } => {
                write!(f, "{host}: image {image} is not in ironstrap.lock; run `ironstrap lock` first")
            }
            Self::NotStored { host } => {
                write!(
                    f,
                    "{host}: its image is a registry's, which ironstrap's agent can't install; give it `image: NAME@VERSION`, or `installer: anaconda`"
                )
            }
            Self::NoImage { host } => {
                write!(
                    f,
                    "{host}: it has no golden image to pin; give it `image: NAME@VERSION` and `installer: native`"
                )
            }
        }
    }
}

impl std::error::Error for LockError {}

/// Joins a host with the content of its image.
///
/// # Errors
/// When it names no image or one that the lock file doesn't pin.
pub fn lock(host: &Host, lock: &LockFile) -> Result<LockedHost, LockError> {
    Ok(LockedHost { image: pin(host, lock)?, host: host.clone() })
}

/// The content of a host's image.
///
/// # Errors
/// As [`lock`].
pub fn pin(host: &Host, lock: &LockFile) -> Result<ImagePin, LockError> {
    let image = match &host.image {
        None => return Err(LockError::NoImage { host: host.name.clone() }),
        Some(ImageSource::Oci(_)) => return Err(LockError::NotStored { host: host.name.clone() }),
        Some(ImageSource::Store(image)) => image.clone(),
    };
    match lock.images.get(&image) {
        Some(manifest) => Ok(ImagePin { image, manifest: *manifest }),
        None => Err(LockError::NotPinned { host: host.name.clone(), image }),
    }
}
