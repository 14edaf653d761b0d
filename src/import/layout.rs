//! What a layout means, whatever its parts are called: so that what a file says and what was rendered can be held against each other.
//!
//! A part is told by its kind and by what stands on it in the end: mount points with their file systems, swap, a boot partition.
//! Two parts on which different things stand are never one, however alike they are written.
//!
//! Pure; a reader per format makes [`Part`]s of its lines. Don't add names of devices to what is compared: a profile has its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::device::Device;
use super::line_report::Id;

/// What kind of part it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartKind {
    Disk,
    Partition,
    Group,
    Volume,
    Array,
    Format,
    Mount,
}

impl PartKind {
    fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Partition => "partition",
            Self::Group => "volume group",
            Self::Volume => "logical volume",
            Self::Array => "array",
            Self::Format => "file system",
            Self::Mount => "mount",
        }
    }
}

/// A part of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub kind: PartKind,
    /// What its own layout calls it.
    pub id: Device,
    /// What it stands on or is made of, by the same names.
    pub on: Vec<Device>,
    /// What it is in itself: `/boot ext4`, `swap`, `bios`.
    pub holds: Option<String>,
    /// In bytes, where it is told exactly.
    pub size: Option<u64>,
    /// `raid1`, or the file system of a format.
    pub detail: Option<String>,
    /// The line that says it, for people.
    pub text: String,
}

impl Part {
    /// One with neither size nor detail.
    pub fn new(kind: PartKind, id: Device, on: Vec<Device>, text: &str) -> Self {
        Self { kind, id, on, holds: None, size: None, detail: None, text: text.to_owned() }
    }
}

/// `/boot ext4`, by the names that all formats share.
pub fn holds(place: &str, fs: &str) -> String {
    format!("{place} {}", file_system(fs))
}

/// A file system's name in a profile.
pub fn file_system(fs: &str) -> &str {
    match fs {
        "fat" | "fat32" | "efi" => "vfat",
        fs => fs,
    }
}

/// What stands on each of some parts, at last.
fn places(parts: &[&Part]) -> Vec<BTreeSet<String>> {
    let mut by_id: HashMap<&Device, Vec<usize>> = HashMap::new();
    for (number, part) in parts.iter().enumerate() {
        by_id.entry(&part.id).or_default().push(number);
    }
    let mut found = vec![BTreeSet::new(); parts.len()];
    for (number, holds) in parts.iter().enumerate().filter_map(|(at, part)| Some((at, part.holds.as_ref()?)))
    {
        let (mut open, mut seen) = (vec![number], HashSet::from([number]));
        while let Some(at) = open.pop() {
            if let Some(places) = found.get_mut(at) {
                places.insert(holds.clone());
            }
            let under = parts.get(at).into_iter().flat_map(|part| &part.on);
            let under = under.flat_map(|id| by_id.get(id).into_iter().flatten());
            open.extend(under.filter(|other| seen.insert(**other)));
        }
    }
    found
}

/// Said of a file that leaves the layout to a Debian or Ubuntu installer.
pub const USUAL_ON_EXT4: &str = "ironstrap's usual layout: an EFI system partition, and / on the rest (ext4)";

/// For each line what was rendered for it, or why nothing was.
pub type Found = BTreeMap<Id, Result<String, String>>;

