//! Which disks are taken for bootable.

use std::io::{self, Cursor, Write as _};

use super::super::boots::look;
use super::super::real::done_disk;
use super::*;
use crate::agent::fixture;
use crate::spec::claim::{Claim, Stage};
use crate::spec::facts::{Disk, DiskContent};
use crate::spec::order::Grant;
use crate::sys::block::{BlockDevice, MemoryDevice};
use crate::sys::gpt::{self, Entry, Table};
use crate::value::ByteSize;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 12 * MIB;
const ROOT: u64 = 6 * MIB;

/// A disk with an ESP that has this file, and an ext4 superblock at [`ROOT`].
fn bytes(file: Option<&str>) -> Vec<u8> {
    let mut table = Table::new(Uuid::from_u128(1));
    table.entries.insert(15, Entry::new(gpt::ESP, Uuid::from_u128(97), MIB, 4 * MIB, "ESP"));
    table.entries.insert(1, Entry::new(gpt::LINUX_ROOT_X64, Uuid::from_u128(98), ROOT, 4 * MIB, "root"));
    let made = table.build(SIZE).unwrap();
    let mut disk = vec![0; SIZE as usize];
    disk[..made.primary.len()].copy_from_slice(&made.primary);
    let esp = &mut disk[MIB as usize..5 * MIB as usize];
    fatfs::format_volume(Cursor::new(&mut *esp), fatfs::FormatVolumeOptions::new()).unwrap();
    if let Some(file) = file {
        let volume = fatfs::FileSystem::new(Cursor::new(esp), fatfs::FsOptions::new()).unwrap();
        let mut directory = volume.root_dir();
        let (parents, name) = file.rsplit_once('/').unwrap();
        for parent in parents.split('/') {
            directory = directory.create_dir(parent).unwrap();
        }
        directory.create_file(name).unwrap().write_all(b"MZ").unwrap();
    }
    let root = ROOT as usize + 1024;
    disk[root + 56..root + 58].copy_from_slice(&[0x53, 0xef]);
    disk
}

const LOADER: &str = "EFI/BOOT/BOOTX64.EFI";

fn fact(name: &str) -> Disk {
    let disk = fixture::facts(SIZE).disks.remove(0);
    Disk { name: name.to_owned(), serial: Some(name.to_owned()), filesystems: Vec::new(), ..disk }
}

/// What is found bootable of one disk.
fn found(disk: &Disk, bytes: &[u8], entries: &[Uuid]) -> Option<Bootable> {
    let open = |_: &str| Ok(Box::new(MemoryDevice::new(bytes.to_vec())) as Box<dyn BlockDevice>);
    look(std::slice::from_ref(disk), &open, entries).pop()
}

fn claimed(stage: Stage, root: u64, closed: bool) -> DiskContent {
    let claim = Claim { stage, root: (Uuid::from_u128(5), ByteSize::bytes(root)), ..claim() };
    DiskContent::Ours { claim: claim.into(), closed, beside: None }
}

fn claim() -> Claim {
    let claim = crate::spec::claim::tests::claim();
    Claim { grant: Grant { order: order(), ..claim.grant }, disk: "serial:sda".to_owned(), ..claim }
}

#[test]
fn a_fixed_disk_with_a_table_and_a_loader_boots() {
    let disk = fact("sda");
    let boots = found(&disk, &bytes(Some(LOADER)), &[]).unwrap();
    assert_eq!((boots.esp.number, boots.esp.offset, boots.has_loader), (15, MIB, true));
    assert_eq!((boots.esp.guid, boots.trouble), (Uuid::from_u128(97), None));

    assert_eq!(found(&disk, &bytes(None), &[]), None, "an empty ESP");
    let other = bytes(Some("EFI/debian/shimx64.efi"));
    assert_eq!(found(&disk, &other, &[]), None, "a loader that firmware can't find by itself");
    assert!(found(&disk, &other, &[Uuid::from_u128(97)]).is_some_and(|boots| !boots.has_loader));
    let mut closed = bytes(Some(LOADER));
    closed[..512].fill(0);
    assert_eq!(found(&disk, &closed, &[]), None, "an install that was cut off");
    let removable = Disk { removable: true, ..disk.clone() };
    assert_eq!(found(&removable, &bytes(Some(LOADER)), &[]), None);
    let medium = Disk { boot_medium: true, ..disk.clone() };
    assert_eq!(found(&medium, &bytes(Some(LOADER)), &[]), None);
    let failing = |_: &str| Err(io::Error::other("gone"));
    assert!(look(&[disk], &failing, &[]).is_empty());
}

