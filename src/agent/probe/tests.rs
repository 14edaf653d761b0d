//! What is recognised, judged by the blkid of the machine where it has an opinion.

use std::process::Command;

use super::*;
use crate::agent::fixture;
use crate::sys::block::{FileDevice, MemoryDevice};

const SIZE: u64 = 72 << 20;

/// One thing that a disk was, as writes: places from the start, or from the end where they are negative.
type Former = (&'static str, Vec<(i64, Vec<u8>)>);

fn uberblocks() -> Vec<u8> {
    let mut array = vec![0; 128 << 10];
    for block in array.chunks_mut(1024).take(9) {
        block[..8].copy_from_slice(&0x00ba_b10c_u64.to_le_bytes());
        block[8] = 28;
    }
    array
}

fn names() -> Vec<u8> {
    [&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0, 0, 0, 36, 0, 0, 0, 32], b"\0\0\0\x04guid"].concat()
}

fn nilfs(device_size: u64) -> Vec<u8> {
    let mut block = vec![0; 1024];
    block[..8].copy_from_slice(&[2, 0, 0, 0, 0, 0, 0x34, 0x34]);
    block[8..10].copy_from_slice(&280_u16.to_le_bytes());
    block[12..16].copy_from_slice(&0xfeed_u32.to_le_bytes());
    block[32..40].copy_from_slice(&device_size.to_le_bytes());
    // CRC-32 bit by bit, from the seed, without inversions
    let crc = block[..280].iter().fold(0xfeed_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    block[16..20].copy_from_slice(&crc.to_le_bytes());
    block
}

fn md_0_90() -> Vec<u8> {
    let words = [0xa92b_4efc_u32, 0, 90, 0, 0, 7, 0, 1, 1024, 2, 2];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Version 1 with its place and its checksum.
fn md_1(at: u64) -> Vec<u8> {
    let mut block = vec![0; 256];
    block[..4].copy_from_slice(&marks::MD);
    block[4] = 1;
    block[16..32].fill(7);
    block[144..152].copy_from_slice(&(at / 512).to_le_bytes());
    let sum: u64 = block.chunks(4).map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap()))).sum();
    block[216..220].copy_from_slice(&((sum >> 32) as u32).wrapping_add(sum as u32).to_le_bytes());
    block
}

/// Those that libblkid recognises in a file.
fn former_lives() -> Vec<Former> {
    let drbd = [&b"\x83\x74\x02\x6b"[..], &[0; 16], &4096_u32.to_be_bytes()].concat();
    vec![
        (
            "zfs_member",
            vec![(-(256 << 10) + (128 << 10), uberblocks()), (-(256 << 10) + (16 << 10), names())],
        ),
        ("zfs_member", vec![(-(512 << 10) + (128 << 10), uberblocks())]),
        ("linux_raid_member", vec![(-0x1_0000, md_0_90())]),
        ("linux_raid_member", vec![(-0x2000, md_1(SIZE - 0x2000))]),
        ("linux_raid_member", vec![(4096, md_1(4096))]),
        ("nilfs2", vec![(-4096, nilfs(SIZE))]),
        ("drbd", vec![(-4096 + 60, drbd)]),
        ("isw_raid_member", vec![(-1024, b"Intel Raid ISM Cfg Sig. 1.3.00".to_vec())]),
        ("lsi_mega_raid_member", vec![(-512, b"$XIDE$".to_vec())]),
        ("promise_fasttrack_raid_member", vec![(-63 * 512, marks::PROMISE.to_vec())]),
        ("hpt45x_raid_member", vec![(-11 * 512, b"\xf3\x16\x78\x5a".to_vec())]),
        ("VMFS_volume_member", vec![(1 << 20, b"\x0d\xd0\x01\xc0".to_vec())]),
        ("swap", vec![(4096 - 10, b"SWAPSPACE2".to_vec()), (1024, vec![1, 0, 0, 0, 255])]),
        ("ceph_bluestore", vec![(0, b"bluestore block device".to_vec())]),
        ("ufs", vec![(8192 + 1372, 0x0001_1954_u32.to_le_bytes().to_vec())]),
    ]
}

fn put(device: &dyn BlockDevice, writes: &[(i64, Vec<u8>)]) {
    for (at, bytes) in writes {
        let at = device.size().checked_add_signed(if *at < 0 { *at } else { at - device.size() as i64 });
        device.write_at(at.unwrap(), bytes).unwrap();
    }
}

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
        crate::skip_tests::missing("blkid", "util-linux");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn what_blkid_recognises_is_recognised() {
    for (name, writes) in former_lives() {
        let (file, device) = file();
        assert_eq!(found(&device), Vec::<&str>::new());
        put(&device, &writes);
        assert_eq!(found(&device), [name]);
        match blkid(file.path()) {
            Some(said) => assert_eq!(said, name),
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
            crate::skip_tests::missing(program, package);
            return;
        };
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(found(&device), [name], "{program} {options:?}");
        // and a former life at its end is seen beside it
        for (former, writes) in former_lives().into_iter().filter(|(_, writes)| writes[0].0 < 0) {
            let before: Vec<_> = writes.iter().map(|(at, bytes)| (*at, vec![0; bytes.len()])).collect();
            put(&device, &writes);
            let both = found(&device);
            assert!(both.len() == 2 && both.contains(&name) && both.contains(&former), "{both:?} {former}");
            put(&device, &before);
        }
        assert_eq!(found(&device), [name]);
    }
}

/// A layout whose partitions are the fixture's, and a disk on which they hold what a test puts there.
fn disk() -> (MemoryDevice, DiskLayout, ImageManifest) {
    let manifest = fixture::manifest();
    let (root, esp) = (manifest.partitions[0].clone(), manifest.partitions[1].clone());
    let root = ImagePartition { length: (7 << 20) - root.offset, ..root };
    let layout =
        DiskLayout { disk: uuid::Uuid::nil(), partitions: vec![root.clone(), esp.clone()], esp, root };
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