/// Holds what lines say against what was rendered. Things of `said` stand with the line that they came from; of several on one
/// line each must be there.
pub fn compare(said: &[(Id, Part)], rendered: &[Part]) -> Found {
    let theirs: Vec<_> = rendered.iter().collect();
    let mut index: HashMap<(PartKind, BTreeSet<String>), Vec<&Part>> = HashMap::new();
    let mut disks = Vec::new();
    for (part, places) in theirs.iter().zip(places(&theirs)) {
        match part.kind {
            PartKind::Disk => disks.push((places, *part)),
            kind => index.entry((kind, places)).or_default().push(part),
        }
    }
    let ours: Vec<_> = said.iter().map(|(_, part)| part).collect();
    // what was rendered once is no two parts
    let mut used = HashSet::new();
    let mut found = Found::new();
    for ((id, part), places) in said.iter().zip(places(&ours)) {
        // ironstrap makes partitions of its own on a disk
        let disk = || disks.iter().find(|(on, _)| places.is_subset(on)).map(|(_, disk)| *disk);
        let same = match part.kind {
            PartKind::Disk => disk(),
            kind => {
                let alike = index.get(&(kind, places.clone())).into_iter().flatten();
                let free = |other: &&Part| !used.contains(&std::ptr::from_ref(*other));
                let same = alike.copied().filter(free).find(|other| agrees(part, other));
                used.extend(same.map(std::ptr::from_ref));
                same
            }
        };
        let verdict = same.map(|part| part.text.clone()).ok_or_else(|| lacking(part, &places));
        let known = found.entry(*id).or_insert_with(|| verdict.clone());
        if verdict.is_err() && known.is_ok() {
            *known = verdict;
        }
    }
    found
}

/// What one of them leaves open, the other may say.
fn agrees(part: &Part, other: &Part) -> bool {
    let size = part.size.is_none() || other.size.is_none() || part.size == other.size;
    size && (part.detail.is_none() || part.detail == other.detail)
}

fn lacking(part: &Part, places: &BTreeSet<String>) -> String {
    let shown: Vec<_> = places.iter().take(4).map(|place| place.escape_debug().to_string()).collect();
    let of = if shown.is_empty() { String::new() } else { format!(" for `{}`", shown.join("`, `")) };
    format!("what is rendered has no such {}{of}: say it in `storage:`", PartKind::name(part.kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> Device {
        Device::Part(name.to_owned())
    }

    fn layout(place: &str, fs: &str) -> Vec<Part> {
        let mut mount = Part::new(PartKind::Mount, device("m"), vec![device("f")], "the mount");
        mount.holds = Some(holds(place, fs));
        let mut format = Part::new(PartKind::Format, device("f"), vec![device("p")], "the format");
        format.detail = Some(file_system(fs).to_owned());
        let mut partition = Part::new(PartKind::Partition, device("p"), vec![device("d")], "the partition");
        partition.size = Some(5);
        vec![Part::new(PartKind::Disk, device("d"), Vec::new(), "the disk"), partition, format, mount]
    }

    fn said(parts: Vec<Part>) -> Vec<(Id, Part)> {
        parts.into_iter().enumerate().map(|(number, part)| (Id(number), part)).collect()
    }

    #[test]
    fn what_stands_on_a_part_says_which_it_is() {
        let rendered = [layout("/srv", "xfs"), layout("/boot/efi", "fat32")].concat();
        // two layouts that use the same names are one layout with more on each part
        let alone = layout("/srv", "xfs");
        assert!(compare(&said(layout("/srv", "xfs")), &alone).values().all(Result::is_ok));
        for (place, fs) in [("/boot", "xfs"), ("/srv", "ext4")] {
            let found = compare(&said(layout(place, fs)), &alone);
            assert!(found.values().all(Result::is_err), "{found:?}");
        }
        assert_eq!(
            compare(&said(layout("/boot/efi", "vfat")), &rendered)[&Id(3)],
            Ok("the mount".to_owned())
        );
    }

    #[test]
    fn two_sizes_are_two_partitions() {
        let mut other = layout("/srv", "xfs");
        other[1].size = Some(6);
        assert!(compare(&said(layout("/srv", "xfs")), &other)[&Id(1)].is_err());
        other[1].size = None;
        assert!(compare(&said(layout("/srv", "xfs")), &other)[&Id(1)].is_ok());
    }

    #[test]
    fn what_stands_on_itself_has_no_end() {
        let mut ring = layout("/", "xfs");
        ring[1].on = vec![device("m")];
        assert!(compare(&said(ring.clone()), &ring).values().all(Result::is_ok));
    }
}
