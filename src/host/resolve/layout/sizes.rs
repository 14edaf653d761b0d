//! Sizes of a layout: what must fit does, on the smallest disk that the selector allows.

use crate::host::model::{Layout, Size, TARGET};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::RawStorage;
use crate::profile::source::Span;
use crate::value::{ByteSize, DiskSelector, StorageId};

/// What tables and alignment take of a disk, at most.
const DISK_OVERHEAD: u64 = 2 << 20;
/// What LVM keeps of each of its members: its metadata, and less than one extent.
const MEMBER_OVERHEAD: u64 = 5 << 20;
/// How deep references can be followed; the kinds of things allow no more.
const DEEPEST: u8 = 8;

/// Compares what is wanted with what there is.
pub fn check(
    layout: &Layout,
    target: Option<&DiskSelector>,
    raw: &RawStorage,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let further = layout.disks.iter().map(|disk| (disk.id.as_str(), &disk.select));
    for (disk, selector) in target.map(|target| (TARGET, target)).into_iter().chain(further) {
        let parts = layout.partitions.iter().filter(|partition| partition.disk.as_str() == disk);
        let least = parts.map(|partition| partition.size.least().as_bytes()).fold(0, u64::saturating_add);
        let least = least.saturating_add(DISK_OVERHEAD);
        let Some((smallest, rule)) = smallest(selector) else { continue };
        if least > smallest.as_bytes() {
            let place = partition_place(raw, disk);
            let message = format!(
                "the partitions of `{disk}` need {}, but a disk with {rule} may have {smallest} only",
                ByteSize::bytes(least)
            );
            diagnostics.extend(place.map(|place| Diagnostic::new(place, message)));
        }
    }
    for group in &layout.volume_groups {
        let pools = layout.thin_pools.iter().filter(|pool| pool.group == group.id).map(|pool| pool.size);
        let volumes =
            layout.logical_volumes.iter().filter(|volume| volume.group == group.id && volume.pool.is_none());
        let sizes = pools.chain(volumes.map(|volume| volume.size));
        let least = sizes.map(|size| size.least().as_bytes()).fold(0, u64::saturating_add);
        let room = group.members.iter().try_fold(0_u64, |sum, member| {
            Some(sum.saturating_add(most(layout, member, DEEPEST)?.saturating_sub(MEMBER_OVERHEAD)))
        });
        if let Some(room) = room.filter(|room| least > *room) {
            let items = raw.volume_groups.items.iter();
            let place = items.filter_map(|raw| raw.value.id.as_ref()).find(|id| id.value == group.id);
            let message = format!(
                "the volumes of `{}` need {}, but its members have at most {}",
                group.id,
                ByteSize::bytes(least),
                ByteSize::bytes(room)
            );
            diagnostics.extend(place.map(|place| Diagnostic::new(place.span, message)));
        }
    }
}

/// The smallest disk that matches, where that can be said, and the rule that says it. Without a smallest size any disk may
/// match; the largest allowed one is then the only bound.
fn smallest(selector: &DiskSelector) -> Option<(ByteSize, String)> {
    let min = selector.min_size().map(|size| (size, format!("`min_size: {size}`")));
    min.or_else(|| selector.max_size().map(|size| (size, format!("`max_size: {size}`"))))
}

fn partition_place(raw: &RawStorage, disk: &str) -> Option<Span> {
    let mut parts = raw.partitions.items.iter();
    let on_disk = |name: Option<&StorageId>| name.map_or(TARGET, StorageId::as_str) == disk;
    parts
        .find(|partition| on_disk(partition.value.disk.as_ref().map(|disk| &disk.value)))
        .map(|partition| partition.span)
}

/// The most that a device can have; `None` where there is no bound.
fn most(layout: &Layout, id: &StorageId, depth: u8) -> Option<u64> {
    let depth = depth.checked_sub(1)?;
    if let Some(partition) = layout.partitions.iter().find(|partition| partition.id == *id) {
        return match partition.size {
            Size::Exact(size) | Size::Growing { max: Some(size), .. } => Some(size.as_bytes()),
            Size::Growing { max: None, .. } => None,
        };
    }
    if let Some(luks) = layout.luks.iter().find(|luks| luks.id == *id) {
        return most(layout, &luks.on, depth);
    }
    let raid = layout.raids.iter().find(|raid| raid.id == *id)?;
    let sizes: Option<Vec<u64>> = raid.members.iter().map(|member| most(layout, member, depth)).collect();
    let sizes = sizes?;
    Some(raid.level.capacity(sizes.len() as u64, sizes.iter().copied().max()?))
}
