//! From what was ordered and what was seen to what will be done, or to a refusal: the only place that decides whether a
//! disk may be wiped.
//!
//! Pure: the same facts, live or from a dump, give the same answer. Promises: exactly one disk matches
//! the selector, and it is neither removable nor a medium of ours; no data but ours is overwritten unless the order allows
//! it; an order that is done, stale, expired or claimed elsewhere yields no plan; no other disk carries the image's root.
//! Every refusal about disks lists them all.
//!
//! Order of judgement: identity, done, validity, image, choice of the disk, claims, state of the disk, its content, other
//! disks. [`still_holds`] judges again, from newer facts, just before the claim. "Done" comes before validity, because a
//! machine that is installed boots its disk even when the order is old.

use crate::spec::claim::{Claim, Stage};
use crate::spec::facts::{Disk, DiskContent, Facts};
use crate::spec::image::{ImageManifest, NetworkStack};
use crate::spec::order::{InstallOrder, WipePolicy};
use crate::spec::plan::{Plan, Refusal};
use crate::spec::{Code, FormatVersion};
use crate::value::{OrderId, Timestamp};

/// Older orders that get a done file of their own; each takes a cluster of the ESP.
const MOST_SUPERSEDED: usize = 32;

/// Decides. `floor` is the bundle's time: a clock that stands earlier is wrong, and the floor is used in its place.
///
/// # Errors
/// The refusal, with its code and what was seen.
pub fn plan(
    order: &InstallOrder,
    manifest: &ImageManifest,
    floor: Timestamp,
    facts: &Facts,
) -> Result<Plan, Refusal> {
    check_machine(order, facts)?;
    check_done(order, facts)?;
    check_validity(order, floor, facts.clock)?;
    check_image(order, manifest)?;
    let disk = choose(order, facts)?;
    let attempt = check_claims(order, disk, facts)?;
    check_state(manifest, disk)?;
    let overwrites_foreign = check_content(order, disk)?;
    check_other_disks(manifest, disk, facts)?;
    let plan = Plan {
        host: order.host.clone(),
        order: order.id.clone(),
        disk: disk.clone(),
        attempt,
        overwrites_foreign,
        superseded: superseded(order, disk),
    };
    // the longest that it will be
    let last = Claim { stage: Stage::Ready { entries: u32::MAX }, ..claim(order, &plan) };
    match last.to_record() {
        Ok(_) => Ok(plan),
        Err(error) => Err(Refusal::new(Code::Internal, format!("{}: {error}", describe(disk)))),
    }
}

/// Decides again, from facts gathered after the countdown: minutes may have passed since the plan was made, in which disks
/// were plugged, shared ones written by other machines, and names given anew. The plan holds only if the same one is made.
///
/// # Errors
/// The refusal that newer facts give, or [`Code::DiskChanged`] with what was planned and what is there.
pub fn still_holds(
    made: &Plan,
    order: &InstallOrder,
    manifest: &ImageManifest,
    floor: Timestamp,
    facts: &Facts,
) -> Result<(), Refusal> {
    let again = plan(order, manifest, floor, facts)?;
    if again == *made {
        return Ok(());
    }
    let message = format!(
        "what was planned is not what is there now\nplanned, attempt {}: {}\nnow, attempt {}: {}",
        made.attempt,
        describe(&made.disk),
        again.attempt,
        describe(&again.disk)
    );
    Err(with_disks(Code::DiskChanged, &message, facts))
}

/// The claim that this plan writes first of all. Of the older orders it names as many as fit; none of them is worth a refusal.
pub fn claim(order: &InstallOrder, plan: &Plan) -> Claim {
    let mut claim = Claim {
        version: FormatVersion,
        order: order.id.clone(),
        generation: order.generation,
        host: order.host.clone(),
        disk: plan.disk.stable_name(),
        attempts: plan.attempt,
        stage: Stage::Begun,
        superseded: plan.superseded.clone(),
    };
    // the record is written a second time, longer
    let last = |claim: &Claim| Claim { stage: Stage::Ready { entries: u32::MAX }, ..claim.clone() };
    while last(&claim).to_record().is_err() && claim.superseded.pop().is_some() {}
    claim
}

