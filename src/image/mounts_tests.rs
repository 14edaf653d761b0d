//! Images whose root is XFS, and whose `/boot` is a file system of its own.

use std::path::Path;

use super::*;
use crate::image::import::{self, Imported};
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::image::testing::{self, KERNEL, esp_files, image_with_boot, key};
use crate::image::tree::ReadTree as _;
use crate::spec::image::ImageFilesystem;
use crate::sys::block::MemoryDevice;

const SIZE: u64 = 32 << 20;
/// UUID of an ext4 root and of an XFS made here.
const UUID: &str = "3d5f9a3c-7c9e-4a0e-8b27-0a7a8f3b7c55";

fn import(device: &MemoryDevice) -> Result<(tempfile::TempDir, Store, Imported)> {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes).unwrap();
    let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::new(bytes));
    let imported =
        import::import(&store, &device, &"test@1".parse().unwrap(), &key(), false, &mut |_, _, _| Ok(()))?;
    Ok((dir, store, imported))
}

/// The files of a root that mounts this at `/boot`, and what is there.
fn split(what: &str) -> (impl FnOnce(&Path) + use<>, impl FnOnce(&Path) + use<>) {
    let root = testing::identity().root;
    let fstab = format!("UUID={root} / auto defaults 0 0\n{what} /boot/ auto defaults 0 0\n");
    let on_root = move |root: &Path| {
        testing::root_files(root);
        std::fs::remove_dir_all(root.join("boot")).unwrap();
        std::fs::create_dir(root.join("boot")).unwrap();
        std::fs::write(root.join("etc/fstab"), fstab).unwrap();
    };
    let on_boot = |boot: &Path| {
        std::fs::create_dir_all(boot).unwrap();
        std::fs::write(boot.join(format!("vmlinuz-{KERNEL}")), testing::program(1, 300_000)).unwrap();
        std::fs::write(boot.join(format!("initrd.img-{KERNEL}")), "initrd").unwrap();
    };
    (on_root, on_boot)
}

#[test]
fn an_image_with_an_xfs_root_and_a_boot_of_its_own_is_imported_and_read() {
    let (on_root, on_boot) = split(&format!("UUID=\"{UUID}\""));
    let (Some(root), Some(boot)) = (
        testing::xfs_device(on_root, SIZE, &[]),
        testing::xfs_device(on_boot, SIZE, &["-m", &format!("uuid={UUID}")]),
    ) else {
        return;
    };
    let (_dir, store, imported) = import(&image_with_boot(&boot, &root, esp_files())).unwrap();
    let manifest = store.manifest(&imported.manifest.image, &imported.digest, &key().alone()).unwrap();
    let kind = FilesystemKind::Xfs;
    assert_eq!(manifest.root, ImageFilesystem { partition: 3, uuid: testing::identity().root, kind });
    assert_eq!(manifest.boot, Some(ImageFilesystem { partition: 2, uuid: UUID.parse().unwrap(), kind }));
    assert_eq!(manifest.system.kernel, KERNEL);
    let tree = StoredImage::open(&store, &manifest).unwrap().root().unwrap();
    assert_eq!(tree.read("vmlinuz").unwrap(), testing::program(1, 300_000), "a link leads into the mount");
    let error = crate::image::export::Export::open(&StoredImage::open(&store, &manifest).unwrap());
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains("/boot is a file system of its own"), "{error}");
}

