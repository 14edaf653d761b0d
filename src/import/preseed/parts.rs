//! The parts of a recipe as things that can be compared.

use crate::grammar::recipe::Partition;
use crate::import::layout::{PartKind, Thing, holds};

const GROUP: &str = "group";
const MEGABYTE: u64 = 1_000_000;

/// All parts of a recipe; with `lvm` those that may be are volumes of the one group.
pub fn things(partitions: &[Partition], lvm: bool, shown: &str) -> Vec<Thing> {
    let mut members = Vec::new();
    let mut found = Vec::new();
    for (number, part) in partitions.iter().enumerate() {
        let id = number.to_string();
        let method = part.field("method").unwrap_or_default();
        let volume = lvm && part.field("$lvmok").is_some();
        let (kind, on) = match volume {
            true => (PartKind::Volume, vec![GROUP.to_owned()]),
            false => (PartKind::Partition, Vec::new()),
        };
        let mut thing = Thing::new(kind, &id, on, shown);
        thing.holds = match method.as_str() {
            "efi" => Some(holds("/boot/efi", "vfat")),
            "biosgrub" => Some("bios".to_owned()),
            "swap" => Some("swap".to_owned()),
            "lvm" => None,
            _ => {
                let fs = part.field("filesystem").unwrap_or_else(|| part.filesystem.clone());
                part.field("mountpoint").map(|place| holds(&place, &fs))
            }
        };
        match method.as_str() {
            // how large the group is, is what its volumes are together
            "lvm" => members.push(id),
            _ => thing.size = u64::try_from(part.min).ok().and_then(|min| min.checked_mul(MEGABYTE)),
        }
        found.push(thing);
    }
    if lvm && !members.is_empty() {
        found.push(Thing::new(PartKind::Group, GROUP, members, shown));
    }
    found
}
