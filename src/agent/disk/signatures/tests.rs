//! What is recognised, judged by the blkid of the machine where it has an opinion.

use std::process::Command;

use super::testing::{at_the_end, at_the_start, md_0_90};
use super::*;
use crate::agent::fixture;
use crate::sys::block::{FileDevice, MemoryDevice};

const SIZE: u64 = 72 << 20;

fn found(device: &dyn BlockDevice) -> Vec<&'static str> {
    let found = signatures(device, 0..device.size()).unwrap();
    found.iter().map(|signature| signature.name).collect()
}

fn file() -> (tempfile::NamedTempFile, FileDevice) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(SIZE).unwrap();
    let device = FileDevice::new(file.reopen().unwrap(), SIZE, 512);
    (file, device)
}

/// What blkid says that a file is; `None`, said aloud, without blkid.
fn blkid(path: &std::path::Path) -> Option<String> {
    let Ok(output) = Command::new("blkid").args(["-p", "-o", "value", "-s", "TYPE"]).arg(path).output()
    else {
        crate::expect::missing_program("blkid", "util-linux");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn what_blkid_recognises_is_recognised() {
    for former in at_the_end(SIZE).into_iter().chain(at_the_start()) {
        let (file, device) = file();
        assert_eq!(found(&device), Vec::<&str>::new());
        former.put(&device, 0);
        assert_eq!(found(&device), [former.name]);
        match blkid(file.path()) {
            Some(said) => assert_eq!(said, former.name),
            None => return,
        }
    }
}

#[test]
fn file_systems_that_others_made_are_recognised_as_what_they_are() {
    let makers: [(&str, &str, &[&str], &str); 5] = [
        ("mke2fs", "ext4", &["-q", "-t", "ext4"], "e2fsprogs"),
        ("mke2fs", "ext4", &["-q", "-t", "ext4", "-b", "1024"], "e2fsprogs"),
        ("mkfs.vfat", "vfat", &["-F", "32"], "dosfstools"),
        ("mkfs.vfat", "vfat", &["-F", "16"], "dosfstools"),
        ("mkswap", "swap", &[], "util-linux"),
    ];
    for (program, name, options, package) in makers {
        let (file, device) = file();
        let Ok(output) = Command::new(program).args(options).arg(file.path()).output() else {
            crate::expect::missing_program(program, package);
            return;
        };
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(found(&device), [name], "{program} {options:?}");
        // and a former life at its end is seen beside it
        for former in at_the_end(SIZE) {
            former.put(&device, 0);
            let both = found(&device);
            assert!(both.len() == 2 && both.contains(&name) && both.contains(&former.name), "{both:?}");
            former.erase(&device, 0);
        }
        assert_eq!(found(&device), [name]);
    }
}

/// A layout whose partitions are the fixture's, and a disk on which they hold what a test puts there.
fn disk() -> (MemoryDevice, DiskLayout, ImageManifest) {
    let manifest = fixture::manifest();
    let (root, esp) = (manifest.partitions[0].clone(), manifest.partitions[1].clone());
    let root = ImagePartition { length: (7 << 20) - root.offset, ..root };
    let layout = DiskLayout {
        disk: uuid::Uuid::nil(),
        partitions: vec![root.clone(), esp.clone()],
        esp,
        root,
        boot: None,
    };
    (MemoryDevice::new(vec![0; 8 << 20]), layout, manifest)
}

#[test]
fn a_signature_beside_the_file_systems_own_is_a_failure_that_says_whence_it_came() {
    let (device, layout, manifest) = disk();
    check(&device, &layout, &manifest).unwrap();
    let root = layout.root.offset;
    device.write_at(root + 1024, &superblock()).unwrap();
    check(&device, &layout, &manifest).unwrap();
    // behind the image
    let at = (7 << 20) - (64 << 10);
    device.write_at(at, &md_0_90()).unwrap();
    let failure = check(&device, &layout, &manifest).unwrap_err();
    assert_eq!(failure.code, Code::ReadBack);
    for part in ["partition 1 ", "linux_raid_member", &format!("byte {at}"), "beside ext4"] {
        assert!(failure.message.contains(part), "{failure}");
    }
    device.write_at(at, &[0; 64]).unwrap();
    // in the image
    device.write_at(layout.esp.offset, b"XFSB").unwrap();
    let failure = check(&device, &layout, &manifest).unwrap_err();
    assert_eq!(failure.code, Code::ImageUnsupported);
    assert!(failure.message.contains("partition 15 carries a signature of xfs"), "{failure}");
}

#[test]
fn another_partition_may_be_one_thing_but_not_two() {
    let (device, mut layout, manifest) = disk();
    layout.partitions.push(ImagePartition {
        number: 2,
        offset: 17 << 9,
        length: 64 << 10,
        ..layout.esp.clone()
    });
    device.write_at(17 << 9, b"XFSB").unwrap();
    check(&device, &layout, &manifest).unwrap();
    device.write_at((17 << 9) + 4086, b"SWAPSPACE2").unwrap();
    assert!(check(&device, &layout, &manifest).is_err());
}

fn superblock() -> Vec<u8> {
    let mut block = vec![0; 1024];
    block[4..8].copy_from_slice(&1000_u32.to_le_bytes());
    block[56..58].copy_from_slice(&[0x53, 0xef]);
    block
}
