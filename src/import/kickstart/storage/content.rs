//! What a part of the layout is: its size, its file system, its place.

use crate::grammar::kickstart::is_member;
use crate::import::Reading;
use crate::import::kickstart::Given;

/// The installer's own layout.
pub fn autopart(given: &Given<'_>, reading: &mut Reading<'_>) {
    reading
        .report
        .note(given.id, "ironstrap's usual layout: an EFI system partition, /boot, and / on the rest (XFS)");
    let lost = given
        .arguments
        .options
        .iter()
        .filter(|option| !matches!(option.name, "--nohome" | "--nolvm" | "--noswap"));
    let lost: Vec<_> = lost.map(|option| option.name).collect();
    for option in lost {
        reading.report.lose(given.id, format!("{option}: say the layout in `storage:`"));
    }
    let plain = given.arguments.text("--type").is_none_or(|kind| kind == "plain");
    if !plain || !given.arguments.has("--nolvm") {
        reading.report.lose(given.id, "the installer's own layout has LVM or btrfs: say it in `storage:`");
    }
}

/// How large it is.
pub fn size(path: &str, given: &Given<'_>, reading: &mut Reading<'_>) -> Result<(), String> {
    let arguments = &given.arguments;
    if arguments.has("--recommended") || arguments.has("--hibernation") || arguments.has("--percent") {
        return Err("its size depends on the machine: say one".to_owned());
    }
    let mib = arguments.number("--size");
    let mut put = |key: &str, mib: i64| {
        reading.draft.put(&format!("{path}.{key}"), format!("{mib}MiB"), given.id);
    };
    match (mib, arguments.has("--grow")) {
        (Some(mib), false) => put("size", mib),
        (mib, true) => {
            put("min", mib.unwrap_or(1024));
            if let Some(most) = arguments.number("--maxsize") {
                put("max", most);
            }
            if mib.is_none() {
                reading.report.note(given.id, "it says no size: at least 1 GiB");
            }
        }
        (None, false) => return Err("it says no size".to_owned()),
    }
    Ok(())
}

/// What is on a device, unless something else is made of it.
pub fn content(place: &str, id: &str, given: &Given<'_>, reading: &mut Reading<'_>) -> Result<(), String> {
    if is_member(place) {
        return Ok(());
    }
    let fs = given.arguments.text("--fstype");
    let fs = match (place, fs) {
        ("swap", _) => "swap",
        (_, None) => {
            reading.report.note(given.id, "it says no file system: XFS");
            "xfs"
        }
        (_, Some("swap")) => return Err("swap is mounted nowhere: `part swap`".to_owned()),
        (_, Some(known @ ("ext4" | "xfs" | "vfat"))) => known,
        (_, Some(old @ ("ext2" | "ext3"))) => {
            reading.report.lose(given.id, format!("--fstype={old}: ext4 instead"));
            "ext4"
        }
        (_, Some(other)) => return Err(format!("a profile knows no file system `{}`", other.escape_debug())),
    };
    mount(place, fs, id, given, reading);
    Ok(())
}

/// A file system and where it is mounted.
pub fn mount(place: &str, fs: &str, id: &str, given: &Given<'_>, reading: &mut Reading<'_>) {
    let mut put = |key: &str, value: serde_json::Value| {
        reading.draft.put(&format!("storage.mounts[{id}].{key}"), value, given.id);
    };
    put("on", id.into());
    put("fs", fs.into());
    if fs != "swap" {
        put("path", place.into());
    }
    if let Some(label) = given.arguments.text("--label") {
        put("label", label.into());
    }
    let options = given.arguments.list("--fsoptions");
    if !options.is_empty() {
        put("options", options.into());
    }
}
