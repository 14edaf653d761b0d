//! Names and references of a layout: every name once, every reference to something that is there and of the right kind,
//! nothing used twice, nothing left unused.

use std::collections::BTreeMap;

use super::super::Context;
use crate::host::model::{Content, Layout, Role, TARGET};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{RawRole, RawStorage};
use crate::profile::source::Span;
use crate::profile::spanned::{List, Spanned};
use crate::value::{MountPath, StorageId, nearest};

/// Where ESPs are mounted without being asked.
const ESP_PATH: &str = "/boot/efi";

/// What stands under a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DeviceKind {
    Disk,
    Partition,
    /// A partition that firmware uses.
    Firmware,
    Raid,
    Luks,
    Group,
    Pool,
    Volume,
    Btrfs,
}

impl DeviceKind {
    fn name(self) -> &'static str {
        match self {
            Self::Disk => "a disk",
            Self::Partition => "a partition",
            Self::Firmware => "a partition for firmware",
            Self::Raid => "an array",
            Self::Luks => "an encrypted device",
            Self::Group => "a volume group",
            Self::Pool => "a thin pool",
            Self::Volume => "a volume",
            Self::Btrfs => "a btrfs",
        }
    }
}

/// Looks at all names and references.
pub fn check(context: &Context<'_>, raw: &RawStorage, diagnostics: &mut Vec<Diagnostic>) {
    let kinds = kinds(raw, diagnostics);
    let mut check = Check { context, kinds: &kinds, users: BTreeMap::new(), diagnostics };
    for partition in &raw.partitions.items {
        check.names(&partition.value.disk, &[DeviceKind::Disk]);
    }
    for raid in &raw.raids.items {
        check.use_all(&raid.value.members, &[DeviceKind::Partition]);
        check.use_all(&raid.value.spares, &[DeviceKind::Partition]);
    }
    for luks in &raw.luks.items {
        check.use_one(&luks.value.on, &[DeviceKind::Partition, DeviceKind::Raid, DeviceKind::Volume]);
    }
    for group in &raw.volume_groups.items {
        check.use_all(&group.value.members, &[DeviceKind::Partition, DeviceKind::Raid, DeviceKind::Luks]);
    }
    for pool in &raw.thin_pools.items {
        check.names(&pool.value.group, &[DeviceKind::Group]);
    }
    for volume in &raw.logical_volumes.items {
        check.names(&volume.value.group, &[DeviceKind::Group]);
        check.names(&volume.value.pool, &[DeviceKind::Pool]);
    }
    const HOLDS_FILES: &[DeviceKind] =
        &[DeviceKind::Partition, DeviceKind::Raid, DeviceKind::Luks, DeviceKind::Volume];
    for btrfs in &raw.btrfs.items {
        check.use_all(&btrfs.value.on, HOLDS_FILES);
    }
    for mount in &raw.mounts.items {
        check.use_one(&mount.value.on, HOLDS_FILES);
    }
    check.refuse_unused(raw);
}

struct Check<'c> {
    context: &'c Context<'c>,
    kinds: &'c BTreeMap<StorageId, DeviceKind>,
    users: BTreeMap<StorageId, Span>,
    diagnostics: &'c mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn names(&mut self, name: &Option<Spanned<StorageId>>, allowed: &[DeviceKind]) {
        if let Some(name) = name {
            self.reference(name, allowed);
        }
    }

    fn use_one(&mut self, name: &Option<Spanned<StorageId>>, allowed: &[DeviceKind]) {
        let Some(name) = name else { return };
        self.reference(name, allowed);
        match self.users.get(&name.value) {
            Some(first) => {
                let message = format!("`{}` is used a second time", name.value);
                self.diagnostics.push(Diagnostic::new(name.span, message).related(*first, "the first use"));
            }
            None => _ = self.users.insert(name.value.clone(), name.span),
        }
    }

    fn use_all(&mut self, names: &List<StorageId>, allowed: &[DeviceKind]) {
        for name in &names.items {
            self.use_one(&Some(name.clone()), allowed);
        }
    }

    fn reference(&mut self, name: &Spanned<StorageId>, allowed: &[DeviceKind]) {
        let kinds = self.kinds;
        let Some(kind) = kinds.get(&name.value) else {
            let possible = kinds.iter().filter(|(_, kind)| allowed.contains(kind));
            let help = match nearest(name.value.as_str(), possible.map(|(name, _)| name.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("expected the `id` of {}", one_of(allowed)),
            };
            let message = format!("nothing in the layout is called `{}`", name.value);
            self.context.missing(self.diagnostics, Some(name.span), &message, help);
            return;
        };
        if !allowed.contains(kind) {
            let message = format!("`{}` is {}, expected {}", name.value, kind.name(), one_of(allowed));
            self.diagnostics.push(Diagnostic::new(name.span, message));
        }
    }

    /// What is made and never used is a mistake somewhere else: a name that was meant and not written.
    fn refuse_unused(&mut self, raw: &RawStorage) {
        let partitions = raw.partitions.items.iter().map(|partition| &partition.value);
        let data = partitions
            .filter(|partition| partition.role.as_ref().is_none_or(|role| role.value == RawRole::Data));
        let arrays = raw.raids.items.iter().map(|raid| &raid.value.id);
        let encrypted = raw.luks.items.iter().map(|luks| &luks.value.id);
        let volumes = raw.logical_volumes.items.iter().map(|volume| &volume.value.id);
        let devices = data.map(|partition| &partition.id).chain(arrays).chain(encrypted).chain(volumes);
        for id in devices.flatten().filter(|id| !self.users.contains_key(&id.value)) {
            let message = format!("nothing is on `{}`", id.value);
            let help = "mount it, make it part of something, or leave it out";
            self.context.missing(self.diagnostics, Some(id.span), &message, help);
        }
    }
}

