//! Which disks of a machine its firmware can boot, as far as they show it.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use uuid::Uuid;

use crate::probe::disks::Opener;
use crate::spec::claim::Stage;
use crate::spec::facts::{Disk, DiskContent};
use crate::spec::image::ImagePartition;
use crate::spec::ondisk::ext4;
use crate::spec::ondisk::filesystems::xfs;
use crate::sys::block::{BlockDevice, Window};
use crate::sys::budget::Budgeted;
use crate::sys::gpt;
use crate::value::Digest;

const MIB: u64 = 1 << 20;
/// As far as its counters go (`sb_fdblocks`).
const XFS_SUPERBLOCK: usize = 152;

/// A fixed disk with an intact partition table and an EFI system partition from which something can be booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) struct Bootable {
    /// Kernel name.
    pub(in crate::agent) disk: String,
    /// `Disk::stable_name`.
    pub(in crate::agent) name: String,
    /// Its EFI system partition.
    pub(in crate::agent) esp: ImagePartition,
    /// Whether the loader is there that firmware starts without an entry; if not, there is an entry.
    pub(in crate::agent) has_loader: bool,
    /// What its ext and XFS file systems say of their last mount; `None` where it has none. It changes with every mount that
    /// writes.
    pub(in crate::agent) mounted: Option<String>,
    /// Why nobody should boot it unless an order is done there.
    pub(in crate::agent) trouble: Option<String>,
}

/// The bootable ones of these disks. `entries` are the EFI system partitions that boot entries of the firmware name.
pub(in crate::agent) fn look(disks: &[Disk], open: Opener<'_>, entries: &[Uuid]) -> Vec<Bootable> {
    let fixed = disks.iter().filter(|disk| !disk.removable && !disk.boot_medium);
    fixed.filter_map(|disk| bootable(disk, disks, &*open(&disk.name).ok()?, entries)).collect()
}

fn bootable(disk: &Disk, all: &[Disk], device: &dyn BlockDevice, entries: &[Uuid]) -> Option<Bootable> {
    let table = gpt::kernel_table(device)?;
    let esps = table.entries.iter().filter(|(_, entry)| entry.kind == gpt::ESP).map(|(number, entry)| {
        let has_loader = loader(Window::new(device, entry.offset(), entry.length())).unwrap_or(false);
        (*number, entry, has_loader)
    });
    let mut esps: Vec<_> =
        esps.filter(|(_, entry, has_loader)| *has_loader || entries.contains(&entry.guid)).collect();
    // a loader that needs no entry is surest
    esps.sort_by_key(|(number, _, has_loader)| (!has_loader, *number));
    let (number, entry, has_loader) = esps.into_iter().next()?;
    Some(Bootable {
        disk: disk.name.clone(),
        name: disk.stable_name(),
        esp: ImagePartition {
            number,
            kind: entry.kind,
            guid: entry.guid,
            offset: entry.offset(),
            length: entry.length(),
            name: entry.name.clone(),
        },
        has_loader,
        mounted: mounted(device, &table),
        trouble: half_written(disk, &table).or_else(|| shared(disk, all)).or_else(|| far(disk)),
    })
}

/// Installs of ours keep LBA 0 zeroed until all is there, so a table says enough; but a disk that failed may have refused that
/// write, too. Partitions that aren't where the claimed image has its root are somebody else's, made since.
fn half_written(disk: &Disk, table: &gpt::Table) -> Option<String> {
    let DiskContent::Ours { claim, closed, .. } = &disk.content else { return None };
    let as_claimed = table.entries.values().any(|entry| entry.offset() == claim.root.1.as_bytes());
    let begun = !matches!(claim.stage, Stage::Ready { .. }) && as_claimed;
    (*closed || begun).then(|| format!("order {} was begun on it and isn't done", claim.grant.order))
}

/// What other machines see, too, isn't this one's own.
fn far(disk: &Disk) -> Option<String> {
    (!disk.transport.is_local_fixed()).then(|| format!("it {}", disk.transport.words()))
}

