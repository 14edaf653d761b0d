//! Images as Fedora's family makes them, each with what its import says of its entries.

use std::path::Path;

use super::super::tests::{OTHER, Said, root_uuid, said};
use crate::image::testing::{KERNEL, esp_files};

/// A `/boot/grub2/grub.cfg` that asks for entries.
const ASKS: &str = "set default=\"${saved_entry}\"\ninsmod blscfg\nblscfg\n";
const ENTRY: &str = "boot/loader/entries/0123456789abcdef-{}.conf";

/// What an import says of an image with these files; `{}` is its kernel's release, `ROOT` its root's UUID.
fn judged(files: &[(&str, &str)]) -> Said {
    let fill = |text: &str| text.replace("{}", KERNEL).replace("ROOT", &root_uuid().to_string());
    let put = |root: &Path| {
        for (path, content) in files {
            let path = root.join(fill(path));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, fill(content)).unwrap();
        }
    };
    said(&put, esp_files())
}

/// One whose single entry is this.
fn with_entry(entry: &str) -> Said {
    judged(&[("boot/grub2/grub.cfg", ASKS), (ENTRY, entry)])
}

const GOOD: &str = "title x\nlinux /boot/vmlinuz-{}\ninitrd /boot/initrd.img-{} $tuned_initrd\noptions root=UUID=ROOT ro $x\n";

#[test]
fn an_entry_leads_to_the_image_s_kernel_initrd_and_root() {
    let Ok(good) = with_entry(GOOD) else { return };
    assert_eq!(good, None);
    for (from, to, says) in [
        ("/boot/vmlinuz-{}", "/boot/vmlinuz-9", "`linux` of /boot/loader/entries/0123456789abcdef-"),
        // only where /boot is apart
        ("linux /boot/", "linux /", "there is no /vmlinuz-"),
        ("/boot/initrd.img-{}", "/boot/initramfs-9.img", "there is no /boot/initramfs-9.img"),
        ("UUID=ROOT", &format!("UUID={OTHER}"), "starts the kernel with root=UUID="),
        ("root=UUID=ROOT", "root=/dev/vda4", "root=/dev/vda4, which installed machines don't have"),
        ("root=UUID=ROOT", "root=UUID=ROOT root=/dev/sda1", "root=/dev/sda1"),
        ("linux /boot/", "# linux /boot/", "none there names a kernel"),
        // what follows a line without a blank isn't read
        ("title x", "title", "none there names a kernel"),
    ] {
        let told = with_entry(&GOOD.replacen(from, to, 1)).unwrap().unwrap_or_else(|| panic!("{to} passes"));
        assert!(told.contains(says), "{to}: {told}");
    }
    for (from, to) in [
        ("title x", "# title\n\ttitle\tx"),
        ("root=UUID=ROOT", "root=LABEL=root"),
        ("root=UUID=ROOT", "root=/dev/mapper/x"),
        ("root=UUID=ROOT", ""),
    ] {
        assert_eq!(with_entry(&GOOD.replacen(from, to, 1)).unwrap(), None, "{to}");
    }
}

#[test]
fn options_may_stand_in_the_environment_or_be_set_by_the_configuration() {
    let entry = GOOD.replace("options root=UUID=ROOT ro $x", "options $kernelopts $tuned_params");
    let environment = |root: &str| format!("# GRUB Environment Block\nkernelopts=root={root} ro\n####\n");
    let told = |environment: &str, config: &str| {
        judged(&[("boot/grub2/grub.cfg", config), ("boot/grub2/grubenv", environment), (ENTRY, &entry)])
    };
    let Ok(good) = told(&environment("UUID=ROOT"), ASKS) else { return };
    assert_eq!(good, None);
    assert!(told(&environment("/dev/sda2"), ASKS).unwrap().unwrap().contains("root=/dev/sda2"));
    let set = format!("  set kernelopts=\"root=UUID={OTHER} ro \"\n{ASKS}");
    assert!(told("", &set).unwrap().unwrap().contains(OTHER));
    // it is set only where the environment doesn't have it
    assert_eq!(told(&environment("UUID=ROOT"), &set).unwrap(), None);
    assert_eq!(told("", ASKS).unwrap(), None);
}

#[test]
fn only_the_entry_that_is_started_is_judged_and_only_where_entries_are_asked_for() {
    let old = ("boot/loader/entries/0123456789abcdef-5.10.0-1.conf", "title old\nlinux /boot/gone\n");
    let with = |config: &str, environment: &str| {
        judged(&[("boot/grub2/grub.cfg", config), ("boot/grub2/grubenv", environment), (ENTRY, GOOD), old])
    };
    let Ok(newest) = with(ASKS, "") else { return };
    assert_eq!(newest, None);
    for saved in ["0123456789abcdef-5.10.0-1", "old", "1"] {
        let told = with(ASKS, &format!("saved_entry={saved}\n")).unwrap().unwrap();
        assert!(told.contains("is /boot/gone, and there is no /boot/gone"), "{saved}: {told}");
        assert_eq!(with("# blscfg\n", &format!("saved_entry={saved}\n")).unwrap(), None);
        let elsewhere = format!("set blsdir=/x\n{ASKS}");
        assert_eq!(with(&elsewhere, &format!("saved_entry={saved}\n")).unwrap(), None);
    }
    for saved in ["", "0", "9", "nothing"] {
        assert_eq!(with(ASKS, &format!("saved_entry={saved}\n")).unwrap(), None, "{saved}");
    }
    let menu = format!("menuentry x {{\n\tlinux /boot/vmlinuz-{KERNEL} root=UUID=ROOT\n}}\n{ASKS}");
    assert_eq!(judged(&[("boot/grub2/grub.cfg", &menu)]).unwrap(), None);
    let told = judged(&[("boot/grub2/grub.cfg", ASKS)]).unwrap().unwrap();
    assert!(told.contains("/boot/grub2/grub.cfg in the image asks for the entries"), "{told}");
}
