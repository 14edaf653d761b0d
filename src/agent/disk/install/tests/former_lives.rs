//! Fifty disks that were much else, installed from an image with real file systems, and judged by blkid, e2fsck and sgdisk.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::agent::disk::signatures::testing::{at_the_end, at_the_start};
use crate::image::import::import;
use crate::image::store::Store;
use crate::image::testing::{key, program, root_device, root_files};
use crate::spec::order::{InstallOrder, WipePolicy};
use crate::sys::block::faults::Dice;
use crate::sys::block::{BlockDevice, FileDevice, Window, write_sparse_at};
use crate::sys::gpt::{Entry, Table};

const DISKS: u64 = 50;
const MIB: u64 = 1 << 20;
const ESP: (u64, u64) = (MIB, 5 * MIB);
const ROOT: (u64, u64) = (6 * MIB, 16 * MIB);
const IMAGE: u64 = 23 * MIB;

/// A small image: an ESP of FAT16, an ext4 root.
fn image() -> Option<Arc<dyn BlockDevice>> {
    let root = root_device(root_files, &[])?;
    let device = MemoryDevice::new(vec![0; IMAGE as usize]);
    let mut volume = Window::new(&device, ESP.0, ESP.1);
    fatfs::format_volume(&mut volume, fatfs::FormatVolumeOptions::new().fat_type(fatfs::FatType::Fat16))
        .unwrap();
    let esp = fatfs::FileSystem::new(&mut volume, fatfs::FsOptions::new()).unwrap();
    let boot = esp.root_dir().create_dir("EFI").unwrap().create_dir("BOOT").unwrap();
    for (name, seed) in [("BOOTX64.EFI", 3), ("grubx64.efi", 4)] {
        boot.create_file(name).unwrap().write_all(&program(seed, 5000)).unwrap();
    }
    boot.create_file("grub.cfg").unwrap().write_all(b"configfile /boot/grub/grub.cfg\n").unwrap();
    drop(boot);
    esp.unmount().unwrap();
    let mut content = vec![0; ROOT.1 as usize];
    root.read_at(0, &mut content).unwrap();
    device.write_at(ROOT.0, &content).unwrap();
    let mut table = Table::new(uuid::Uuid::from_u128(1));
    let entry = |kind, (at, length): (u64, u64)| {
        Entry::new(kind, uuid::Uuid::from_u128(u128::from(at)), at, length, "")
    };
    table.entries.extend([(1, entry(gpt::ESP, ESP)), (2, entry(gpt::LINUX_ROOT_X64, ROOT))]);
    let built = table.build(IMAGE).unwrap();
    device.write_at(0, &built.primary).unwrap();
    device.write_at(built.backup_offset, &built.backup).unwrap();
    Some(Arc::new(device))
}

/// The image in packs, and an order for it that allows the loss of foreign data.
fn world() -> Option<World> {
    let image = image()?;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let name = "small@1".parse().unwrap();
    let imported = import(&store, &image, &name, &key(), false, &mut |_, _, _| Ok(())).unwrap();
    let manifest = store.manifest(&name, &imported.digest, &key().alone()).unwrap();
    let index = store.index(&manifest).unwrap();
    let mut source = MemorySource::new();
    for pack in &manifest.packs {
        source.add(std::fs::read(store.blob_path(&pack.digest)).unwrap());
    }
    let order = InstallOrder { wipe: WipePolicy::Foreign, ..fixture::order(&manifest) };
    Some(World {
        image: Vec::new(),
        manifest,
        order: fixture::verified(&fixture::granted(order)),
        index,
        source,
    })
}

/// Junk in many places, tables and signatures of old partitions: one that ends where the root will, and the whole disk.
fn former_life(device: &dyn BlockDevice, junk: &[u8], dice: &mut Dice) {
    let size = device.size();
    for _ in 0..12 {
        let at = dice.next() % (size - junk.len() as u64);
        device.write_at(at / 512 * 512, junk).unwrap();
    }
    device.write_at(size - junk.len() as u64, junk).unwrap();
    device.write_at(size - 3 * MIB, junk).unwrap();
    let root_end = (size - BACKUP_LENGTH) / MIB * MIB;
    for (start, end) in [(ROOT.0, root_end), (0, size), (dice.next() % 30 * MIB, root_end)] {
        let (last, first) = (at_the_end(end - start), at_the_start());
        let mut pick = |count: usize| dice.next() as usize % count;
        last[pick(last.len())].put(device, start);
        first[pick(first.len())].put(device, start);
    }
    if dice.coin() {
        let mut table = Table::new(uuid::Uuid::from_u128(7));
        let entry = Entry::new(gpt::LINUX_DATA, uuid::Uuid::from_u128(8), 2 * MIB, root_end - 2 * MIB, "old");
        table.entries.insert(1, entry);
        let built = table.build(size).unwrap();
        device.write_at(0, &built.primary).unwrap();
        device.write_at(built.backup_offset, &built.backup).unwrap();
    }
}

