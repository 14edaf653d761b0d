//! Personalising through the kernel: the new partitions are shown to it, mounted, changed, and taken away again.
//!
//! The disk has no partition table then, so nothing else sees them. Whatever happens, everything is unmounted and the
//! disk is held exclusively again when this returns.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use crate::agent::disk::install::{Personalised, Personaliser};
use crate::agent::disk::table::DiskLayout;
use crate::agent::{Failure, personalise};
use crate::probe::disks;
use crate::spec::image::{FilesystemKind, ImageManifest, ImagePartition};
use crate::spec::order::InstallOrder;
use crate::spec::plan::BelievedTime;
use crate::spec::{Code, boot};
use crate::sys::linux::disk::TargetDisk;
use crate::sys::linux::mount;
use crate::value::OrderId;

const ROOT: &str = "/run/ironstrap/root";
const BOOT: &str = "/run/ironstrap/root/boot";
const ESP: &str = "/run/ironstrap/esp";
/// A device node appears at once; under load, a little later.
const NODE_PATIENCE: Duration = Duration::from_secs(10);

/// Personalises a disk that this kernel runs beside.
#[derive(Debug)]
pub struct KernelPersonaliser<'a> {
    /// The disk.
    pub disk: &'a TargetDisk,
    /// Its kernel name.
    pub name: &'a str,
    /// What makes the system this host's.
    pub order: &'a InstallOrder,
    /// Older orders that end with it.
    pub superseded: &'a [OrderId],
    /// What is believed to be the time: the new system's clock begins no earlier.
    pub now: BelievedTime,
    /// What is inside.
    pub manifest: &'a ImageManifest,
}

impl Personaliser for KernelPersonaliser<'_> {
    fn personalise(&mut self, layout: &DiskLayout) -> Result<Personalised, Failure> {
        let failed =
            |error: anyhow::Error| Failure::new(Code::Personalise, format!("{}: {error:#}", self.name));
        self.disk.release().context("handing the disk to the kernel").map_err(failed)?;
        let made = self.with_partitions(layout);
        let held = self.disk.hold().context("taking the disk back");
        let made = made.map_err(failed)?;
        held.map_err(failed)?;
        Ok(made)
    }
}

