//! The storage of a host: disks, and what is made on them. Ids are unique in a layout, and every reference is to
//! something that is there: `resolve` has seen to it.

use crate::value::{ByteSize, DiskSelector, FsLabel, MountOption, MountPath, StorageId};

/// The id of the disk that the system is installed on.
pub const TARGET: &str = "target";

/// What is made on the disks, in the place of the installer's own layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Disks beside the target.
    pub disks: Vec<Disk>,
    /// Partitions, in the order of their disks; one is the ESP.
    pub partitions: Vec<Partition>,
    /// md arrays.
    pub raids: Vec<Raid>,
    /// Encrypted devices.
    pub luks: Vec<Luks>,
    /// LVM's volume groups, each with a member.
    pub volume_groups: Vec<VolumeGroup>,
    /// LVM's thin pools.
    pub thin_pools: Vec<ThinPool>,
    /// LVM's volumes.
    pub logical_volumes: Vec<LogicalVolume>,
    /// btrfs with subvolumes.
    pub btrfs: Vec<Btrfs>,
    /// File systems and swap; one is `/`, unless a subvolume is.
    pub mounts: Vec<Mount>,
}

/// A further disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its name in the layout.
    pub id: StorageId,
    /// Exactly one disk must match.
    pub select: DiskSelector,
}

/// How much room something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Exactly this.
    Exact(ByteSize),
    /// At least this, and what is left.
    Growing {
        /// At least.
        min: ByteSize,
        /// At most; without a bound all that is left.
        max: Option<ByteSize>,
    },
}

impl Size {
    /// The least that it takes.
    pub fn least(self) -> ByteSize {
        match self {
            Self::Exact(size) | Self::Growing { min: size, .. } => size,
        }
    }
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name.
    pub id: StorageId,
    /// The disk.
    pub disk: StorageId,
    /// What it is for.
    pub role: Role,
    /// Its size.
    pub size: Size,
}

/// What a partition is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// EFI system partition, mounted at `/boot/efi` as FAT32.
    Esp,
    /// Where GRUB puts itself on BIOS machines.
    BiosBoot,
    /// Anything else.
    Data,
}

/// One md array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raid {
    /// Its name.
    pub id: StorageId,
    /// The level.
    pub level: RaidLevel,
    /// Partitions, as many as the level needs.
    pub members: Vec<StorageId>,
    /// Partitions that wait.
    pub spares: Vec<StorageId>,
}

/// An md array's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaidLevel {
    /// Striped.
    Raid0,
    /// Mirrored.
    Raid1,
    /// One may fail.
    Raid5,
    /// Two may fail.
    Raid6,
    /// Mirrored and striped.
    Raid10,
}

impl RaidLevel {
    /// Its number, as all tools have it.
    pub fn number(self) -> u8 {
        match self {
            Self::Raid0 => 0,
            Self::Raid1 => 1,
            Self::Raid5 => 5,
            Self::Raid6 => 6,
            Self::Raid10 => 10,
        }
    }

    /// The fewest members.
    pub fn fewest(self) -> usize {
        match self {
            Self::Raid0 | Self::Raid1 | Self::Raid10 => 2,
            Self::Raid5 => 3,
            Self::Raid6 => 4,
        }
    }

    /// What the array holds of members of this size: a lower bound.
    pub fn capacity(self, members: u64, smallest: u64) -> u64 {
        match self {
            Self::Raid0 => members.saturating_mul(smallest),
            Self::Raid1 => smallest,
            Self::Raid5 => members.saturating_sub(1).saturating_mul(smallest),
            Self::Raid6 => members.saturating_sub(2).saturating_mul(smallest),
            Self::Raid10 => (members / 2).saturating_mul(smallest),
        }
    }
}

/// One encrypted device. What opens it is made on the machine; no passphrase is in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luks {
    /// The name of what is inside.
    pub id: StorageId,
    /// What is encrypted.
    pub on: StorageId,
    /// What opens it.
    pub unlock: Unlock,
}

/// What opens an encrypted device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// The machine's TPM.
    Tpm2,
}

/// One volume group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeGroup {
    /// Its name.
    pub id: StorageId,
    /// What it is made of, at least one thing.
    pub members: Vec<StorageId>,
}

/// One thin pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThinPool {
    /// Its name.
    pub id: StorageId,
    /// The volume group.
    pub group: StorageId,
    /// Its size.
    pub size: Size,
}

/// One volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalVolume {
    /// Its name.
    pub id: StorageId,
    /// The volume group.
    pub group: StorageId,
    /// The thin pool in it, for a thin volume.
    pub pool: Option<StorageId>,
    /// Its size.
    pub size: Size,
}

/// One btrfs with subvolumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Btrfs {
    /// Its name.
    pub id: StorageId,
    /// What it is on, at least one thing.
    pub on: Vec<StorageId>,
    /// What is mounted of it.
    pub subvolumes: Vec<Subvolume>,
}

/// One subvolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subvolume {
    /// Its name.
    pub name: StorageId,
    /// Where it is mounted.
    pub path: MountPath,
    /// How it is mounted.
    pub options: Vec<MountOption>,
}

/// One file system or swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What holds it.
    pub on: StorageId,
    /// What it is and where.
    pub what: Content,
    /// How it is mounted.
    pub options: Vec<MountOption>,
    /// Its label.
    pub label: Option<FsLabel>,
}

/// What is on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Swap.
    Swap,
    /// A file system.
    Files(FileSystem, MountPath),
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
    /// btrfs without subvolumes.
    Btrfs,
    /// FAT32.
    Vfat,
}

impl FileSystem {
    /// As `mkfs` and `mount` spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Vfat => "vfat",
        }
    }
}
