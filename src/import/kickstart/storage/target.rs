//! Which disk the system goes to: the one under `/`.

use crate::import::kickstart::Given;
use crate::import::stack::Stack;

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
    pub fn of(parts: &[(&'static str, Given<'_>)], hints: &Hints) -> Self {
        let mut stack = Stack::default();
        parts.iter().for_each(|(kind, given)| add(kind, given, &mut stack));
        let esp = stack.disk_under("/boot/efi", &[]);
        let preferred: Vec<_> = [hints.boot.as_deref(), esp].into_iter().flatten().collect();
        let root = stack.disk_under("/", &preferred);
        // who names a drive for the boot loader and no other disk means that one
        let others = parts.iter().filter_map(|(_, given)| given.arguments.text("--ondisk")).map(bare);
        let boot = hints.boot.clone().filter(|boot| others.into_iter().all(|other| other == *boot));
        let found = hints.only.clone().or_else(|| root.map(ToOwned::to_owned)).or(boot);
        found.map_or(Self::Unnamed, Self::Named)
    }
}

fn add(kind: &str, given: &Given<'_>, stack: &mut Stack) {
    let arguments = &given.arguments;
    let words: Vec<_> = arguments.words().collect();
    let Some((place, members)) = words.split_first() else { return };
    // a group's name is no place: `volgroup data`, and `part data`
    let group = |name: &str| format!("group {name}");
    match kind {
        "part" => {
            if let Some(disk) = arguments.text("--ondisk") {
                stack.on_disk(place, &bare(disk));
            }
        }
        "volgroup" => members.iter().for_each(|member| stack.on_part(&group(place), member)),
        "logvol" => {
            if let Some(name) = arguments.text("--vgname") {
                stack.on_part(place, &group(name));
            }
        }
        "btrfs" if !arguments.has("--subvol") => {
            let label = arguments.text("--label").map(|label| format!("LABEL={label}"));
            for member in members {
                stack.on_part(place, member);
                label.iter().for_each(|label| stack.on_part(label, member));
            }
        }
        _ => members.iter().for_each(|member| stack.on_part(place, member)),
    }
}

/// A disk's name without its directory.
pub fn bare(disk: &str) -> String {
    disk.trim_start_matches("/dev/").to_owned()
}
