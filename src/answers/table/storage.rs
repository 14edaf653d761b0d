//! Rows of `storage`.

use super::short::*;
use crate::host::{Content, FileSystem, Host, Layout, Size};
use crate::spec::order::WipePolicy;
use crate::value::StorageId;

const IMAGE_HAS_LAYOUT: &str = "is the golden image's own: leave it out, or use another `installer`";

const LUKS_BY_PASSPHRASE: &str =
    "encrypts by a passphrase only, and ironstrap enrols no TPM after it yet: encrypt in the hand-off";

pub(super) const ROWS: &[Row] = &[
    Row {
        key: "storage.target.serial",
        used: |host| once("storage.target.serial", host.target.serial().is_some()),
        cell: |_| N,
    },
    Row {
        key: "storage.target.wwn",
        used: |host| once("storage.target.wwn", host.target.wwn().is_some()),
        cell: |_| N,
    },
    Row {
        key: "storage.target.model",
        used: |host| once("storage.target.model", host.target.model().is_some()),
        cell: |target| match target {
            Agent => N,
            On(_) => X("finds a disk by serial or wwn, not by a model pattern: leave it out"),
        },
    },
    Row {
        key: "storage.target.min_size",
        used: |host| once("storage.target.min_size", host.target.min_size().is_some()),
        cell: |_| N,
    },
    Row {
        key: "storage.target.max_size",
        used: |host| once("storage.target.max_size", host.target.max_size().is_some()),
        cell: |_| N,
    },
    Row {
        key: "storage.wipe",
        used: |host| once("storage.wipe", host.wipe != WipePolicy::Ours),
        cell: |_| N,
    },
    Row {
        key: "storage.confirm",
        used: |_| once("storage.confirm", true),
        cell: |target| match target {
            Agent => N,
            On(_) => U("the distribution's installer shows no countdown"),
        },
    },
    Row {
        key: "storage.disks",
        used: |host| {
            parts(host, "storage.disks", |layout| layout.disks.iter().map(|disk| &disk.id).collect())
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(Debian12 | Debian13) => X(
                "puts its recipe on one disk: leave further disks to the hand-off, or use another `installer`",
            ),
            On(_) => N,
        },
    },
    Row {
        key: "storage.partitions",
        used: |host| once("storage.partitions", host.layout.is_some()),
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(_) => N,
        },
    },
    Row {
        key: "storage.partitions.max",
        used: |host| {
            parts(host, "storage.partitions", |layout| {
                layout.partitions.iter().filter(|part| is_bounded(part.size)).map(|part| &part.id).collect()
            })
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(Ubuntu2204 | Ubuntu2404) => {
                X("knows no largest size: leave `max` out, or give the partition a `size`")
            }
            On(_) => N,
        },
    },
    Row {
        key: "storage.raids",
        used: |host| {
            parts(host, "storage.raids", |layout| layout.raids.iter().map(|raid| &raid.id).collect())
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(Debian12 | Debian13) => X(
                "makes arrays of partitions by kernel names, which change, and has the ESP on one disk only: use another `installer`",
            ),
            On(_) => N,
        },
    },
    Row {
        key: "storage.luks",
        used: |host| parts(host, "storage.luks", |layout| layout.luks.iter().map(|luks| &luks.id).collect()),
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(Debian12 | Debian13) => X(
                "would need the passphrase in the file: leave encryption to the hand-off, or use another `installer`",
            ),
            On(Ubuntu2204 | Ubuntu2404) => X(LUKS_BY_PASSPHRASE),
            On(_) => {
                S("a passphrase that is made in the installer, and replaced by the TPM before the first boot")
            }
        },
    },
    Row {
        key: "storage.volume_groups",
        used: |host| {
            parts(host, "storage.volume_groups", |layout| {
                layout.volume_groups.iter().map(|group| &group.id).collect()
            })
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(_) => N,
        },
    },
    Row {
        key: "storage.thin_pools",
        used: |host| {
            parts(host, "storage.thin_pools", |layout| {
                layout.thin_pools.iter().map(|pool| &pool.id).collect()
            })
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(Debian12 | Debian13) => X("has no thin pools (partman knows plain volumes): leave them out"),
            On(Ubuntu2204 | Ubuntu2404) => {
                X("has no thin pools (curtin knows plain volumes): leave them out")
            }
            On(_) => N,
        },
    },
    Row {
        key: "storage.logical_volumes",
        used: |host| {
            parts(host, "storage.logical_volumes", |layout| {
                layout.logical_volumes.iter().map(|volume| &volume.id).collect()
            })
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(_) => N,
        },
    },
    Row {
        key: "storage.btrfs",
        used: |host| {
            parts(host, "storage.btrfs", |layout| layout.btrfs.iter().map(|btrfs| &btrfs.id).collect())
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(Fedora43 | Fedora44 | Fedora45) => N,
            On(Debian12 | Debian13) => {
                X("has no btrfs subvolumes (partman makes none): use `mounts` with `fs: btrfs`")
            }
            On(Ubuntu2204 | Ubuntu2404) => {
                X("has no btrfs subvolumes (curtin makes none): use `mounts` with `fs: btrfs`")
            }
            On(_) => X("has no btrfs: use `mounts` with ext4 or xfs, or Fedora"),
        },
    },
    Row {
        key: "storage.mounts",
        used: |host| once("storage.mounts", host.layout.is_some()),
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(_) => N,
        },
    },
    Row {
        key: "storage.mounts.fs: btrfs",
        used: |host| {
            parts(host, "storage.mounts", |layout| {
                let btrfs = |content: &Content| matches!(content, Content::Files(FileSystem::Btrfs, _));
                layout.mounts.iter().filter(|mount| btrfs(&mount.what)).map(|mount| &mount.on).collect()
            })
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(El8 | El9 | El10) => X("has no btrfs: use ext4 or xfs, or Fedora"),
            On(_) => N,
        },
    },
    Row {
        key: "storage.mounts.label",
        used: |host| {
            parts(host, "storage.mounts.label", |layout| {
                layout.mounts.iter().filter(|mount| mount.label.is_some()).map(|mount| &mount.on).collect()
            })
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(_) => N,
        },
    },
    Row {
        key: "storage.mounts.options",
        used: |host| {
            parts(host, "storage.mounts.options", |layout| {
                layout
                    .mounts
                    .iter()
                    .filter(|mount| !mount.options.is_empty())
                    .map(|mount| &mount.on)
                    .collect()
            })
        },
        cell: |target| match target {
            Agent => X(IMAGE_HAS_LAYOUT),
            On(_) => N,
        },
    },
];

fn parts(host: &Host, key: &str, named: fn(&Layout) -> Vec<&StorageId>) -> Vec<String> {
    let names = host.layout.as_ref().map(named).unwrap_or_default();
    names.into_iter().map(|name| format!("{key}[{name}]")).collect()
}

fn is_bounded(size: Size) -> bool {
    matches!(size, Size::Growing { max: Some(_), .. })
}
