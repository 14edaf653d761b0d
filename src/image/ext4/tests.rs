//! Our reader beside another one, over file systems of many forms; and file systems that were made to do harm.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::content::Content;
use super::inode::{InodeKind, Inodes};
use crate::image::volume::find;
use crate::spec::ondisk::ext4;
use crate::sys::block::{FileDevice, MemoryDevice};
use crate::sys::budget::Budget;

/// A file system with these options, and its bytes; `None`, said aloud, without e2fsprogs.
fn filesystem(options: &[&str], files: impl FnOnce(&Path), debugfs: &str) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let (root, image) = (dir.path().join("root"), dir.path().join("image"));
    std::fs::create_dir(&root).unwrap();
    files(&root);
    let run = |command: &mut Command| {
        let Ok(output) = command.output() else {
            crate::expect::missing_program("mke2fs", "e2fsprogs");
            return None;
        };
        Some(output)
    };
    let made = run(Command::new("mke2fs")
        .args(["-q", "-F"])
        .args(options)
        .arg("-d")
        .arg(&root)
        .arg(&image)
        .arg("24M"))?;
    assert!(made.status.success(), "{options:?}: {}", String::from_utf8_lossy(&made.stderr));
    if !debugfs.is_empty() {
        let commands = dir.path().join("commands");
        std::fs::write(&commands, debugfs).unwrap();
        run(Command::new("debugfs").args(["-w", "-f"]).arg(&commands).arg(&image))?;
    }
    // makes hashed directories of the long ones
    run(Command::new("e2fsck").args(["-fyD"]).arg(&image))?;
    Some(std::fs::read(&image).unwrap())
}

fn many_kinds(root: &Path) {
    let put = |path: &str, content: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    put("etc/os-release", b"ID=x\n");
    put("usr/lib/empty", b"");
    put("large", &(0..1_000_000_u32).map(|at| (at / 7) as u8).collect::<Vec<_>>());
    (0..300).for_each(|number| put(&format!("many/{number:04}-with-a-name-that-fills-blocks"), &[1]));
    std::os::unix::fs::symlink("etc/os-release", root.join("short")).unwrap();
    std::os::unix::fs::symlink(format!("{}etc/os-release", "./".repeat(60)), root.join("long")).unwrap();
    std::os::unix::fs::symlink("many", root.join("to-many")).unwrap();
    std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
    std::os::unix::fs::symlink("../../../etc", root.join("usr/up")).unwrap();
    crate::sys::block::write_sparse_at(
        &FileDevice::new(std::fs::File::create(root.join("sparse")).unwrap(), 5_000_000, 512),
        0,
        &sparse(),
    )
    .unwrap();
    std::fs::File::options().write(true).open(root.join("sparse")).unwrap().set_len(5_000_000).unwrap();
}

/// Islands in a file of holes.
fn sparse() -> Vec<u8> {
    let mut bytes = vec![0; 5_000_000];
    (0..40).for_each(|number| bytes[number * 100_000..][..6].copy_from_slice(b"island"));
    bytes
}

fn open(bytes: Vec<u8>) -> Result<Arc<Inodes>> {
    let length = bytes.len() as u64;
    Ok(Arc::new(Inodes::open(Arc::new(MemoryDevice::new(bytes)), 0, length, Budget::of(length))?))
}

/// What stands under each path: kind, owner, mode, and content or target.
type Tree = BTreeMap<Vec<u8>, (InodeKind, u32, u32, Vec<u8>)>;

fn ours(inodes: &Arc<Inodes>) -> Result<Tree> {
    let mut found = Tree::new();
    let mut stack = vec![(Vec::new(), super::inode::ROOT)];
    while let Some((path, number)) = stack.pop() {
        let inode = inodes.get(number)?;
        let mut content = Vec::new();
        match inode.kind {
            InodeKind::Directory => {
                let names = inodes.list(&inode)?;
                stack.extend(names.iter().map(|name| ([&path, &b"/"[..], name.text].concat(), name.inode)));
            }
            InodeKind::File => drop(Content::open(inodes, &inode)?.read_to_end(&mut content)?),
            InodeKind::Symlink => content = inodes.link(&inode)?,
            _ => {}
        }
        found.insert(path, (inode.kind, inode.uid, inode.mode, content));
    }
    Ok(found)
}

