//! From what was ordered and what was seen to what will be done, or to a refusal: the only place that decides whether a
//! disk may be wiped.
//!
//! Pure: the same facts, live or from a dump, give the same answer. Promises: exactly one disk matches the selector, and it is
//! neither removable nor a medium of ours, and in this machine or named by its WWN; no data but ours is overwritten unless the
//! order allows it; an order that is done, stale, expired or claimed elsewhere yields no plan; no other disk carries the image's
//! root. Every refusal about disks lists them all.
//!
//! Order of judgement: identity, done, failures, validity, image, firmware, choice of the disk, claims, state of the disk, its content,
//! other disks. [`still_holds`] judges again, from newer facts, just before the claim. "Done" comes before validity, because a
//! machine that is installed boots its disk even when the order is old. For the same reason a disk that lacks nothing but its
//! tables gets them back under an order that has expired: no byte of a partition is written. All else is judged there, too.

mod candidate;
mod claims;
mod content;
mod firmware;
mod validity;
mod words;

use uuid::Uuid;

use self::claims::{check_claims, check_failures, holds, own_claim, superseded, without_tables};
use self::content::{check_content, outside};
use self::firmware::check_firmware;
use self::validity::{believed_at_least, check_validity};
use self::words::with_disks;
use crate::spec::Code;
use crate::spec::claim::{Claim, Stage};
use crate::spec::facts::{Disk, DiskContent, Facts};
use crate::spec::image::{ImageManifest, NetworkStack};
use crate::spec::order::InstallOrder;
use crate::spec::plan::{Plan, Refusal, Work};
use crate::value::{ByteSize, OrderId, Timestamp};

pub use self::candidate::{is_candidate, why_not};
pub use self::claims::{claim, is_in_place};
pub use self::firmware::{Verdict, firmware_doubt, judge};
pub use self::validity::is_out;
pub use self::words::describe;

/// Decides. `floor` is the bundle's time: no clock that stands earlier is right.
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
    check_failures(order, facts)?;
    if let Some((disk, claim)) = without_tables(order, facts) {
        return plan_tables(order, manifest, floor, (disk, claim), facts);
    }
    let now = check_validity(order, floor, facts)?;
    check_image(order, manifest)?;
    check_firmware(order, &facts.machine)?;
    let disk = choose(order, facts)?;
    check_claims(order, disk, facts)?;
    check_state(manifest, disk)?;
    let overwrites_foreign = check_content(order, disk)?;
    check_other_disks(manifest, disk, facts)?;
    let own = own_claim(order, disk);
    let plan = Plan {
        host: order.host.clone(),
        order: order.id.clone(),
        disk: disk.clone(),
        work: Work::Install,
        attempt: own.map_or(0, |claim| claim.attempts).saturating_add(1),
        failures: own.map_or(0, |claim| claim.failures),
        time: own.map_or(now.time, |claim| claim.time),
        now,
        covers: manifest.size,
        root: root(manifest),
        // as it was judged just now: where the image was placed before, what lay beyond it is overwritten already
        outside: outside(disk, manifest.size),
        overwrites_foreign,
        foreign: own.map_or(overwrites_foreign, |claim| claim.foreign || overwrites_foreign),
        superseded: superseded(order, disk),
        holds: holds(disk, overwrites_foreign),
    };
    match claim(order, &plan).require_room() {
        Ok(()) => Ok(plan),
        Err(error) => Err(Refusal::new(Code::Internal, format!("{}: {error}", describe(disk)))),
    }
}

/// The tables are made anew; no byte of a partition is touched. Nothing can be lost by it, so that an order that has expired
/// will do.
fn plan_tables(
    order: &InstallOrder,
    manifest: &ImageManifest,
    floor: Timestamp,
    (disk, claim): (&Disk, &Claim),
    facts: &Facts,
) -> Result<Plan, Refusal> {
    let (DiskContent::Ours { beside, .. }, Stage::Ready { entries }) = (&disk.content, claim.stage) else {
        return Err(Refusal::new(Code::Internal, describe(disk)));
    };
    check_image(order, manifest)?;
    check_firmware(order, &facts.machine)?;
    check_claims(order, disk, facts)?;
    check_state(manifest, disk)?;
    let gone = (!disk.claimed_root_in_place).then(|| "something else in the place of its root,".to_owned());
    if let Some(what) = beside.clone().or(gone) {
        let message = format!(
            "order {} of {} was carried out here, LBA 0 was zeroed since, and the disk holds {what} that it didn't make: {}",
            order.id,
            order.host,
            describe(disk)
        );
        return Err(Refusal::new(Code::ForeignData, message));
    }
    check_other_disks(manifest, disk, facts)?;
    Ok(Plan {
        host: order.host.clone(),
        order: order.id.clone(),
        disk: disk.clone(),
        work: Work::Tables { entries },
        attempt: claim.attempts,
        failures: claim.failures,
        time: claim.time,
        now: believed_at_least(order, floor, facts),
        covers: claim.covers,
        root: claim.root,
        outside: claim.outside,
        overwrites_foreign: false,
        foreign: claim.foreign,
        superseded: claim.superseded.clone(),
        holds: holds(disk, false),
    })
}

