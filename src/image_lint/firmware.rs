//! `image-no-firmware`: files that the drivers of the hardware may ask for, and the image doesn't have.
//!
//! A driver names the files of all cards that it is for, often several versions of each: told is one of which none is there.

use std::collections::BTreeSet;

use anyhow::Result;

use super::drivers::Device;
use super::rules::NO_FIRMWARE;
use super::{Finding, LIKE_RHEL, Shelf, Subject};
use crate::image_rules::modinfo::{firmware_names, unpack_module};

/// No module of a distribution is longer.
const LARGEST_MODULE: u64 = 64 << 20;
/// So many files are named.
const MOST_NAMES: usize = 3;
/// So many of a driver's names are looked for: the longest list of Debian's kernel is half of it.
const MOST_LOOKED_FOR: usize = 256;

/// Which package of Debian 12 and 13 brings the files that begin so. Source: the file lists of source package firmware-nonfree. Of those that
/// moved in between, both packages are named.
const DEBIAN: &[(&str, &str)] = &[
    ("bnx2/", "firmware-bnx2"),
    ("bnx2x/", "firmware-bnx2x"),
    ("rtl_nic/", "firmware-realtek"),
    ("intel/ice/", "firmware-misc-nonfree (Debian 12) or firmware-intel-misc (Debian 13)"),
    ("tigon/", "firmware-misc-nonfree"),
    ("cxgb", "firmware-misc-nonfree"),
    ("qed/", "firmware-qlogic"),
    ("ql2", "firmware-qlogic"),
    ("netronome/", "firmware-netronome"),
    ("myri10ge", "firmware-myricom"),
    ("liquidio/", "firmware-cavium"),
    ("phanfw", "firmware-netxen"),
];

pub(super) fn find(subject: &Subject<'_>, shelf: &Shelf, devices: &[Device<'_>]) -> Result<Vec<Finding>> {
    let modules = shelf.modules(subject)?;
    let mut drivers = BTreeSet::new();
    for device in devices {
        drivers.extend(modules.drivers(device.modalias));
    }
    // a card's file may be asked for by a module below its driver, as qed is of qede
    let files: BTreeSet<&String> = drivers.iter().flat_map(|driver| modules.files(driver)).collect();
    let mut found = Vec::new();
    for file in files {
        let wanted = wanted(subject, shelf, &format!("{}/{file}", modules.folder))?;
        if wanted.is_empty() || is_any_there(subject, &wanted)? {
            continue;
        }
        let named: Vec<_> =
            wanted.iter().take(MOST_NAMES).map(|name| name.escape_debug().to_string()).collect();
        let more = wanted.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!(
            "{} may ask for firmware of which nothing is in the image: {}{more}",
            crate::spec::depmod::module_name(file),
            named.join(", ")
        );
        let mut finding = Finding::new(&NO_FIRMWARE, message);
        if let Some(package) = package(subject, &wanted) {
            finding = finding.help(format!("install {package}"));
        }
        found.push(finding);
    }
    Ok(found)
}

/// What a module names, read once; nothing where it can't be read, which whoever loads it will say.
fn wanted(subject: &Subject<'_>, shelf: &Shelf, path: &str) -> Result<Vec<String>> {
    if let Some(known) = shelf.firmware.borrow().get(path) {
        return Ok(known.clone());
    }
    let names = match subject.whole(path, LARGEST_MODULE)? {
        None => Vec::new(),
        Some(packed) => {
            unpack_module(path, &packed).and_then(|plain| firmware_names(path, &plain)).unwrap_or_default()
        }
    };
    shelf.firmware.borrow_mut().insert(path.to_owned(), names.clone());
    Ok(names)
}

/// Whether any of these is where the kernel looks: drivers/base/firmware_loader/main.c, `fw_path`.
fn is_any_there(subject: &Subject<'_>, names: &[String]) -> Result<bool> {
    let kernel = &subject.system.kernel;
    let updates = format!("/lib/firmware/updates/{kernel}");
    let own = format!("/lib/firmware/{kernel}");
    for name in names.iter().take(MOST_LOOKED_FOR) {
        if name.contains(['*', '?', '[']) {
            // no driver of a disk or a network card names a pattern in a folder that isn't its own
            let folder = name.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default();
            if !subject.root.list(&format!("/lib/firmware/{folder}"))?.is_empty() {
                return Ok(true);
            }
            continue;
        }
        for folder in [&updates, "/lib/firmware/updates", &own, "/lib/firmware"] {
            for ending in ["", ".zst", ".xz"] {
                if subject.root.exists(&format!("{folder}/{name}{ending}"))? {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

fn package(subject: &Subject<'_>, names: &[String]) -> Option<&'static str> {
    if subject.is_like(&["debian"]) {
        let of = |name: &String| DEBIAN.iter().find(|(beginning, _)| name.starts_with(beginning));
        return names.iter().find_map(of).map(|(_, package)| *package);
    }
    (subject.is_like(LIKE_RHEL) || subject.is_like(&["ubuntu"])).then_some("linux-firmware")
}