/// The kernel mounts a root by its UUID.
fn shared(disk: &Disk, all: &[Disk]) -> Option<String> {
    let own: BTreeSet<_> = disk.filesystems.iter().collect();
    let others = all.iter().filter(|other| other.name != disk.name);
    let other = others.into_iter().find(|other| other.filesystems.iter().any(|uuid| own.contains(uuid)))?;
    Some(format!("{} carries a file system of the same UUID", other.name))
}

fn loader(esp: Window<'_>) -> io::Result<bool> {
    /// Bytes read of an ESP: more than looking for one file takes.
    const BUDGET: u64 = 16 << 20;
    let volume = fatfs::FileSystem::new(Budgeted::new(esp, BUDGET), fatfs::FsOptions::new())?;
    let file = volume.root_dir().open_file("EFI/BOOT/BOOTX64.EFI");
    Ok(file.is_ok())
}

/// Time and number of mounts of all ext file systems (`s_mtime`, `s_mnt_count`), and superblocks and logs of all XFS ones, which keep
/// neither.
/// Roots of other kinds need a place of their own here.
fn mounted(device: &dyn BlockDevice, table: &gpt::Table) -> Option<String> {
    use ext4::{S_MAGIC, S_MNT_COUNT, S_MTIME};
    let mut seen = Vec::new();
    for entry in table.entries.values() {
        let mut bytes = [0; 64];
        let place = entry.offset().checked_add(ext4::SUPERBLOCK);
        if place.is_some_and(|place| device.read_at(place, &mut bytes).is_ok())
            && bytes[S_MAGIC..].starts_with(ext4::MAGIC.bytes)
        {
            seen.extend(entry.first.to_le_bytes());
            seen.extend(&bytes[S_MTIME..S_MTIME + 4]);
            seen.extend(&bytes[S_MNT_COUNT..S_MNT_COUNT + 2]);
        }
        if let Some((superblock, log)) = xfs_log(device, entry) {
            seen.extend(entry.first.to_le_bytes());
            seen.extend(superblock);
            let digests = log.clone().step_by(MIB as usize).map_while(|at| {
                let mut bytes = vec![0; (log.end - at).min(MIB) as usize];
                device.read_at(at, &mut bytes).ok().map(|()| *Digest::of(&bytes).as_bytes())
            });
            seen.extend(digests.flatten());
        }
    }
    (!seen.is_empty()).then(|| Digest::of(&seen).to_string().chars().take(16).collect())
}

/// The superblock of an XFS file system, whose counters an unmount writes, and its log, as bytes of the device: every mount that
/// writes writes into it. The beginning of a very long one; it is written all round.
fn xfs_log(device: &dyn BlockDevice, partition: &gpt::Entry) -> Option<([u8; XFS_SUPERBLOCK], Range<u64>)> {
    const LONGEST: u64 = 256 * MIB;
    let mut superblock = [0; XFS_SUPERBLOCK];
    device.read_at(partition.offset(), &mut superblock).ok()?;
    superblock.starts_with(xfs::MAGIC.bytes).then_some(())?;
    let number = |at, length| xfs::number(&superblock, at, length);
    let first = number(xfs::SB_LOGSTART, 8);
    let shift = number(xfs::SB_AGBLKLOG, 1) as u32;
    let group = first.checked_shr(shift)?;
    let block = number(xfs::SB_BLOCKSIZE, 4);
    let place = group.checked_mul(number(xfs::SB_AGBLOCKS, 4))?.checked_add(first - (group << shift))?;
    let begin = partition.offset().checked_add(place.checked_mul(block)?)?;
    let end = begin.checked_add((number(xfs::SB_LOGBLOCKS, 4) * block).min(LONGEST))?;
    let is_inside = first > 0 && end - partition.offset() <= partition.length();
    is_inside.then_some((superblock, begin..end))
}