/// One disk in words: for refusals and the countdown.
pub fn describe(disk: &Disk) -> String {
    let mut text = format!("{}: {}", disk.name, disk.model.as_deref().unwrap_or("unknown model"));
    text += &format!(", serial {}", disk.serial.as_deref().unwrap_or("none"));
    if let Some(wwn) = &disk.wwn {
        text += &format!(", wwn {wwn}");
    }
    let bytes = disk.size.as_bytes();
    text += &format!(", {:.1} GB ({bytes} bytes), ", bytes as f64 / 1e9);
    text += &match &disk.content {
        DiskContent::Blank => "blank".to_owned(),
        DiskContent::Ours { claim, beside, .. } => {
            let beside = beside.as_ref().map(|what| format!(", and holds {what}")).unwrap_or_default();
            let Claim { order, host, generation, .. } = claim;
            format!("claimed by order {order} of {host}, generation {generation}{beside}")
        }
        DiskContent::Foreign { looks_like } => format!("holds {looks_like}"),
        DiskContent::Unreadable { error } => format!("can't be read ({error})"),
    };
    for (flag, word) in [
        (disk.boot_medium, "our boot medium"),
        (disk.removable, "removable or USB"),
        (disk.read_only, "read-only"),
        (disk.logical_block != 512, "not made of 512-byte blocks"),
    ] {
        if flag {
            text += &format!(", {word}");
        }
    }
    text
}

/// A refusal that lists every disk of the machine.
fn with_disks(code: Code, message: &str, facts: &Facts) -> Refusal {
    let mut text = format!("{message}\ndisks of this machine:");
    for disk in &facts.disks {
        text += &format!("\n  {}", describe(disk));
    }
    if facts.disks.is_empty() {
        text += " none";
    }
    Refusal::new(code, text)
}

fn check_machine(order: &InstallOrder, facts: &Facts) -> Result<(), Refusal> {
    if order.matching.matches(&facts.machine) {
        return Ok(());
    }
    let message = format!("the order is for {}, and this machine is not that host", order.host);
    Err(Refusal::new(Code::NoHost, message))
}

/// By the done file, like the loader, or by the claim, which outlives the ESP: whatever became of the system, an order isn't
/// run twice.
fn check_done(order: &InstallOrder, facts: &Facts) -> Result<(), Refusal> {
    let by_claim = |disk: &Disk| match &disk.content {
        DiskContent::Ours { claim, closed: false, .. } => {
            claim.order == order.id && matches!(claim.stage, Stage::Ready { .. })
        }
        _ => false,
    };
    match facts.disks.iter().find(|disk| disk.done.contains(&order.id) || by_claim(disk)) {
        Some(disk) => Err(Refusal::new(
            Code::OrderDone,
            format!("order {} of {} is done: {}", order.id, order.host, describe(disk)),
        )),
        None => Ok(()),
    }
}

/// `not_after` is judged against the later of clock and floor. `not_before` only against a clock that can be believed, one
/// that isn't before the floor: with a clock known to be wrong, the generation guards against old media.
fn check_validity(order: &InstallOrder, floor: Timestamp, clock: Timestamp) -> Result<(), Refusal> {
    let now = clock.max(floor);
    let how = if clock < floor {
        format!("the machine's clock says {clock}, which is before the bundle was made; taken as {floor}")
    } else {
        format!("the machine's clock says {clock}")
    };
    if order.not_after < now {
        let message = format!("order {} of {} ended at {}; {how}", order.id, order.host, order.not_after);
        return Err(Refusal::new(Code::OrderExpired, message));
    }
    if clock >= floor && clock < order.not_before {
        let message = format!("order {} of {} begins at {}; {how}", order.id, order.host, order.not_before);
        return Err(Refusal::new(Code::OrderExpired, message));
    }
    Ok(())
}

