//! Putting a whole-disk image together from a root file system: partition table, ESP, root.
//!
//! Promises: no loop device and no privilege; the same parts give the same bytes; the result has the form that
//! [`layout`](super::layout) asks for, with the root physically last. The device must hold zeroes.

use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use crate::sys::block::{BlockDevice, Window, write_sparse_at};
use crate::sys::fat::{FatFile, format_fat32};
use crate::sys::gpt::{self, Entry, Table};
use crate::value::{Digest, ImageRef};

const MIB: u64 = 1 << 20;
/// Size of the ESP: enough for two generations of loaders, and above the smallest FAT32.
const ESP_SIZE: u64 = 64 * MIB;
const BIOS_BOOT_START: u64 = MIB;
const ESP_START: u64 = 2 * MIB;
const ROOT_START: u64 = ESP_START + ESP_SIZE;

/// The identifiers of an image, all derived from its name and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// GUID of the disk; each installed disk has its own.
    pub disk: Uuid,
    /// GUIDs of the three partitions; those of an installed disk are its own.
    pub partitions: [Uuid; 3],
    /// UUID of the root file system.
    pub root: Uuid,
    /// Volume id of the ESP.
    pub esp: u32,
}

impl Identity {
    /// The identifiers for this name and version.
    pub fn of(image: &ImageRef) -> Self {
        let random = |what: &str| {
            let digest = Digest::of(format!("ironstrap image\0{image}\0{what}").as_bytes());
            uuid::Builder::from_random_bytes(std::array::from_fn(|i| digest.as_bytes()[i])).into_uuid()
        };
        Self {
            disk: random("disk"),
            partitions: [random("bios-boot"), random("esp"), random("root")],
            root: random("root file system"),
            esp: random("esp file system").as_fields().0,
        }
    }

    /// The ESP's volume id as `/dev/disk/by-uuid` spells it.
    pub fn esp_uuid(&self) -> String {
        format!("{:04X}-{:04X}", self.esp >> 16, self.esp & 0xffff)
    }
}

/// Size of the image with a root file system of this many bytes.
pub fn image_size(root: u64) -> u64 {
    ROOT_START + root.next_multiple_of(MIB) + MIB
}

/// Writes the image. `device` has [`image_size`] bytes, all zero.
///
/// # Errors
/// When the parts don't fit, or a device fails.
pub fn assemble(
    device: &dyn BlockDevice,
    root: &dyn BlockDevice,
    esp: Vec<FatFile<'_>>,
    identity: &Identity,
) -> Result<()> {
    let size = image_size(root.size());
    ensure!(device.size() == size, "the image is {} bytes long, expected {size}", device.size());
    let [bios_guid, esp_guid, root_guid] = identity.partitions;
    let root_length = root.size().next_multiple_of(MIB);
    let mut table = Table::new(identity.disk);
    let entries = [
        Entry::new(gpt::BIOS_BOOT, bios_guid, BIOS_BOOT_START, MIB, "bios-boot"),
        Entry::new(gpt::ESP, esp_guid, ESP_START, ESP_SIZE, "esp"),
        Entry::new(gpt::LINUX_ROOT_X64, root_guid, ROOT_START, root_length, "root"),
    ];
    table.entries.extend((1..).zip(entries));
    let built = table.build(size)?;
    let mut window = Window::new(device, ESP_START, ESP_SIZE);
    format_fat32(&mut window, "ESP", identity.esp, esp).context("making the image's ESP")?;
    copy_without_zeroes(root, device, ROOT_START).context("copying the root file system")?;
    device.write_at(0, &built.primary).context("writing the partition table")?;
    device.write_at(built.backup_offset, &built.backup).context("writing the backup partition table")?;
    Ok(())
}

/// Copies a device into another one that holds zeroes; runs of zeroes stay holes.
fn copy_without_zeroes(from: &dyn BlockDevice, to: &dyn BlockDevice, place: u64) -> std::io::Result<()> {
    let mut buffer = vec![0; MIB as usize];
    let mut done = 0;
    while done < from.size() {
        let count = usize::try_from(from.size() - done).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        from.read_at(done, &mut buffer[..count])?;
        write_sparse_at(to, place + done, &buffer[..count])?;
        done += count as u64;
    }
    Ok(())
}

/// Writes a device's content to a file, zeroes as holes. The file is cut or grown to the device's size.
///
/// # Errors
/// When the device can't be read or the file not be written.
pub fn write_sparse(device: &dyn BlockDevice, file: &mut std::fs::File) -> Result<()> {
    file.set_len(0).and_then(|()| file.set_len(device.size())).context("sizing the file")?;
    let target = crate::sys::block::FileDevice::new(file.try_clone()?, device.size(), 512);
    copy_without_zeroes(device, &target, 0).context("copying")?;
    file.flush().context("writing")
}
