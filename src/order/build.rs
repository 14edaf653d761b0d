//! Permit + what the profile says now → install order.

use std::fmt;

use crate::spec::FormatVersion;
use crate::spec::image::ImagePin;
use crate::spec::order::{HostMatch, InstallOrder, Permit, WipePolicy};
use crate::spec::secure_boot::Loaders;
use crate::spec::system::{NetworkSpec, SystemSpec};
use crate::trust::SiteKey;
use crate::value::{DiskSelector, HostName, HttpUrl, Timestamp};

use super::seal;

/// All of an order that doesn't come from the permit.
#[derive(Debug, Clone)]
pub struct OrderParts {
    /// The host's name in the site.
    pub host: HostName,
    /// How its machine is recognised.
    pub matching: HostMatch,
    /// The image that is locked now.
    pub image: ImagePin,
    /// What starts it, as far as that can be read.
    pub loaders: Option<Loaders>,
    /// The disk that the profile means now.
    pub target: DiskSelector,
    /// What may be overwritten there.
    pub wipe: WipePolicy,
    /// Countdown in seconds.
    pub confirm_seconds: u32,
    /// How long a machine that refused waits for a hand, in seconds.
    pub refusal_pause_seconds: u32,
    /// Whether a clock that nothing vouches for will do.
    pub allow_dead_clock: bool,
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
        /// Armed with.
        armed: WipePolicy,
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

impl BuildError {
    /// What is wrong, without what to do about it.
    pub fn reason(&self) -> String {
        match self {
            Self::OtherHost { host, permit } => format!("{host}: its permit was made for {permit}"),
            Self::OtherImage { host, armed, locked } if armed.image == locked.image => format!(
                "{host}: armed for another build of {} (manifest {}), locked is {}",
                armed.image, armed.manifest, locked.manifest
            ),
            Self::OtherImage { host, armed, locked } => {
                format!("{host}: armed for image {}, locked is {}", armed.image, locked.image)
            }
            Self::OtherDisk { host } => {
                format!("{host}: armed for another disk than storage.target names now")
            }
            Self::OtherMachine { host } => {
                format!("{host}: armed for other `match` rules than the profile has now")
            }
            Self::OtherWipe { host, armed, now } => {
                format!("{host}: armed with `wipe: {armed}`, the profile has `wipe: {now}` now")
            }
            Self::Expired { host, not_after } => format!("{host}: its order expired at {not_after}"),
        }
    }

    /// Which host the permit doesn't fit.
    pub fn host(&self) -> &HostName {
        match self {
            Self::OtherHost { host, .. }
            | Self::OtherImage { host, .. }
            | Self::OtherDisk { host }
            | Self::OtherMachine { host }
            | Self::OtherWipe { host, .. }
            | Self::Expired { host, .. } => host,
        }
    }

    /// What to do about a permit of `host` that doesn't fit. Disarming comes first: the host may be installed and at work,
    /// and whoever arms it again has it wiped.
    pub fn advice(host: &str) -> String {
        format!(
            "if {host} is installed, `ironstrap disarm {host}`; only to install it again, which wipes it, `ironstrap arm {host}`"
        )
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.reason(), Self::advice(self.host().as_str()))
    }
}

impl std::error::Error for BuildError {}

/// What profile and lock mean now, as far as a permit has to agree with it.
#[derive(Debug, Clone, Copy)]
pub struct Meant<'a> {
    /// The host.
    pub host: &'a HostName,
    /// The image that is locked.
    pub image: &'a ImagePin,
    /// The disk.
    pub target: &'a DiskSelector,
    /// How its machine is recognised.
    pub matching: &'a HostMatch,
    /// What may be overwritten there.
    pub wipe: WipePolicy,
}

/// Whether a permit was given for what is meant now, and isn't over at `now`.
///
/// # Errors
/// Why it doesn't fit. A permit that begins later is let through: targets judge by the order's own times, and a clock that
/// was set back on this machine is no reason to refuse.
pub fn check(permit: &Permit, meant: &Meant<'_>, now: Timestamp) -> Result<(), BuildError> {
    let host = meant.host.clone();
    let armed = ImagePin { image: permit.image.clone(), manifest: permit.manifest };
    if permit.host != host {
        return Err(BuildError::OtherHost { host, permit: permit.host.clone() });
    }
    if armed != *meant.image {
        return Err(BuildError::OtherImage { host, armed: armed.into(), locked: meant.image.clone().into() });
    }
    if permit.target != *meant.target {
        return Err(BuildError::OtherDisk { host });
    }
    if permit.matching != *meant.matching {
        return Err(BuildError::OtherMachine { host });
    }
    if permit.wipe != meant.wipe {
        return Err(BuildError::OtherWipe { host, armed: permit.wipe, now: meant.wipe });
    }
    if permit.not_after < now {
        return Err(BuildError::Expired { host, not_after: permit.not_after });
    }
    Ok(())
}

/// Joins a permit with what the profile and the lock say now, and seals what its claims will say.
///
/// # Errors
/// What [`check`] finds.
pub fn build(
    permit: &Permit,
    parts: OrderParts,
    key: &SiteKey,
    now: Timestamp,
) -> Result<InstallOrder, BuildError> {
    let OrderParts { host, image, target, matching, wipe, .. } = &parts;
    check(permit, &Meant { host, image, target, matching, wipe: *wipe }, now)?;
    Ok(InstallOrder {
        version: FormatVersion,
        id: permit.id.clone(),
        host: parts.host,
        generation: permit.generation,
        not_before: permit.not_before,
        not_after: permit.not_after,
        matching: parts.matching,
        image: parts.image,
        loaders: parts.loaders,
        target: parts.target,
        wipe: parts.wipe,
        confirm_seconds: parts.confirm_seconds,
        refusal_pause_seconds: parts.refusal_pause_seconds,
        allow_dead_clock: parts.allow_dead_clock,
        seal: seal(&permit.grant(), key),
        events: key.event_secret(&permit.id),
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
        build(&fixtures::permit(), parts, &fixtures::key(), fixtures::now()).unwrap_err()
    }

    #[test]
    fn an_order_takes_id_times_and_generation_from_the_permit() {
        let permit = fixtures::permit();
        let order = build(&permit, fixtures::parts(), &fixtures::key(), fixtures::now()).unwrap();
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
        assert!(
            foreign.to_string().contains("armed with `wipe: ours`, the profile has `wipe: foreign` now"),
            "{foreign}"
        );
        for error in [other_image, rebuilt, other_disk, other_host, other_machine, foreign] {
            let text = error.to_string();
            // whoever follows the first advice wipes nothing
            let (disarm, arm) = (text.find("ironstrap disarm").unwrap(), text.find("ironstrap arm").unwrap());
            assert!(disarm < arm && text[disarm..arm].contains("wipes it"), "{text}");
            assert!(text.starts_with(&error.reason()) && text.contains(error.host().as_str()), "{text}");
        }
    }

    #[test]
    fn an_expired_permit_is_refused_and_its_last_second_is_not() {
        let permit = fixtures::permit();
        assert!(build(&permit, fixtures::parts(), &fixtures::key(), permit.not_after).is_ok());
        let late = permit.not_after.plus_seconds(1);
        assert!(matches!(
            build(&permit, fixtures::parts(), &fixtures::key(), late),
            Err(BuildError::Expired { .. })
        ));
    }
}
