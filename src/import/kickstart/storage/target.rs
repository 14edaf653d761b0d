//! Which disk the system goes to: the one under `/`.

use super::parts::Makes;
use crate::import::device::{Device, Stack};
use crate::import::kickstart::Given;

/// What a file says of the disk besides where its parts are.
#[derive(Default)]
pub struct Hints {
    /// `ignoredisk --only-use` with a single disk: everything is on it.
    pub only: Option<String>,
    /// `bootloader --boot-drive`.
    pub boot: Option<String>,
}

/// The disk that the system goes to, by its kernel name.
pub enum Target {
    Named(String),
    /// The file doesn't say; whether a disk that it names elsewhere is the same can't be told.
    Unnamed,
}

impl Target {
    /// Follows the parts from `/` down.
    pub fn of(parts: &[(Makes, Given<'_>)], hints: &Hints) -> Self {
        let mut stack = Stack::default();
        parts.iter().for_each(|(makes, given)| add(*makes, given, &mut stack));
        let esp = stack.disk_under(&device("/boot/efi"), &[]);
        let preferred: Vec<_> = [hints.boot.as_deref(), esp].into_iter().flatten().collect();
        let root = stack.disk_under(&device("/"), &preferred);
        // who names a drive for the boot loader and no other disk means that one
        let others = parts.iter().filter_map(|(_, given)| given.arguments.text("--ondisk")).map(bare);
        let boot = hints.boot.clone().filter(|boot| others.into_iter().all(|other| other == *boot));
        let found = hints.only.clone().or_else(|| root.map(ToOwned::to_owned)).or(boot);
        found.map_or(Self::Unnamed, Self::Named)
    }
}

fn add(makes: Makes, given: &Given<'_>, stack: &mut Stack) {
    let arguments = &given.arguments;
    let words: Vec<_> = arguments.words().collect();
    let Some((place, members)) = words.split_first() else { return };
    match makes {
        Makes::Partition => {
            if let Some(disk) = arguments.text("--ondisk") {
                stack.put(device(place), Device::Disk(bare(disk)));
            }
        }
        Makes::Group => members.iter().for_each(|member| stack.put(group(place), device(member))),
        Makes::Volume => {
            if let Some(name) = arguments.text("--vgname") {
                stack.put(device(place), group(name));
            }
        }
        Makes::Btrfs if !arguments.has("--subvol") => {
            let label = arguments.text("--label").map(|label| Device::Label(label.to_owned()));
            for member in members {
                stack.put(device(place), device(member));
                label.iter().for_each(|label| stack.put(label.clone(), device(member)));
            }
        }
        Makes::Array | Makes::Btrfs => {
            members.iter().for_each(|member| stack.put(device(place), device(member)))
        }
    }
}

/// What a word of a command names: a place, a member such as `pv.01`, or a file system's label.
pub fn device(word: &str) -> Device {
    match word.strip_prefix("LABEL=") {
        Some(label) => Device::Label(label.to_owned()),
        None => Device::Part(word.to_owned()),
    }
}

/// The group that a command names.
pub fn group(name: &str) -> Device {
    Device::Group(name.to_owned())
}

/// A disk's name without its directory.
pub fn bare(disk: &str) -> String {
    disk.trim_start_matches("/dev/").to_owned()
}
