//! The plainest host there is, for tests that change what they are about.

use std::collections::BTreeMap;

use super::{Boot, Finish, Handoff, Host, Installer, Locale, Network, Scripted, Scripts, Site};
use crate::spec::order::{HostMatch, WipePolicy};
use crate::spec::system::RootAccount;

/// `web01.example.com`, installed by the agent on the disk with serial number `S1`.
pub fn host() -> Host {
    Host {
        name: "web01.example.com".parse().unwrap(),
        matching: HostMatch::default(),
        installer: Installer::Native,
        os: None,
        image: None,
        target: serde_json::from_str(r#"{"serial":"S1"}"#).unwrap(),
        wipe: WipePolicy::Ours,
        confirm_seconds: 10,
        refusal_pause_seconds: 600,
        allow_dead_clock: false,
        max_image_age: None,
        layout: None,
        network: Network::default(),
        locale: Locale {
            lang: "C.UTF-8".to_owned(),
            keyboard: "us".to_owned(),
            timezone: "Europe/Berlin".to_owned(),
            ntp: Vec::new(),
        },
        root: RootAccount::default(),
        users: Vec::new(),
        packages: Vec::new(),
        remove_packages: Vec::new(),
        mirror: None,
        repositories: Vec::new(),
        proxy: None,
        kernel_args: Vec::new(),
        boot: Boot::default(),
        scripts: Scripts::default(),
        finish: Finish::Reboot,
        scripted: Scripted::Refused,
        handoff: Handoff::none(),
        waived: Vec::new(),
    }
}

/// A site without servers and installers.
pub fn site() -> Site {
    Site {
        name: "test".to_owned(),
        server: None,
        exports: None,
        debian_installer: BTreeMap::new(),
        order_validity: 3600,
    }
}
