//! Which disks may be a target at all: judged before anything that they hold.

use crate::spec::facts::Disk;
use crate::spec::order::InstallOrder;

/// Whether a plan for this order could be for this disk, so that all of it is worth a look. Not where the order is done: it
/// isn't run again, whatever the disk holds.
pub fn is_candidate(order: &InstallOrder, disk: &Disk) -> bool {
    order.target.matches(disk.identity()) && why_never(disk).is_none() && !disk.done.contains(&order.id)
}

/// Why a disk that the selector matches isn't taken all the same, in words that follow its name.
pub(super) fn why_never(disk: &Disk) -> Option<&'static str> {
    match () {
        () if disk.boot_medium => Some("is a boot medium of ours"),
        () if disk.removable => Some("is removable"),
        () => None,
    }
}
