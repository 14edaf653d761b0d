//! Mount points, file systems and sizes of single storage commands, as Anaconda's custom partitioning takes them.

use std::collections::BTreeMap;

use super::rules;
use super::{Read, Reading, is_member, quoted};
use crate::grammar::Finding;
use crate::value::nearest;

/// Formats that Anaconda's storage library makes or puts on a partition.
const FILESYSTEMS: [&str; 22] = [
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "swap",
    "vfat",
    "efi",
    "biosboot",
    "prepboot",
    "appleboot",
    "macefi",
    "hfs",
    "hfs+",
    "f2fs",
    "ntfs",
    "gfs2",
    "jfs",
    "reiserfs",
    "lvmpv",
    "mdmember",
    "tmpfs",
];

/// What may stand where a mount point stands.
const PLACES: [&str; 6] = ["swap", "none", "None", "biosboot", "prepboot", "appleboot"];

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    let mut points: BTreeMap<String, usize> = BTreeMap::new();
    for read in reading.working().filter(|read| point(read).is_some()) {
        let name = read.name;
        let Some(place) = point(read) else { continue };
        if name != "mount" {
            shape(read, place, found);
        }
        if name == "logvol" && read.arguments.has("--thinpool") {
            continue;
        }
        let place = normal(place);
        // several swaps are meant; several boot partitions are, one a disk
        let path = place.starts_with('/');
        let single = path || PLACES[3..].contains(&place.as_str());
        if let Some(line) = points.insert(place.clone(), read.line).filter(|_| single) {
            let what = format!("{name}: {} is in line {line} already", quoted(&place));
            found.push(if path {
                Finding::error(&rules::DUPLICATE_MOUNTPOINT, read.line, what)
            } else {
                Finding::warning(&rules::DUPLICATE_MOUNTPOINT, read.line, what)
            });
        }
    }
}

/// Where a command's file system goes.
pub(super) fn point<'a>(read: &Read<'a>) -> Option<&'a str> {
    match read.name {
        "part" | "logvol" | "raid" | "btrfs" | "stratisfs" => read.arguments.first(),
        "mount" => read.arguments.words().nth(1),
        _ => None,
    }
}

/// A mount point without doubled and trailing slashes.
fn normal(place: &str) -> String {
    if !place.starts_with('/') {
        return place.to_owned();
    }
    let parts: Vec<_> = place.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}

fn shape(read: &Read, place: &str, found: &mut Vec<Finding>) {
    let (name, line, given) = (read.name, read.line, &read.arguments);
    if !place.starts_with('/') && !is_member(place) && !PLACES.contains(&place) {
        let what = format!("{name}: {} is no mount point: it doesn't begin with /", quoted(place));
        found.push(Finding::warning(&rules::MOUNTPOINT, line, what));
    }
    if let Some(fstype) = given.text("--fstype").filter(|fstype| !FILESYSTEMS.contains(fstype)) {
        let what = format!("{name}: Anaconda makes no file system {}", quoted(fstype));
        let finding = Finding::warning(&rules::FILESYSTEM, line, what);
        found.push(match nearest(fstype, FILESYSTEMS) {
            Some(near) => finding.help(format!("did you mean {near}?")),
            None => finding,
        });
    }
    sizes(read, found);
    if name == "part" && given.has("--noformat") && given.text("--onpart").is_none() {
        found.push(Finding::error(
            &rules::OPTION_NEEDS,
            line,
            "part: --noformat needs --onpart: there is nothing to keep",
        ));
    }
    if place == "/boot/efi" && given.text("--fstype").is_some_and(|fstype| !matches!(fstype, "efi" | "vfat"))
    {
        found.push(
            Finding::warning(
                &rules::EFI_FILESYSTEM,
                line,
                format!("{name}: firmware reads only an EFI system partition"),
            )
            .help("--fstype=efi"),
        );
    }
    if given.has("--encrypted") && matches!(place, "/boot" | "/boot/efi") {
        found.push(Finding::warning(
            &rules::ENCRYPTED_BOOT,
            line,
            format!("{name}: {place} is encrypted, and the boot loader must read it"),
        ));
    }
}

fn sizes(read: &Read, found: &mut Vec<Finding>) {
    let (name, line, given) = (read.name, read.line, &read.arguments);
    for option in ["--size", "--maxsize"] {
        if given.number(option).is_some_and(|size| size < 0) {
            found.push(Finding::error(&rules::SIZE, line, format!("{name}: {option} is less than 0")));
        }
    }
    let Some(most) = given.number("--maxsize") else { return };
    if given.number("--size").is_some_and(|size| size > most) {
        found.push(Finding::error(&rules::SIZE, line, format!("{name}: --maxsize is less than --size")));
    } else if !given.has("--grow") && name != "stratisfs" {
        found.push(Finding::warning(
            &rules::MAXSIZE_WITHOUT_GROW,
            line,
            format!("{name}: --maxsize has no effect without --grow"),
        ));
    }
}
