//! Which disks may be a target at all: judged before anything that they hold.

use crate::spec::facts::Disk;
use crate::spec::order::InstallOrder;
use crate::value::MissingProperty;

/// Whether a plan for this order could be for this disk, so that all of it is worth a look. Not where the order is done: it
/// isn't run again, whatever the disk holds.
pub fn is_candidate(order: &InstallOrder, disk: &Disk) -> bool {
    order.target.matches(disk.identity())
        && why_never(order, disk).is_none()
        && !disk.done.contains(&order.id)
}

/// Why this disk isn't the one that the order means, in words that follow its name; `None` of the one that it does mean, and of
/// each of several.
pub fn why_not(order: &InstallOrder, disk: &Disk) -> Option<String> {
    match order.target.first_missing(disk.identity()) {
        Some(MissingProperty { key, wanted }) => {
            Some(format!("isn't meant: storage.target wants {key} {wanted}"))
        }
        None => why_never(order, disk),
    }
}

/// Why a disk that the selector matches isn't taken all the same, in words that follow its name. A disk that several machines
/// may see, or that was plugged in from outside, can't be meant by a size, a model or a serial number that its array made up:
/// only by its world-wide name.
pub(super) fn why_never(order: &InstallOrder, disk: &Disk) -> Option<String> {
    if disk.boot_medium {
        return Some("is a boot medium of ours".to_owned());
    }
    if disk.removable {
        return Some("is removable".to_owned());
    }
    let is_named = order.target.wwn().is_some() && order.target.matches(disk.identity());
    (!disk.transport.is_local_fixed() && !is_named)
        .then(|| format!("{}; such a disk is taken only when named by wwn", disk.transport.words()))
}
