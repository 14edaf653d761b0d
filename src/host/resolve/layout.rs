//! `storage:` beyond the target disk → [`Layout`]: partitions, arrays, volumes and mounts that fit together.

mod parts;
mod references;
mod sizes;

use super::Context;
use crate::host::model::Layout;
use crate::profile::diag::Diagnostic;
use crate::profile::raw::RawStorage;
use crate::profile::source::Span;
use crate::profile::spanned::List;
use crate::value::DiskSelector;

/// The layout; `None` where the profile leaves it to the installer.
pub fn resolve(
    context: &Context<'_>,
    raw: &RawStorage,
    target: Option<&DiskSelector>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Layout> {
    let place = first_place(raw)?;
    let before = diagnostics.len();
    references::check(context, raw, diagnostics);
    let layout = parts::Parts { context, raw, diagnostics }.layout();
    if diagnostics.len() == before {
        // what is wrong in itself would only be told twice
        references::required(context, &layout, raw, place, diagnostics);
        sizes::check(&layout, target, raw, diagnostics);
    }
    Some(layout)
}

/// Where the layout begins; `None` where there is none.
fn first_place(raw: &RawStorage) -> Option<Span> {
    fn place<T>(list: &List<T>) -> Option<Span> {
        list.items.first().map(|item| item.span)
    }
    let RawStorage {
        target: _,
        wipe: _,
        confirm: _,
        disks,
        partitions,
        raids,
        luks,
        volume_groups,
        thin_pools,
        logical_volumes,
        btrfs,
        mounts,
    } = raw;
    let arrays = place(raids).or(place(luks)).or(place(volume_groups)).or(place(thin_pools));
    place(partitions)
        .or(place(mounts))
        .or(place(disks))
        .or(arrays)
        .or(place(logical_volumes))
        .or(place(btrfs))
}
