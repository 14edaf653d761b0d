//! Commands of the layout as parts that can be compared.

use super::target::{device, group};
use crate::grammar::kickstart::{Arguments, is_member};
use crate::import::device::Device;
use crate::import::layout::{Part, PartKind, holds};

/// What a command of the layout makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    Partition,
    Array,
    Group,
    Volume,
    /// A file system of several devices, or a subvolume.
    Btrfs,
}

impl Makes {
    /// Nothing, if the command isn't one of the layout's.
    pub fn of(command: &str) -> Option<Self> {
        Some(match command {
            "part" | "partition" => Self::Partition,
            "raid" => Self::Array,
            "volgroup" => Self::Group,
            "logvol" => Self::Volume,
            "btrfs" => Self::Btrfs,
            _ => return None,
        })
    }
}

/// A command as a part; `shown` is the line, for people.
pub fn of_command(makes: Makes, arguments: &Arguments<'_>, shown: &str) -> Option<Part> {
    let words: Vec<_> = arguments.words().collect();
    let (place, members) = words.split_first()?;
    let devices = |words: &[&str]| words.iter().map(|word| device(word)).collect::<Vec<_>>();
    let fixed = !arguments.has("--grow");
    let mib = arguments.number("--size").filter(|_| fixed).and_then(|mib| u64::try_from(mib).ok());
    let size = mib.and_then(|mib| mib.checked_mul(1 << 20));
    let holds = content(place, arguments);
    let level = || arguments.text("--level").map(|level| level.to_lowercase().replace("raid", ""));
    let new = |kind, id, on| Part::new(kind, id, on, shown);
    Some(match makes {
        Makes::Partition => Part { holds, size, ..new(PartKind::Partition, device(place), Vec::new()) },
        Makes::Array => {
            Part { holds, detail: level(), ..new(PartKind::Array, device(place), devices(members)) }
        }
        Makes::Group => new(PartKind::Group, group(place), devices(members)),
        Makes::Volume => {
            let group_name = arguments.text("--vgname");
            let volume = |name: &str| Device::Volume {
                group: group_name.unwrap_or_default().to_owned(),
                name: name.to_owned(),
            };
            let on = arguments.text("--poolname").map(volume).or_else(|| group_name.map(group));
            let id = match arguments.has("--thinpool") {
                true => volume(arguments.text("--name").unwrap_or_default()),
                false => device(place),
            };
            let holds = holds.filter(|_| !arguments.has("--thinpool"));
            Part { holds, size, ..new(PartKind::Volume, id, on.into_iter().collect()) }
        }
        // subvolumes stand on a label, which another command gives
        Makes::Btrfs if !arguments.has("--subvol") && *place == "none" => {
            let label = Device::Label(arguments.text("--label").unwrap_or_default().to_owned());
            new(PartKind::Format, label, devices(members))
        }
        Makes::Btrfs => {
            let on = if arguments.has("--subvol") { members.get(..1) } else { Some(members) };
            let holds = Some(self::holds(place, "btrfs"));
            Part { holds, ..new(PartKind::Mount, device(place), devices(on.unwrap_or_default())) }
        }
    })
}

/// What a device holds, unless something else is made of it.
fn content(place: &str, arguments: &Arguments<'_>) -> Option<String> {
    match (place, arguments.text("--fstype")) {
        ("biosboot", _) => Some("bios".to_owned()),
        ("swap", _) => Some("swap".to_owned()),
        ("/boot/efi", _) => Some(holds(place, "vfat")),
        (place, _) if is_member(place) => None,
        // a profile has the newest of the family, and the line says so
        (place, Some("ext2" | "ext3")) => Some(holds(place, "ext4")),
        (place, fs) => Some(holds(place, fs.unwrap_or("xfs"))),
    }
}
