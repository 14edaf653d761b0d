//! Machines made of files and of disks in memory.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::*;
use crate::agent::fixture;
use crate::sys::block::MemoryDevice;

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn machine(files: &[(&str, &[u8])], contents: BTreeMap<&str, Vec<u8>>) -> Vec<Disk> {
    with_candidates(files, contents, &|_| false)
}

fn with_candidates(
    files: &[(&str, &[u8])],
    contents: BTreeMap<&str, Vec<u8>>,
    is_candidate: Candidate<'_>,
) -> Vec<Disk> {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(dir.path(), path, content);
    }
    let open = |name: &str| match contents.get(name) {
        Some(bytes) => Ok(Box::new(MemoryDevice::new(bytes.clone())) as Box<dyn BlockDevice>),
        None => Err(io::Error::other("no medium")),
    };
    look(dir.path(), &Look { open: &open, keys: &fixture::key().alone(), is_candidate })
}

#[test]
fn each_transport_tells_its_serial_model_and_name() {
    let mut ata_page = vec![0; 60 + 512];
    for (at, pair) in b"EXAMPLE SSD 870 EVO 250GB               ".chunks_exact(2).enumerate() {
        ata_page[60 + 54 + at * 2..60 + 56 + at * 2].copy_from_slice(&[pair[1], pair[0]]);
    }
    let files: [(&str, &[u8]); 15] = [
        ("block/vda/size", b"8192\n"),
        ("block/vda/serial", b"VIRT1"),
        ("block/nvme0n1/size", b"8192\n"),
        ("block/nvme0n1/wwid", b"eui.0025388b710116a1\n"),
        ("block/nvme0n1/device/serial", b"S4EUNX0N123456      \n"),
        ("block/nvme0n1/device/model", b"Example SSD 970\n"),
        ("block/sda/size", b"8192\n"),
        ("block/sda/device/vpd_pg80", b"\0\x80\0\x08  S3Z9N "),
        ("block/sda/device/vpd_pg89", &ata_page),
        ("block/sda/device/wwid", b"naa.5002538e40a1b2c3\n"),
        ("block/sda/device/model", b"EXAMPLE SSD 870 \n"),
        ("block/sdb/size", b"8192\n"),
        ("block/sdb/device/wwid", b"t10.ATA     QEMU HARDDISK   QM00005\n"),
        ("block/loop0/size", b"8192\n"),
        ("block/sr0/size", b"8192\n"),
    ];
    let disks = machine(&files, BTreeMap::new());
    let seen: Vec<_> = disks
        .iter()
        .map(|d| (d.name.as_str(), d.serial.as_deref(), d.wwn.as_deref(), d.model.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            ("nvme0n1", Some("S4EUNX0N123456"), Some("eui.0025388b710116a1"), Some("Example SSD 970")),
            ("sda", Some("S3Z9N"), Some("naa.5002538e40a1b2c3"), Some("EXAMPLE SSD 870 EVO 250GB")),
            ("sdb", None, None, None),
            ("vda", Some("VIRT1"), None, None),
        ]
    );
    assert!(disks.iter().all(|disk| matches!(disk.content, DiskContent::Unreadable { .. })));
}

#[test]
fn a_disk_on_usb_is_removable_whatever_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let real = "devices/pci0000:00/0000:00:04.0/usb1/1-1/1-1:1.0/host0/target0:0:0/0:0:0:0/block/sda";
    write(dir.path(), &format!("{real}/size"), b"8192\n");
    write(dir.path(), &format!("{real}/removable"), b"0\n");
    write(dir.path(), "block/sdb/size", b"8192\n");
    std::os::unix::fs::symlink(format!("../{real}"), dir.path().join("block/sda")).unwrap();
    let open = |_: &str| Err(io::Error::other("no medium"));
    let look_at = Look { open: &open, keys: &fixture::key().alone(), is_candidate: &|_| true };
    let disks = look(dir.path(), &look_at);
    assert_eq!(disks.iter().map(|disk| disk.removable).collect::<Vec<_>>(), [true, false]);
}

fn with_table(entries: Vec<gpt::Entry>) -> Vec<u8> {
    let mut disk = vec![0; 64 << 20];
    let mut table = gpt::Table::new(Uuid::from_u128(1));
    table.entries = (1..).zip(entries).collect();
    let built = table.build(disk.len() as u64).unwrap();
    disk[..built.primary.len()].copy_from_slice(&built.primary);
    disk[built.backup_offset as usize..].copy_from_slice(&built.backup);
    disk
}

#[test]
fn partitions_tell_media_done_orders_and_file_systems() {
    let (esp, root) = (1 << 20, 40 << 20);
    let mut disk = with_table(vec![
        gpt::Entry::new(gpt::ESP, Uuid::from_u128(2), esp, 36 << 20, "ESP"),
        gpt::Entry::new(gpt::LINUX_ROOT_X64, Uuid::from_u128(3), root, 8 << 20, "root"),
        gpt::Entry::new(payload::PARTITION_TYPE, Uuid::from_u128(4), 50 << 20, 4096, "payload"),
    ]);
    let uuid = Uuid::from_u128(0x1234);
    disk[root as usize + 1080..][..2].copy_from_slice(&[0x53, 0xef]);
    disk[root as usize + 1128..][..16].copy_from_slice(uuid.as_bytes());
    let order = OrderId::from_random([5; 16]);
    let volume = &mut disk[esp as usize..esp as usize + (36 << 20)];
    fatfs::format_volume(io::Cursor::new(&mut *volume), fatfs::FormatVolumeOptions::new()).unwrap();
    let filesystem = fatfs::FileSystem::new(io::Cursor::new(volume), fatfs::FsOptions::new()).unwrap();
    let directory = filesystem.root_dir().create_dir("EFI").unwrap().create_dir("ironstrap").unwrap();
    directory
        .create_file(&format!("done-{order}"))
        .unwrap()
        .write_all(format!("web01 debian@1 2026-11-18T11:06:40Z {uuid}\n").as_bytes())
        .unwrap();
    let older = OrderId::from_random([4; 16]);
    directory.create_file(&format!("done-{older}")).unwrap().write_all(b"web01 debian@1\n").unwrap();
    drop(directory);
    drop(filesystem);

    let size = (disk.len() / 512).to_string();
    let files: [(&str, &[u8]); 1] = [("block/vda/size", size.as_bytes())];
    let seen = machine(&files, BTreeMap::from([("vda", disk)])).remove(0);
    assert!(seen.boot_medium);
    assert_eq!(seen.filesystems, [uuid]);
    assert_eq!((seen.done, seen.done_roots), (vec![order, older], vec![uuid]));
    assert_eq!(seen.done_at, Some("2026-11-18T11:06:40Z".parse().unwrap()));
    assert!(matches!(seen.content, DiskContent::Foreign { .. }));
}

