//! Images whose system wouldn't start, each with what its import says.

use std::path::Path;
use std::sync::Arc;

use crate::image::import::import;
use crate::image::store::Store;
use crate::image::testing::{self, KERNEL, NoTool, esp_files, image_with, key, root_device, root_files};
use crate::sys::block::BlockDevice;
use crate::sys::fat::FatFile;

/// What an import says, `None` where it takes the image. Where there is no image to import, it says nothing of either.
pub(in crate::image::startup) type Said = Result<Option<String>, NoTool>;

/// Of an image with these files more.
pub(in crate::image::startup) fn said(more: &dyn Fn(&Path), esp: Vec<FatFile<'_>>) -> Said {
    let root = root_device(
        |root| {
            root_files(root);
            more(root);
        },
        &["-L", "root"],
    )
    .ok_or(NoTool)?;
    let device: Arc<dyn BlockDevice> = Arc::new(image_with(&root, esp));
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let imported = import(&store, &device, &"test@1".parse().unwrap(), &key(), false, &mut |_, _, _| Ok(()));
    Ok(imported.err().map(|error| format!("{error:#}")))
}

fn with(path: &str, content: &str) -> Said {
    let put = |root: &Path| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    said(&put, esp_files())
}

pub(in crate::image::startup) fn root_uuid() -> uuid::Uuid {
    testing::identity().root
}

pub(in crate::image::startup) const OTHER: &str = "0fc63daf-8483-4772-8e79-3d69d8477dea";

#[test]
fn a_mount_of_what_the_image_lacks_is_refused_unless_machines_don_t_wait_for_it() {
    let Ok(missing) = with("etc/fstab", &format!("# x\nUUID={OTHER} /srv ext4 defaults 0 2\n")) else {
        return;
    };
    let missing = missing.unwrap();
    assert!(missing.contains("line 2 of /etc/fstab") && missing.contains(OTHER), "{missing}");
    for (line, says) in [
        (format!("PARTUUID={OTHER} none swap sw 0 0"), "machines would wait for it"),
        ("LABEL=data /data xfs defaults 0 0".to_owned(), "LABEL=data"),
        ("/dev/vda1 / ext4 defaults 0 1".to_owned(), "write UUID=…"),
        ("/dev/disk/by-id/ata-x-part1 /srv ext4 defaults".to_owned(), "write UUID=…"),
    ] {
        let told = with("etc/fstab", &line).unwrap().unwrap();
        assert!(told.contains(says) && told.contains("line 1 of /etc/fstab"), "{told}");
    }
    let fine = format!(
        "UUID={} / ext4 errors=remount-ro 0 1\nUUID={} /boot/efi vfat umask=0077 0 2\nUUID={OTHER} /a ext4 nofail 0 0\n\
         /dev/sdb1 /b ext4 noauto 0 0\nLABEL=root /c none bind\n/dev/mapper/vg-x /d xfs defaults\ntmpfs /tmp tmpfs\n\
         nas:/x /nfs nfs _netdev\nUUID={OTHER} /e ext4 defaults,x-systemd.automount\n\n#UUID=x /f ext4\n\
         /dev/disk/by-id/md-uuid-1 /g ext4\n/dev/disk/by-id/dm-name-x /h ext4\nUUID={OTHER} /boot ext4 nofail\n",
        root_uuid(),
        testing::identity().esp_uuid(),
    );
    assert_eq!(with("etc/fstab", &fine), Ok(None));
}

#[test]
fn a_boot_that_cannot_be_one_is_named_with_its_line_or_partition() {
    let esp = testing::identity().esp_uuid();
    let Ok(told) = with("etc/fstab", &format!("LABEL=root / ext4\nUUID={esp} /boot vfat\n")) else { return };
    let told = told.unwrap();
    assert!(told.contains("/boot of the image is partition 2, which can't be one"), "{told}");
    // the kernel that isn't in the root isn't what is wrong
    let put = |root: &Path| {
        std::fs::remove_dir_all(root.join("boot")).unwrap();
        std::fs::write(root.join("etc/fstab"), format!("UUID={OTHER} /boot xfs defaults 0 0\n")).unwrap();
    };
    let told = said(&put, esp_files()).unwrap().unwrap();
    assert!(told.contains("line 1 of /etc/fstab") && told.contains("mounts /boot from UUID="), "{told}");
    assert!(!told.contains("no kernel"), "{told}");
}

#[test]
fn an_initrd_is_of_the_newest_kernel_by_whatever_name() {
    let initrd = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| name.replace("{}", KERNEL)).collect();
        let put = move |root: &Path| {
            std::fs::remove_file(root.join(format!("boot/initrd.img-{KERNEL}"))).unwrap();
            names.iter().for_each(|name| std::fs::write(root.join("boot").join(name), "x").unwrap());
        };
        said(&put, esp_files())
    };
    let Ok(told) = initrd(&["initrd.img-6.1.0-8-amd64"]) else { return };
    let told = told.unwrap();
    assert!(
        told.contains(&format!("/boot/initrd.img-{KERNEL}")) && told.contains("update-initramfs -c"),
        "{told}"
    );
    for name in ["initramfs-{}.img", "initrd-{}"] {
        assert_eq!(initrd(&[name]), Ok(None));
    }
}

