//! Permits given and taken back.
//!
//! Whoever is armed anew loses the permit before; whoever is disarmed loses every order that media still carry.

use anyhow::Result;

use super::context::SiteContext;
use super::media::{Carried, Medium};
use super::paths::SitePaths;
use super::permits::{self, Stub};
use super::revocations;
use crate::host::LockedHost;
use crate::order::{MintRequest, mint};
use crate::spec::order::Permit;
use crate::spec::revocation::{Reason, Revoked};
use crate::sys::clock::Clock;
use crate::sys::random;
use crate::trust::SiteKey;
use crate::value::{HostName, Timestamp};

/// A host that was armed.
#[derive(Debug, Clone)]
pub struct Armed {
    /// Its permit.
    pub permit: Permit,
    /// The permit before, which is revoked now.
    pub replaced: Option<Stub>,
}

/// Gives permits to hosts, once each. None is given unless all can be minted.
///
/// # Errors
/// When the system has no randomness, or a permit can't be revoked or written; those before it are given then.
pub fn arm(
    context: &SiteContext,
    paths: &SitePaths,
    hosts: &[LockedHost],
    key: &SiteKey,
    clock: &dyn Clock,
) -> Result<Vec<Armed>> {
    let mut minted = Vec::new();
    for LockedHost { host, image } in hosts {
        let previous = permits::last_generation(paths, &host.name)?;
        let request = MintRequest {
            host: &host.name,
            image,
            target: &host.target,
            matching: &host.matching,
            wipe: host.wipe,
            now: clock.now(),
            validity: context.site.order_validity,
        };
        minted.push(mint(&request, random::bytes()?, previous));
    }
    let give = |permit| Ok(Armed { replaced: permits::replace(paths, &permit, key)?, permit });
    minted.into_iter().map(give).collect()
}

/// A host that was disarmed.
#[derive(Debug, Clone)]
pub struct Disarmed<'a> {
    /// Which.
    pub host: &'a HostName,
    /// The permit that was taken; `None` where it had none.
    pub permit: Option<Stub>,
    /// Whether media carry orders of it that would still hold.
    pub is_carried: bool,
}

/// Takes a host's permit back, and revokes the orders that these media carry for it: there may be some that its permit doesn't
/// show any more.
///
/// # Errors
/// When a permit can't be moved, or the list of revoked orders can't be written.
pub fn disarm<'a>(
    paths: &SitePaths,
    host: &'a HostName,
    media: &[Medium],
    now: Timestamp,
) -> Result<Disarmed<'a>> {
    let revoke = |carried: &Carried| Revoked {
        order: carried.order.clone(),
        host: host.clone(),
        time: now,
        until: carried.until,
        reason: Reason::Disarmed,
    };
    let orders: Vec<_> = carried(media, host, now).map(|(_, carried)| revoke(carried)).collect();
    let is_carried = !orders.is_empty();
    let permit = permits::revoke(paths, host, now)?;
    revocations::add(paths, orders)?;
    Ok(Disarmed { host, permit, is_carried })
}

/// Media that carry an order of this host which would still hold.
pub fn carried<'a>(
    media: &'a [Medium],
    host: &'a HostName,
    now: Timestamp,
) -> impl Iterator<Item = (&'a Medium, &'a Carried)> {
    let carrying = media.iter().filter_map(|medium| Some((medium, medium.carries(host)?)));
    carrying.filter(move |(_, carried)| carried.until >= now)
}
