//! `storage` in Kickstart: the commands that `%pre` writes once each named disk was found exactly once.
//!
//! The disks' kernel names are variables of that script. Only named disks are seen by the installer (`ignoredisk`), and
//! only those that get partitions are cleared. What Anaconda would refuse, or silently do otherwise, is refused here:
//! where the boot loader can read `/boot`, and what its `btrfs` command can't say (read in its sources: `custom_partitioning`
//! and `bootloader/grub2` of the branches rhel-8, rhel-9, rhel-10, fedora-43 and of 44). Two things Kickstart can't say are
//! let go: the names of partitions in the GPT, and which of an array's members wait (the last ones are given as spares).

use super::line::{Line, Piece, join};
use crate::grammar::kickstart::Release;
use crate::host::{
    Btrfs, Content, FileSystem, Host, Layout, Mount, Partition, Raid, RaidLevel, Refusal, Role, Size, TARGET,
};
use crate::value::{MountOption, StorageId};

const MIB: u64 = 1 << 20;
/// What FAT has room for (11 characters; a label of the model may have 12).
const FAT_LABEL: usize = 11;
/// blivet's extents; a smaller volume is refused by Anaconda.
const EXTENT: u64 = 4 * MIB;

/// All commands, in the order in which Anaconda reads them.
pub fn commands(release: Release, host: &Host, append: &[String], refusal: &mut Refusal) -> Vec<Line> {
    let layout = host.layout.as_ref();
    let further = || layout.map(|layout| layout.disks.as_slice()).unwrap_or_default().iter();
    let filled = further().filter(|disk| {
        layout.is_some_and(|layout| layout.partitions.iter().any(|partition| partition.disk == disk.id))
    });
    let disks = |further: &mut dyn Iterator<Item = &StorageId>| {
        std::iter::once(found()).chain(further.map(variable)).collect::<Vec<_>>()
    };
    let mut lines = vec![
        Line::new("ignoredisk").pieces("only-use", disks(&mut further().map(|disk| &disk.id))),
        Line::new("zerombr"),
        Line::new("clearpart")
            .word("--all")
            .word("--initlabel")
            .option("disklabel", "gpt")
            .pieces("drives", disks(&mut filled.map(|disk| &disk.id))),
    ];
    match layout {
        Some(layout) => {
            judge(release, layout, refusal);
            lines.extend(Composer { layout }.lines());
        }
        None => lines.extend(usual()),
    }
    lines.push(boot_loader(host, append));
    lines
}

/// Without a layout: an ESP, `/boot` and a root that takes the rest.
fn usual() -> Vec<Line> {
    let part = |path: &str, fs: &str, mib: u32| {
        Line::new("part").word(path).option("fstype", fs).option("size", mib)
    };
    [part("/boot/efi", "efi", 512), part("/boot", "xfs", 1024), part("/", "xfs", 4096).word("--grow")]
        .map(|line| line.pieces("ondisk", [found()]))
        .to_vec()
}

fn boot_loader(host: &Host, append: &[String]) -> Line {
    let mut line = Line::new("bootloader").pieces("boot-drive", [found()]);
    if !append.is_empty() {
        line = line.option("append", append.join(" "));
    }
    match &host.boot.password {
        Some(hash) => line.word("--iscrypted").option("password", hash.expose()),
        None => line,
    }
}

fn found() -> Piece {
    Piece::Variable("found".to_owned())
}

fn variable(disk: &StorageId) -> Piece {
    match disk.as_str() {
        TARGET => found(),
        id => Piece::Variable(format!("disk_{id}")),
    }
}

/// Writes a layout whose references `resolve` has checked.
struct Composer<'l> {
    layout: &'l Layout,
}

