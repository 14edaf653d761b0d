//! Disks as tools of others partition and format them, after their tables were wiped: none may pass for blank. And blank ones.
//!
//! Layouts come from a generator with a seed that each failure names. The disks are sparse files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use uuid::Uuid;

use super::look;
use crate::agent::fixture;
use crate::spec::facts::DiskContent;
use crate::sys::block::FileDevice;
use crate::sys::gpt;

const MIB: u64 = 1 << 20;

/// xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// A disk in a file, and the files that it was made from.
struct World {
    directory: tempfile::TempDir,
    disk: File,
    size: u64,
}

impl World {
    fn new(size: u64) -> Self {
        // thousands of programs that sync what they wrote: in memory where that can be had
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::tempdir_in(place).unwrap();
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        let disk = options.open(directory.path().join("disk")).unwrap();
        disk.set_len(size).unwrap();
        Self { directory, disk, size }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("disk")
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        self.disk.write_all_at(bytes, at).unwrap();
    }

    fn fill(&self, range: std::ops::Range<u64>, byte: u8) {
        for at in range.clone().step_by(MIB as usize) {
            self.write(at, &vec![byte; MIB.min(range.end - at) as usize]);
        }
    }

    fn content(&self) -> DiskContent {
        let device = FileDevice::new(self.disk.try_clone().unwrap(), self.size, 512);
        look(&device, &fixture::key().alone(), true).content
    }

    fn sgdisk(&self, arguments: &[String]) {
        run("sgdisk", arguments.iter().map(String::as_str).chain([self.path().to_str().unwrap()]));
    }

    /// Makes a GPT with these partitions: by sgdisk, which sleeps a second each time, or as it does.
    fn partition(&self, parts: &[(u64, u64)], by_sgdisk: bool) {
        if by_sgdisk {
            let new = |(number, (at, length)): (u32, &(u64, u64))| {
                format!("--new={number}:{}:{}", at / 512, (at + length) / 512 - 1)
            };
            return self.sgdisk(&(1..).zip(parts).map(new).collect::<Vec<_>>());
        }
        let mut table = gpt::Table::new(Uuid::from_u128(1));
        let entry = |(at, length): &(u64, u64)| {
            gpt::Entry::new(gpt::LINUX_DATA, Uuid::from_u128(u128::from(*at)), *at, *length, "part")
        };
        table.entries = (1..).zip(parts.iter().map(entry)).collect();
        let built = table.build(self.size).unwrap();
        self.write(0, &built.primary);
        self.write(built.backup_offset, &built.backup);
    }

    /// Zeroes both tables.
    fn zap(&self, by_sgdisk: bool) {
        if by_sgdisk {
            return self.sgdisk(&["--zap-all".to_owned()]);
        }
        self.fill(0..gpt::PRIMARY_LENGTH as u64, 0);
        self.fill(self.size - gpt::BACKUP_LENGTH..self.size, 0);
    }

    /// Copies what isn't a hole of this file to this place.
    fn lay(&self, from: &Path, at: u64) {
        let file = File::open(from).unwrap();
        let length = file.metadata().unwrap().len();
        let mut buffer = vec![0; MIB as usize];
        let mut place = 0;
        while let Ok(data) = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(place)) {
            let end = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(data)).unwrap_or(length);
            let count = MIB.min(end - data) as usize;
            file.read_exact_at(&mut buffer[..count], data).unwrap();
            self.write(at + data, &buffer[..count]);
            place = data + count as u64;
        }
    }

    /// Makes a file system of this length with a tool that knows no offsets, and lays it there.
    fn format(&self, at: u64, length: u64, program: &str, arguments: &[&str]) {
        let file = self.directory.path().join("partition");
        File::create(&file).unwrap().set_len(length).unwrap();
        run(program, arguments.iter().copied().chain([file.to_str().unwrap()]));
        self.lay(&file, at);
    }

    fn ext4(&self, at: u64, length: u64, block: u64, more: &[&str]) {
        let (block, offset) = (block.to_string(), format!("offset={at}"));
        let (disk, blocks) = (self.path(), (length / 1024).to_string() + "k");
        let fixed = ["-q", "-F", "-t", "ext4", "-b", &block, "-E", &offset];
        run("mke2fs", fixed.iter().chain(more).copied().chain([disk.to_str().unwrap(), &blocks]));
    }
}

fn run<'a>(program: &str, arguments: impl Iterator<Item = &'a str>) {
    let found =
        Command::new(program).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "{program}: {said}{}", String::from_utf8_lossy(&found.stdout));
}