#[test]
fn a_disk_on_which_an_order_was_begun_is_not_whole() {
    let trouble = |content| {
        let disk = Disk { content, ..fact("sda") };
        found(&disk, &bytes(Some(LOADER)), &[]).unwrap().trouble
    };
    let ready = Stage::Ready { entries: 1 };
    assert_eq!(trouble(claimed(ready, ROOT, false)), None);
    for content in
        [claimed(Stage::Begun, ROOT, false), claimed(Stage::Placed, ROOT, false), claimed(ready, ROOT, true)]
    {
        assert!(trouble(content).unwrap().contains("was begun on it"));
    }
    // partitions of another installer, over a claim that was never carried out
    assert_eq!(trouble(claimed(Stage::Begun, ROOT + MIB, false)), None);
}

#[test]
fn a_disk_whose_file_system_another_one_has_too_is_never_booted_on_a_guess() {
    let root = vec![Uuid::from_u128(5)];
    let disks = [
        Disk { filesystems: root.clone(), ..fact("sda") },
        Disk { filesystems: root, removable: true, ..fact("sdb") },
        Disk { filesystems: vec![Uuid::from_u128(6)], ..fact("sdc") },
    ];
    let whole = bytes(Some(LOADER));
    let open = |_: &str| Ok(Box::new(MemoryDevice::new(whole.clone())) as Box<dyn BlockDevice>);
    let troubles: Vec<_> = look(&disks, &open, &[]).into_iter().map(|boots| boots.trouble).collect();
    assert_eq!(troubles, [Some("sdb carries a file system of the same UUID".to_owned()), None]);
}

#[test]
fn every_mount_shows() {
    let mounted = |bytes: &[u8]| found(&fact("sda"), bytes, &[]).unwrap().mounted;
    let mut disk = bytes(Some(LOADER));
    let before = mounted(&disk);
    assert!(before.is_some());
    // a block of a file changes nothing, time or number of a mount do
    disk[ROOT as usize + 8192] = 1;
    assert_eq!(mounted(&disk), before);
    for place in [0x2c, 0x34] {
        let mut later = disk.clone();
        later[ROOT as usize + 1024 + place] += 1;
        assert_ne!(mounted(&later), before, "{place:#x}");
    }
    disk[ROOT as usize + 1024 + 56] = 0;
    assert_eq!(mounted(&disk), None);
}

#[test]
fn every_mount_of_xfs_shows_in_its_log() {
    let mounted = |bytes: &[u8]| found(&fact("sda"), bytes, &[]).unwrap().mounted;
    let mut disk = bytes(Some(LOADER));
    let root = &mut disk[ROOT as usize..];
    // of version 4, without a checksum: blocks of 4096 bytes, two groups of 500 with numbers of 9 bits, the log in the second one
    root[1024 + 56] = 0;
    root[..4].copy_from_slice(b"XFSB");
    root[4..8].copy_from_slice(&4096_u32.to_be_bytes());
    root[48..56].copy_from_slice(&((1_u64 << 9) + 3).to_be_bytes());
    root[84..88].copy_from_slice(&500_u32.to_be_bytes());
    root[96..100].copy_from_slice(&400_u32.to_be_bytes());
    root[124] = 9;
    let log = (ROOT + (500 + 3) * 4096) as usize;
    disk[log] = 1;
    let before = mounted(&disk);
    assert!(before.is_some());
    for (place, shows) in
        [(log - 1, false), (log, true), (log + 400 * 4096 - 1, true), (log + 400 * 4096, false)]
    {
        let mut later = disk.clone();
        later[place] ^= 1;
        assert_eq!(mounted(&later) != before, shows, "{}", place - log);
    }
    // what can't be is passed over
    for (place, value) in [(4, 0xff), (48, 0xff), (84, 0xff), (124, 0xff), (124, 63), (96, 0xff)] {
        let mut odd = disk.clone();
        odd[ROOT as usize + place] = value;
        assert_ne!(mounted(&odd), before, "{place}");
    }
}

#[test]
fn of_a_done_disk_and_its_copy_the_claimed_one_is_booted() {
    let ready = claimed(Stage::Ready { entries: 1 }, ROOT, false);
    let (original, copy) =
        (Disk { content: ready.clone(), ..fact("sda") }, Disk { content: ready, ..fact("sdb") });
    assert_eq!(done_disk(&order(), &[copy.clone(), original.clone()]).as_deref(), Some("sda"));
    assert_eq!(done_disk(&order(), std::slice::from_ref(&copy)), None, "anybody can copy a record");
    let copy = Disk { done: vec![order()], ..copy };
    assert_eq!(done_disk(&order(), &[copy.clone(), original]).as_deref(), Some("sda"));
    assert_eq!(done_disk(&order(), &[copy]).as_deref(), Some("sdb"));
    let by_file = Disk { done: vec![order()], ..fact("sdc") };
    assert_eq!(done_disk(&order(), &[fact("sda"), by_file]).as_deref(), Some("sdc"));
    assert_eq!(done_disk(&order(), &[fact("sda")]), None);
}
