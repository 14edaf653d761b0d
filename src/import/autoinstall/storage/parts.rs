//! curtin's actions as parts that can be compared, and what each partition is for.

use std::collections::HashMap;

use super::action::Action;
use crate::import::device::Device;
use crate::import::layout::{Part, PartKind, file_system, holds};

/// What stands on a device: file systems, and where each is mounted.
#[derive(Debug, Default)]
pub struct Uses<'d> {
    /// By the device: its formats' ids with their file systems.
    formats: HashMap<&'d str, Vec<(&'d str, &'d str)>>,
    /// By the format: its file system, wherever it stands.
    fs: HashMap<&'d str, &'d str>,
    /// By the format: its mounts' paths.
    mounts: HashMap<&'d str, Vec<&'d str>>,
}

impl<'d> Uses<'d> {
    /// Reads formats and mounts, wherever they stand.
    pub fn of(actions: impl Iterator<Item = Action<'d>>) -> Self {
        let mut uses = Self::default();
        for action in actions {
            match (action.text("type"), action.text("id")) {
                (Some("format"), Some(id)) => {
                    let Some(fs) = action.text("fstype").map(file_system) else { continue };
                    uses.fs.insert(id, fs);
                    if let Some(on) = action.text("volume") {
                        uses.formats.entry(on).or_default().push((id, fs));
                    }
                }
                (Some("mount"), _) => {
                    if let (Some(on), Some(path)) = (action.text("device"), action.text("path")) {
                        uses.mounts.entry(on).or_default().push(path);
                    }
                }
                _ => {}
            }
        }
        uses
    }

    /// The file systems on a device.
    pub fn file_systems(&self, device: &str) -> impl Iterator<Item = &'d str> {
        self.formats.get(device).into_iter().flatten().map(|(_, fs)| *fs)
    }

    /// Where what is on a device is mounted.
    pub fn places(&self, device: &str) -> Vec<&'d str> {
        let formats = self.formats.get(device).into_iter().flatten();
        formats.flat_map(|(id, _)| self.mounts.get(id).into_iter().flatten().copied()).collect()
    }

    /// Whether a partition is an EFI system partition: FAT at /boot/efi, or FAT with the flag and mounted nowhere.
    pub fn is_esp(&self, id: &str, flag: Option<&str>) -> bool {
        let (fat, places) = (self.file_systems(id).all(|fs| fs == "vfat"), self.places(id));
        let formatted = self.formats.contains_key(id);
        let here = places.as_slice() == ["/boot/efi"] || (places.is_empty() && flag == Some("boot"));
        formatted && fat && here
    }
}

/// An action as a part; swap's mounts say nothing.
pub fn of_action(action: Action<'_>, uses: &Uses<'_>, shown: &str) -> Option<Part> {
    let get = |key: &str| action.text(key);
    let device = |id: &str| Device::Part(id.to_owned());
    let many = |key: &str| action.list(key).map(device).collect::<Vec<_>>();
    let one = |key: &str| get(key).map(device).into_iter().collect::<Vec<_>>();
    let id = get("id")?;
    let new = |kind, on| Part::new(kind, device(id), on, shown);
    let part = match get("type")? {
        "disk" => new(PartKind::Disk, Vec::new()),
        "partition" => {
            let esp = uses.is_esp(id, get("flag")) && uses.places(id).is_empty();
            let holds = match get("flag") {
                Some("bios_grub") => Some("bios".to_owned()),
                _ => esp.then(|| holds("/boot/efi", "vfat")),
            };
            Part { holds, size: get("size").and_then(bytes), ..new(PartKind::Partition, one("device")) }
        }
        "lvm_volgroup" => new(PartKind::Group, many("devices")),
        "lvm_partition" => {
            Part { size: get("size").and_then(bytes), ..new(PartKind::Volume, one("volgroup")) }
        }
        "raid" => {
            let level = get("raidlevel").map(|level| level.trim_start_matches("raid").to_owned());
            Part { detail: level, ..new(PartKind::Array, [many("devices"), many("spare_devices")].concat()) }
        }
        "format" => {
            let fs = file_system(get("fstype")?);
            // an EFI system partition is mounted, whether the file says so or not
            let unmounted = fs == "vfat" && get("volume").is_some_and(|on| uses.places(on).is_empty());
            let place = match fs {
                "swap" => Some("swap".to_owned()),
                _ => unmounted.then(|| holds("/boot/efi", fs)),
            };
            Part { holds: place, detail: Some(fs.to_owned()), ..new(PartKind::Format, one("volume")) }
        }
        "mount" => {
            let fs = uses.fs.get(get("device")?).copied().unwrap_or_default();
            if fs == "swap" {
                return None;
            }
            Part { holds: Some(holds(get("path")?, fs)), ..new(PartKind::Mount, one("device")) }
        }
        _ => return None,
    };
    Some(part)
}

/// A size that is told exactly.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let shift = match unit.trim_end_matches(['i', 'B', 'b']) {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}
