//! Each part of a layout by itself: what it must say, and what goes together.

use super::super::{Context, rules};
use crate::host::model::{
    Btrfs, Content, Disk, FileSystem, Layout, LogicalVolume, Luks, Mount, Partition, Raid, RaidLevel, Role,
    Size, Subvolume, TARGET, ThinPool, Unlock, VolumeGroup,
};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{
    RawBtrfs, RawDisk, RawFileSystem, RawLogicalVolume, RawLuks, RawMount, RawPartition, RawRaid,
    RawRaidLevel, RawRole, RawStorage, RawSubvolume, RawThinPool, RawUnlock, RawVolumeGroup,
};
use crate::profile::source::Span;
use crate::profile::spanned::{List, Spanned};
use crate::value::{ByteSize, MountOption, StorageId};

/// The least that FAT32 takes with clusters of a block: below, firmware reads the file system as another one.
const LEAST_ESP: u64 = 34 << 20;

pub(super) struct Parts<'p> {
    pub context: &'p Context<'p>,
    pub raw: &'p RawStorage,
    pub diagnostics: &'p mut Vec<Diagnostic>,
}

impl Parts<'_> {
    /// All of them; what is wrong is left out.
    pub fn layout(mut self) -> Layout {
        let raw = self.raw;
        Layout {
            disks: self.each(&raw.disks, Self::disk),
            partitions: self.each(&raw.partitions, Self::partition),
            raids: self.each(&raw.raids, Self::raid),
            luks: self.each(&raw.luks, Self::luks),
            volume_groups: self.each(&raw.volume_groups, Self::volume_group),
            thin_pools: self.each(&raw.thin_pools, Self::thin_pool),
            logical_volumes: self.each(&raw.logical_volumes, Self::logical_volume),
            btrfs: self.each(&raw.btrfs, Self::btrfs),
            mounts: self.each(&raw.mounts, Self::mount),
        }
    }

    fn each<R, T>(&mut self, list: &List<R>, read: fn(&mut Self, &R, Span) -> Option<T>) -> Vec<T> {
        list.items.iter().filter_map(|item| read(self, &item.value, item.span)).collect()
    }

    fn wrong(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.diagnostics.push(Diagnostic::new(span, message).help(help));
    }

    /// What must be there.
    fn need<T: Clone>(
        &mut self,
        value: &Option<Spanned<T>>,
        span: Span,
        what: &str,
        help: &str,
    ) -> Option<T> {
        if value.is_none() {
            self.context.missing(self.diagnostics, Some(span), what, help);
        }
        value.as_ref().map(|value| value.value.clone())
    }

    fn id(&mut self, id: &Option<Spanned<StorageId>>, span: Span, what: &str) -> Option<StorageId> {
        self.need(id, span, &format!("{what} without a name"), "add `id: NAME`")
    }

    fn disk(&mut self, raw: &RawDisk, span: Span) -> Option<Disk> {
        let id = self.id(&raw.id, span, "a disk");
        let select =
            rules::selector(self.context, &raw.select, Some(span), "which disk this is", self.diagnostics);
        Some(Disk { id: id?, select: select? })
    }

    fn partition(&mut self, raw: &RawPartition, span: Span) -> Option<Partition> {
        let id = self.id(&raw.id, span, "a partition");
        let disk = match &raw.disk {
            Some(disk) => Some(disk.value.clone()),
            None => TARGET.parse().ok(),
        };
        let size = self.size([&raw.size, &raw.min, &raw.max], span, "a partition");
        let role = match raw.role.as_ref().map(|role| role.value) {
            None | Some(RawRole::Data) => Role::Data,
            Some(RawRole::Esp) => Role::Esp,
            Some(RawRole::BiosBoot) => Role::BiosBoot,
        };
        let partition = Partition { id: id?, disk: disk?, role, size: size? };
        if role == Role::Esp && partition.size.least().as_bytes() < LEAST_ESP {
            let place = raw.size.as_ref().or(raw.min.as_ref()).map_or(span, |size| size.span);
            self.wrong(place, "an EFI system partition needs 34 MiB for FAT32", "512 MiB are usual");
        }
        Some(partition)
    }

    /// Exactly `size`, or `min` and perhaps `max`.
    fn size(
        &mut self,
        [size, min, max]: [&Option<Spanned<ByteSize>>; 3],
        span: Span,
        what: &str,
    ) -> Option<Size> {
        match (size, min, max) {
            (Some(size), None, None) => Some(Size::Exact(size.value)),
            (None, Some(min), max) => {
                if let Some(max) = max.as_ref().filter(|max| max.value < min.value) {
                    let message = format!("`max` {} is smaller than `min` {}", max.value, min.value);
                    self.diagnostics
                        .push(Diagnostic::new(max.span, message).related(min.span, "the minimum"));
                }
                Some(Size::Growing { min: min.value, max: max.as_ref().map(|max| max.value) })
            }
            (Some(size), ..) => {
                self.wrong(
                    size.span,
                    "`size` beside `min` or `max`",
                    "`size` is exact; `min` and `max` let it grow",
                );
                None
            }
            (None, None, _) => {
                let help = "add `size: 8GiB`, or `min: 8GiB` to let it grow";
                self.context.missing(self.diagnostics, Some(span), &format!("{what} without a size"), help);
                None
            }
        }
    }

    fn raid(&mut self, raw: &RawRaid, span: Span) -> Option<Raid> {
        let id = self.id(&raw.id, span, "an array");
        let level = self.need(&raw.level, span, "an array without a level", "add `level: raid1`");
        let level = match level? {
            RawRaidLevel::Raid0 => RaidLevel::Raid0,
            RawRaidLevel::Raid1 => RaidLevel::Raid1,
            RawRaidLevel::Raid5 => RaidLevel::Raid5,
            RawRaidLevel::Raid6 => RaidLevel::Raid6,
            RawRaidLevel::Raid10 => RaidLevel::Raid10,
        };
        let (members, spares) = (values(&raw.members), values(&raw.spares));
        if members.len() < level.fewest() {
            let message =
                format!("{} members, but raid{} needs {}", members.len(), level.number(), level.fewest());
            self.wrong(raw.members.span.unwrap_or(span), message, "add partitions of other disks");
        }
        if level == RaidLevel::Raid0 && !spares.is_empty() {
            self.wrong(raw.spares.span.unwrap_or(span), "raid0 can't use a spare", "leave `spares` out");
        }
        Some(Raid { id: id?, level, members, spares })
    }

    fn luks(&mut self, raw: &RawLuks, span: Span) -> Option<Luks> {
        let id = self.id(&raw.id, span, "an encrypted device");
        let on = self.need(&raw.on, span, "nothing is encrypted here", "add `on: ID`");
        let unlock = self.need(&raw.unlock, span, "nothing would open this device", "add `unlock: tpm2`");
        let unlock = match unlock? {
            RawUnlock::Tpm2 => Unlock::Tpm2,
        };
        Some(Luks { id: id?, on: on?, unlock })
    }

    fn volume_group(&mut self, raw: &RawVolumeGroup, span: Span) -> Option<VolumeGroup> {
        let id = self.id(&raw.id, span, "a volume group")?;
        let members = values(&raw.members);
        if members.is_empty() {
            let message = format!("nothing is in the volume group `{id}`");
            let help = "add `members: [ID]`, the `id`s of partitions, arrays or encrypted devices";
            self.context.missing(self.diagnostics, Some(span), &message, help);
        }
        Some(VolumeGroup { id, members })
    }

    fn thin_pool(&mut self, raw: &RawThinPool, span: Span) -> Option<ThinPool> {
        let id = self.id(&raw.id, span, "a thin pool");
        let group = self.need(&raw.group, span, "a thin pool without a volume group", "add `group: ID`");
        let size = self.size([&raw.size, &raw.min, &raw.max], span, "a thin pool");
        Some(ThinPool { id: id?, group: group?, size: size? })
    }

    fn logical_volume(&mut self, raw: &RawLogicalVolume, span: Span) -> Option<LogicalVolume> {
        let id = self.id(&raw.id, span, "a volume");
        let size = self.size([&raw.size, &raw.min, &raw.max], span, "a volume");
        let pool = raw.pool.as_ref().map(|pool| pool.value.clone());
        let of_pool = raw.pool.as_ref().and_then(|pool| self.group_of(&pool.value));
        let group = match (&raw.group, of_pool) {
            (Some(group), Some(pools)) if group.value != pools => {
                let message = format!("the pool is in `{pools}`, not in `{}`", group.value);
                self.wrong(group.span, message, "leave `group` out: the pool's counts");
                return None;
            }
            (Some(group), _) => Some(group.value.clone()),
            // a pool that isn't there has been told
            (None, of_pool) if raw.pool.is_some() => of_pool,
            (None, _) => {
                self.need(&None, span, "a volume without a volume group", "add `group: ID`, or `pool: ID`")
            }
        };
        Some(LogicalVolume { id: id?, group: group?, pool, size: size? })
    }

    fn group_of(&self, pool: &StorageId) -> Option<StorageId> {
        let mut pools = self.raw.thin_pools.items.iter().map(|pool| &pool.value);
        let found = pools.find(|known| known.id.as_ref().is_some_and(|id| id.value == *pool))?;
        found.group.as_ref().map(|group| group.value.clone())
    }

    fn btrfs(&mut self, raw: &RawBtrfs, span: Span) -> Option<Btrfs> {
        let id = self.id(&raw.id, span, "a btrfs");
        let on = values(&raw.on);
        if on.is_empty() {
            self.context.missing(self.diagnostics, Some(span), "a btrfs on nothing", "add `on: [ID]`");
        }
        let mut names: Vec<(StorageId, Span)> = Vec::new();
        let mut subvolumes = Vec::new();
        for Spanned { value: RawSubvolume { name, path, options }, span } in &raw.subvolumes.items {
            let (Some(name), Some(path)) = (name, path) else {
                let help = "add `name: NAME` and `path: /PATH`";
                let message = "a subvolume needs its name and its place";
                self.context.missing(self.diagnostics, Some(*span), message, help);
                continue;
            };
            if let Some((_, first)) = names.iter().find(|(known, _)| *known == name.value) {
                let message = format!("the subvolume `{}` stands here a second time", name.value);
                self.diagnostics.push(Diagnostic::new(name.span, message).related(*first, "the first time"));
            }
            names.push((name.value.clone(), name.span));
            let options = list(options);
            subvolumes.push(Subvolume { name: name.value.clone(), path: path.value.clone(), options });
        }
        Some(Btrfs { id: id?, on, subvolumes })
    }

    fn mount(&mut self, raw: &RawMount, span: Span) -> Option<Mount> {
        let on = self.need(&raw.on, span, "a file system on nothing", "add `on: ID`");
        let fs = self.need(
            &raw.fs,
            span,
            "which file system isn't said",
            "add `fs: ext4`, `xfs`, `btrfs`, `vfat` or `swap`",
        );
        let system = match fs? {
            RawFileSystem::Swap => None,
            RawFileSystem::Ext4 => Some(FileSystem::Ext4),
            RawFileSystem::Xfs => Some(FileSystem::Xfs),
            RawFileSystem::Btrfs => Some(FileSystem::Btrfs),
            RawFileSystem::Vfat => Some(FileSystem::Vfat),
        };
        let what = match (system, &raw.path) {
            (None, None) => Content::Swap,
            (None, Some(path)) => {
                self.wrong(path.span, "swap is mounted nowhere", "leave `path` out");
                return None;
            }
            (Some(FileSystem::Vfat), Some(path)) if path.value.is_root() => {
                self.wrong(path.span, "FAT can't hold a system", "give `/` another file system");
                return None;
            }
            (Some(system), path) => {
                let path = self.need(path, span, "where it is mounted isn't said", "add `path: /PATH`");
                Content::Files(system, path?)
            }
        };
        let label = raw.label.as_ref().map(|label| label.value.clone());
        Some(Mount { on: on?, what, options: list(&raw.options), label })
    }
}

fn values(list: &List<StorageId>) -> Vec<StorageId> {
    list.items.iter().map(|item| item.value.clone()).collect()
}

fn list(options: &List<MountOption>) -> Vec<MountOption> {
    options.items.iter().map(|option| option.value.clone()).collect()
}