/// Whether everything that makes disks is there.
fn has_tools() -> bool {
    let tools = [
        ("sgdisk", "gdisk"),
        ("mke2fs", "e2fsprogs"),
        ("mkfs.vfat", "dosfstools"),
        ("mkfs.xfs", "xfsprogs"),
        ("mkfs.btrfs", "btrfs-progs"),
        ("mkswap", "util-linux"),
    ];
    let is_there =
        |program: &str| ["/usr/sbin", "/sbin"].iter().any(|dir| Path::new(dir).join(program).exists());
    let missing: Vec<_> = tools.iter().filter(|(program, _)| !is_there(program)).collect();
    missing.iter().for_each(|(program, package)| crate::expect::missing_program(program, package));
    missing.is_empty()
}

/// Puts something into a part of the disk; says what.
fn fill_part(world: &World, random: &mut Random, at: u64, length: u64) -> &'static str {
    let mut kinds = vec!["ext4", "ext4", "vfat", "swap", "lvm", "md", "md at the end", "luks", "zfs"];
    if length >= 300 * MIB {
        kinds.extend(["xfs"; 3]);
    }
    if length >= 128 * MIB {
        kinds.extend(["btrfs"; 3]);
    }
    let kind = random.pick(&kinds);
    match kind {
        "ext4" => world.ext4(at, length, random.pick(&[1024, 2048, 4096]), &[]),
        "vfat" => {
            let (offset, disk) = ((at / 512).to_string(), world.path());
            let blocks = (length / 1024).to_string();
            let arguments = ["--offset", &offset, "--mbr=n", "-F", "32", disk.to_str().unwrap(), &blocks];
            run("mkfs.vfat", arguments.into_iter());
        }
        "xfs" => world.format(at, length, "mkfs.xfs", &["-q"]),
        "btrfs" => world.format(at, length, "mkfs.btrfs", &["-q"]),
        "swap" => world.format(at, length, "mkswap", &[]),
        "lvm" => {
            world.write(at + 512, b"LABELONE\x01\0\0\0\0\0\0\0");
            world.write(at + 4096, &random.bytes(512));
        }
        "luks" => {
            world.write(at, b"LUKS\xba\xbe\0\x02");
            world.write(at + (16 << 10), b"SKUL\xba\xbe\0\x02");
            world.write(at + (32 << 10), &random.bytes(64 << 10));
        }
        "md" => {
            world.write(at + 4096, &0xa92b_4efc_u32.to_le_bytes());
            world.write(at + 4100, &random.bytes(256));
        }
        // 1.0: the member of a mirror is a file system as well
        "md at the end" => {
            world.ext4(at, length - 128 * 1024, 4096, &[]);
            world.write(at + length / 4096 * 4096 - 8192, &0xa92b_4efc_u32.to_le_bytes());
        }
        // of four labels the first two
        _ => {
            for label in [0, 256 << 10] {
                world.write(at + label + (16 << 10), &random.bytes(1000));
                world.write(at + label + (128 << 10), &0x00ba_b10c_u64.to_le_bytes());
            }
        }
    }
    kind
}

/// Starts and lengths of one to five parts, in order.
fn parts(random: &mut Random, size: u64) -> Vec<(u64, u64)> {
    let count = 1 + random.below(5);
    let share = (size - 4 * MIB) / count / MIB * MIB;
    (0..count)
        .map(|number| {
            let gap = if random.below(2) == 0 { 0 } else { random.below(share / 8 / MIB + 1) * MIB };
            let left = share - gap;
            let length = (left / 2 + random.below(left / 2)) / MIB * MIB;
            (MIB + number * share + gap, length)
        })
        .collect()
}

/// A disk with a layout, formatted, its tables wiped; and what was done, in words.
fn wiped_disk(seed: u64) -> (World, String) {
    let random = &mut Random::seeded(seed);
    // most are small, as in such numbers they take their time
    let size = random.pick(&[64, 64, 100, 100, 160, 160, 333, 1000, 3000, 8000]) * MIB
        + random.below(MIB / 512) * 512;
    let world = World::new(size);
    let mut parts = parts(random, size);
    let by_gpt = random.below(3) > 0;
    let by_sgdisk = seed.is_multiple_of(20);
    if by_gpt {
        world.partition(&parts, by_sgdisk);
    } else {
        parts.truncate(4);
        if random.below(2) == 0 {
            // as DOS did it
            parts[0].0 = 63 * 512;
        }
        let mut sector = vec![0; 512];
        for (slot, (at, length)) in parts.iter().enumerate() {
            let entry = &mut sector[446 + slot * 16..][..16];
            entry[4] = 0x83;
            entry[8..12].copy_from_slice(&((at / 512) as u32).to_le_bytes());
            entry[12..].copy_from_slice(&((length / 512) as u32).to_le_bytes());
        }
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        world.write(0, &sector);
    }
    let kinds: Vec<_> = parts.iter().map(|(at, length)| fill_part(&world, random, *at, *length)).collect();
    let wipe = random.pick(&[
        "sgdisk --zap-all",
        "the ends zeroed",
        "the ends made 0xFF",
        "all magic numbers as well",
    ]);
    let before = parts[0].0.min(MIB);
    match wipe {
        "sgdisk --zap-all" if by_gpt => world.zap(by_sgdisk),
        "the ends made 0xFF" => {
            world.fill(0..before, 0xff);
            world.fill(size - MIB..size, 0xff);
        }
        wipe => {
            if wipe == "all magic numbers as well" {
                erase_signatures(&world, &parts);
            }
            world.fill(0..before, 0);
            world.fill(size - MIB..size, 0);
        }
    }
    let layout: Vec<_> =
        parts.iter().zip(&kinds).map(|((at, length), kind)| format!("{kind} {length}@{at}")).collect();
    (world, format!("seed {seed}: {size} bytes, gpt {by_gpt}, {}; {wipe}", layout.join(", ")))
}

