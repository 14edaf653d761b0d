//! One host's permit and the rest of its order, for tests.

use super::{MintRequest, OrderParts, mint};
use crate::spec::image::ImagePin;
use crate::spec::order::{HostMatch, Permit, WipePolicy};
use crate::spec::system::{NetworkSpec, RootAccount, SystemSpec};
use crate::trust::SiteKey;
use crate::value::{Digest, Timestamp};

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(1_795_417_200)
}

pub(crate) fn key() -> SiteKey {
    SiteKey::from_random([3; 40])
}

pub(crate) fn pin() -> ImagePin {
    ImagePin { image: "debian-12@1".parse().unwrap(), manifest: Digest::of(b"manifest") }
}

pub(crate) fn permit() -> Permit {
    let parts = parts();
    let request = MintRequest {
        host: &parts.host,
        image: &parts.image,
        target: &parts.target,
        matching: &parts.matching,
        wipe: parts.wipe,
        now: now(),
        validity: 3_600,
    };
    mint(&request, [7; 16], 0)
}

pub(crate) fn parts() -> OrderParts {
    OrderParts {
        host: "web01".parse().unwrap(),
        matching: HostMatch { macs: vec!["52:54:00:12:34:56".parse().unwrap()], ..HostMatch::default() },
        image: pin(),
        loaders: None,
        target: serde_json::from_str(r#"{"serial":"DISK-A"}"#).unwrap(),
        wipe: WipePolicy::Ours,
        confirm_seconds: 10,
        refusal_pause_seconds: 600,
        allow_dead_clock: false,
        network: NetworkSpec::default(),
        payload: None,
        server: None,
        system: SystemSpec {
            hostname: "web01".parse().unwrap(),
            timezone: None,
            root: RootAccount::default(),
            users: Vec::new(),
            files: Vec::new(),
            units: Vec::new(),
        },
    }
}
