//! What an installed disk is started by, of what an image has in its ESP: shim where firmware looks without a boot entry, and a GRUB.
//!
//! Distributions for which firmware keeps boot entries put GRUB into a folder of their own only, and `fbx64.efi` beside the first shim. That
//! shim then starts `fbx64.efi`, whether GRUB is there or not (shim.c, `should_use_fallback`), which makes a boot entry of each `.CSV` below
//! `/EFI`, puts it first, and restarts the machine where it has a TPM (fallback.c). An installed disk is to boot with empty NVRAM, from a
//! boot order that nobody changed, and where firmware forgets its entries without restarting for ever. So the agent puts the folder's
//! GRUB beside shim and takes `fbx64.efi` away: a GRUB reads the configuration of the folder that it was made for, wherever it
//! was started from.
//!
//! Promises: import, media and agent find the same GRUB by [`grub`]; a choice between several isn't made here.

use anyhow::Result;

use super::{Incompatible, Judged, RootView};

/// What firmware starts when it knows nothing of the disk.
pub const SHIM: &str = "/EFI/BOOT/BOOTX64.EFI";
/// What shim starts from there.
pub const GRUB: &str = "/EFI/BOOT/grubx64.efi";
/// What shim starts instead, where it is.
pub const FALLBACK: &str = "/EFI/BOOT/fbx64.efi";

/// The GRUB of an image: beside shim, or that of the one folder which has one, where `fbx64.efi` would lead to it.
///
/// # Errors
/// When the ESP can't be read.
pub fn grub(esp: &dyn RootView) -> Judged<String> {
    if esp.exists(GRUB)? {
        return Ok(Ok(GRUB.to_owned()));
    }
    if !esp.exists(FALLBACK)? {
        let message = format!(
            "the image's ESP has no {GRUB}: shim has nothing to start there (package grub-efi-amd64-signed)"
        );
        return Ok(Err(Incompatible::one(message)));
    }
    let mut found = of_vendors(esp)?;
    Ok(match (found.pop(), found.is_empty()) {
        (Some(grub), true) => Ok(grub),
        (None, _) => Err(Incompatible::one(format!(
            "the image's ESP has {FALLBACK} and no GRUB: neither {GRUB} nor /EFI/VENDOR/grubx64.efi (package grub2-efi-x64 or grub-efi-amd64-signed)"
        ))),
        (Some(last), false) => Err(Incompatible::one(format!(
            "the image's ESP has {FALLBACK} and several GRUBs ({}, {last}); copy the one that is to start to {GRUB}",
            found.join(", ")
        ))),
    })
}

fn of_vendors(esp: &dyn RootView) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in esp.list("/EFI")? {
        let path = format!("/EFI/{folder}/grubx64.efi");
        if !folder.eq_ignore_ascii_case("BOOT") && esp.exists(&path)? {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_rules::testing::MapTree;

    fn found(files: &[&str]) -> Result<String, String> {
        let files = files.iter().map(|path| (format!("/EFI/{path}"), String::new()));
        let tree = MapTree { files: files.collect(), ..MapTree::default() };
        grub(&tree).unwrap().map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn grub_beside_shim_is_taken_whatever_else_is_there() {
        let files =
            ["BOOT/BOOTX64.EFI", "BOOT/grubx64.efi", "BOOT/fbx64.efi", "a/grubx64.efi", "b/grubx64.efi"];
        assert_eq!(found(&files).as_deref(), Ok(GRUB));
    }

    #[test]
    fn with_fallback_the_one_folder_that_has_a_grub_is_taken() {
        let files =
            ["BOOT/BOOTX64.EFI", "BOOT/fbx64.efi", "redhat/BOOTX64.CSV", "redhat/grubx64.efi", "Dell/x.bin"];
        assert_eq!(found(&files).as_deref(), Ok("/EFI/redhat/grubx64.efi"));
    }

    #[test]
    fn without_a_grub_or_with_several_the_refusal_says_what_was_looked_for() {
        for (files, part) in [
            (
                &["BOOT/BOOTX64.EFI", "redhat/grubx64.efi"] as &[_],
                "no /EFI/BOOT/grubx64.efi: shim has nothing to start",
            ),
            (&["BOOT/fbx64.efi", "redhat/shimx64.efi"], "nor /EFI/VENDOR/grubx64.efi"),
            (
                &["BOOT/fbx64.efi", "redhat/grubx64.efi", "ubuntu/grubx64.efi"],
                "(/EFI/redhat/grubx64.efi, /EFI/ubuntu/grubx64.efi)",
            ),
        ] {
            let told = found(files).unwrap_err();
            assert!(told.contains(part), "{told}");
        }
    }
}
