//! What Anaconda runs inside a system that it unpacked: an image without it fails on the machine, with its disk wiped.
//!
//! Read in its sources (`storage/bootloader` of the branches rhel-8 to fedora-43 and of 45): a program that is missing in the
//! new root, or a boot loader's step that fails, ends the installation. What it only warns of isn't asked for here.

use anyhow::Result;

use super::super::tree::{EntryType, ReadTree};
use crate::spec::image::ImageSystem;

const PROGRAM_DIRS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Programs that it starts there, and the packages that have them.
const PROGRAMS: [(&str, &str); 7] = [
    ("depmod", "kmod"),
    ("dracut", "dracut"),
    ("efibootmgr", "efibootmgr"),
    ("grub2-mkconfig", "grub2-tools"),
    ("kernel-install", "systemd-udev"),
    ("systemd-machine-id-setup", "systemd"),
    ("useradd", "shadow-utils"),
];
/// Started from EL 9 on.
const STUB: (&str, &str) = ("gen_grub_cfgstub", "grub2-tools");

/// What the image lacks, for people: all of it.
///
/// # Errors
/// When the image can't be read.
pub fn incompatibilities(
    root: &dyn ReadTree,
    esp: &dyn ReadTree,
    system: &ImageSystem,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let eight = system.os != "fedora" && system.os_version.split('.').next() == Some("8");
    for (program, package) in PROGRAMS.into_iter().chain((!eight).then_some(STUB)) {
        let mut there = false;
        for directory in PROGRAM_DIRS {
            there |= root.exists(&format!("{directory}/{program}"))?;
        }
        if !there {
            found.push(format!("it has no `{program}`, which Anaconda runs in it (package {package})"));
        }
    }
    if !has_shim(esp)? {
        found.push(
            "its ESP has no EFI/*/shimx64.efi, which Anaconda has the firmware start (package shim-x64)"
                .to_owned(),
        );
    }
    Ok(found)
}

/// In the vendor's own directory: `EFI/BOOT` is for disks that no firmware was told of.
fn has_shim(esp: &dyn ReadTree) -> Result<bool> {
    if !esp.exists("EFI")? {
        return Ok(false);
    }
    for vendor in esp.list("EFI")? {
        let own = vendor.kind == EntryType::Directory && !vendor.name.eq_ignore_ascii_case("BOOT");
        if own && esp.exists(&format!("EFI/{}/shimx64.efi", vendor.name))? {
            return Ok(true);
        }
    }
    Ok(false)
}