/// Grows the root with `resize2fs`, as a kernel would.
struct Grower<'a>(&'a FileDevice);

impl Personaliser for Grower<'_> {
    fn personalise(&mut self, layout: &DiskLayout) -> Result<Personalised, Failure> {
        let root = &layout.root;
        let mut content = vec![0; ROOT.1 as usize];
        self.0.read_at(root.offset, &mut content).unwrap();
        let mut copy = tempfile::NamedTempFile::new().unwrap();
        copy.write_all(&content).unwrap();
        copy.as_file().set_len(root.length).unwrap();
        tool(Command::new("resize2fs").arg("-f").arg(copy.path()));
        let copy = FileDevice::new(copy.reopen().unwrap(), root.length, 512);
        let mut piece = vec![0; MIB as usize];
        for at in (0..root.length).step_by(piece.len()) {
            copy.read_at(at, &mut piece).unwrap();
            match at < ROOT.1 {
                true => self.0.write_at(root.offset + at, &piece).unwrap(),
                false => write_sparse_at(self.0, root.offset + at, &piece).unwrap(),
            }
        }
        Ok(Personalised::default())
    }
}

fn tool(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// What blkid says of a partition: its type; `None` where it says nothing or finds several.
fn blkid(disk: &Path, partition: &crate::spec::image::ImagePartition) -> Option<String> {
    let mut command = Command::new("blkid");
    command.args(["-p", "-o", "value", "-s", "TYPE", "--offset", &partition.offset.to_string()]);
    let output = command.args(["--size", &partition.length.to_string()]).arg(disk).output().unwrap();
    // 2: nothing, 8: ambivalent
    assert!(matches!(output.status.code(), Some(0 | 2 | 8)), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    output.status.success().then_some(text)
}

fn installed_on(world: &World, device: &FileDevice) -> DiskLayout {
    let plan = fixture::plan_for_device(world, device).unwrap();
    let World { order, manifest, index, source, .. } = world;
    let install = Install { device, plan: &plan, order, manifest, index, source, leave: &() };
    super::super::install(&install, &mut Grower(device), &mut |_| ()).unwrap().layout
}

#[test]
fn after_fifty_installs_over_old_content_each_partition_is_one_thing() {
    for (program, package) in
        [("blkid", "util-linux"), ("resize2fs", "e2fsprogs"), ("e2fsck", "e2fsprogs"), ("sgdisk", "gdisk")]
    {
        if Command::new(program).arg("-V").output().is_err() {
            return crate::expect::missing_program(program, package);
        }
    }
    let Some(world) = world() else { return };
    let dice = &mut Dice::new(12);
    let junk: Vec<u8> = (0..MIB / 8).flat_map(|_| dice.next().to_le_bytes()).collect();
    let mut confused = 0;
    for number in 0..DISKS {
        let size = 80 * MIB + dice.next() % (60 * MIB) / 512 * 512;
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(size).unwrap();
        let device = FileDevice::new(file.reopen().unwrap(), size, 512);
        former_life(&device, &junk, dice);
        let mut rest = vec![0; (8 * MIB) as usize];
        device.read_at(size - 8 * MIB, &mut rest).unwrap();

        let layout = installed_on(&world, &device);
        let (esp, root) = (&layout.esp, &layout.root);
        assert_eq!(blkid(file.path(), esp).as_deref(), Some("vfat"), "disk {number}");
        assert_eq!(blkid(file.path(), root).as_deref(), Some("ext4"), "disk {number}");
        let at = format!("{}?offset={}", file.path().display(), root.offset);
        tool(Command::new("e2fsck").args(["-f", "-n", &at]));
        let verdict = tool(Command::new("sgdisk").arg("-v").arg(file.path()));
        assert!(verdict.contains("No problems found"), "disk {number}: {verdict}");

        // had the end been left as it was, blkid would have found several things, or the wrong one
        let root_end = root.offset + root.length;
        device.write_at(size - 8 * MIB, &rest[..(root_end - (size - 8 * MIB)) as usize]).unwrap();
        confused += u64::from(blkid(file.path(), root).as_deref() != Some("ext4"));
    }
    assert!(confused > DISKS * 3 / 4, "{confused}");
}