fn theirs(bytes: Vec<u8>) -> Tree {
    let fs = ext4_view::Ext4::load(Box::new(bytes)).unwrap();
    let mut found = Tree::new();
    let mut stack = vec![b"/".to_vec()];
    while let Some(path) = stack.pop() {
        let seen = fs.symlink_metadata(path.as_slice()).unwrap();
        let (kind, content) = match seen.file_type() {
            ext4_view::FileType::Directory => (InodeKind::Directory, Vec::new()),
            ext4_view::FileType::Symlink => {
                (InodeKind::Symlink, fs.read_link(path.as_slice()).unwrap().as_ref().to_vec())
            }
            // it doesn't know holes of a map of blocks
            ext4_view::FileType::Regular if path == b"/sparse" => (InodeKind::File, sparse()),
            ext4_view::FileType::Regular => (InodeKind::File, fs.read(path.as_slice()).unwrap()),
            ext4_view::FileType::Fifo => (InodeKind::Fifo, Vec::new()),
            other => panic!("{other:?}"),
        };
        if kind == InodeKind::Directory {
            for entry in fs.read_dir(path.as_slice()).unwrap() {
                let entry = entry.unwrap();
                if !matches!(entry.file_name().as_ref(), b"." | b"..") {
                    stack.push(entry.path().as_ref().to_vec());
                }
            }
        }
        let path = path.strip_suffix(b"/").unwrap_or(&path).to_vec();
        found.insert(path, (kind, seen.uid(), u32::from(seen.mode() & 0o7777), content));
    }
    found
}

#[test]
fn another_reader_finds_the_same_in_file_systems_of_many_forms() {
    let forms: [&[&str]; 7] = [
        &["-t", "ext4"],
        &["-t", "ext4", "-b", "1024"],
        &["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit"],
        &["-t", "ext4", "-O", "metadata_csum_seed", "-I", "512"],
        &["-t", "ext4", "-O", "^flex_bg,^resize_inode", "-N", "2000"],
        // maps of blocks instead of extents
        &["-t", "ext4", "-b", "1024", "-O", "^extent,^64bit"],
        &["-t", "ext4", "-I", "128", "-b", "2048", "-O", "^metadata_csum"],
    ];
    for form in forms {
        let options: Vec<_> = form.iter().copied().chain(["-E", "root_owner=7:8"]).collect();
        let Some(bytes) = filesystem(&options, many_kinds, "cd usr\nmknod pipe p\n") else { return };
        let (inodes, theirs) = (open(bytes.clone()).unwrap(), theirs(bytes));
        let ours = ours(&inodes).unwrap();
        assert!(ours.len() > 300, "{form:?}");
        for (path, it) in &theirs {
            assert!(ours.get(path) == Some(it), "{form:?}: {}", String::from_utf8_lossy(path));
        }
        assert_eq!(ours.len(), theirs.len(), "{form:?}");
        let kind_of = |path: &[u8], follow| find(&inodes, path, follow).unwrap().map(|inode| inode.kind);
        assert_eq!(kind_of(b"/short", true), Some(InodeKind::File));
        assert_eq!(kind_of(b"long", true), Some(InodeKind::File));
        assert_eq!(kind_of(b"/short", false), Some(InodeKind::Symlink));
        assert_eq!(kind_of(b"/to-many/", false), Some(InodeKind::Directory));
        assert_eq!(kind_of(b"/to-many/../usr/up/os-release", true), Some(InodeKind::File));
        for nothing in ["/loop", "/loop/x", "/nothing", "/etc/os-release/x", "/etc/os-release/.", "/short/"] {
            assert_eq!(kind_of(nothing.as_bytes(), true), None, "{nothing}");
        }
    }
}

#[test]
fn what_was_never_written_is_zeroes() {
    let Some(plain) = filesystem(&["-t", "ext4", "-b", "4096"], |_| {}, "") else { return };
    let rubbish: Vec<u8> = plain.iter().map(|byte| if *byte == 0 { 0 } else { *byte }).collect();
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    std::fs::write(&image, rubbish).unwrap();
    let commands = dir.path().join("commands");
    // allocates without writing, as fallocate does
    std::fs::write(&commands, "write /dev/null f\nfallocate f 0 9\nset_inode_field f size 40960\n").unwrap();
    let done = Command::new("debugfs").args(["-w", "-f"]).arg(&commands).arg(&image).output().unwrap();
    assert!(done.status.success());
    let inodes = open(std::fs::read(&image).unwrap()).unwrap();
    let inode = find(&inodes, b"f", true).unwrap().unwrap();
    let mut content = Vec::new();
    Content::open(&inodes, &inode).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, vec![0; 40960]);
}

/// An image without checksums, to be spoilt: where the inode of a path lies, and its bytes.
fn spoilt(path: &str, spoil: impl FnOnce(&mut [u8], usize)) -> Option<Arc<Inodes>> {
    let options = ["-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit,^flex_bg"];
    let mut bytes = filesystem(&options, many_kinds, "")?;
    let number = find(&open(bytes.clone()).unwrap(), path.as_bytes(), false).unwrap().unwrap().number;
    let u32_at = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
    let per_group = u32_at(1024 + ext4::S_INODES_PER_GROUP);
    let (group, index) = ((number - 1) / per_group, (number - 1) % per_group);
    let table = u32_at(2048 + group as usize * 32 + ext4::BG_INODE_TABLE_LO) as usize;
    let at = table * 1024 + index as usize * 256;
    spoil(&mut bytes, at);
    Some(open(bytes).unwrap())
}

