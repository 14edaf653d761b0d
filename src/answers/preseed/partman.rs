//! A layout as recipes of partman-auto (`/lib/partman/lib/recipes.sh` of its udeb, and partman-auto-lvm's).
//!
//! d-i corrects what it can't use without a word, and some that it can: the last partition and, without a `guided_size`, the last
//! volume take all that is left, whatever their maximum; a disk that is too small for the recipe gets d-i's own recipe. Only
//! what comes out as it was meant is written; the rest is refused, here or on the machine. Sizes are whole MB (10⁶ bytes), rounded up.

use serde::Serialize;

use crate::host::{Content, FileSystem, Layout, LogicalVolume, Mount, Partition, Refusal, Role, Size};
use crate::value::{ByteSize, StorageId};

/// Room for the partition tables and for alignment, in MB.
const SLACK: u64 = 10;
/// What d-i reserves for a physical volume; as the last partition it takes all that is left.
const LEAST_PHYSICAL_VOLUME: u64 = 100;
/// How much more a growing part wants than it needs: all want the same, so that they share evenly.
const APPETITE: u64 = 1000;

/// What partman is told.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Storage {
    /// Lines of the recipe, each a part with its final dot.
    pub recipe: Vec<String>,
    /// The volume group, where the method is `lvm`.
    pub volume_group: Option<String>,
    /// How much of the volume group is given to volumes: `max`, or a size.
    pub guided_size: String,
    /// The disk must have this many MB, or d-i would use a recipe of its own.
    pub least: u64,
}

/// One part of a recipe.
struct Part {
    min: u64,
    priority: u64,
    /// `None` for no bound.
    max: Option<u64>,
    /// What the partition table says of it: one of the names that d-i knows, or it says ext2.
    kind: &'static str,
    /// Braced words.
    words: Vec<String>,
}

impl Part {
    fn new(size: Size, kind: &'static str, words: Vec<String>) -> Self {
        let min = megabytes(size.least());
        let (priority, max) = match size {
            Size::Exact(_) => (min, Some(min)),
            Size::Growing { max, .. } => (min + APPETITE, max.map(|max| megabytes(max).max(min))),
        };
        Self { min, priority, max, kind, words }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { min, priority, max, kind, words } = self;
        write!(f, "{min} {priority} ")?;
        match max {
            Some(max) => write!(f, "{max}")?,
            None => write!(f, "-1")?,
        }
        // the blank before the dot is what ends the part
        write!(f, " {kind} {} .", words.join(" "))
    }
}

/// d-i's megabytes, enough of them.
fn megabytes(size: ByteSize) -> u64 {
    size.as_bytes().div_ceil(1_000_000)
}

fn brace(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name}{{ {value} }}")
}

/// The recipe of a layout; what d-i would make something else of is noted. What the table refuses doesn't come here as it is.
pub fn plan(layout: Option<&Layout>, refusal: &mut Refusal) -> Storage {
    let Some(layout) = layout else { return whole_disk() };
    if !layout.disks.is_empty()
        || !layout.raids.is_empty()
        || !layout.luks.is_empty()
        || !layout.thin_pools.is_empty()
        || !layout.btrfs.is_empty()
    {
        return whole_disk();
    }
    for mount in &layout.mounts {
        check_mount(mount, refusal);
    }
    check_growth(layout, refusal);
    match &layout.volume_groups[..] {
        [] => regular(layout),
        [group, more @ ..] => {
            for other in more {
                let key = format!("storage.volume_groups[{}]", other.id);
                refusal.add(&key, "makes one volume group: put its volumes into the first one");
            }
            if group.members.len() > 1 {
                let key = format!("storage.volume_groups[{}].members", group.id);
                refusal.add(&key, "takes one partition for a volume group: make one large partition");
            }
            lvm(layout, &group.id, &group.members, refusal)
        }
    }
}