#[test]
fn a_loader_without_a_configuration_or_with_one_of_another_system_is_refused() {
    let esp = |config: Option<String>| {
        let mut files = esp_files();
        // the last one is the configuration
        files.pop();
        files.extend(
            config.map(|text| FatFile::new("EFI/debian/grub.cfg", std::io::Cursor::new(text.into_bytes()))),
        );
        files
    };
    let nothing = |_: &Path| ();
    let Ok(told) = said(&nothing, esp(None)) else { return };
    let told = told.unwrap();
    assert!(
        told.contains("GRUB would find no configuration") && told.contains("/EFI/debian/grub.cfg"),
        "{told}"
    );
    let searching = |uuid: &str| Some(format!("search --no-floppy --fs-uuid --set=root {uuid}\n"));
    let told = said(&nothing, esp(searching(OTHER))).unwrap().unwrap();
    assert!(told.contains("line 1 of /EFI/debian/grub.cfg") && told.contains(OTHER), "{told}");
    assert_eq!(said(&nothing, esp(searching(&root_uuid().to_string()))), Ok(None));
    // words in any order, names with values, comments of another encoding, and what another vendor left
    let id = root_uuid();
    for line in [
        format!("search --fs-uuid {id} --set root --no-floppy\n"),
        format!("search -u --hint-efi=hd0,gpt2 \"{id}\" --set=root\n"),
        format!("search.fs_uuid {id} root hd0,gpt2\nsearch --fs-uuid --set=root {OTHER}\n"),
        format!("search --label --set=root {OTHER}\nsearch --no-floppy --fs-uuid --set=dev $uuid\n"),
    ] {
        assert_eq!(said(&nothing, esp(Some(line.clone()))), Ok(None), "{line}");
    }
    let told = said(&nothing, esp(Some(format!("search --fs-uuid {OTHER} --set root\n")))).unwrap().unwrap();
    assert!(told.contains(OTHER), "{told}");
    let mut left_over = esp(searching(&id.to_string()));
    let theirs = format!("# caf\u{e9}\nsearch --fs-uuid --set=root {OTHER}\n");
    let latin: Vec<u8> = theirs.chars().map(|c| c as u8).collect();
    left_over.push(FatFile::new("EFI/ubuntu/grub.cfg", std::io::Cursor::new(latin)));
    assert_eq!(said(&nothing, left_over), Ok(None));
    for (root, is_fine) in [
        (format!("UUID={OTHER}"), false),
        ("/dev/vda1".to_owned(), false),
        (format!("UUID={}", root_uuid()), true),
        ("LABEL=root".to_owned(), true),
        ("UUID=${uuid}".to_owned(), true),
        ("/dev/mapper/x".to_owned(), true),
    ] {
        let menu = format!("menuentry 'x' {{\n\tlinux /vmlinuz root={root} ro\n}}\n");
        let told = with("boot/grub/grub.cfg", &menu).unwrap();
        assert_eq!(told.is_none(), is_fine, "{root}: {told:?}");
        assert!(is_fine || told.unwrap().contains("line 2 of /boot/grub/grub.cfg"));
    }
}

#[test]
fn a_loader_that_only_fallback_leads_to_is_taken_where_there_is_one_and_room_for_a_copy() {
    let file = |path: &'static str, size| FatFile::new(path, std::io::Cursor::new(testing::program(1, size)));
    let config = || FatFile::new("EFI/redhat/grub.cfg", &b"configfile /grub.cfg\n"[..]);
    let with = |size: usize, more: Vec<FatFile<'static>>| {
        let mut esp = vec![file("EFI/BOOT/BOOTX64.EFI", 1000), file("EFI/BOOT/fbx64.efi", 1000), config()];
        esp.push(file("EFI/redhat/grubx64.efi", size));
        esp.extend(more);
        esp
    };
    let Ok(taken) = said(&|_| (), with(4 << 20, Vec::new())) else { return };
    assert_eq!(taken, None);
    let told = said(&|_| (), with(4 << 20, vec![file("EFI/ubuntu/grubx64.efi", 1000)])).unwrap().unwrap();
    assert!(told.contains("several GRUBs (/EFI/redhat/grubx64.efi, /EFI/ubuntu/grubx64.efi)"), "{told}");
    let told = said(&|_| (), with(4 << 20, vec![file("filler", 56 << 20)])).unwrap().unwrap();
    assert!(told.contains("no room for another copy of its GRUB, of 4194304 bytes"), "{told}");
    let no_program = FatFile::new("EFI/redhat/grubx64.efi", &b"text"[..]);
    let esp =
        vec![file("EFI/BOOT/BOOTX64.EFI", 1000), file("EFI/BOOT/fbx64.efi", 1000), config(), no_program];
    assert!(
        said(&|_| (), esp)
            .unwrap()
            .unwrap()
            .contains("/EFI/redhat/grubx64.efi in the image's ESP is not an EFI program")
    );
}

#[test]
fn an_esp_without_room_says_how_much_is_missing() {
    let mut esp = esp_files();
    // of a file system of 64 MiB its tables take one; so this leaves less than 64 clusters
    let size = (63 << 20) - 60 * 512;
    esp.push(FatFile::new("filler", std::io::Cursor::new(vec![1; size])));
    let Ok(told) = said(&|_| (), esp) else { return };
    let told = told.unwrap();
    assert!(told.contains("the image's ESP is full") && told.contains("bytes are missing"), "{told}");
}
