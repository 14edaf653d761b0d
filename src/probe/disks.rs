//! Whole disks as the kernel's `/sys/block` describes them, and what can be read off them without mounting.
//!
//! Everything works below a root directory and an opener, so that a tree of plain files stands for a machine. Content is
//! judged by `disk_probe`, how a disk is reached by `transport`; nothing is decided here. The caller says which disks may be a
//! target: these are read all over, thousands of reads, the others at their ends and in their ESPs.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::disk_probe::{self, Seen};
use super::transport::transport;
use crate::spec::facts::{Disk, DiskContent};
use crate::spec::ondisk::filesystems::{btrfs, xfs};
use crate::spec::ondisk::{Mark, ext4};
use crate::spec::{payload, recorder};
use crate::sys::block::{BlockDevice, Window};
use crate::sys::budget::Budgeted;
use crate::sys::gpt;
use crate::trust::TrustedKeys;
use crate::value::{ByteSize, OrderId, Timestamp};

/// Opens the disk with this kernel name for reading.
pub type Opener<'a> = &'a dyn Fn(&str) -> io::Result<Box<dyn BlockDevice>>;

/// Says whether a disk may be the target. It is asked when all is known of the disk but its content.
pub type Candidate<'a> = &'a dyn Fn(&Disk) -> bool;

/// Block devices that aren't disks, or stand for other disks.
const NOT_DISKS: [&str; 11] =
    ["loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd", "mtdblock", "drbd", "bcache"];

/// Entries of a directory of ours that are looked at; it has one for each order that was done.
const MOST_ENTRIES: usize = 1024;

/// How disks are looked at.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Opens one for reading.
    pub open: Opener<'a>,
    /// Claims count if one of these keys sealed them.
    pub keys: &'a TrustedKeys,
    /// Whether one is read all over.
    pub is_candidate: Candidate<'a>,
}

impl std::fmt::Debug for Look<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look").field("keys", self.keys).finish_non_exhaustive()
    }
}

/// Whether some order could mean this disk: what `plan` takes is among these, whatever the host.
pub fn may_be_a_target(disk: &Disk) -> bool {
    !disk.boot_medium && !disk.removable && (disk.transport.is_local_fixed() || disk.wwn.is_some())
}

/// Every whole disk, sorted by name.
pub fn look(sys: &Path, look: &Look<'_>) -> Vec<Disk> {
    let look_at = |name: &String| disk(&sys.join("block").join(name), name, look);
    let mut disks: Vec<_> = names(sys).iter().map(look_at).collect();
    disks.retain(|disk| disk.size.as_bytes() > 0);
    disks
}

/// Kernel names of the whole disks, sorted; without a look at them.
pub fn names(sys: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(sys.join("block")).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !NOT_DISKS.iter().any(|prefix| name.starts_with(prefix)))
        // a path of a multipath NVMe device stands for the device beside it
        .filter(|name| number(&sys.join("block").join(name).join("hidden")) != Some(1))
        .collect();
    names.sort();
    names
}

fn disk(directory: &Path, name: &str, look: &Look<'_>) -> Disk {
    let size = number(&directory.join("size")).unwrap_or(0).saturating_mul(512);
    let place = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let on_usb = place.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"usb"));
    let mut disk = Disk {
        name: name.to_owned(),
        size: ByteSize::bytes(size),
        logical_block: number(&directory.join("queue/logical_block_size")).unwrap_or(512) as u32,
        serial: serial(directory),
        wwn: wwn(directory),
        model: model(directory),
        removable: on_usb || is_card(directory) || number(&directory.join("removable")) == Some(1),
        read_only: number(&directory.join("ro")) == Some(1),
        transport: transport(directory, name),
        boot_medium: false,
        content: DiskContent::Unsampled,
        samples: None,
        unread: None,
        filesystems: Vec::new(),
        done: Vec::new(),
        done_roots: Vec::new(),
        done_at: None,
        claimed_root_in_place: false,
    };
    if size > 0 {
        match (look.open)(name) {
            Ok(device) => look_inside(&mut disk, directory, &*device, look),
            Err(error) => disk.content = DiskContent::Unreadable { error: error.to_string() },
        }
    }
    disk
}

fn look_inside(disk: &mut Disk, directory: &Path, device: &dyn BlockDevice, look: &Look<'_>) {
    let partitions: Vec<_> =
        gpt::kernel_table(device).map(|table| table.entries.into_values().collect()).unwrap_or_default();
    let ours = [payload::PARTITION_TYPE, recorder::PARTITION_TYPE];
    disk.boot_medium = partitions.iter().any(|partition| ours.contains(&partition.kind));
    for esp in partitions.iter().filter(|partition| partition.kind == gpt::ESP) {
        let files = done_files(Window::new(device, esp.offset(), esp.length())).unwrap_or_default();
        disk.done_roots.extend(files.iter().filter_map(|file| file.root));
        disk.done_at = files.iter().filter_map(|file| file.time).chain(disk.done_at).max();
        disk.done.extend(files.into_iter().map(|file| file.order));
    }
    let mut starts: Vec<u64> = partitions.iter().map(gpt::Entry::offset).collect();
    starts.extend(kernel_partitions(directory));
    starts.push(0);
    starts.sort_unstable();
    starts.dedup();
    disk.filesystems = starts.into_iter().filter_map(|start| filesystem_uuid(device, start)).collect();
    Seen { content: disk.content, samples: disk.samples, unread: disk.unread } =
        disk_probe::look(device, look.keys, (look.is_candidate)(disk));
    if let DiskContent::Ours { claim, .. } = &disk.content {
        let (root, start) = claim.root;
        disk.claimed_root_in_place = filesystem_uuid(device, start.as_bytes()) == Some(root);
    }
}