#[test]
fn boot_is_found_by_each_name_of_its_partition_and_missed_by_others() {
    let none = "none of its partitions is called that";
    let wrong = "which can't be one of its own";
    for (what, refused) in [
        (format!("UUID={UUID}"), None),
        (format!("/dev/disk/by-uuid/{UUID}"), None),
        ("PARTUUID=00000000-0000-0000-0000-000000000002".to_owned(), None),
        ("PARTLABEL=boot".to_owned(), None),
        ("LABEL=small".to_owned(), None),
        ("PARTLABEL=esp".to_owned(), Some(wrong)),
        ("PARTLABEL=root".to_owned(), Some(wrong)),
        ("UUID=00000000-0000-0000-0000-000000000001".to_owned(), Some(none)),
        ("LABEL=boot".to_owned(), Some(none)),
        ("/dev/vda2".to_owned(), Some(none)),
    ] {
        let (on_root, on_boot) = split(&what);
        let options = ["-U", UUID, "-L", "small"];
        let (Some(root), Some(boot)) =
            (testing::root_device(on_root, &[]), testing::root_device(on_boot, &options))
        else {
            return;
        };
        match (import(&image_with_boot(&boot, &root, esp_files())), refused) {
            (Ok((_, _, imported)), None) => {
                assert_eq!(imported.manifest.boot.unwrap().kind, FilesystemKind::Ext4, "{what}");
            }
            (Err(error), Some(why)) => {
                let error = format!("{error:#}");
                assert!(error.contains(why), "{what}: {error}");
            }
            (other, _) => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_boot_file_system_is_where_the_system_mounts_it() {
    let on_root = |root: &Path| {
        testing::root_files(root);
        std::os::unix::fs::symlink("/boot/grub", root.join("grub")).unwrap();
    };
    let on_boot = |boot: &Path| {
        std::fs::create_dir(boot.join("grub")).unwrap();
        std::fs::write(boot.join("grub/grub.cfg"), "set root\n").unwrap();
        std::os::unix::fs::symlink("../etc/hostname", boot.join("name")).unwrap();
    };
    let (Some(root), Some(boot)) =
        (testing::root_device(on_root, &[]), testing::xfs_device(on_boot, SIZE, &[]))
    else {
        return;
    };
    let root: Arc<dyn BlockDevice> = Arc::new(root);
    let inodes = Inodes::open(Arc::clone(&root), 0, root.size(), Budget::of(root.size()));
    let size = boot.size();
    let boot = XfsVolume::open(Arc::new(boot), 0, size, &Budget::of(size)).unwrap();
    let boot = Filesystem::Xfs(Arc::new(boot));
    let tree = SystemTree::of(Mounts::new(Filesystem::Ext4(Arc::new(inodes.unwrap())), Some(boot)));
    let names = |path: &str| tree.list(path).unwrap().into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(names("/boot"), ["grub", "name"], "what the root has below the mount isn't seen");
    assert!(names("/").contains(&"boot".to_owned()));
    for path in ["boot/grub/grub.cfg", "grub/grub.cfg", "boot/../boot/./grub/grub.cfg"] {
        assert_eq!(tree.read(path).unwrap(), b"set root\n", "{path}");
    }
    assert_eq!(tree.read("boot/name").unwrap(), b"golden\n");
    assert!(!tree.exists(&format!("vmlinuz-{}", testing::KERNEL)).unwrap());
    assert!(!tree.exists("vmlinuz").unwrap(), "its link leads to what the mount hides");
}

#[test]
fn an_xfs_that_could_not_be_mounted_on_targets_is_refused_by_the_reason() {
    for (options, why) in
        [(&["-m", "crc=0"][..], "is of version 4"), (&["-l", "size=8m", "-i", "maxpct=0"][..], "")]
    {
        let (on_root, on_boot) = split("PARTLABEL=boot");
        let (Some(root), Some(boot)) =
            (testing::xfs_device(on_root, SIZE, options), testing::root_device(on_boot, &[]))
        else {
            return;
        };
        match (import(&image_with_boot(&boot, &root, esp_files())), why) {
            (Ok((_, _, imported)), "") => assert_eq!(imported.manifest.root.kind, FilesystemKind::Xfs),
            (Err(error), why) if !why.is_empty() => {
                let error = format!("{error:#}");
                assert!(
                    error.contains("the xfs file system in partition 3") && error.contains(why),
                    "{error}"
                );
            }
            (other, _) => panic!("{options:?}: {other:?}"),
        }
    }
    // what mkfs of today can't make: the places of xfs_format.h, set by hand
    let Some(root) = testing::xfs_device(testing::root_files, SIZE, &[]) else { return };
    let mut superblock = [0; 1024];
    root.read_at(0, &mut superblock).unwrap();
    xfs::fitness::judge(&superblock).unwrap();
    assert_eq!(xfs::fitness::size(&superblock), SIZE);
    for (at, bytes, says) in [
        (216, 0x8f_u64.to_be_bytes().as_slice()[4..].to_vec(), "-n parent=0`"),
        (216, 0x1f_u32.to_be_bytes().to_vec(), "xfs_repair"),
        (212, 0x10_u32.to_be_bytes().to_vec(), "ro_compat 0x10"),
        (48, vec![0; 8], "its log on another device"),
        (16, vec![1; 8], "real-time section"),
        (4, 16384_u32.to_be_bytes().to_vec(), "`mkfs.xfs -b size=4096`"),
    ] {
        let told = judge_with(&superblock, at, &bytes).unwrap_err().to_string();
        assert!(told.contains(says), "{says}: {told}");
    }
    // of 8192 blocks 409 are kept for bad times and 163 for the groups' trees; 256 are a mebibyte
    let groups = u64::from(u32::from_be_bytes(superblock[88..92].try_into().unwrap()));
    let needed = 409 + 163 + 256 + 8 * groups;
    judge_with(&superblock, 144, &needed.to_be_bytes()).unwrap();
    let told = judge_with(&superblock, 144, &(needed - 2).to_be_bytes()).unwrap_err().to_string();
    assert!(told.contains("8192 bytes are missing"), "{told}");
}

/// Judges a superblock with other bytes in one place.
fn judge_with(superblock: &[u8], at: usize, bytes: &[u8]) -> Result<(), xfs::fitness::Unfitness> {
    let mut changed = superblock.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    xfs::fitness::judge(&changed)
}

#[test]
fn a_mount_point_that_leads_elsewhere_is_refused() {
    let refused = |make: &dyn Fn(&Path)| {
        let (on_root, on_boot) = split("PARTLABEL=boot");
        let root = |root: &Path| {
            on_root(root);
            std::fs::remove_dir(root.join("boot")).unwrap();
            make(&root.join("boot"));
        };
        let (root, boot) = (testing::root_device(root, &[])?, testing::root_device(on_boot, &[])?);
        Some(
            import(&image_with_boot(&boot, &root, esp_files()))
                .map(drop)
                .map_err(|error| format!("{error:#}")),
        )
    };
    let link = |boot: &Path| std::os::unix::fs::symlink("/var/boot", boot).unwrap();
    let file = |boot: &Path| std::fs::write(boot, "").unwrap();
    let makes: [&dyn Fn(&Path); 2] = [&link, &file];
    for make in makes {
        let Some(told) = refused(make) else { return };
        assert!(told.clone().unwrap_err().contains("/boot in its root isn't a directory"), "{told:?}");
    }
    // systemd and the agent make it where it is missing
    assert_eq!(refused(&|_| ()), Some(Ok(())));
}

#[test]
fn a_boot_that_says_it_is_larger_than_its_partition_is_refused() {
    let (on_root, on_boot) = split("PARTLABEL=boot");
    let (Some(root), Some(boot)) =
        (testing::root_device(on_root, &[]), testing::xfs_device(on_boot, SIZE, &[]))
    else {
        return;
    };
    let mut half = vec![0; SIZE as usize / 2];
    boot.read_at(0, &mut half).unwrap();
    let error =
        format!("{:#}", import(&image_with_boot(&MemoryDevice::new(half), &root, esp_files())).unwrap_err());
    assert!(
        error.contains("the xfs file system in partition 2 of the image has 33554432 bytes, more than"),
        "{error}"
    );
}

#[test]
fn a_data_partition_that_can_t_be_read_is_the_system_s_own_affair() {
    let Some(root) = testing::root_device(testing::root_files, &[]) else { return };
    let mut damaged = vec![0; 4 << 20];
    damaged[..4].copy_from_slice(b"XFSB");
    let damaged = MemoryDevice::new(damaged);
    import(&image_with_boot(&damaged, &root, esp_files())).unwrap();
    // unless it may have been the root
    let Some(empty) = testing::root_device(|root| std::fs::create_dir_all(root).unwrap(), &[]) else {
        return;
    };
    let error = format!("{:#}", import(&image_with_boot(&damaged, &empty, esp_files())).unwrap_err());
    assert!(error.contains("partition 2"), "{error}");
}
