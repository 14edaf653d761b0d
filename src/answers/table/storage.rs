//! Rows of `storage`.

use super::{Cells, NATIVE, Row, by, ignored, native, no, script};
use crate::grammar::kickstart::Release::{Fedora43, Fedora44, Fedora45, Rhel8, Rhel9, Rhel10};
use crate::host::{Content, FileSystem, Host, Layout, Mount, Size};
use crate::spec::order::WipePolicy;
use crate::value::StorageId;

const IMAGE_HAS_LAYOUT: &str = "is the golden image's own: leave it out, or use another `installer`";
const NO_MODELS: &str = "finds a disk by serial or wwn, not by a model pattern: leave it out";
const NO_COUNTDOWN: &str = "the distribution's installer shows no countdown";
const DEBIAN_ONE_DISK: &str =
    "puts its recipe on one disk: leave further disks to the hand-off, or use another `installer`";
const DEBIAN_RAIDS: &str = "makes arrays of partitions by kernel names, which change, and has the ESP on one disk only: use another `installer`";
const DEBIAN_LUKS: &str =
    "would need the passphrase in the file: leave encryption to the hand-off, or use another `installer`";
const UBUNTU_LUKS: &str =
    "encrypts by a passphrase only, and ironstrap enrols no TPM after it yet: encrypt in the hand-off";
const KICKSTART_LUKS: &str =
    "a passphrase that is made in the installer, and replaced by the TPM before the first boot";
const UBUNTU_MAX: &str = "knows no largest size: leave `max` out, or give the partition a `size`";
const DEBIAN_POOLS: &str = "has no thin pools (partman knows plain volumes): leave them out";
const UBUNTU_POOLS: &str = "has no thin pools (curtin knows plain volumes): leave them out";
const EL_BTRFS: &str = "has no btrfs: use `mounts` with ext4 or xfs, or Fedora";
const DEBIAN_SUBVOLUMES: &str = "has no btrfs subvolumes (partman makes none): use `mounts` with `fs: btrfs`";
const UBUNTU_SUBVOLUMES: &str = "has no btrfs subvolumes (curtin makes none): use `mounts` with `fs: btrfs`";
const EL_BTRFS_MOUNTS: &str = "has no btrfs: use ext4 or xfs, or Fedora";

/// The layout is the installer's, not that of an image.
const NOT_OF_IMAGES: Cells =
    Cells { agent: no(IMAGE_HAS_LAYOUT), kickstart: native(), preseed: native(), autoinstall: native() };