impl Composer<'_> {
    fn lines(&self) -> Vec<Line> {
        let Layout {
            disks: _,
            partitions,
            raids,
            luks: _,
            volume_groups,
            thin_pools,
            logical_volumes,
            btrfs,
            mounts,
        } = self.layout;
        let mut lines: Vec<_> = partitions.iter().map(|partition| self.partition(partition)).collect();
        lines.extend(raids.iter().map(|raid| self.raid(raid)));
        lines.extend(volume_groups.iter().map(|group| {
            let line = Line::new("volgroup").word(&group.id);
            group.members.iter().fold(line, |line, member| line.word(format_args!("pv.{member}")))
        }));
        lines.extend(thin_pools.iter().map(|pool| {
            let line = Line::new("logvol").word("none").option("vgname", &pool.group);
            sized(line.option("name", &pool.id).word("--thinpool"), pool.size)
        }));
        lines.extend(logical_volumes.iter().map(|volume| {
            let (place, rest) = self.holds(&volume.id);
            let line =
                Line::new("logvol").word(place).option("vgname", &volume.group).option("name", &volume.id);
            let line = match &volume.pool {
                Some(pool) => line.word("--thin").option("poolname", pool),
                None => line,
            };
            self.encrypted(&volume.id, rest.into_iter().fold(sized(line, volume.size), Line::word))
        }));
        lines.extend(btrfs.iter().flat_map(subvolumes));
        lines.extend(mounts.iter().filter_map(whole_btrfs));
        lines
    }

    fn partition(&self, partition: &Partition) -> Line {
        let (place, rest) = match partition.role {
            Role::Esp => ("/boot/efi".to_owned(), vec!["--fstype=efi".to_owned()]),
            Role::BiosBoot => ("biosboot".to_owned(), vec!["--fstype=biosboot".to_owned()]),
            Role::Data => self.holds(&partition.id),
        };
        let line = sized(Line::new("part").word(place), partition.size);
        let line = self.encrypted(&partition.id, rest.into_iter().fold(line, Line::word));
        line.pieces("ondisk", [variable(&partition.disk)])
    }

    fn raid(&self, raid: &Raid) -> Line {
        let (place, rest) = self.holds(&raid.id);
        let line = Line::new("raid")
            .word(place)
            .option("device", &raid.id)
            .option("level", format_args!("RAID{}", raid.level.number()));
        let line = match raid.spares.len() {
            0 => line,
            spares => line.option("spares", spares),
        };
        let line = self.encrypted(&raid.id, rest.into_iter().fold(line, Line::word));
        raid.members
            .iter()
            .chain(&raid.spares)
            .fold(line, |line, member| line.word(format_args!("raid.{member}")))
    }

    /// Adds that a device is encrypted, if it is: by a passphrase that `%pre` makes and `%post` puts the TPM in the place of.
    fn encrypted(&self, id: &StorageId, line: Line) -> Line {
        if !self.layout.luks.iter().any(|luks| luks.on == *id) {
            return line;
        }
        let line = line.word("--encrypted").option("luks-version", "luks2");
        line.pieces("passphrase", [Piece::Variable("passphrase".to_owned())])
    }

    /// What a device, or what is in it if it is encrypted, is for: Kickstart's first word, and the options that go with it.
    fn holds(&self, id: &StorageId) -> (String, Vec<String>) {
        let Layout { raids, luks, volume_groups, btrfs, mounts, .. } = self.layout;
        let inside = luks.iter().find(|luks| luks.on == *id);
        let id = inside.map_or(id, |luks| &luks.id);
        if raids.iter().any(|raid| raid.members.contains(id) || raid.spares.contains(id)) {
            return (format!("raid.{id}"), Vec::new());
        }
        if volume_groups.iter().any(|group| group.members.contains(id)) {
            return (format!("pv.{id}"), Vec::new());
        }
        let whole = mounts.iter().any(|mount| mount.on == *id && is_btrfs(mount));
        if whole || btrfs.iter().any(|btrfs| btrfs.on.contains(id)) {
            return (format!("btrfs.{id}"), Vec::new());
        }
        let Some(mount) = mounts.iter().find(|mount| mount.on == *id) else {
            // `resolve` refuses what nothing is on
            return ("None".to_owned(), Vec::new());
        };
        let (place, fs) = match &mount.what {
            Content::Swap => ("swap".to_owned(), "swap"),
            Content::Files(system, path) => (path.to_string(), system.name()),
        };
        let mut options = vec![format!("--fstype={fs}")];
        options.extend(mount.label.as_ref().map(|label| format!("--label={label}")));
        if !mount.options.is_empty() {
            options.push(format!("--fsoptions={}", join(&mount.options)));
        }
        (place, options)
    }
}

fn sized(line: Line, size: Size) -> Line {
    let whole = |bytes: u64| bytes.div_ceil(MIB);
    match size {
        Size::Exact(size) => line.option("size", whole(size.as_bytes())),
        Size::Growing { min, max } => {
            let line = line.option("size", whole(min.as_bytes())).word("--grow");
            match max {
                // a bound below the least, by rounding, would be refused
                Some(max) => line.option("maxsize", (max.as_bytes() / MIB).max(whole(min.as_bytes()))),
                None => line,
            }
        }
    }
}

fn is_btrfs(mount: &Mount) -> bool {
    matches!(mount.what, Content::Files(FileSystem::Btrfs, _))
}

fn subvolumes(btrfs: &Btrfs) -> Vec<Line> {
    let volume = Line::new("btrfs").word("none").option("label", &btrfs.id);
    let volume = btrfs.on.iter().fold(volume, |line, device| line.word(format_args!("btrfs.{device}")));
    let subvolumes = btrfs.subvolumes.iter().map(|subvolume| {
        let line = Line::new("btrfs").word(&subvolume.path).word("--subvol").option("name", &subvolume.name);
        line.word(format_args!("LABEL={}", btrfs.id))
    });
    std::iter::once(volume).chain(subvolumes).collect()
}