impl KernelPersonaliser<'_> {
    fn with_partitions(&self, layout: &DiskLayout) -> Result<Personalised> {
        forget_partitions(self.disk, self.name)?;
        let partitions: Vec<_> = [&layout.esp, &layout.root].into_iter().chain(&layout.boot).collect();
        for partition in &partitions {
            self.disk
                .add_partition(partition.number, partition.offset, partition.length)
                .with_context(|| format!("showing partition {} to the kernel", partition.number))?;
        }
        let made = self.with_mounts(layout);
        for partition in partitions {
            let gone = self.disk.delete_partition(partition.number);
            if made.is_ok() {
                gone.with_context(|| format!("taking partition {} from the kernel", partition.number))?;
            }
        }
        made
    }

    fn with_mounts(&self, layout: &DiskLayout) -> Result<Personalised> {
        let kind = self.manifest.root.kind;
        let root = Mounted::mount(&self.node(&layout.root)?, Path::new(ROOT), kind.name())?;
        // above the root, and gone before it
        let boot = match (&layout.boot, &self.manifest.boot) {
            (Some(partition), Some(boot)) => {
                Some(Mounted::mount(&self.node(partition)?, Path::new(BOOT), boot.kind.name())?)
            }
            _ => None,
        };
        let esp = Mounted::mount(&self.node(&layout.esp)?, Path::new(ESP), "vfat")?;
        grow(&root, kind, layout.root.length)?;
        let mut random = |buffer: &mut [u8]| fill(buffer);
        let report = personalise::apply(
            &root.place,
            &esp.place,
            &self.order.system,
            self.manifest,
            &layout.partitions,
            &self.order.network,
            &mut random,
        )?;
        personalise::keep_time(&root.place, self.now.time)?;
        write_done_files(&esp.place, self.order, self.superseded, self.now, self.manifest.root.uuid)?;
        esp.unmount()?;
        boot.map(Mounted::unmount).transpose()?;
        root.unmount()?;
        Ok(Personalised { ssh_host_key: report.ssh_fingerprint, outcomes: report.outcomes })
    }

    /// The node of a partition, once it is there.
    fn node(&self, partition: &ImagePartition) -> Result<PathBuf> {
        let node = Path::new("/dev").join(node_name(self.name, partition.number));
        let end = Instant::now() + NODE_PATIENCE;
        while !node.exists() {
            ensure!(Instant::now() < end, "{} didn't appear", node.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(node)
    }
}

/// Makes the kernel forget every partition of this disk that it knows from an earlier table: a new one that overlaps an
/// old one would be refused. Nothing on the disk changes.
///
/// # Errors
/// A partition is in use.
pub fn forget_partitions(disk: &TargetDisk, name: &str) -> Result<()> {
    for number in disks::partition_numbers(Path::new("/sys"), name) {
        disk.delete_partition(number).with_context(|| {
            format!(
                "partition {} can't be taken away from the kernel; is it in use?",
                node_name(name, number)
            )
        })?;
    }
    Ok(())
}

/// The kernel's random numbers; it has them before anything is installed, so a failure can only be a missing system call.
fn fill(buffer: &mut [u8]) {
    while getrandom::fill(buffer).is_err() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Names that end in a digit get a `p`: `nvme0n1p2`, but `sda2`.
fn node_name(disk: &str, number: u32) -> String {
    let infix = if disk.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
    format!("{disk}{infix}{number}")
}

/// Grows a mounted file system to the length of its partition.
///
/// # Errors
/// The kernel's.
pub(in crate::agent) fn grow(root: &Mounted, kind: FilesystemKind, length: u64) -> Result<()> {
    let state = rustix::fs::statvfs(&root.place).context("asking for the root's block size")?;
    let blocks = length / state.f_frsize;
    match kind {
        FilesystemKind::Ext4 => mount::resize_ext4(&root.place, blocks),
        FilesystemKind::Xfs => mount::grow_xfs(&root.place, blocks),
    }
    .context("growing the root file system")
}

/// The last change before the commit: loaders take the disk for installed when they find the file of an order of theirs. A
/// medium that carries an older order of this host, and may come first in the boot order, looks for that one's; this order's
/// own is the last. What is in the file tells of the system that is there now, whatever order the file is called after.
fn write_done_files(
    esp: &Path,
    order: &InstallOrder,
    superseded: &[OrderId],
    now: BelievedTime,
    root: Uuid,
) -> Result<()> {
    let time = now.vouched_time().map(|time| format!(" {time}")).unwrap_or_default();
    let text = format!("{} {}{time} {root}\n", order.host, order.image.image);
    superseded.iter().chain([&order.id]).try_for_each(|id| write_done_file(esp, id, &text))
}

/// The last word of the text, the root file system, lets a later run tell whether the system is still there; the word before it,
/// a time, vouches for the time where somebody vouched for that.
fn write_done_file(esp: &Path, order: &OrderId, text: &str) -> Result<()> {
    let path = esp.join(boot::done_file(order).trim_start_matches('/'));
    let directory = path.parent().context("the done file has no directory")?;
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(directory)?;
        let mut file = std::fs::File::create(&path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::File::open(directory)?.sync_all()
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// A mounted file system; unmounted when dropped.
pub(in crate::agent) struct Mounted {
    place: PathBuf,
    active: bool,
}

impl Mounted {
    /// Mounts what is on this device, at a directory that is made if it is missing.
    ///
    /// # Errors
    /// The kernel's.
    pub(in crate::agent) fn mount(node: &Path, place: &Path, kind: &str) -> Result<Self> {
        let source = node.to_str().context("a device node has no readable name")?;
        mount::mount(source, place, kind, "").with_context(|| format!("mounting {source} as {kind}"))?;
        Ok(Self { place: place.to_owned(), active: true })
    }

    /// Unmounts it, and returns when all is written.
    ///
    /// # Errors
    /// The kernel's.
    pub(in crate::agent) fn unmount(mut self) -> Result<()> {
        self.active = false;
        mount::unmount(&self.place).with_context(|| format!("unmounting {}", self.place.display()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.active {
            let _ = mount::unmount(&self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{build, fixtures};

    #[test]
    fn partitions_are_named_as_the_kernel_names_them() {
        assert_eq!([node_name("sda", 2), node_name("nvme0n1", 3)], ["sda2", "nvme0n1p3"]);
    }

    #[test]
    fn done_files_are_where_loaders_look_and_all_tell_of_the_new_system() {
        let dir = tempfile::tempdir().unwrap();
        let order = build(&fixtures::permit(), fixtures::parts(), &fixtures::key(), fixtures::now()).unwrap();
        let older = [[1; 16], [2; 16]].map(OrderId::from_random);
        let now = BelievedTime { time: fixtures::now(), vouched: true };
        write_done_files(dir.path(), &order, &older, now, Uuid::from_u128(7)).unwrap();
        for id in older.iter().chain([&order.id]) {
            let path = dir.path().join(format!("EFI/ironstrap/done-{id}"));
            let text = std::fs::read_to_string(path).unwrap();
            assert_eq!(
                text,
                format!("web01 debian-12@1 {} 00000000-0000-0000-0000-000000000007\n", now.time)
            );
        }
        assert_eq!(std::fs::read_dir(dir.path().join("EFI/ironstrap")).unwrap().count(), 3);
        // what nobody vouched for isn't passed on
        let now = BelievedTime { vouched: false, ..now };
        write_done_files(dir.path(), &order, &[], now, Uuid::from_u128(7)).unwrap();
        let text = std::fs::read_to_string(dir.path().join(format!("EFI/ironstrap/done-{}", order.id)));
        assert_eq!(text.unwrap(), "web01 debian-12@1 00000000-0000-0000-0000-000000000007\n");
    }
}
