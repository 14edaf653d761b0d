//! A new permit.

use crate::spec::FormatVersion;
use crate::spec::image::ImagePin;
use crate::spec::order::{HostMatch, Permit, WipePolicy};
use crate::value::{DiskSelector, HostName, OrderId, Timestamp};

/// What a permit is asked for.
#[derive(Debug, Clone)]
pub struct MintRequest<'a> {
    /// Whose disk.
    pub host: &'a HostName,
    /// The image that is locked now.
    pub image: &'a ImagePin,
    /// The disk that the profile means now.
    pub target: &'a DiskSelector,
    /// How the profile recognises the machine now.
    pub matching: &'a HostMatch,
    /// What the profile lets be overwritten now.
    pub wipe: WipePolicy,
    /// Now.
    pub now: Timestamp,
    /// How long the permit holds, in seconds.
    pub validity: u64,
}

/// Mints a permit that holds from now on.
///
/// `previous` is the highest generation of the permits that this host ever had, disarmed or not: the generation counts on from
/// it, so that a disk that has seen the old order refuses it from then on.
pub fn mint(request: &MintRequest<'_>, random: [u8; 16], previous: u64) -> Permit {
    Permit {
        version: FormatVersion,
        id: OrderId::from_random(random),
        host: request.host.clone(),
        generation: previous.saturating_add(1),
        not_before: request.now,
        not_after: request.now.plus_seconds(request.validity),
        image: request.image.image.clone(),
        manifest: request.image.manifest,
        target: request.target.clone(),
        matching: request.matching.clone(),
        wipe: request.wipe,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    #[test]
    fn a_new_permit_counts_on_from_the_newest_one() {
        let first = fixtures::permit();
        assert_eq!(first.generation, 1);
        let image = fixtures::pin();
        let request = MintRequest {
            host: &first.host,
            image: &image,
            target: &first.target,
            matching: &first.matching,
            wipe: first.wipe,
            now: Timestamp::from_unix(1_000),
            validity: 60,
        };
        let second = mint(&request, [8; 16], first.generation);
        assert_eq!(second.generation, 2);
        assert_ne!(second.id, first.id);
        assert_eq!((second.not_before.as_unix(), second.not_after.as_unix()), (1_000, 1_060));
    }

    #[test]
    fn a_permit_reads_back_and_another_version_does_not() {
        let text = serde_json::to_string(&fixtures::permit()).unwrap();
        assert_eq!(serde_json::from_str::<Permit>(&text).unwrap(), fixtures::permit());
        let newer = text.replace("\"version\":2", "\"version\":3");
        assert_ne!(newer, text);
        assert!(serde_json::from_str::<Permit>(&newer).is_err());
    }
}