/// The image's root file system, and where it begins.
fn root(manifest: &ImageManifest) -> (Uuid, ByteSize) {
    let number = manifest.root.partition;
    let partition = manifest.partitions.iter().find(|partition| partition.number == number);
    (manifest.root.uuid, ByteSize::bytes(partition.map_or(0, |partition| partition.offset)))
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
    // time goes on
    if (Plan { time: made.time, now: made.now, ..again.clone() }) == *made {
        return Ok(());
    }
    let mut message = format!(
        "what was planned is not what is there now\nplanned, attempt {}: {}\nnow, attempt {}: {}",
        made.attempt,
        describe(&made.disk),
        again.attempt,
        describe(&again.disk)
    );
    if again.disk.samples != made.disk.samples {
        message += ", and other bytes than before";
    }
    Err(with_disks(Code::DiskChanged, &message, facts))
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
    match facts.disks.iter().find(|disk| shows_done(&order.id, disk)) {
        Some(disk) => Err(Refusal::new(
            Code::OrderDone,
            format!("order {} of {} is done: {}", order.id, order.host, describe(disk)),
        )),
        None => Ok(()),
    }
}

/// Whether this disk shows that the order was carried out.
pub fn shows_done(order: &OrderId, disk: &Disk) -> bool {
    let by_claim = match &disk.content {
        DiskContent::Ours { claim, closed: false, .. } => {
            claim.grant.order == *order
                && matches!(claim.stage, Stage::Ready { .. })
                && is_in_place(claim, disk)
        }
        _ => false,
    };
    by_claim || disk.done.contains(order)
}

fn check_image(order: &InstallOrder, manifest: &ImageManifest) -> Result<(), Refusal> {
    let image = &manifest.image;
    let refuse = |why: String| Err(Refusal::new(Code::ImageUnsupported, why));
    if *image != order.image.image {
        return refuse(format!("the order is for image {}, its manifest is of {image}", order.image.image));
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
        matching.into_iter().partition(|disk| candidate::why_never(order, disk).is_some());
    let names = |disks: &[&Disk]| disks.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", ");
    match (eligible.as_slice(), never.as_slice()) {
        ([disk], _) => Ok(*disk),
        ([], []) => {
            let message = format!("no disk has {}", order.target);
            Err(with_disks(Code::NoDisk, &message, facts))
        }
        ([], never) => {
            let why = |disk: &&Disk| Some(format!("{} {}", disk.name, candidate::why_never(order, disk)?));
            let why: Vec<_> = never.iter().filter_map(why).collect();
            let message = format!("only {} has {}, but {}", names(never), order.target, why.join(", "));
            Err(with_disks(Code::NoDisk, &message, facts))
        }
        (several, _) => {
            let message = format!("{} disks have {}: {}", several.len(), order.target, names(several));
            Err(with_disks(Code::ManyDisks, &message, facts))
        }
    }
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
    match (&disk.content, &disk.unread) {
        (DiskContent::Unreadable { .. }, _) => Err(Refusal::new(Code::DiskIo, what)),
        (_, Some(error)) => Err(Refusal::new(Code::DiskIo, format!("{error}: {what}"))),
        (DiskContent::Unsampled, None) => {
            Err(Refusal::new(Code::Internal, format!("nobody looked at all of it: {what}")))
        }
        _ => Ok(()),
    }
}

fn check_other_disks(manifest: &ImageManifest, target: &Disk, facts: &Facts) -> Result<(), Refusal> {
    let boot = manifest.boot.as_ref().map(|boot| ("/boot", boot.uuid));
    for (what, uuid) in [("root", manifest.root.uuid)].into_iter().chain(boot) {
        let other = facts.disks.iter().find(|d| d.name != target.name && d.filesystems.contains(&uuid));
        if let Some(disk) = other {
            let message = format!("{} carries a file system with the image's {what} UUID {uuid}", disk.name);
            return Err(with_disks(Code::DuplicateRoot, &message, facts));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