fn one_of(kinds: &[DeviceKind]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" or ")
}

/// All names with what they name; the second use of one is told.
fn kinds(raw: &RawStorage, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<StorageId, DeviceKind> {
    fn all<'r, T>(
        list: &'r List<T>,
        name: impl Fn(&'r T) -> (&'r Option<Spanned<StorageId>>, DeviceKind) + 'r,
    ) -> impl Iterator<Item = (&'r Spanned<StorageId>, DeviceKind)> {
        list.items.iter().filter_map(move |item| {
            let (id, kind) = name(&item.value);
            Some((id.as_ref()?, kind))
        })
    }
    let firmware = |role: &Option<Spanned<RawRole>>| match role.as_ref().map(|role| role.value) {
        Some(RawRole::Esp | RawRole::BiosBoot) => DeviceKind::Firmware,
        None | Some(RawRole::Data) => DeviceKind::Partition,
    };
    let ids = all(&raw.disks, |disk| (&disk.id, DeviceKind::Disk))
        .chain(all(&raw.partitions, move |partition| (&partition.id, firmware(&partition.role))))
        .chain(all(&raw.raids, |raid| (&raid.id, DeviceKind::Raid)))
        .chain(all(&raw.luks, |luks| (&luks.id, DeviceKind::Luks)))
        .chain(all(&raw.volume_groups, |group| (&group.id, DeviceKind::Group)))
        .chain(all(&raw.thin_pools, |pool| (&pool.id, DeviceKind::Pool)))
        .chain(all(&raw.logical_volumes, |volume| (&volume.id, DeviceKind::Volume)))
        .chain(all(&raw.btrfs, |btrfs| (&btrfs.id, DeviceKind::Btrfs)));
    let mut places: BTreeMap<&StorageId, Span> = BTreeMap::new();
    let mut kinds: BTreeMap<StorageId, DeviceKind> =
        TARGET.parse().map(|id| (id, DeviceKind::Disk)).into_iter().collect();
    for (id, kind) in ids {
        if id.value.as_str() == TARGET {
            let diagnostic = Diagnostic::new(id.span, format!("`{TARGET}` is the disk of `storage.target`"));
            diagnostics.push(diagnostic.help("give this another name"));
            continue;
        }
        match places.get(&id.value) {
            Some(first) => {
                let message = format!("the name `{}` stands here a second time", id.value);
                diagnostics.push(Diagnostic::new(id.span, message).related(*first, "the first time"));
            }
            None => {
                places.insert(&id.value, id.span);
                kinds.insert(id.value.clone(), kind);
            }
        }
    }
    kinds
}

/// What every layout must have, and may have only once.
pub fn required(
    context: &Context<'_>,
    layout: &Layout,
    raw: &RawStorage,
    place: Span,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let esps = layout.partitions.iter().filter(|partition| partition.role == Role::Esp);
    match esps.filter(|partition| partition.disk.as_str() == TARGET).count() {
        1 => {}
        0 => {
            let help = "add `{ id: esp, role: esp, size: 512MiB }` to `partitions`";
            context.missing(diagnostics, Some(place), "the target disk has no EFI system partition", help);
        }
        _ => diagnostics.push(Diagnostic::new(place, "the target disk has two EFI system partitions")),
    }
    let mounts = raw.mounts.items.iter().filter_map(|mount| mount.value.path.as_ref());
    let subvolumes = raw.btrfs.items.iter().flat_map(|btrfs| &btrfs.value.subvolumes.items);
    let paths = mounts.chain(subvolumes.filter_map(|subvolume| subvolume.value.path.as_ref()));
    let mut seen: BTreeMap<&MountPath, Span> = BTreeMap::new();
    for path in paths {
        if let Some(first) = seen.insert(&path.value, path.span) {
            let message = format!("{} is mounted a second time", path.value);
            diagnostics.push(Diagnostic::new(path.span, message).related(first, "the first time"));
        }
        if path.value.as_str() == ESP_PATH {
            let diagnostic = Diagnostic::new(path.span, format!("{ESP_PATH} is the EFI system partition's"));
            diagnostics.push(diagnostic.help("leave this mount out: `role: esp` is enough"));
        }
    }
    if !seen.keys().any(|path| path.is_root()) {
        context.missing(
            diagnostics,
            Some(place),
            "nothing is mounted at `/`",
            "add `{ on: ID, fs: ext4, path: / }`",
        );
    }
    let swaps = layout.mounts.iter().filter(|mount| mount.what == Content::Swap);
    if let Some(swap) = swaps.clone().find(|swap| !swap.options.is_empty()) {
        let message = format!("the swap on `{}` has mount options", swap.on);
        diagnostics.push(Diagnostic::new(place, message).help("leave them out: swap isn't mounted"));
    }
}