/// A btrfs that is mounted as a whole is a volume for Anaconda as well.
fn whole_btrfs(mount: &Mount) -> Option<Line> {
    let Content::Files(FileSystem::Btrfs, path) = &mount.what else { return None };
    let line = Line::new("btrfs").word(path);
    let line = match &mount.label {
        Some(label) => line.option("label", label),
        None => line.option("label", &mount.on),
    };
    Some(line.word(format_args!("btrfs.{}", mount.on)))
}

/// What Anaconda would refuse at three in the morning.
fn judge(release: Release, layout: &Layout, refusal: &mut Refusal) {
    for partition in &layout.partitions {
        if partition.role == Role::Esp && partition.disk.as_str() != TARGET {
            refusal.add(
                &format!("storage.partitions[{}]", partition.id),
                "knows one EFI system partition, the target's: leave this one to the hand-off",
            );
        }
    }
    for mount in &layout.mounts {
        if is_btrfs(mount) {
            no_options(&format!("storage.mounts[{}]", mount.on), &mount.options, refusal);
        }
        let fat = matches!(mount.what, Content::Files(FileSystem::Vfat, _));
        if let Some(label) = mount.label.as_ref().filter(|label| fat && label.as_str().len() > FAT_LABEL) {
            let reason =
                format_args!("can't carry `{label}`: FAT's labels have {FAT_LABEL} characters at most");
            refusal.add(&format!("storage.mounts[{}].label", mount.on), reason);
        }
    }
    for btrfs in &layout.btrfs {
        for subvolume in &btrfs.subvolumes {
            no_options(
                &format!("storage.btrfs[{}].{}", btrfs.id, subvolume.name),
                &subvolume.options,
                refusal,
            );
        }
    }
    let whole = layout.mounts.iter().filter(|mount| is_btrfs(mount)).map(|mount| &mount.on);
    for id in layout.btrfs.iter().flat_map(|btrfs| &btrfs.on).chain(whole) {
        let id = layout.luks.iter().find(|luks| luks.id == *id).map_or(id, |luks| &luks.on);
        if layout.logical_volumes.iter().any(|volume| volume.id == *id) {
            refusal.add(
                &format!("storage.logical_volumes[{id}]"),
                "makes no btrfs on a logical volume: put it on a partition or an array",
            );
        }
    }
    let pools = layout.thin_pools.iter().map(|pool| ("thin_pools", &pool.id, pool.size));
    let volumes = layout.logical_volumes.iter().map(|volume| ("logical_volumes", &volume.id, volume.size));
    for (key, id, size) in pools.chain(volumes).filter(|(.., size)| size.least().as_bytes() < EXTENT) {
        let reason = format_args!("makes no volume below 4 MiB, which {} is", size.least());
        refusal.add(&format!("storage.{key}[{id}]"), reason);
    }
    boot(release, layout, refusal);
}

fn no_options(key: &str, options: &[MountOption], refusal: &mut Refusal) {
    if !options.is_empty() {
        let reason =
            "has no mount options for btrfs (its `btrfs` command knows none): leave them to the hand-off";
        refusal.add(&format!("{key}.options"), reason);
    }
}

/// `/boot`, or `/` where it is not apart, must be where GRUB can read it.
fn boot(release: Release, layout: &Layout, refusal: &mut Refusal) {
    let mounts = layout.mounts.iter().filter_map(|mount| match &mount.what {
        Content::Files(_, path) => Some((path.as_str(), &mount.on)),
        Content::Swap => None,
    });
    let subvolumes = layout
        .btrfs
        .iter()
        .flat_map(|btrfs| btrfs.subvolumes.iter().map(|subvolume| (subvolume.path.as_str(), &btrfs.id)));
    let all: Vec<_> = mounts.chain(subvolumes).collect();
    let at = |wanted: &str| all.iter().find(|(path, _)| *path == wanted);
    let Some((path, id)) = at("/boot").or_else(|| at("/")) else { return };
    let key = format!("storage.mounts[{id}]");
    let below = |luks: &StorageId| {
        luks == *id || layout.btrfs.iter().any(|btrfs| btrfs.id == **id && btrfs.on.contains(luks))
    };
    if layout.luks.iter().any(|luks| below(&luks.id)) {
        let reason =
            format_args!("can't boot with {path} encrypted: mount a partition or a RAID 1 at `/boot`");
        refusal.add(&key, reason);
    }
    if layout.logical_volumes.iter().any(|volume| volume.id == **id) {
        let reason = format_args!(
            "can't boot with {path} on a logical volume: mount a partition or a RAID 1 at `/boot`"
        );
        refusal.add(&key, reason);
    }
    let raid = layout.raids.iter().find(|raid| raid.id == **id);
    let mirror_only = release.is_fedora();
    if raid.is_some_and(|raid| mirror_only && raid.level != RaidLevel::Raid1) {
        let reason =
            format_args!("boots from RAID 1 only, and {path} is on another level: mount a RAID 1 at `/boot`");
        refusal.add(&key, reason);
    }
}
