//! The parts of a recipe as parts that can be compared.

use crate::grammar::recipe::Partition;
use crate::import::device::Device;
use crate::import::layout::{Part, PartKind, holds};

const MEGABYTE: u64 = 1_000_000;

/// The one group of a recipe, whatever it is called.
fn group() -> Device {
    Device::Group("group".to_owned())
}

/// All parts of a recipe; with `lvm` those that may be are volumes of the one group.
pub fn of_recipe(partitions: &[Partition], lvm: bool, shown: &str) -> Vec<Part> {
    let mut members = Vec::new();
    let mut found = Vec::new();
    for (number, partition) in partitions.iter().enumerate() {
        let id = Device::Part(number.to_string());
        let method = partition.field("method").unwrap_or_default();
        let volume = lvm && partition.field("$lvmok").is_some();
        let (kind, on) = match volume {
            true => (PartKind::Volume, vec![group()]),
            false => (PartKind::Partition, Vec::new()),
        };
        let mut part = Part::new(kind, id.clone(), on, shown);
        part.holds = match method.as_str() {
            "efi" => Some(holds("/boot/efi", "vfat")),
            "biosgrub" => Some("bios".to_owned()),
            "swap" => Some("swap".to_owned()),
            "lvm" => None,
            _ => {
                let fs = partition.field("filesystem").unwrap_or_else(|| partition.filesystem.clone());
                partition.field("mountpoint").map(|place| holds(&place, &fs))
            }
        };
        match method.as_str() {
            // how large the group is, is what its volumes are together
            "lvm" => members.push(id),
            _ => part.size = u64::try_from(partition.min).ok().and_then(|min| min.checked_mul(MEGABYTE)),
        }
        found.push(part);
    }
    if lvm && !members.is_empty() {
        found.push(Part::new(PartKind::Group, group(), members, shown));
    }
    found
}