/// As `wipefs --all` does to each partition.
fn erase_signatures(world: &World, parts: &[(u64, u64)]) {
    for (start, _) in parts {
        for signature in super::signatures::SIGNATURES {
            let mut there = vec![0; signature.bytes.len()];
            let at = start + signature.at;
            if world.disk.read_exact_at(&mut there, at).is_ok() && there == signature.bytes {
                world.write(at, &vec![0; there.len()]);
            }
        }
    }
}

#[test]
fn of_two_hundred_layouts_with_wiped_tables_none_is_blank() {
    if !has_tools() {
        return;
    }
    let blank = Mutex::new(Vec::new());
    let judge = |seed| {
        let (world, what) = wiped_disk(seed);
        let content = world.content();
        if !matches!(content, DiskContent::Foreign { .. }) {
            blank.lock().unwrap().push(format!("{what}: {content:?}"));
        }
    };
    // the tools wait more than they work
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let judge = &judge;
            scope.spawn(move || (thread..200).step_by(4).for_each(judge));
        }
    });
    let blank = blank.into_inner().unwrap();
    assert!(blank.is_empty(), "\n{}", blank.join("\n"));
}

#[test]
fn of_fifty_blank_disks_none_is_foreign() {
    if !has_tools() {
        return;
    }
    for seed in 0..50 {
        let random = &mut Random::seeded(seed);
        let size = random.pick(&[20, 30, 40]) * MIB + random.below(MIB / 512) * 512;
        let world = World::new(size);
        let is_zero = seed % 5 < 2;
        if !is_zero {
            world.fill(0..size, 0xff);
        }
        // a table that was made and wiped again, with nothing behind it
        if seed.is_multiple_of(2) {
            let by_sgdisk = seed.is_multiple_of(10);
            world.partition(&[(MIB, size / MIB * MIB - 2 * MIB)], by_sgdisk);
            world.zap(by_sgdisk);
        }
        assert_eq!(world.content(), DiskContent::Blank, "seed {seed}: {size} bytes, zeroes: {is_zero}");
    }
    // any size: these have no bytes to be made
    for size in [500 << 20, (3 << 30) + 512, 8 << 30] {
        assert_eq!(World::new(size).content(), DiskContent::Blank, "{size}");
    }
}

#[test]
fn a_file_system_with_files_is_named_after_its_table_was_zapped() {
    if !has_tools() {
        return;
    }
    let world = World::new(2 << 30);
    let files = world.directory.path().join("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("letter"), Random::seeded(1).bytes(100_000)).unwrap();
    world.partition(&[(MIB, 1 << 30)], true);
    world.ext4(MIB, 1 << 30, 4096, &["-d", files.to_str().unwrap()]);
    world.zap(true);
    let looks_like = "ext2/3/4 at byte 1048576".to_owned();
    assert_eq!(world.content(), DiskContent::Foreign { looks_like });
    // where the partition's beginning is gone, too, its copies are left
    world.fill(0..16 * MIB, 0);
    let looks_like = "ext2/3/4 (a copy of its superblock) at byte 135266304".to_owned();
    assert_eq!(world.content(), DiskContent::Foreign { looks_like });
}

#[test]
fn an_xfs_whose_beginning_is_gone_is_found_by_its_allocation_groups() {
    if !has_tools() {
        return;
    }
    let world = World::new(5 << 30);
    world.format(MIB, (5 << 30) - 2 * MIB, "mkfs.xfs", &["-q"]);
    world.fill(0..64 * MIB, 0);
    let DiskContent::Foreign { looks_like } = world.content() else { panic!("{:?}", world.content()) };
    assert!(looks_like.starts_with("XFS (an allocation group) at byte "), "{looks_like}");
}
