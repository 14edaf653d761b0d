//! What a bundle is made of: its hosts, and the files that are made for them.

use crate::boot::grub::BootHost;
use crate::order::SignedOrder;
use crate::spec::order::InstallOrder;
use crate::value::{EventPublicKey, Timestamp};

/// One host of a bundle.
#[derive(Debug, Clone)]
pub struct BundledHost {
    /// Its order.
    pub order: InstallOrder,
    /// The order as it travels.
    pub signed: SignedOrder,
    /// What its loader needs to know.
    pub boot: BootHost,
    /// What vouches for the order's runs on media of former keys of the site.
    pub former_events: Vec<EventPublicKey>,
}

/// One file of a bundle that is made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentFile {
    /// Path in the tree or in the ESP.
    pub path: String,
    /// Content.
    pub content: Vec<u8>,
}

/// The floor for clocks on targets: the newest time at which one of the orders began.
pub fn time(hosts: &[BundledHost]) -> Timestamp {
    hosts.iter().map(|host| host.order.not_before).max().unwrap_or(Timestamp::from_unix(0))
}