pub(super) const ROWS: &[Row] = &[
    Row::when("storage.target.serial", |host| host.target.serial().is_some(), NATIVE),
    Row::when("storage.target.wwn", |host| host.target.wwn().is_some(), NATIVE),
    Row::when(
        "storage.target.model",
        |host| host.target.model().is_some(),
        Cells {
            agent: native(),
            kickstart: no(NO_MODELS),
            preseed: no(NO_MODELS),
            autoinstall: no(NO_MODELS),
        },
    ),
    Row::when("storage.target.min_size", |host| host.target.min_size().is_some(), NATIVE),
    Row::when("storage.target.max_size", |host| host.target.max_size().is_some(), NATIVE),
    Row::when("storage.wipe", |host| host.wipe != WipePolicy::Ours, NATIVE),
    Row::always(
        "storage.confirm",
        Cells {
            agent: native(),
            kickstart: ignored(NO_COUNTDOWN),
            preseed: ignored(NO_COUNTDOWN),
            autoinstall: ignored(NO_COUNTDOWN),
        },
    ),
    Row::each(
        "storage.disks",
        |host| parts(host, |layout| layout.disks.iter().map(|disk| &disk.id).collect()),
        Cells {
            agent: no(IMAGE_HAS_LAYOUT),
            kickstart: native(),
            preseed: no(DEBIAN_ONE_DISK),
            autoinstall: native(),
        },
    ),
    Row::when("storage.partitions", |host| host.layout.is_some(), NOT_OF_IMAGES),
    Row::each(
        "storage.partitions",
        |host| parts(host, bounded_partitions),
        Cells {
            agent: no(IMAGE_HAS_LAYOUT),
            kickstart: native(),
            preseed: native(),
            autoinstall: no(UBUNTU_MAX),
        },
    )
    .case(".max"),
    Row::each(
        "storage.raids",
        |host| parts(host, |layout| layout.raids.iter().map(|raid| &raid.id).collect()),
        Cells {
            agent: no(IMAGE_HAS_LAYOUT),
            kickstart: native(),
            preseed: no(DEBIAN_RAIDS),
            autoinstall: native(),
        },
    ),
    Row::each(
        "storage.luks",
        |host| parts(host, |layout| layout.luks.iter().map(|luks| &luks.id).collect()),
        Cells {
            agent: no(IMAGE_HAS_LAYOUT),
            kickstart: script(KICKSTART_LUKS),
            preseed: no(DEBIAN_LUKS),
            autoinstall: no(UBUNTU_LUKS),
        },
    ),
    Row::each(
        "storage.volume_groups",
        |host| parts(host, |layout| layout.volume_groups.iter().map(|group| &group.id).collect()),
        NOT_OF_IMAGES,
    ),
    Row::each(
        "storage.thin_pools",
        |host| parts(host, |layout| layout.thin_pools.iter().map(|pool| &pool.id).collect()),
        Cells {
            agent: no(IMAGE_HAS_LAYOUT),
            kickstart: native(),
            preseed: no(DEBIAN_POOLS),
            autoinstall: no(UBUNTU_POOLS),
        },
    ),
    Row::each(
        "storage.logical_volumes",
        |host| parts(host, |layout| layout.logical_volumes.iter().map(|volume| &volume.id).collect()),
        NOT_OF_IMAGES,
    ),
    Row::each(
        "storage.btrfs",
        |host| parts(host, |layout| layout.btrfs.iter().map(|btrfs| &btrfs.id).collect()),
        Cells {
            agent: no(IMAGE_HAS_LAYOUT),
            kickstart: by(|release| match release {
                Rhel8 | Rhel9 | Rhel10 => no(EL_BTRFS),
                Fedora43 | Fedora44 | Fedora45 => native(),
            }),
            preseed: no(DEBIAN_SUBVOLUMES),
            autoinstall: no(UBUNTU_SUBVOLUMES),
        },
    ),
    Row::when("storage.mounts", |host| host.layout.is_some(), NOT_OF_IMAGES),
    Row::each(
        "storage.mounts",
        |host| mounts(host, |mount| matches!(mount.what, Content::Files(FileSystem::Btrfs, _))),
        Cells {
            agent: no(IMAGE_HAS_LAYOUT),
            kickstart: by(|release| match release {
                Rhel8 | Rhel9 | Rhel10 => no(EL_BTRFS_MOUNTS),
                Fedora43 | Fedora44 | Fedora45 => native(),
            }),
            preseed: native(),
            autoinstall: native(),
        },
    )
    .case(".fs: btrfs"),
    Row::each("storage.mounts.label", |host| mounts(host, |mount| mount.label.is_some()), NOT_OF_IMAGES),
    Row::each(
        "storage.mounts.options",
        |host| mounts(host, |mount| !mount.options.is_empty()),
        NOT_OF_IMAGES,
    ),
];

/// Names of what a layout has.
fn parts(host: &Host, named: fn(&Layout) -> Vec<&StorageId>) -> Vec<String> {
    host.layout.as_ref().map(named).unwrap_or_default().into_iter().map(ToString::to_string).collect()
}

/// What those are made on of which something is true.
fn mounts(host: &Host, uses: fn(&Mount) -> bool) -> Vec<String> {
    let all = host.layout.iter().flat_map(|layout| &layout.mounts);
    all.filter(|mount| uses(mount)).map(|mount| mount.on.to_string()).collect()
}

fn bounded_partitions(layout: &Layout) -> Vec<&StorageId> {
    let bounded = |size: Size| matches!(size, Size::Growing { max: Some(_), .. });
    layout.partitions.iter().filter(|part| bounded(part.size)).map(|part| &part.id).collect()
}
