//! Files that name partitions: they boot on a disk whose partitions have other GUIDs.

use super::*;

/// A marker file that each place of a loader or mount gets: `{1}` and `{2}` are the partitions' GUIDs.
const NAMES_PARTITIONS: &str = "PARTUUID={2} / ext4\nPARTUUID={1} /boot/efi vfat\n";

fn with_guids(text: &str, partitions: &[ImagePartition]) -> String {
    partitions.iter().fold(text.to_owned(), |text, partition| {
        text.replace(&format!("{{{}}}", partition.number), &partition.guid.to_string())
    })
}

#[test]
fn loaders_and_mounts_name_the_disks_partitions() {
    let image = Image::debian();
    let (old, new) = (image.manifest.partitions.clone(), image.disk_partitions());
    let paths = [
        "root/etc/fstab",
        "root/etc/crypttab",
        "root/etc/default/grub",
        "root/etc/default/grub.d/40-cloud.cfg",
        "root/etc/kernel/cmdline",
        "root/etc/grub.d/40_custom",
        "root/etc/initramfs-tools/conf.d/resume",
        "root/boot/grub/grub.cfg",
        "root/boot/grub2/grub.cfg",
        "root/boot/loader/entries/x-6.1.conf",
        "esp/EFI/debian/grub.cfg",
        "esp/EFI/BOOT/GRUB.CFG",
        "esp/loader/entries/x.conf",
    ];
    for path in paths.iter().chain(&["root/usr/share/doc/fstab", "root/etc/default/other"]) {
        image.put(&format!("../{path}"), &with_guids(NAMES_PARTITIONS, &old));
    }
    std::fs::set_permissions(image.path("boot/grub/grub.cfg"), std::fs::Permissions::from_mode(0o400))
        .unwrap();
    let mut environment = with_guids("# GRUB Environment Block\nkernelopts=root=PARTUUID={2} ro\n", &old);
    environment.extend(std::iter::repeat_n('#', 1024 - environment.len()));
    image.put("boot/grub2/grubenv", &environment);
    symlink("../boot/grub2/grub.cfg", image.path("etc/grub2.cfg")).unwrap();
    symlink("../efi/EFI/redhat/grubenv", image.path("boot/grub/grubenv")).unwrap();

    image.apply(&spec(), 1).unwrap();
    for path in paths {
        assert_eq!(image.text(&format!("../{path}")), with_guids(NAMES_PARTITIONS, &new), "{path}");
    }
    assert_eq!(image.mode("boot/grub/grub.cfg"), 0o400);
    let after = image.text("boot/grub2/grubenv");
    assert_eq!(after.len(), 1024);
    assert!(after.contains(&with_guids("=PARTUUID={2} ro", &new)), "{after}");
    for path in ["usr/share/doc/fstab", "etc/default/other"] {
        assert_eq!(image.text(path), with_guids(NAMES_PARTITIONS, &old), "{path}");
    }
    for link in ["etc/grub2.cfg", "boot/grub/grubenv"] {
        assert!(std::fs::symlink_metadata(image.path(link)).unwrap().is_symlink(), "{link}");
    }
}

#[test]
fn a_grub_that_only_fallback_leads_to_is_put_beside_shim() {
    let image = Image::el();
    for file in ["BOOT/BOOTX64.EFI", "BOOT/fbx64.efi", "redhat/BOOTX64.CSV", "redhat/shimx64.efi"] {
        image.put(&format!("../esp/EFI/{file}"), file);
    }
    image.put("../esp/EFI/redhat/grubx64.efi", "GRUB");
    // twice, as after a failure
    for _ in 0..2 {
        image.apply(&spec(), 1).unwrap();
        assert_eq!(image.text("../esp/EFI/BOOT/grubx64.efi"), "GRUB");
        assert!(!image.path("../esp/EFI/BOOT/fbx64.efi").exists());
    }
    for stays in ["BOOT/BOOTX64.EFI", "redhat/BOOTX64.CSV", "redhat/grubx64.efi", "redhat/shimx64.efi"] {
        assert!(image.path(&format!("../esp/EFI/{stays}")).exists(), "{stays}");
    }
}

#[test]
fn fallback_beside_grub_goes_too_and_without_it_nothing_changes() {
    let image = Image::debian();
    image.put("../esp/EFI/BOOT/grubx64.efi", "beside");
    image.put("../esp/EFI/debian/grubx64.efi", "debian's");
    image.apply(&spec(), 1).unwrap();
    image.put("../esp/EFI/BOOT/fbx64.efi", "fallback");
    image.apply(&spec(), 1).unwrap();
    assert_eq!(image.text("../esp/EFI/BOOT/grubx64.efi"), "beside");
    assert!(!image.path("../esp/EFI/BOOT/fbx64.efi").exists());
}
