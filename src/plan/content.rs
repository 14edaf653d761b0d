//! Whether somebody's data would be lost.

use super::words::describe;
use crate::spec::Code;
use crate::spec::claim::{Claim, Stage};
use crate::spec::facts::{Disk, DiskContent};
use crate::spec::order::{InstallOrder, WipePolicy};
use crate::spec::plan::Refusal;
use crate::value::{ByteSize, Digest};

/// Whether somebody's data will be lost, which the order must allow. An install of ours for another host, one that was
/// copied here from another disk, and what was put on the disk later (installers and volume managers leave the claim record
/// where it is) are somebody's data. A disk with neither WWN nor serial can't show that it isn't a copy: only the very order
/// that claimed it may go on there, because an install that broke off must be tried again. Claims are judged all the same, so
/// that they end stale orders. An install that broke off has no partition table, so no file system of it is seen.
pub(super) fn check_content(order: &InstallOrder, disk: &Disk) -> Result<bool, Refusal> {
    let why = match &disk.content {
        DiskContent::Blank => return Ok(false),
        DiskContent::Unsampled => "only its ends were looked at".to_owned(),
        DiskContent::Ours { claim, .. } if claim.grant.host != order.host => {
            format!("it was installed for host {}, not {}", claim.grant.host, order.host)
        }
        DiskContent::Ours { claim, .. } if claim.disk != disk.stable_name() => {
            format!("it holds a copy of disk {}", claim.disk)
        }
        DiskContent::Ours { claim, .. } if claim.grant.order != order.id && !disk.is_unique() => {
            "it was claimed before, but without WWN and serial number nobody can tell whether here or on a disk that it \
             is a copy of"
                .to_owned()
        }
        DiskContent::Ours { beside: Some(what), .. } => format!("it holds {what} over a claim of ours"),
        // what one order gave up isn't given up by another one, as long as it may still be there
        DiskContent::Ours { claim, .. }
            if claim.grant.order != order.id
                && claim.foreign
                && !matches!(claim.stage, Stage::Ready { .. }) =>
        {
            format!("order {} was begun on it over data that isn't ours", claim.grant.order)
        }
        DiskContent::Ours { claim, closed: true, .. } if !is_as_judged(claim, disk) => {
            what_differs(claim).to_owned()
        }
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
    let limit = match order.wipe {
        WipePolicy::AnyMatch => return Ok(true),
        WipePolicy::Foreign if order.target.names_one() => return Ok(true),
        WipePolicy::Foreign => format!(
            "allows it on a disk that is named by serial number or WWN only, and `{}` may not be the one that was meant",
            order.target
        ),
        WipePolicy::Ours => "doesn't allow its loss".to_owned(),
    };
    Err(Refusal::new(Code::ForeignData, format!("{why}, and order {} {limit}: {}", order.id, describe(disk))))
}

/// Whether a disk without LBA 0 still holds what was judged, or made, under its claim. Beyond the image it is as it was; once the
/// image was whole, there may be anything of ours, and the image's root shows that it is still there.
fn is_as_judged(claim: &Claim, disk: &Disk) -> bool {
    match claim.stage {
        Stage::Ready { .. } => disk.claimed_root_in_place,
        Stage::Begun => outside(disk, claim.covers) == claim.outside,
        Stage::Placed => outside(disk, claim.covers) == claim.outside || disk.claimed_root_in_place,
    }
}

/// What is wrong with it, in words.
fn what_differs(claim: &Claim) -> &'static str {
    match claim.stage {
        Stage::Begun => "what lies beyond the image has changed since the claim",
        Stage::Placed | Stage::Ready { .. } => "the root of the claimed image isn't where it was written",
    }
}

/// Digest of the samples beyond an image of this size.
pub(super) fn outside(disk: &Disk, image: ByteSize) -> Digest {
    let samples =
        disk.samples.as_ref().map(|samples| samples.outside(image.as_bytes(), disk.size.as_bytes()));
    samples.unwrap_or_else(|| Digest::of(b""))
}