/// Without a layout: an EFI system partition, and the root on the rest.
fn whole_disk() -> Storage {
    let mut root = vec![brace("method", "format"), "format{ }".to_owned()];
    root.extend(file_system(FileSystem::Ext4, "/"));
    let esp = ByteSize::bytes(538_000_000);
    let parts = [
        firmware(Role::Esp, Size::Exact(esp)),
        Part::new(Size::Growing { min: ByteSize::bytes(3_000_000_000), max: None }, "ext4", root),
    ];
    Storage { recipe: lines(&parts), volume_group: None, guided_size: "max".to_owned(), least: needs(&parts) }
}

fn regular(layout: &Layout) -> Storage {
    let parts: Vec<_> = layout.partitions.iter().map(|partition| plain(layout, partition)).collect();
    Storage { recipe: lines(&parts), volume_group: None, guided_size: "max".to_owned(), least: needs(&parts) }
}

fn lvm(layout: &Layout, group: &StorageId, members: &[StorageId], refusal: &mut Refusal) -> Storage {
    let is_member = |partition: &&Partition| members.contains(&partition.id);
    let mut parts: Vec<_> = layout
        .partitions
        .iter()
        .filter(|partition| !is_member(partition))
        .map(|partition| plain(layout, partition))
        .collect();
    let words = vec![brace("method", "lvm"), brace("vg_name", group)];
    let rest = Size::Growing { min: ByteSize::bytes(LEAST_PHYSICAL_VOLUME * 1_000_000), max: None };
    parts.push(Part::new(rest, "ext3", words));
    let volumes = volumes(layout, group);
    if volumes.is_empty() {
        let key = format!("storage.volume_groups[{group}]");
        refusal.add(&key, "makes no group without a volume: add one to `storage.logical_volumes`");
    }
    // d-i counts the volumes beside the partition that holds them
    let counted = needs(&parts) + volumes.iter().map(|part| part.min).sum::<u64>();
    let asked: u64 = layout.partitions.iter().map(|partition| megabytes(partition.size.least())).sum();
    let guided_size = guided_size(layout, &volumes, refusal);
    parts.extend(volumes);
    Storage {
        recipe: lines(&parts),
        volume_group: Some(group.to_string()),
        guided_size,
        least: counted.max(asked + SLACK),
    }
}

/// Those that grow come last: the last one takes what is left, and volumes have no order.
fn volumes(layout: &Layout, group: &StorageId) -> Vec<Part> {
    let mut volumes: Vec<&LogicalVolume> =
        layout.logical_volumes.iter().filter(|volume| volume.group == *group).collect();
    volumes.sort_by_key(|volume| match volume.size {
        Size::Exact(_) => 0,
        Size::Growing { max: Some(_), .. } => 1,
        Size::Growing { max: None, .. } => 2,
    });
    let part = |volume: &LogicalVolume| {
        let (kind, mut words) = content(layout, &volume.id);
        words.splice(0..0, ["$lvmok{ }".to_owned(), brace("in_vg", group), brace("lv_name", &volume.id)]);
        Part::new(volume.size, kind, words)
    };
    volumes.into_iter().map(part).collect()
}

/// How much of the group is given out: all if a volume wants it, else just what the volumes ask for, or the last one would take the rest.
fn guided_size(layout: &Layout, volumes: &[Part], refusal: &mut Refusal) -> String {
    if volumes.iter().any(|part| part.max.is_none()) {
        return "max".to_owned();
    }
    for volume in layout.logical_volumes.iter().filter(|volume| !matches!(volume.size, Size::Exact(_))) {
        refusal.add(
            &format!("storage.logical_volumes[{}].max", volume.id),
            "would let the last volume grow beyond every `max`: give one volume `min` without `max`, or all of them `size`",
        );
    }
    format!("{} MB", volumes.iter().map(|part| part.min).sum::<u64>())
}

/// A partition that isn't LVM's.
fn plain(layout: &Layout, partition: &Partition) -> Part {
    match partition.role {
        Role::Esp | Role::BiosBoot => firmware(partition.role, partition.size),
        Role::Data => {
            let (kind, words) = content(layout, &partition.id);
            Part::new(partition.size, kind, words)
        }
    }
}