fn check_image(order: &InstallOrder, manifest: &ImageManifest) -> Result<(), Refusal> {
    let image = &manifest.image;
    let refuse = |why: String| Err(Refusal::new(Code::ImageUnsupported, why));
    if *image != order.image.image {
        return refuse(format!("the order is for image {}, its manifest is of {image}", order.image.image));
    }
    if manifest.system.selinux_enforcing {
        return refuse(format!(
            "image {image} enforces SELinux; files that the install changes would have no labels"
        ));
    }
    if manifest.system.network == NetworkStack::Unknown {
        return refuse(format!(
            "image {image} enables none of systemd-networkd, ifupdown and NetworkManager, so {} would have no network",
            order.host
        ));
    }
    Ok(())
}

fn choose<'a>(order: &InstallOrder, facts: &'a Facts) -> Result<&'a Disk, Refusal> {
    let matching: Vec<_> = facts.disks.iter().filter(|d| order.target.matches(d.identity())).collect();
    let (never, eligible): (Vec<_>, Vec<_>) =
        matching.into_iter().partition(|disk| disk.boot_medium || disk.removable);
    let names = |disks: &[&Disk]| disks.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", ");
    match (eligible.as_slice(), never.as_slice()) {
        ([disk], _) => Ok(*disk),
        ([], []) => {
            let message = format!("no disk has {}", order.target);
            Err(with_disks(Code::NoDisk, &message, facts))
        }
        ([], never) => {
            let message = format!(
                "only {} has {}, and boot media and removable disks are never a target",
                names(never),
                order.target
            );
            Err(with_disks(Code::NoDisk, &message, facts))
        }
        (several, _) => {
            let message = format!("{} disks have {}: {}", several.len(), order.target, names(several));
            Err(with_disks(Code::ManyDisks, &message, facts))
        }
    }
}

/// Judges the claims on all disks; gives the number of this attempt.
fn check_claims(order: &InstallOrder, target: &Disk, facts: &Facts) -> Result<u32, Refusal> {
    let mut attempt = 1;
    for disk in &facts.disks {
        let DiskContent::Ours { claim, .. } = &disk.content else { continue };
        if claim.order == order.id {
            check_own_claim(order, claim, disk, target, facts)?;
            attempt = claim.attempts.saturating_add(1);
        } else if claim.host == order.host && claim.generation >= order.generation {
            let message = format!(
                "the order is generation {} of {}, but {} was claimed by generation {} (order {})",
                order.generation, order.host, disk.name, claim.generation, claim.order
            );
            return Err(with_disks(Code::OrderStale, &message, facts));
        }
    }
    Ok(attempt)
}

/// A claimed order goes on only on the disk, and for the host, that it was claimed for.
fn check_own_claim(
    order: &InstallOrder,
    claim: &Claim,
    disk: &Disk,
    target: &Disk,
    facts: &Facts,
) -> Result<(), Refusal> {
    let problem = if disk.name != target.name {
        format!("was claimed on {}, but the disk to be written is {}", disk.name, target.name)
    } else if claim.disk != disk.stable_name() {
        format!("was claimed on disk {}; {} is {}, a copy of it", claim.disk, disk.name, disk.stable_name())
    } else if claim.host != order.host {
        format!("was claimed for host {}, not {}", claim.host, order.host)
    } else {
        return Ok(());
    };
    Err(with_disks(Code::OrderClaimed, &format!("order {} {problem}", order.id), facts))
}

/// Orders that end with this one, though no medium that carries them knows it. Only a disk that this very host claimed last
/// tells: its done files were written for this host then. Marks of another host are never carried on, or that host, if it
/// saw this disk, would boot a system that isn't its own.
fn superseded(order: &InstallOrder, disk: &Disk) -> Vec<OrderId> {
    let DiskContent::Ours { claim, .. } = &disk.content else { return Vec::new() };
    if claim.host != order.host {
        return Vec::new();
    }
    let mut older: Vec<OrderId> = Vec::new();
    for id in std::iter::once(&claim.order).chain(&claim.superseded).chain(&disk.done) {
        if *id != order.id && !older.contains(id) {
            older.push(id.clone());
        }
    }
    older.truncate(MOST_SUPERSEDED);
    older
}

