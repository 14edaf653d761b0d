//! What a whole-disk image must look like from outside, judged at import.
//!
//! Promises: an image that passes can be installed by the agent as far as its table and file systems go; every refusal
//! says what was found. Read are the table, the gap before the first partition, and of the file systems as little as tells which
//! is whose: superblocks, the root's os-release and fstab.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use super::ext4::fitness;
use super::mounts::{self, Filesystem, Mounts, SystemTree};
use super::names::Names;
use super::read::FIRST_PARTITION;
use super::tree::{Entry, EntryType, ReadTree as _};
use super::{startup, xfs};
use crate::spec::image::{FilesystemKind, ImageFilesystem, ImagePartition};
use crate::spec::ondisk::{Mark, ext4, filesystems, volumes};
use crate::sys::block::BlockDevice;
use crate::sys::budget::Budget;
use crate::sys::gpt;

/// The partitions of an image, with ESP and root found.
#[derive(Debug)]
pub struct Layout {
    /// All partitions in table order.
    pub partitions: Vec<ImagePartition>,
    /// The ESP.
    pub esp: ImagePartition,
    /// The root partition.
    pub root: ImagePartition,
    /// What is in it.
    pub filesystem: ImageFilesystem,
    /// What is mounted at its `/boot`.
    pub boot: Option<ImageFilesystem>,
}

/// Judges an image.
///
/// # Errors
/// Names the first thing that the installer couldn't handle.
pub fn read_layout(device: &Arc<dyn BlockDevice>, budget: &Budget) -> Result<Layout> {
    let size = device.size();
    if size > FIRST_PARTITION && gpt::is_4kn(&**device) {
        bail!(
            "the partition table is for disks with 4096-byte blocks; only images for 512-byte blocks can be installed"
        );
    }
    let table = gpt::read_table(&**device)?;
    ensure!(
        size.is_multiple_of(4096),
        "the image has {size} bytes, which is not a multiple of 4096; grow it (`truncate -s %4096`, then `sgdisk -e`)"
    );
    let partitions: Vec<_> = table
        .entries
        .iter()
        .map(|(number, entry)| ImagePartition {
            number: *number,
            kind: entry.kind,
            guid: entry.guid,
            offset: entry.offset(),
            length: entry.length(),
            name: entry.name.clone(),
        })
        .collect();
    if let Some(early) = partitions.iter().find(|partition| partition.offset < FIRST_PARTITION) {
        bail!(
            "partition {} begins at byte {}, before 1 MiB, where the installer keeps its claim record",
            early.number,
            early.offset
        );
    }
    let esp = find_esp(&partitions)?.clone();
    let root = find_root(device, &partitions, budget)?.clone();
    refuse_bytes_before_partitions(&**device)?;
    let kind = mounts::kind_of(&**device, &root)?.context("the root has no file system any more")?;
    let filesystem = describe(device, &root, kind, Use::Grows, budget)?;
    let mut layout = Layout { partitions, esp, root, filesystem, boot: None };
    layout.boot = find_boot(device, &layout, budget)?;
    Ok(layout)
}

fn find_esp(partitions: &[ImagePartition]) -> Result<&ImagePartition> {
    let mut found = partitions.iter().filter(|partition| partition.kind == gpt::ESP);
    match (found.next(), found.next()) {
        (Some(esp), None) => Ok(esp),
        (None, _) => bail!("the image has no EFI system partition (type {})", gpt::ESP),
        (Some(one), Some(other)) => {
            bail!("the image has several EFI system partitions, {} and {}", one.number, other.number)
        }
    }
}

