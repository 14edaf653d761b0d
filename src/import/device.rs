//! What a file calls its devices, and what stands on what, down to the disks: so that the disk under `/` can be found, which is the
//! one that a profile's `storage.target` names.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// A device by the name that a file has for it. Each kind has names of its own: a group may be called like a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Device {
    /// A disk.
    Disk(String),
    /// What has a name of its own: `pv.01`, an action's id, the place of a Kickstart's command.
    Part(String),
    /// A volume group.
    Group(String),
    /// A volume of a group.
    Volume { group: String, name: String },
    /// The file system that bears a label.
    Label(String),
    /// What is mounted at a path, where that isn't its name.
    MountPoint(String),
}

/// As the file says it; of what has no name by itself also what it is.
impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(name) | Self::Part(name) | Self::Group(name) | Self::MountPoint(name) => {
                f.write_str(name)
            }
            Self::Volume { group, name } => write!(f, "volume {group}/{name}"),
            Self::Label(label) => write!(f, "LABEL={label}"),
        }
    }
}

/// What the devices of a layout stand on.
#[derive(Debug, Default)]
pub struct Stack {
    on: HashMap<Device, Vec<Device>>,
}

impl Stack {
    /// A device is on a disk, is made of another device, or stands on it.
    pub fn put(&mut self, device: Device, on: Device) {
        self.on.entry(device).or_default().push(on);
    }

    /// The disks under a device, each once, in the order of the file.
    pub fn disks_under(&self, device: &Device) -> Vec<&str> {
        let mut disks: Vec<&str> = Vec::new();
        let mut seen = BTreeSet::from([device]);
        let mut open = vec![device];
        while let Some(device) = open.pop() {
            for under in self.on.get(device).into_iter().flatten().rev() {
                match under {
                    Device::Disk(disk) => disks.push(disk),
                    // what stands on itself is seen once
                    other if seen.insert(other) => open.push(other),
                    _ => {}
                }
            }
        }
        let mut once = BTreeSet::new();
        disks.retain(|disk| once.insert(*disk));
        disks
    }

    /// The disk under a device; of several one of the `preferred`, else the first.
    pub fn disk_under(&self, device: &Device, preferred: &[&str]) -> Option<&str> {
        let disks = self.disks_under(device);
        let one = preferred.iter().find_map(|wanted| disks.iter().find(|disk| *disk == wanted));
        one.or(disks.first()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str) -> Device {
        Device::Part(name.to_owned())
    }

    fn disk(name: &str) -> Device {
        Device::Disk(name.to_owned())
    }

    #[test]
    fn the_disk_under_a_volume_is_found_through_its_group() {
        let mut stack = Stack::default();
        let group = Device::Group("data".to_owned());
        stack.put(part("pv.data"), disk("sdb"));
        stack.put(group.clone(), part("pv.data"));
        stack.put(part("/srv"), group);
        // called like the group, and something else
        stack.put(part("data"), disk("sdd"));
        stack.put(part("raid.1"), disk("sdc"));
        stack.put(part("raid.2"), disk("sda"));
        stack.put(part("/"), part("raid.1"));
        stack.put(part("/"), part("raid.2"));
        assert_eq!(stack.disks_under(&part("/srv")), ["sdb"]);
        assert_eq!(stack.disk_under(&part("/"), &["sda"]), Some("sda"));
        let other = stack.disk_under(&part("/"), &["sdb"]);
        assert_eq!(other.map(|disk| ["sda", "sdc"].contains(&disk)), Some(true));
        assert_eq!(stack.disk_under(&part("/nowhere"), &["sda"]), None);
    }

    #[test]
    fn what_stands_on_itself_has_no_end_but_no_disk() {
        let mut stack = Stack::default();
        stack.put(part("/"), part("a"));
        stack.put(part("a"), part("b"));
        stack.put(part("b"), part("a"));
        assert!(stack.disks_under(&part("/")).is_empty());
    }

    #[test]
    fn people_read_what_the_file_says() {
        let volume = Device::Volume { group: "vg".to_owned(), name: "thin".to_owned() };
        for (device, shown) in [
            (part("pv.01"), "pv.01"),
            (Device::Group("data".to_owned()), "data"),
            (volume, "volume vg/thin"),
            (Device::Label("pool".to_owned()), "LABEL=pool"),
        ] {
            assert_eq!(device.to_string(), shown);
        }
    }
}