#[test]
fn only_candidates_are_looked_at_beyond_their_ends() {
    let files: [(&str, &[u8]); 4] = [
        ("block/vda/size", b"16384\n"),
        ("block/vda/serial", b"ONE"),
        ("block/vdb/size", b"16384\n"),
        ("block/vdb/serial", b"TWO"),
    ];
    let mut disk = vec![0; 8 << 20];
    disk[5 << 20] = 1;
    let contents = BTreeMap::from([("vda", disk.clone()), ("vdb", disk)]);
    let disks = with_candidates(&files, contents, &|disk| disk.serial.as_deref() == Some("TWO"));
    assert_eq!((&disks[0].content, &disks[0].samples), (&DiskContent::Unsampled, &None));
    let looks_like = "unknown data at byte 5242880".to_owned();
    assert_eq!(disks[1].content, DiskContent::Foreign { looks_like });
    assert!(disks[1].samples.is_some());
}

#[test]
fn partitions_that_the_kernel_knows_are_numbered_from_its_files() {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in [
        ("block/nvme0n1/nvme0n1p12/partition", "12\n"),
        ("block/nvme0n1/nvme0n1p2/partition", "2\n"),
        ("block/nvme0n1/nvme0n1p2/start", "2048\n"),
        ("block/nvme0n1/queue/logical_block_size", "512\n"),
        ("block/sda/sda1/partition", "1\n"),
    ] {
        write(dir.path(), path, content.as_bytes());
    }
    assert_eq!(partition_numbers(dir.path(), "nvme0n1"), [2, 12]);
    assert!(partition_numbers(dir.path(), "sdb").is_empty());
}

/// A FAT16 volume with a directory `EFI`: its bytes, and where the entry of that directory's cluster is in the table, its
/// number, and its content.
fn volume_with_efi() -> (Vec<u8>, usize, u16, std::ops::Range<usize>) {
    let mut volume = vec![0; 36 << 20];
    let options = fatfs::FormatVolumeOptions::new().fat_type(fatfs::FatType::Fat16);
    fatfs::format_volume(io::Cursor::new(&mut volume), options).unwrap();
    let filesystem = fatfs::FileSystem::new(io::Cursor::new(&mut volume), fatfs::FsOptions::new()).unwrap();
    filesystem.root_dir().create_dir("EFI").unwrap();
    drop(filesystem);
    let u16_at = |at: usize| u16::from_le_bytes([volume[at], volume[at + 1]]);
    let block = usize::from(u16_at(11));
    let table = usize::from(u16_at(14)) * block;
    let root = table + usize::from(volume[16]) * usize::from(u16_at(22)) * block;
    let entry = (root..).step_by(32).find(|at| volume[*at..].starts_with(b"EFI        ")).unwrap();
    let cluster = u16_at(entry + 26);
    let size = usize::from(volume[13]) * block;
    let content = root + usize::from(u16_at(17)) * 32 + usize::from(cluster - 2) * size;
    (volume, table + usize::from(cluster) * 2, cluster, content..content + size)
}

fn done(volume: Vec<u8>) -> io::Result<Vec<DoneFile>> {
    let device = MemoryDevice::new(volume);
    done_files(Window::new(&device, 0, device.size()))
}

#[test]
fn a_directory_that_goes_round_in_circles_ends() {
    let (mut volume, link, cluster, content) = volume_with_efi();
    let error = done(volume.clone()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    volume[link..link + 2].copy_from_slice(&cluster.to_le_bytes());
    // deleted entries: no name in them, and no end
    volume[content].fill(0xe5);
    let error = done(volume).unwrap_err();
    assert!(error.to_string().contains("no end"), "{error}");
}

#[test]
fn damage_in_the_first_block_of_a_volume_stops_nothing() {
    let (volume, ..) = volume_with_efi();
    for place in 0..64 {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = volume[..1 << 20].to_vec();
            damaged[place] = value;
            let _ = done(damaged);
        }
    }
}

#[test]
fn a_card_in_a_built_in_reader_is_removable_and_soldered_flash_is_not() {
    let files: [(&str, &[u8]); 6] = [
        ("block/mmcblk0/size", b"8192\n"),
        ("block/mmcblk0/removable", b"0\n"),
        ("block/mmcblk0/device/type", b"MMC\n"),
        ("block/mmcblk1/size", b"8192\n"),
        ("block/mmcblk1/removable", b"0\n"),
        ("block/mmcblk1/device/type", b"SD\n"),
    ];
    let disks = machine(&files, BTreeMap::new());
    assert_eq!(disks.iter().map(|disk| disk.removable).collect::<Vec<_>>(), [false, true]);
}