/// Where the kernel sees partitions, by whichever table, in bytes.
fn kernel_partitions(directory: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let partitions = entries.map(|entry| entry.path()).filter(|path| path.join("partition").exists());
    partitions.filter_map(|path| number(&path.join("start"))?.checked_mul(512)).collect()
}

/// Numbers of the partitions that the kernel knows on this disk, by whichever table, sorted.
pub fn partition_numbers(sys: &Path, name: &str) -> Vec<u32> {
    let entries = std::fs::read_dir(sys.join("block").join(name)).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| number(&entry.path().join("partition")));
    let mut numbers: Vec<u32> = numbers.filter_map(|number| number.try_into().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// UUID of an ext, XFS or btrfs file system that starts here.
fn filesystem_uuid(device: &dyn BlockDevice, start: u64) -> Option<Uuid> {
    // what tells it, and the place of the UUID
    const KNOWN: [(Mark, u64); 3] = [
        (ext4::MAGIC, ext4::SUPERBLOCK + ext4::S_UUID as u64),
        (xfs::MAGIC, xfs::SB_UUID),
        (btrfs::MAGIC, btrfs::SUPER_INFO_OFFSET + btrfs::FSID),
    ];
    KNOWN.iter().find_map(|(Mark { at, bytes: magic }, uuid)| {
        let mut found = [0; 8];
        device.read_at(start.checked_add(*at)?, &mut found[..magic.len()]).ok()?;
        let mut bytes = [0; 16];
        device.read_at(start.checked_add(*uuid)?, &mut bytes).ok()?;
        (found[..magic.len()] == **magic).then(|| Uuid::from_bytes(bytes))
    })
}

/// What a done file says.
#[derive(Debug)]
struct DoneFile {
    order: OrderId,
    /// Its last word.
    root: Option<Uuid>,
    /// The word before that, if it is a time: older agents wrote none.
    time: Option<Timestamp>,
}

/// The done files in this ESP.
fn done_files(esp: Window<'_>) -> io::Result<Vec<DoneFile>> {
    const LONGEST: u64 = 4096;
    /// Bytes read of an ESP: more than looking for a few files takes.
    const BUDGET: u64 = 16 << 20;
    let volume = fatfs::FileSystem::new(Budgeted::new(esp, BUDGET), fatfs::FsOptions::new())?;
    let directory = volume.root_dir().open_dir("EFI/ironstrap")?;
    let mut files = Vec::new();
    for entry in directory.iter().take(MOST_ENTRIES) {
        let entry = entry?;
        let name = entry.file_name().to_lowercase();
        let Some(order) = name.strip_prefix("done-").and_then(|id| id.parse().ok()) else { continue };
        let mut text = String::new();
        // a file that can't be read still says by its name that the order is done
        if entry.is_file() && entry.to_file().take(LONGEST).read_to_string(&mut text).is_err() {
            text.clear();
        }
        let mut words = text.split_whitespace().rev();
        let root = words.next().and_then(|word| word.parse().ok());
        files.push(DoneFile { order, root, time: words.next().and_then(|word| word.parse().ok()) });
    }
    Ok(files)
}

fn text(path: PathBuf) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

fn number(path: &Path) -> Option<u64> {
    text(path.to_owned())?.parse().ok()
}

/// An SD card in a built-in reader: the kernel calls it fixed. eMMC, which is soldered on, says `MMC`.
fn is_card(directory: &Path) -> bool {
    text(directory.join("device/type")).as_deref() == Some("SD")
}

/// virtio and NVMe say it in a file; SCSI and ATA in the unit serial number page (a header of four bytes before it).
fn serial(directory: &Path) -> Option<String> {
    let page = || {
        let page = std::fs::read(directory.join("device/vpd_pg80")).ok()?;
        let serial = String::from_utf8_lossy(page.get(4..)?).trim_matches(['\0', ' ']).to_owned();
        (!serial.is_empty()).then_some(serial)
    };
    text(directory.join("serial")).or_else(|| text(directory.join("device/serial"))).or_else(page)
}

/// A name that is unique world-wide; `t10.` names are made of model and serial and say nothing more.
fn wwn(directory: &Path) -> Option<String> {
    let name = text(directory.join("wwid")).or_else(|| text(directory.join("device/wwid")))?;
    ["naa.", "eui.", "nvme.", "uuid."].iter().any(|prefix| name.starts_with(prefix)).then_some(name)
}

/// ATA disks have their full name in the ATA information page only; SCSI's has 16 characters.
fn model(directory: &Path) -> Option<String> {
    const NAME: std::ops::Range<usize> = 60 + 54..60 + 94;
    let ata = || {
        let page = std::fs::read(directory.join("device/vpd_pg89")).ok()?;
        // words of the identity are stored with their bytes exchanged
        let bytes: Vec<u8> = page.get(NAME)?.chunks_exact(2).flat_map(|pair| [pair[1], pair[0]]).collect();
        let name = String::from_utf8_lossy(&bytes).trim_matches(['\0', ' ']).to_owned();
        (!name.is_empty()).then_some(name)
    };
    ata().or_else(|| text(directory.join("device/model")))
}

#[cfg(test)]
#[path = "disks_tests.rs"]
mod tests;
