//! Permit + what the profile says now → install order.

use std::fmt;

use crate::spec::FormatVersion;
use crate::spec::image::ImagePin;
use crate::spec::order::{HostMatch, InstallOrder, Permit, WipePolicy};
use crate::spec::system::{NetworkSpec, SystemSpec};
use crate::value::{DiskSelector, HostName, HttpUrl, Timestamp};

/// All of an order that doesn't come from the permit.
#[derive(Debug, Clone)]
pub struct OrderParts {
    /// The host's name in the site.
    pub host: HostName,
    /// How its machine is recognised.
    pub matching: HostMatch,
    /// The image that is locked now.
    pub image: ImagePin,
    /// The disk that the profile means now.
    pub target: DiskSelector,
    /// What may be overwritten there.
    pub wipe: WipePolicy,
    /// Countdown in seconds.
    pub confirm_seconds: u32,
    /// Its network.
    pub network: NetworkSpec,
    /// Where blobs are when they aren't on the boot medium.
    pub payload: Option<HttpUrl>,
    /// Where events go.
    pub server: Option<HttpUrl>,
    /// What makes the installed system this host's.
    pub system: SystemSpec,
}

/// Why a permit doesn't allow this order. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildError {
    /// The permit is another host's.
    OtherHost {
        /// Asked for.
        host: HostName,
        /// In the permit.
        permit: HostName,
    },
    /// The lock names another image now.
    OtherImage {
        /// The host.
        host: HostName,
        /// Armed for.
        armed: Box<ImagePin>,
        /// Locked now.
        locked: Box<ImagePin>,
    },
    /// The profile means another disk now.
    OtherDisk {
        /// The host.
        host: HostName,
    },
    /// The profile recognises another machine now.
    OtherMachine {
        /// The host.
        host: HostName,
    },
    /// The profile lets something else be overwritten now.
    OtherWipe {
        /// The host.
        host: HostName,
        /// Now.
        now: WipePolicy,
    },
    /// The permit is over.
    Expired {
        /// The host.
        host: HostName,
        /// Since when.
        not_after: Timestamp,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherHost { host, permit } => {
                write!(f, "{host}: its permit was made for {permit}; run `ironstrap arm {host}`")
            }
            Self::OtherImage { host, armed, locked } if armed.image == locked.image => write!(
                f,
                "{host}: armed for another build of {} (manifest {}), locked is {}; run `ironstrap arm {host}` again",
                armed.image, armed.manifest, locked.manifest
            ),
            Self::OtherImage { host, armed, locked } => write!(
                f,
                "{host}: armed for image {}, locked is {}; run `ironstrap arm {host}` again",
                armed.image, locked.image
            ),
            Self::OtherDisk { host } => write!(
                f,
                "{host}: armed for another disk than storage.target names now; run `ironstrap arm {host}` again"
            ),
            Self::OtherMachine { host } => write!(
                f,
                "{host}: armed for other `match` rules than the profile has now; run `ironstrap arm {host}` again"
            ),
            Self::OtherWipe { host, now } => {
                let armed = match now {
                    WipePolicy::Foreign => "without `wipe: foreign`, which the profile has now",
                    WipePolicy::Ours => "with `wipe: foreign`, which the profile doesn't have any more",
                };
                write!(f, "{host}: armed {armed}; run `ironstrap arm {host}` again")
            }
            Self::Expired { host, not_after } => {
                write!(f, "{host}: its order expired at {not_after}; run `ironstrap arm {host}` again")
            }
        }
    }
}

impl std::error::Error for BuildError {}

/// Joins a permit with what the profile and the lock say now.
///
/// # Errors
/// When the permit was given for something else, or is over at `now`. A permit that begins later is let through: targets
/// judge by the order's own times, and a clock that was set back on this machine is no reason to refuse.
pub fn build(permit: &Permit, parts: OrderParts, now: Timestamp) -> Result<InstallOrder, BuildError> {
    let host = parts.host;
    if permit.host != host {
        return Err(BuildError::OtherHost { host, permit: permit.host.clone() });
    }
    let armed = ImagePin { image: permit.image.clone(), manifest: permit.manifest };
    if armed != parts.image {
        return Err(BuildError::OtherImage { host, armed: armed.into(), locked: parts.image.into() });
    }
    if permit.target != parts.target {
        return Err(BuildError::OtherDisk { host });
    }
    if permit.matching != parts.matching {
        return Err(BuildError::OtherMachine { host });
    }
    if permit.wipe != parts.wipe {
        return Err(BuildError::OtherWipe { host, now: parts.wipe });
    }
    if permit.not_after < now {
        return Err(BuildError::Expired { host, not_after: permit.not_after });
    }
    Ok(InstallOrder {
        version: FormatVersion,
        id: permit.id.clone(),
        host,
        generation: permit.generation,
        not_before: permit.not_before,
        not_after: permit.not_after,
        matching: parts.matching,
        image: parts.image,
        target: parts.target,
        wipe: parts.wipe,
        confirm_seconds: parts.confirm_seconds,
        network: parts.network,
        payload: parts.payload,
        server: parts.server,
        system: parts.system,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    fn refusal(change: impl FnOnce(&mut OrderParts)) -> BuildError {
        let mut parts = fixtures::parts();
        change(&mut parts);
        build(&fixtures::permit(), parts, fixtures::now()).unwrap_err()
    }

    #[test]
    fn an_order_takes_id_times_and_generation_from_the_permit() {
        let permit = fixtures::permit();
        let order = build(&permit, fixtures::parts(), fixtures::now()).unwrap();
        assert_eq!(
            (order.id, order.generation, order.not_before, order.not_after),
            (permit.id, permit.generation, permit.not_before, permit.not_after)
        );
    }

    #[test]
    fn a_permit_for_something_else_is_refused_and_says_what_to_do() {
        let other_image = refusal(|parts| parts.image.image = "debian-12@2".parse().unwrap());
        assert!(other_image.to_string().contains("armed for image debian-12@1, locked is debian-12@2"));
        let rebuilt = refusal(|parts| parts.image.manifest = crate::value::Digest::of(b"other"));
        assert!(rebuilt.to_string().contains("another build of debian-12@1"));
        let other_disk =
            refusal(|parts| parts.target = serde_json::from_str(r#"{"serial":"OTHER"}"#).unwrap());
        assert_eq!(other_disk, BuildError::OtherDisk { host: fixtures::permit().host });
        let other_host = refusal(|parts| parts.host = "db01".parse().unwrap());
        let other_machine = refusal(|parts| parts.matching.serial = Some("CZ1".parse().unwrap()));
        assert!(other_machine.to_string().contains("armed for other `match` rules"), "{other_machine}");
        let foreign = refusal(|parts| parts.wipe = WipePolicy::Foreign);
        assert!(foreign.to_string().contains("armed without `wipe: foreign`"), "{foreign}");
        for error in [other_image, rebuilt, other_disk, other_host, other_machine, foreign] {
            assert!(error.to_string().contains("ironstrap arm"), "{error}");
        }
    }

    #[test]
    fn an_expired_permit_is_refused_and_its_last_second_is_not() {
        let permit = fixtures::permit();
        assert!(build(&permit, fixtures::parts(), permit.not_after).is_ok());
        let late = permit.not_after.plus_seconds(1);
        assert!(matches!(build(&permit, fixtures::parts(), late), Err(BuildError::Expired { .. })));
    }
}