fn firmware(role: Role, size: Size) -> Part {
    match role {
        Role::BiosBoot => Part::new(size, "ext2", vec![brace("method", "biosgrub")]),
        _ => Part::new(size, "fat32", vec![brace("method", "efi"), "format{ }".to_owned()]),
    }
}

/// What is on a device: kind and words.
fn content(layout: &Layout, device: &StorageId) -> (&'static str, Vec<String>) {
    let mut words = Vec::new();
    let mut kind = "ext4";
    // `resolve` has seen to it that something is on every device
    for Mount { what, options, label, .. } in layout.mounts.iter().filter(|mount| mount.on == *device) {
        match what {
            Content::Swap => {
                kind = "linux-swap";
                words.extend([brace("method", "swap"), "format{ }".to_owned()]);
            }
            Content::Files(system, path) => {
                kind = if *system == FileSystem::Vfat { "fat32" } else { "ext4" };
                words.extend([brace("method", "format"), "format{ }".to_owned()]);
                words.extend(file_system(*system, path.as_str()));
                words.extend(label.iter().map(|label| brace("label", label)));
                words.extend(options.iter().map(|option| brace(&format!("options/{option}"), option)));
            }
        }
    }
    (kind, words)
}

fn file_system(system: FileSystem, path: &str) -> [String; 3] {
    let name = match system {
        FileSystem::Vfat => "fat32",
        other => other.name(),
    };
    ["use_filesystem{ }".to_owned(), brace("filesystem", name), brace("mountpoint", path)]
}

fn lines(parts: &[Part]) -> Vec<String> {
    parts.iter().map(ToString::to_string).collect()
}

fn needs(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.min).sum::<u64>() + SLACK
}

/// What partman can't do with a file system.
fn check_mount(mount: &Mount, refusal: &mut Refusal) {
    let Mount { on, what, options, label } = mount;
    let (key_of_options, key_of_label) =
        (format!("storage.mounts.options[{on}]"), format!("storage.mounts.label[{on}]"));
    match what {
        Content::Swap => {
            if !options.is_empty() {
                refusal.add(&key_of_options, "gives swap no options of yours: leave them out");
            }
            if label.is_some() {
                refusal.add(&key_of_label, "gives swap no label: leave it out");
            }
        }
        Content::Files(system, path) => {
            if *system == FileSystem::Btrfs && path.is_root() {
                refusal.add(
                    &format!("storage.mounts[{on}]"),
                    "puts `/` on btrfs into a subvolume of its own: use ext4 or xfs",
                );
            }
            if *system == FileSystem::Vfat && label.as_ref().is_some_and(|label| label.as_str().len() > 11) {
                refusal.add(&key_of_label, "can't give FAT a label of more than 11 characters: shorten it");
            }
            // an option is the name of a file for partman
            for option in options.iter().filter(|option| option.as_str().contains('/')) {
                refusal.add(
                    &key_of_options,
                    format_args!("can't carry the slash in `{option}`: leave it to the hand-off"),
                );
            }
        }
    }
}

/// The last partition takes all that is left.
fn check_growth(layout: &Layout, refusal: &mut Refusal) {
    let members: Vec<_> = layout.volume_groups.iter().flat_map(|group| &group.members).collect();
    if let Some(last) = layout.partitions.last()
        && !matches!(last.size, Size::Growing { max: None, .. })
    {
        refusal.add(
            &format!("storage.partitions[{}]", last.id),
            "gives the last partition all that is left of the disk: put the one with `min` and without `max` last",
        );
    }
    if members.is_empty() {
        return;
    }
    let last = layout.partitions.last().map(|last| &last.id);
    for member in members.into_iter().filter(|member| Some(*member) != last) {
        refusal.add(
            &format!("storage.partitions[{member}]"),
            "makes the partition of the volume group last: put it last",
        );
    }
    let others = layout.partitions.iter().rev().skip(1);
    for other in others.filter(|other| !matches!(other.size, Size::Exact(_))) {
        refusal.add(
            &format!("storage.partitions[{}]", other.id),
            "would let it grow before the volume group gets its `min`: give it a `size`",
        );
    }
}