fn in_time<T>(work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let done = work();
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    done
}

#[test]
fn a_link_or_a_directory_is_as_long_as_one_can_be_whatever_its_inode_says() {
    let terabytes = |bytes: &mut [u8], inode: usize| bytes[inode + ext4::I_SIZE_HIGH] = 7;
    let Some(inodes) = spoilt("/long", terabytes) else { return };
    let error = format!("{:#}", find(&inodes, b"/long", true).unwrap_err());
    assert!(error.contains("a link of 30064771") && error.contains("4096 are the most"), "{error}");
    let inodes = spoilt("/many", terabytes).unwrap();
    let error = format!("{:#}", find(&inodes, b"/many/x", true).unwrap_err());
    assert!(error.contains("a directory of 30064") && error.contains("33554432"), "{error}");
}

/// A node of extents at a block, all of whose entries lead to one place.
fn node(bytes: &mut [u8], at: usize, depth: u16, count: u16, entry: impl Fn(u32) -> [u8; 12]) {
    let mut node = Vec::new();
    for number in [ext4::EXT_MAGIC, count, 84, depth, 0, 0] {
        node.extend(number.to_le_bytes());
    }
    (0..u32::from(count)).for_each(|number| node.extend(entry(number)));
    bytes[at..at + node.len()].copy_from_slice(&node);
}

#[test]
fn a_tree_of_extents_that_leads_to_the_same_block_again_ends() {
    // five levels of 84 entries each, which all lead to the next: four thousand million leaves
    let index = |place: u32| {
        move |_: u32| {
            let mut entry = [0; 12];
            entry[4..8].copy_from_slice(&place.to_le_bytes());
            entry
        }
    };
    let first = 23_000_u32;
    for leaf_entries in [0, 1] {
        let spoil = |bytes: &mut [u8], inode: usize| {
            node(bytes, inode + ext4::I_BLOCK, 5, 4, index(first));
            for depth in 1..5_u32 {
                let at = (first + 4 - depth) as usize * 1024;
                node(bytes, at, depth as u16, 84, index(first + 5 - depth));
            }
            node(bytes, (first + 4) as usize * 1024, 0, leaf_entries, |_| {
                [0, 0, 0, 0, 1, 0, 0, 0, 200, 0, 0, 0]
            });
        };
        for path in ["/large", "/many"] {
            let Some(inodes) = spoilt(path, spoil) else { return };
            let inode = find(&inodes, path.as_bytes(), true).unwrap().unwrap();
            let error = in_time(|| super::blocks::Runs::of(&inodes, &inode).unwrap_err()).to_string();
            assert!(error.contains("its extents"), "{error}");
        }
    }
}

#[test]
fn a_directory_that_shows_one_block_over_and_over_ends() {
    let spoil = |bytes: &mut [u8], inode: usize| {
        // 340 extents of one block each that are the same block, in a tree of two levels
        bytes[inode + ext4::I_SIZE_LO..][..4].copy_from_slice(&(32_u32 << 20).to_le_bytes());
        let block = u32::from_le_bytes(std::array::from_fn(|i| bytes[inode + ext4::I_BLOCK + 20 + i]));
        let leaf = |base: u32| {
            move |number: u32| {
                let mut entry = [0; 12];
                entry[..4].copy_from_slice(&(base + number).to_le_bytes());
                entry[4] = 1;
                entry[8..12].copy_from_slice(&block.to_le_bytes());
                entry
            }
        };
        for number in 0..4_u32 {
            node(bytes, (23_000 + number) as usize * 1024, 0, 84, leaf(84 * number));
        }
        node(bytes, inode + ext4::I_BLOCK, 1, 4, |number| {
            let mut entry = [0; 12];
            entry[..4].copy_from_slice(&(84 * number).to_le_bytes());
            entry[4..8].copy_from_slice(&(23_000 + number).to_le_bytes());
            entry
        });
    };
    let Some(inodes) = spoilt("/usr", spoil) else { return };
    let error = in_time(|| format!("{:#}", find(&inodes, b"/usr/nothing", true).unwrap_err()));
    assert!(error.contains("a directory ends early"), "{error}");
}

#[test]
fn a_damaged_checksum_is_told() {
    let Some(bytes) = filesystem(&["-t", "ext4", "-b", "1024"], many_kinds, "") else { return };
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        open(bytes).and_then(|inodes| ours(&inodes)).map(|tree| tree.len())
    };
    // the superblock's label, a reserved field of the first group's descriptor
    for place in [1024 + 0x78, 2048 + 0x3f] {
        let error = format!("{:#}", changed(place).unwrap_err());
        assert!(error.contains("another checksum"), "{error}");
    }
    // each directory of this file system has its checksums: a changed name isn't another file
    let name = b"0007-with-a-name-that-fills-blocks";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    let error = format!("{:#}", changed(at).unwrap_err());
    assert!(error.contains("another checksum"), "{error}");
}
