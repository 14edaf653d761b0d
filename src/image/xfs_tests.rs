//! What mkfs.xfs made is read as it was given; what is damaged or made to do harm ends with a sentence.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::image::mounts::{Filesystem, Mounts, SystemTree};
use crate::image::testing;
use crate::image::tree::{Entry, ReadTree};
use crate::image::volume::find;
use crate::sys::block::faults::{Dice, rounds};
use crate::sys::block::{FileDevice, MemoryDevice};
use crate::sys::budget::Limits;

const SIZE: u64 = 32 << 20;
/// Names that make a directory one of several blocks with an index.
const MANY: usize = 3000;

fn files(root: &Path) {
    let put = |path: &str, content: &[u8]| {
        std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        std::fs::write(root.join(path), content).unwrap();
    };
    let link = |target: &str, path: &str| std::os::unix::fs::symlink(target, root.join(path)).unwrap();
    put("etc/hostname", b"golden\n");
    put("usr/lib/os-release", b"ID=debian\n");
    put("usr/lib/long", &testing::program(3, 3_000_000));
    put("empty", b"");
    link("../usr/lib/os-release", "etc/os-release");
    link("/etc/../etc/./os-release", "far");
    link("/../../..", "out");
    link("circle", "circle");
    link(&format!("{}usr/lib/os-release", "./".repeat(400)), "winding");
    for number in 0..MANY {
        put(&format!("many/{}-{number}", "n".repeat(number % 200)), b"");
    }
}

fn device() -> Option<FileDevice> {
    testing::xfs_device(files, SIZE, &[])
}

fn volume(device: Arc<dyn BlockDevice>) -> Result<Arc<XfsVolume>> {
    let size = device.size();
    XfsVolume::open(device, 0, size, &Budget::of(size)).map(Arc::new)
}

fn bytes_of(device: &FileDevice) -> Vec<u8> {
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

fn tree(volume: &Arc<XfsVolume>) -> SystemTree {
    SystemTree::of(Mounts::new(Filesystem::Xfs(Arc::clone(volume)), None))
}

#[test]
fn what_mkfs_made_is_read_as_it_was_given() {
    // of version 4, without names' types, and with the blocks and inodes of older systems
    let kinds: [&[&str]; 4] =
        [&[], &["-m", "crc=0"], &["-b", "size=1024"], &["-i", "size=2048", "-m", "bigtime=0"]];
    for options in kinds {
        let Some(device) = testing::xfs_device(files, SIZE, options) else { return };
        let volume = volume(Arc::new(device)).unwrap();
        assert_eq!(volume.uuid(), testing::identity().root);
        let tree = tree(&volume);
        for path in ["usr/lib/os-release", "etc/os-release", "far", "out/far", "winding"] {
            assert_eq!(tree.read(path).unwrap(), b"ID=debian\n", "{path} {options:?}");
        }
        assert_eq!(tree.read("usr/lib/long").unwrap(), testing::program(3, 3_000_000), "{options:?}");
        assert_eq!(tree.read_start("usr/lib/long", 1000).unwrap(), testing::program(3, 1000));
        assert!(tree.read("empty").unwrap().is_empty());
        assert_eq!(tree.list("many").unwrap().len(), MANY, "{options:?}");
        let names: Vec<_> =
            tree.list("/").unwrap().into_iter().map(|Entry { name, kind }| (name, kind)).collect();
        let expected = [
            ("circle", EntryType::Symlink),
            ("empty", EntryType::File),
            ("etc", EntryType::Directory),
            ("far", EntryType::Symlink),
            ("many", EntryType::Directory),
            ("out", EntryType::Symlink),
            ("usr", EntryType::Directory),
            ("winding", EntryType::Symlink),
        ];
        assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind)), "{options:?}");
        for path in ["circle", "nothing", "etc/hostname/x", "nothing/.."] {
            assert!(!tree.exists(path).unwrap(), "{path}");
        }
        assert_eq!(tree.read_link("far").unwrap(), "/etc/../etc/./os-release");
        assert!(tree.read("etc").is_err() && tree.list("empty").is_err() && tree.read_link("etc").is_err());
    }
}

#[test]
fn what_is_no_xfs_that_can_be_read_is_refused_with_the_reason() {
    let Some(device) = device() else { return };
    let bytes = bytes_of(&device);
    let refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        format!("{:#}", volume(Arc::new(MemoryDevice::new(bytes))).unwrap_err())
    };
    assert!(refused(&|bytes| bytes[0] = b'Y').contains("it isn't XFS"));
    let checksum = refused(&|bytes| bytes[40] ^= 1);
    assert!(checksum.contains("another checksum"), "{checksum}");
    let cut = refused(&|bytes| bytes.truncate(3 << 20));
    assert!(cut.contains("lies outside of the file system"), "{cut}");
    let mut short = bytes.clone();
    short.truncate(2048);
    let short = format!("{:#}", volume(Arc::new(MemoryDevice::new(short))).unwrap_err());
    assert!(short.contains("outside of the file system"), "{short}");
}

#[test]
fn a_spent_budget_is_told_as_such() {
    let Some(device) = device() else { return };
    let limits =
        Limits { read: 1 << 20, names: 1 << 20, held: 1 << 20, patience: std::time::Duration::from_secs(60) };
    let size = device.size();
    let volume = XfsVolume::open(Arc::new(device), 0, size, &Budget::new(limits)).unwrap();
    let error = format!("{:#}", tree(&Arc::new(volume)).read("usr/lib/long").unwrap_err());
    assert!(error.contains("bytes that were read of it there is no end"), "{error}");
}

/// Everything that can be asked of a tree.
fn ask(volume: &Arc<XfsVolume>, paths: &[&str]) {
    for path in paths {
        let Ok(Some(node)) = find(volume, path.as_bytes(), true) else { continue };
        let _ = volume.names(&node);
        let _ = volume.link(&node);
        if let Ok((content, _)) = volume.content(&node) {
            let _ = std::io::copy(&mut content.take(8 << 20), &mut std::io::sink());
        }
    }
}

#[test]
fn damaged_file_systems_are_errors_and_end() {
    let Some(device) = testing::xfs_device(files, SIZE, &["-m", "crc=0"]) else { return };
    // without checksums, so that what is damaged is believed
    let bytes = bytes_of(&device);
    let used: Vec<usize> = (0..bytes.len() / 512)
        .filter(|sector| bytes[sector * 512..][..512].iter().any(|b| *b != 0))
        .collect();
    let mut opened = 0;
    let mut dice = Dice::new(7);
    for _ in 0..rounds(60) {
        let mut bytes = bytes.clone();
        for _ in 0..=dice.below(12) {
            let sector = used[dice.below(used.len() as u64) as usize];
            // the first groups hold superblocks, inodes and directories
            let sector = if dice.below(3) == 0 { used[dice.below(64) as usize] } else { sector };
            bytes[sector * 512 + dice.below(512) as usize] = dice.next() as u8;
        }
        let Ok(volume) = volume(Arc::new(MemoryDevice::new(bytes))) else { continue };
        opened += 1;
        ask(&volume, &["", "etc", "far", "many", "usr/lib/long", "winding", "circle", "etc/os-release"]);
    }
    assert!(opened > 20, "{opened}");
}