fn check_state(manifest: &ImageManifest, disk: &Disk) -> Result<(), Refusal> {
    let what = describe(disk);
    if disk.logical_block != manifest.logical_block {
        let message = format!(
            "blocks of {} bytes, the image is made for {}: {what}",
            disk.logical_block, manifest.logical_block
        );
        return Err(Refusal::new(Code::SectorSize, message));
    }
    if disk.size < manifest.size {
        let message = format!(
            "{} bytes too small for image {} of {} bytes: {what}",
            manifest.size.as_bytes() - disk.size.as_bytes(),
            manifest.image,
            manifest.size.as_bytes()
        );
        return Err(Refusal::new(Code::DiskTooSmall, message));
    }
    if disk.read_only {
        return Err(Refusal::new(Code::DiskReadOnly, format!("writes are refused: {what}")));
    }
    match &disk.content {
        DiskContent::Unreadable { .. } => Err(Refusal::new(Code::DiskIo, what)),
        _ => Ok(()),
    }
}

/// Whether somebody's data will be lost, which the order must allow. An install of ours for another host, one that was
/// copied here from another disk, and what was put on the disk later (installers and volume managers leave the claim record
/// where it is) are somebody's data. A disk with neither WWN nor serial can't show that it isn't a copy: only the very order
/// that claimed it may go on there, because an install that broke off must be tried again. Claims are judged all the same, so that they end stale
/// orders. An install that broke off has no partition table, so no file system of it is seen.
fn check_content(order: &InstallOrder, disk: &Disk) -> Result<bool, Refusal> {
    let why = match &disk.content {
        DiskContent::Blank => return Ok(false),
        DiskContent::Ours { claim, .. } if claim.host != order.host => {
            format!("it was installed for host {}, not {}", claim.host, order.host)
        }
        DiskContent::Ours { claim, .. } if claim.disk != disk.stable_name() => {
            format!("it holds a copy of disk {}", claim.disk)
        }
        DiskContent::Ours { claim, .. } if claim.order != order.id && !disk.is_unique() => {
            "it was claimed before, but without WWN and serial number nobody can tell whether here or on a disk that it \
             is a copy of"
                .to_owned()
        }
        DiskContent::Ours { beside: Some(what), .. } => format!("it holds {what} over a claim of ours"),
        // an install of ours that is cut off leaves LBA 0 zero, and a complete one its done file and its root
        DiskContent::Ours { closed, .. }
            if !disk.holds_installed_root() && (!closed || !disk.filesystems.is_empty()) =>
        {
            "it was partitioned anew since: another system was installed over ours".to_owned()
        }
        DiskContent::Ours { .. } => return Ok(false),
        DiskContent::Foreign { looks_like } => format!("it holds {looks_like}"),
        DiskContent::Unreadable { error } => format!("it can't be read: {error}"),
    };
    match order.wipe {
        WipePolicy::Foreign => Ok(true),
        WipePolicy::Ours => Err(Refusal::new(
            Code::ForeignData,
            format!("{why}, and order {} doesn't allow its loss: {}", order.id, describe(disk)),
        )),
    }
}

fn check_other_disks(manifest: &ImageManifest, target: &Disk, facts: &Facts) -> Result<(), Refusal> {
    let root = manifest.root.uuid;
    let other = facts.disks.iter().find(|d| d.name != target.name && d.filesystems.contains(&root));
    match other {
        Some(disk) => {
            let message = format!("{} carries a file system with the image's root UUID {root}", disk.name);
            Err(with_disks(Code::DuplicateRoot, &message, facts))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