/// The one partition with a system on it; it must be the last on the disk, so that it can grow.
fn find_root<'a>(
    device: &Arc<dyn BlockDevice>,
    partitions: &'a [ImagePartition],
    budget: &Budget,
) -> Result<&'a ImagePartition> {
    let mut roots = Vec::new();
    // what can't be read may well be the root; beside a root it is the system's own affair
    let mut unreadable = None;
    for partition in partitions {
        let kind = mounts::kind_of(&**device, partition).context("looking for file systems")?;
        let Some(kind) = kind else { continue };
        match holds_a_system(device, partition, kind, budget) {
            Ok(true) => roots.push(partition),
            Ok(false) => {}
            Err(error) => _ = unreadable.get_or_insert(error),
        }
    }
    if let (Some(error), true) = (unreadable, roots.is_empty()) {
        return Err(error);
    }
    let last = partitions.iter().max_by_key(|partition| partition.offset).map(|last| last.number);
    match roots[..] {
        [] => bail!(
            "no partition holds an ext4 or XFS file system with /etc/os-release or /usr/lib/os-release: there is no root that can be installed{}",
            others(&**device, partitions)?
        ),
        [root] if Some(root.number) == last => Ok(root),
        [root] => bail!(
            "the root is partition {}, but partition {} is behind it on the disk: the root can't grow; move the root to the end",
            root.number,
            last.unwrap_or_default()
        ),
        [one, other, ..] => bail!(
            "partitions {} and {} both hold a root file system; images have one",
            one.number,
            other.number
        ),
    }
}

fn holds_a_system(
    device: &Arc<dyn BlockDevice>,
    partition: &ImagePartition,
    kind: FilesystemKind,
    budget: &Budget,
) -> Result<bool> {
    let filesystem = match Filesystem::open(device, partition, kind, budget) {
        Ok(filesystem) => filesystem,
        // the reason why it couldn't be installed is the one to tell
        Err(error) => return require_fit(&**device, partition, kind, Use::Grows).and(Err(error)),
    };
    let tree = SystemTree::of(Mounts::new(filesystem, None));
    Ok(tree.exists("/etc/os-release")? || tree.exists("/usr/lib/os-release")?)
}

/// What people have their root in and can't be installed.
fn others(device: &dyn BlockDevice, partitions: &[ImagePartition]) -> Result<String> {
    const KINDS: [(Mark, &str); 3] = [
        (filesystems::btrfs::MAGIC, "btrfs"),
        (volumes::lvm2::LABELS[1], "LVM"),
        (volumes::luks::MAGIC, "LUKS"),
    ];
    let mut found = Vec::new();
    for partition in partitions {
        for (mark, kind) in KINDS {
            let mut bytes = vec![0; mark.bytes.len()];
            if partition.length > mark.at + mark.bytes.len() as u64 {
                device.read_at(partition.offset + mark.at, &mut bytes).context("reading the image")?;
            }
            if bytes == mark.bytes {
                found.push(format!("partition {} holds {kind}", partition.number));
            }
        }
    }
    Ok(match found.is_empty() {
        true => String::new(),
        false => format!(" ({}, which isn't supported yet: make the root ext4 or XFS)", found.join(", ")),
    })
}

/// The tree of the image's system.
///
/// # Errors
/// When it can't be read; names the partition.
pub fn open(device: &Arc<dyn BlockDevice>, layout: &Layout, budget: &Budget) -> Result<SystemTree> {
    let opened = |wanted: &ImageFilesystem| {
        let partition = layout.partitions.iter().find(|partition| partition.number == wanted.partition);
        let partition = partition.with_context(|| format!("there is no partition {}", wanted.partition))?;
        Filesystem::open(device, partition, wanted.kind, budget)
    };
    let boot = layout.boot.as_ref().map(opened).transpose()?;
    Ok(SystemTree::of(Mounts::new(opened(&layout.filesystem)?, boot)))
}

