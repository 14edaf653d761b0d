//! `storage:`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profile::spanned::{List, Section, Spanned};
use crate::spec::order::WipePolicy;
use crate::value::{ByteSize, FsLabel, MountOption, MountPath, Pattern, StorageId};

/// `storage:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawStorage {
    /// The disk that the system is installed on; the layout knows it as `target`.
    pub target: Section<RawTarget>,
    /// What may be overwritten.
    #[schemars(extend("x-default" = "ours"))]
    pub wipe: Option<Spanned<WipePolicy>>,
    /// Seconds of the countdown.
    #[schemars(extend("x-default" = 10))]
    pub confirm: Option<Spanned<u32>>,
    /// Further disks.
    pub disks: List<RawDisk>,
    /// Partitions, in the order of the disk.
    pub partitions: List<RawPartition>,
    /// md arrays.
    pub raids: List<RawRaid>,
    /// Encrypted devices.
    pub luks: List<RawLuks>,
    /// LVM's volume groups.
    pub volume_groups: List<RawVolumeGroup>,
    /// LVM's thin pools.
    pub thin_pools: List<RawThinPool>,
    /// LVM's volumes.
    pub logical_volumes: List<RawLogicalVolume>,
    /// btrfs with subvolumes.
    pub btrfs: List<RawBtrfs>,
    /// File systems, swap, and where they are.
    pub mounts: List<RawMount>,
}

/// `storage.target:`
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawTarget {
    /// Serial number.
    pub serial: Option<Spanned<String>>,
    /// World-wide name.
    pub wwn: Option<Spanned<String>>,
    /// Model pattern.
    pub model: Option<Spanned<Pattern>>,
    /// Smallest size.
    pub min_size: Option<Spanned<ByteSize>>,
    /// Largest size.
    pub max_size: Option<Spanned<ByteSize>>,
}

/// One of `storage.disks`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawDisk {
    /// Its name in the layout.
    pub id: Option<Spanned<StorageId>>,
    /// Which one it is: exactly one disk must match.
    pub select: Section<RawTarget>,
}

/// One of `storage.partitions`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawPartition {
    /// Its name.
    pub id: Option<Spanned<StorageId>>,
    /// The disk.
    #[schemars(extend("x-default" = "target"))]
    pub disk: Option<Spanned<StorageId>>,
    /// What it is for.
    #[schemars(extend("x-default" = "data"))]
    pub role: Option<Spanned<RawRole>>,
    /// Exactly this.
    pub size: Option<Spanned<ByteSize>>,
    /// At least this, and growing.
    pub min: Option<Spanned<ByteSize>>,
    /// At most this, where it grows.
    pub max: Option<Spanned<ByteSize>>,
}

/// `storage.partitions[].role`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawRole {
    /// EFI system partition.
    Esp,
    /// Where GRUB puts itself on BIOS machines.
    BiosBoot,
    /// Anything else.
    Data,
}

/// One of `storage.raids`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRaid {
    /// Its name.
    pub id: Option<Spanned<StorageId>>,
    /// The level.
    pub level: Option<Spanned<RawRaidLevel>>,
    /// Partitions, by `id`.
    pub members: List<StorageId>,
    /// Partitions that wait for another to fail.
    pub spares: List<StorageId>,
}

/// `storage.raids[].level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RawRaidLevel {
    /// Striped: one disk lost is all lost.
    #[serde(rename = "raid0", alias = "0")]
    Raid0,
    /// Mirrored.
    #[serde(rename = "raid1", alias = "1")]
    Raid1,
    /// One may fail.
    #[serde(rename = "raid5", alias = "5")]
    Raid5,
    /// Two may fail.
    #[serde(rename = "raid6", alias = "6")]
    Raid6,
    /// Mirrored and striped.
    #[serde(rename = "raid10", alias = "10")]
    Raid10,
}

/// One of `storage.luks`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawLuks {
    /// The name of what is inside.
    pub id: Option<Spanned<StorageId>>,
    /// What is encrypted, by `id`.
    pub on: Option<Spanned<StorageId>>,
    /// What opens it.
    pub unlock: Option<Spanned<RawUnlock>>,
}

/// `storage.luks[].unlock`: never a passphrase, which would stand in an answer file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawUnlock {
    /// The machine's TPM, in the state that it has after the install.
    Tpm2,
}

/// One of `storage.volume_groups`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawVolumeGroup {
    /// Its name.
    pub id: Option<Spanned<StorageId>>,
    /// Partitions, arrays, encrypted devices, by `id`.
    pub members: List<StorageId>,
}

/// One of `storage.thin_pools`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawThinPool {
    /// Its name.
    pub id: Option<Spanned<StorageId>>,
    /// The volume group.
    pub group: Option<Spanned<StorageId>>,
    /// Exactly this.
    pub size: Option<Spanned<ByteSize>>,
    /// At least this, and growing.
    pub min: Option<Spanned<ByteSize>>,
    /// At most this, where it grows.
    pub max: Option<Spanned<ByteSize>>,
}

/// One of `storage.logical_volumes`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawLogicalVolume {
    /// Its name.
    pub id: Option<Spanned<StorageId>>,
    /// The volume group, unless a pool is named.
    pub group: Option<Spanned<StorageId>>,
    /// The thin pool.
    pub pool: Option<Spanned<StorageId>>,
    /// Exactly this.
    pub size: Option<Spanned<ByteSize>>,
    /// At least this, and growing.
    pub min: Option<Spanned<ByteSize>>,
    /// At most this, where it grows.
    pub max: Option<Spanned<ByteSize>>,
}

/// One of `storage.btrfs`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawBtrfs {
    /// Its name.
    pub id: Option<Spanned<StorageId>>,
    /// Partitions, arrays, encrypted devices or volumes, by `id`.
    pub on: List<StorageId>,
    /// What is mounted of it.
    pub subvolumes: List<RawSubvolume>,
}

/// One of `storage.btrfs[].subvolumes`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawSubvolume {
    /// Its name.
    pub name: Option<Spanned<StorageId>>,
    /// Where it is mounted.
    pub path: Option<Spanned<MountPath>>,
    /// How it is mounted.
    pub options: List<MountOption>,
}

/// One of `storage.mounts`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawMount {
    /// What holds it, by `id`.
    pub on: Option<Spanned<StorageId>>,
    /// The file system.
    pub fs: Option<Spanned<RawFileSystem>>,
    /// Where it is mounted; swap is nowhere.
    pub path: Option<Spanned<MountPath>>,
    /// How it is mounted.
    pub options: List<MountOption>,
    /// The file system's label.
    pub label: Option<Spanned<FsLabel>>,
}

/// `storage.mounts[].fs`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawFileSystem {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// btrfs without subvolumes.
    Btrfs,
    /// FAT32: ESPs get it without being asked.
    Vfat,
    /// Swap.
    Swap,
}
