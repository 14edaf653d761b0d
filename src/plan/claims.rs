//! What the claims on a machine's disks say of an order. Each is one whose grant the site's key sealed; `disk_probe` takes all others
//! for somebody's data.

use super::candidate::is_candidate;
use super::words::{describe, with_disks};
use crate::spec::claim::{Claim, MOST_ATTEMPTS, MOST_FAILURES, Stage};
use crate::spec::facts::{Disk, DiskContent, Facts};
use crate::spec::order::{Grant, InstallOrder};
use crate::spec::plan::{Plan, Refusal};
use crate::spec::{Code, FormatVersion};
use crate::value::{Digest, OrderId};

/// Older orders that get a done file of their own; each takes a cluster of the ESP.
pub(super) const MOST_SUPERSEDED: usize = 32;

/// The claim that this plan writes first of all. Of the older orders it names as many as fit; none of them is worth a refusal, and
/// neither are the images.
pub fn claim(order: &InstallOrder, plan: &Plan) -> Claim {
    let image = order.image.manifest;
    let mut claim = Claim {
        version: FormatVersion,
        grant: order.grant(),
        seal: order.seal,
        disk: plan.disk.stable_name(),
        attempts: plan.attempt,
        failures: plan.failures,
        foreign: plan.foreign,
        time: plan.time,
        covers: plan.covers,
        root: plan.root,
        outside: plan.outside,
        stage: Stage::Begun,
        superseded: plan.superseded.clone(),
        image: Some(image),
        former: plan.holds.iter().find(|held| **held != image).copied(),
    };
    while claim.require_room().is_err() && claim.superseded.pop().is_some() {}
    while claim.require_room().is_err() && claim.former.take().or_else(|| claim.image.take()).is_some() {}
    claim
}

/// What a disk may hold of images, wholly or in part. Only where nobody else's data is given up: in an install of ours there is
/// nothing else to read. While an image is being written, the one before it is still there in part.
pub(super) fn holds(disk: &Disk, overwrites_foreign: bool) -> Vec<Digest> {
    let DiskContent::Ours { claim, .. } = &disk.content else { return Vec::new() };
    if overwrites_foreign {
        return Vec::new();
    }
    let former = claim.former.filter(|former| claim.stage == Stage::Begun && claim.image != Some(*former));
    claim.image.into_iter().chain(former).collect()
}

/// Whether a claim stands where it was written. What isn't in its grant is nobody's word on another disk.
pub fn is_in_place(claim: &Claim, disk: &Disk) -> bool {
    claim.disk == disk.stable_name()
}

/// The claim of this very order on this disk.
pub(super) fn own_claim<'a>(order: &InstallOrder, disk: &'a Disk) -> Option<&'a Claim> {
    match &disk.content {
        DiskContent::Ours { claim, .. } if claim.grant.order == order.id => Some(claim),
        _ => None,
    }
}

/// The disk on which all of this order is done but the tables: the power failed just before the commit, or LBA 0 was zeroed
/// since, over a system that is in use. A copy of that disk is not it, and neither is a disk that the order can't mean.
pub(super) fn without_tables<'a>(order: &InstallOrder, facts: &'a Facts) -> Option<(&'a Disk, &'a Claim)> {
    facts.disks.iter().find_map(|disk| match &disk.content {
        DiskContent::Ours { claim, closed: true, .. }
            if claim.grant.order == order.id
                && matches!(claim.stage, Stage::Ready { .. })
                && is_in_place(claim, disk)
                && is_candidate(order, disk) =>
        {
            Some((disk, &**claim))
        }
        _ => None,
    })
}

/// An order that failed as often as an order is tried ends, and so does one that was begun absurdly often. What fails again and
/// again would wipe again and again.
pub(super) fn check_failures(order: &InstallOrder, facts: &Facts) -> Result<(), Refusal> {
    let failed = facts.disks.iter().find_map(|disk| {
        let tired = |claim: &&Claim| claim.failures >= MOST_FAILURES || claim.attempts >= MOST_ATTEMPTS;
        let own = own_claim(order, disk).filter(|claim| is_in_place(claim, disk));
        own.filter(tired).map(|claim| (disk, claim))
    });
    match failed {
        Some((disk, claim)) => {
            let message = format!(
                "order {} of {} was begun {} times, failed {} times, and is not tried again: {}",
                order.id,
                order.host,
                claim.attempts,
                claim.failures,
                describe(disk)
            );
            Err(Refusal::new(Code::OrderFailed, message))
        }
        None => Ok(()),
    }
}

/// Judges the claims on all disks. Each is one that the site's key sealed: a newer one ends this order wherever it stands.
pub(super) fn check_claims(order: &InstallOrder, target: &Disk, facts: &Facts) -> Result<(), Refusal> {
    for disk in &facts.disks {
        let DiskContent::Ours { claim, .. } = &disk.content else { continue };
        let Grant { host, order: id, generation, .. } = &claim.grant;
        if *id == order.id {
            check_own_claim(order, claim, disk, target, facts)?;
        } else if *host == order.host && *generation >= order.generation {
            let message = format!(
                "the order is generation {} of {}, but {} was claimed by generation {generation} (order {id})",
                order.generation, order.host, disk.name
            );
            return Err(with_disks(Code::OrderStale, &message, facts));
        }
    }
    Ok(())
}

/// A claimed order goes on only on the disk that it was claimed for. A copy of the target's own claim on another disk says
/// nothing about that one: the order goes on.
pub(super) fn check_own_claim(
    order: &InstallOrder,
    claim: &Claim,
    disk: &Disk,
    target: &Disk,
    facts: &Facts,
) -> Result<(), Refusal> {
    let problem = if disk.name == target.name {
        if claim.disk == disk.stable_name() {
            return Ok(());
        }
        format!("was claimed on disk {}; {} is {}, a copy of it", claim.disk, disk.name, disk.stable_name())
    } else if claim.disk == target.stable_name() {
        return Ok(());
    } else {
        format!("was claimed on {}, but the disk to be written is {}", disk.name, target.name)
    };
    Err(with_disks(Code::OrderClaimed, &format!("order {} {problem}", order.id), facts))
}

/// Orders that end with this one, though no medium that carries them knows it. Only a disk that this very host claimed last
/// tells: its done files were written for this host then. Marks of another host are never carried on, or that host, if it
/// saw this disk, would boot a system that isn't its own.
pub(super) fn superseded(order: &InstallOrder, disk: &Disk) -> Vec<OrderId> {
    let DiskContent::Ours { claim, .. } = &disk.content else { return Vec::new() };
    if claim.grant.host != order.host {
        return Vec::new();
    }
    let mut older: Vec<OrderId> = Vec::new();
    for id in std::iter::once(&claim.grant.order).chain(&claim.superseded).chain(&disk.done) {
        if *id != order.id && !older.contains(id) {
            older.push(id.clone());
        }
    }
    older.truncate(MOST_SUPERSEDED);
    older
}