/// The file system that the root mounts at `/boot`, where its fstab says that it does.
fn find_boot(
    device: &Arc<dyn BlockDevice>,
    layout: &Layout,
    budget: &Budget,
) -> Result<Option<ImageFilesystem>> {
    let names = Names::read(&**device, &layout.partitions)?;
    let root = open(device, layout, budget)?;
    let Some(number) = startup::boot(&root, &names)? else { return Ok(None) };
    require_mount_point(&root)?;
    let partition = layout.partitions.iter().find(|partition| partition.number == number);
    let partition = partition.context("a name leads to no partition")?;
    let kind = mounts::kind_of(&**device, partition).context("looking into /boot")?;
    let Some(kind) = kind.filter(|_| ![layout.root.number, layout.esp.number].contains(&number)) else {
        bail!("/boot of the image is partition {number}, which can't be one of its own: that is ext4 or XFS");
    };
    Ok(Some(describe(device, partition, kind, Use::Stays, budget)?))
}

/// The agent mounts there, and so does the system: through a link that would be somewhere else.
fn require_mount_point(root: &SystemTree) -> Result<()> {
    let boot = root.list("/")?.into_iter().find(|entry| entry.name == "boot");
    match boot {
        Some(Entry { kind, .. }) if kind != EntryType::Directory => bail!(
            "fstab of the image mounts a partition at /boot, but /boot in its root isn't a directory: make it an empty one"
        ),
        _ => Ok(()),
    }
}

fn refuse_bytes_before_partitions(device: &dyn BlockDevice) -> Result<()> {
    let mut gap = vec![0; FIRST_PARTITION as usize - gpt::PRIMARY_LENGTH];
    device.read_at(gpt::PRIMARY_LENGTH as u64, &mut gap).context("reading the image")?;
    match gap.iter().position(|byte| *byte != 0) {
        None => Ok(()),
        Some(at) => bail!(
            "byte {} is not zero; between the partition table and 1 MiB images may hold nothing, because the installer keeps its claim record there",
            gpt::PRIMARY_LENGTH + at
        ),
    }
}

/// What an install does with a file system beside writing to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is made larger.
    Grows,
    /// It stays as large as it is.
    Stays,
}

/// Refuses a file system that the agent can't mount and use so.
fn require_fit(
    device: &dyn BlockDevice,
    partition: &ImagePartition,
    kind: FilesystemKind,
    used: Use,
) -> Result<()> {
    let superblock = superblock(device, partition, kind)?;
    let (wrong, bytes) = match kind {
        FilesystemKind::Ext4 => {
            let judged = fitness::judge(&superblock, used == Use::Grows);
            (judged.err().map(|found| found.at(partition.offset).to_string()), fitness::size(&superblock))
        }
        FilesystemKind::Xfs => {
            let judged = xfs::fitness::judge(&superblock);
            (judged.err().map(|found| found.to_string()), xfs::fitness::size(&superblock))
        }
    };
    let (name, number) = (kind.name(), partition.number);
    if let Some(wrong) = wrong {
        bail!("the {name} file system in partition {number} of the image {wrong}");
    }
    ensure!(
        bytes <= partition.length,
        "the {name} file system in partition {number} of the image has {bytes} bytes, more than its partition with {}",
        partition.length
    );
    Ok(())
}

fn superblock(
    device: &dyn BlockDevice,
    partition: &ImagePartition,
    kind: FilesystemKind,
) -> Result<[u8; ext4::SUPERBLOCK_LENGTH]> {
    let at = match kind {
        FilesystemKind::Ext4 => ext4::SUPERBLOCK,
        FilesystemKind::Xfs => 0,
    };
    let mut superblock = [0; ext4::SUPERBLOCK_LENGTH];
    device
        .read_at(partition.offset + at, &mut superblock)
        .with_context(|| format!("reading the superblock in partition {}", partition.number))?;
    Ok(superblock)
}

/// What the agent must know of a file system that it is going to mount.
fn describe(
    device: &Arc<dyn BlockDevice>,
    partition: &ImagePartition,
    kind: FilesystemKind,
    used: Use,
    budget: &Budget,
) -> Result<ImageFilesystem> {
    require_fit(&**device, partition, kind, used)?;
    let uuid = Filesystem::open(device, partition, kind, budget)?.uuid();
    Ok(ImageFilesystem { partition: partition.number, uuid, kind })
}
