//! Exports of small images, judged by GNU tar and Python's tarfile.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::image::store::Store;
use crate::image::{import, testing};
use crate::spec::image::ImageSystem;
use crate::sys::block::{BlockDevice, FileDevice, MemoryDevice};
use crate::sys::fat::FatFile;

const LONG: &str =
    "a-name-that-no-header-of-tar-has-room-for-since-together-with-its-directory-it-is-longer-than-that";

/// A root file system with one of everything that a tar must carry. `None`, said aloud, without e2fsprogs.
fn root() -> Option<FileDevice> {
    let dir = tempfile::tempdir().unwrap();
    let (root, image) = (dir.path().join("root"), dir.path().join("root.img"));
    testing::root_files(&root);
    let put = |path: &str, content: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    put("etc/machine-id", b"0123456789abcdef0123456789abcdef\n");
    put("etc/ssh/ssh_host_rsa_key", b"one of twins");
    put("etc/ssh/sshd_config", b"kept");
    put("var/lib/cloud/instances/i-1/sem/x", b"one of twins");
    put("var/lib/dhclient/dhclient.leases", b"one of twins");
    put("etc/popularity-contest.conf", b"settings");
    put("dev/inside", b"hidden by devtmpfs");
    put("boot/loader/entries/old.conf", b"title old\n");
    put("usr/bin/su", b"#!/bin/false\n");
    put("usr/bin/ping", &vec![7; 1_234_567]);
    put(&format!("usr/share/{LONG}/{LONG}"), b"long");
    put("usr/share/first", b"twice");
    put("usr/share/empty", b"");
    (0..400).for_each(|number| put(&format!("many/{number:05}-with-a-name-that-fills-blocks"), b""));
    std::fs::hard_link(root.join("usr/share/first"), root.join("usr/share/second")).unwrap();
    std::os::unix::fs::symlink(format!("../{}", "x".repeat(150)), root.join("usr/share/link")).unwrap();
    let run = |program: &str, args: &[&str]| {
        let Ok(output) = Command::new(program).args(args).output() else {
            crate::expect::missing_program(program, "e2fsprogs");
            return None;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(())
    };
    let (source, target) = (root.to_str().unwrap(), image.to_str().unwrap());
    run("mke2fs", &["-q", "-t", "ext4", "-b", "1024", "-O", "^orphan_file", "-d", source, target, "16M"])?;
    let commands = dir.path().join("commands");
    std::fs::write(&commands, format!("{DEBUGFS}{}", attributes_that_need_room())).unwrap();
    run("debugfs", &["-w", "-f", commands.to_str().unwrap(), target])?;
    Some(FileDevice::new(std::fs::File::open(&image).unwrap(), 16 << 20, 512))
}

/// What mke2fs can't copy without root. A capability as the kernel keeps it: revision 2, `cap_net_raw`, effective.
const DEBUGFS: &str = "set_inode_field /usr/bin/su mode 0104755
set_inode_field /usr/bin/su uid 0
set_inode_field /usr/bin/su mtime @1000000000
set_inode_field /usr/share/empty uid 4000000
set_inode_field /usr/share/empty gid 12
set_inode_field /usr/share/empty mtime @1700000000
ea_set /usr/bin/ping security.capability \\001\\000\\000\\002\\000\\040\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000
ea_set /usr/bin/su user.note \"two words\"
ea_set /usr/bin/su security.selinux system_u:object_r:su_exec_t:s0
ea_set /etc user.of.a.directory yes
cd /dev
mknod console c 5 1
mknod disk b 259 3000
mknod pipe p
";

/// More than an inode has room for, so that it lies in a block of its own; and an access list, as the kernel takes it.
fn attributes_that_need_room() -> String {
    let mut list = vec![2u8, 0, 0, 0];
    for (tag, allowed, who) in
        [(1u16, 6u16, u32::MAX), (2, 5, 1000), (4, 4, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(allowed.to_le_bytes());
        list.extend(who.to_le_bytes());
    }
    let list: String = list.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!(
        "ea_set /usr/share/first user.big {}\nea_set /usr/share/first system.posix_acl_access {list}\n",
        "b".repeat(700)
    )
}

struct Made {
    _dir: tempfile::TempDir,
    image: StoredImage,
    tar: std::path::PathBuf,
    summary: Summary,
}

/// An image with that root, imported, and its tar.
fn made() -> Option<Made> {
    let root = root()?;
    let mut esp = testing::esp_files();
    esp.push(FatFile::new("loader/random-seed", &b"one of twins"[..]));
    let device: Arc<dyn BlockDevice> = Arc::new(testing::image_with(&root, esp));
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (key, name) = (testing::key(), "test@1".parse().unwrap());
    let digest = import::import(&store, &device, &name, &key, false, &mut |_, _, _| Ok(())).unwrap().digest;
    let manifest = store.manifest(&name, &digest, &key.alone()).unwrap();
    let image = StoredImage::open(&store, &manifest).unwrap();
    let tar = dir.path().join("test.tar");
    let export = Export::open(&image).unwrap();
    let file = std::fs::File::create(&tar).unwrap();
    let (_, summary) = export.write(file, |_| Ok(())).unwrap();
    Some(Made { _dir: dir, image, tar, summary })
}

/// A member as Python's tarfile reads it.
#[derive(Debug, serde::Deserialize)]
struct Judged {
    kind: String,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: f64,
    link: String,
    device: (u32, u32),
    pax: BTreeMap<String, String>,
}

const TARFILE: &str = r"
import json, sys, tarfile
members = [[m.name, dict(kind=m.type.decode(), mode=m.mode, uid=m.uid, gid=m.gid, size=m.size, mtime=float(m.mtime),
    link=m.linkname, device=(m.devmajor, m.devminor), pax=m.pax_headers)] for m in tarfile.open(sys.argv[1])]
print(json.dumps(members))
";

fn judged(tar: &Path) -> Option<Vec<(String, Judged)>> {
    let Ok(output) = Command::new("python3").args(["-c", TARFILE]).arg(tar).output() else {
        crate::expect::missing_program("python3", "python3");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_tar_says_of_each_file_what_the_image_says() {
    let Some(made) = made() else { return };
    let Some(members) = judged(&made.tar) else { return };
    assert_eq!(members.len() as u64, made.summary.members);
    let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names[0] == "." && names[1..].iter().all(|name| name.starts_with("./")), "{:?}", &names[..9]);
    assert!(names.contains(&"./boot/vmlinuz-6.1.0-9-amd64"), "Anaconda finds kernels by this");
    assert!(!names.contains(&"./lost+found"));
    assert_eq!(names.iter().filter(|name| name.starts_with("./many/")).count(), 400);
    let members: BTreeMap<_, _> = members.iter().map(|(name, member)| (name.as_str(), member)).collect();
    assert_eq!(members.len(), names.len(), "a name stands there twice");

    let su = members["./usr/bin/su"];
    assert_eq!((su.kind.as_str(), su.mode, su.uid, su.mtime), ("0", 0o4755, 0, 1e9));
    assert_eq!(su.pax["SCHILY.xattr.user.note"], "two words");
    assert_eq!(su.pax["RHT.security.selinux"], "system_u:object_r:su_exec_t:s0");
    let ping = members["./usr/bin/ping"];
    assert_eq!(ping.size, 1_234_567);
    assert_eq!(ping.pax["SCHILY.xattr.security.capability"].len(), 20, "{ping:?}");
    let empty = members["./usr/share/empty"];
    assert_eq!((empty.uid, empty.gid, empty.size, empty.mtime), (4_000_000, 12, 0, 1.7e9));
    assert!(members["./etc"].pax.contains_key("SCHILY.xattr.user.of.a.directory"));
    assert!(members.contains_key(&*format!("./usr/share/{LONG}/{LONG}")));
    assert_eq!(members["./usr/share/link"].link, format!("../{}", "x".repeat(150)));
    let first = members["./usr/share/first"];
    assert_eq!(first.pax["SCHILY.xattr.user.big"], "b".repeat(700));
    assert_eq!(first.pax["SCHILY.acl.access"], "user::rw-,user:1000:r-x,group::r--,mask::rwx,other::---");
    let second = members["./usr/share/second"];
    assert!(second.pax.is_empty(), "its attributes are those of the file that it names: {second:?}");
    assert_eq!((second.kind.as_str(), second.link.as_str()), ("1", "./usr/share/first"));
    assert_eq!((members["./dev/console"].kind.as_str(), members["./dev/console"].device), ("3", (5, 1)));
    assert_eq!((members["./dev/disk"].kind.as_str(), members["./dev/disk"].device), ("4", (259, 3000)));
    assert_eq!(members["./dev/pipe"].kind, "6");
    let shim = members["./boot/efi/EFI/BOOT/BOOTX64.EFI"];
    assert_eq!((shim.kind.as_str(), shim.mode, shim.uid, shim.size), ("0", 0o700, 0, 5000));
}

#[test]
fn a_tar_makes_no_twins() {
    let Some(made) = made() else { return };
    let bytes = std::fs::read(&made.tar).unwrap();
    assert!(!bytes.windows(12).any(|window| window == b"one of twins"));
    let mut archive = tar::Archive::new(&bytes[..]);
    let names: HashSet<_> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path_bytes().into_owned()).collect();
    for kept in ["etc/ssh/sshd_config", "etc/popularity-contest.conf", "var/lib/dhclient/", "var/lib/cloud/"]
    {
        assert!(names.contains(format!("./{kept}").as_bytes()), "{kept}");
    }
    for gone in ["etc/ssh/ssh_host_rsa_key", "var/lib/cloud/instances/", "boot/efi/loader/random-seed"] {
        assert!(!names.contains(format!("./{gone}").as_bytes()), "{gone}");
    }
    assert_eq!(made.summary.identity, 4);
}

#[test]
fn the_same_image_gives_the_same_sorted_bytes_of_the_length_that_was_told() {
    let Some(made) = made() else { return };
    let first = std::fs::read(&made.tar).unwrap();
    let export = Export::open(&made.image).unwrap();
    let (second, summary) = export.write(Vec::new(), |_| Ok(())).unwrap();
    assert!(first == second, "two runs differ");
    assert_eq!(summary, made.summary);
    assert_eq!(export.length().unwrap(), first.len() as u64);
    let archive = tar::Archive::new(&first[..]);
    let mut archive = archive;
    let below: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path_bytes().into_owned())
        .filter(|path| path.starts_with(b"./many/") && path.len() > 7)
        .collect();
    assert!(below.is_sorted());
    let stopped = export.write(Vec::new(), |_| anyhow::bail!("interrupted")).unwrap_err();
    assert!(format!("{stopped:#}").contains("interrupted"));
}

/// What Anaconda gives GNU tar, but what needs root (labels, access lists).
const ANACONDA: [&str; 25] = [
    "--numeric-owner",
    "--xattrs",
    "--xattrs-include",
    "user.*",
    "--exclude",
    "./dev/*",
    "--exclude",
    "./proc/*",
    "--exclude",
    "./tmp/*",
    "--exclude",
    "./sys/*",
    "--exclude",
    "./run/*",
    "--exclude",
    "./boot/*rescue*",
    "--exclude",
    "./boot/loader",
    "--exclude",
    "./boot/efi/loader",
    "--exclude",
    "./etc/machine-id",
    "--exclude",
    "./etc/machine-info",
    "-xaf",
];

#[test]
fn gnu_tar_unpacks_it_as_anaconda_has_it_do() {
    let Some(made) = made() else { return };
    let target = tempfile::tempdir().unwrap();
    let output =
        Command::new("tar").args(ANACONDA).arg(&made.tar).arg("-C").arg(target.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let path = |path: &str| target.path().join(path);
    for gone in ["etc/machine-id", "dev/inside", "dev/console", "boot/loader"] {
        assert!(!path(gone).exists(), "{gone} is excluded by Anaconda");
    }
    assert_eq!(std::fs::read(path("usr/bin/ping")).unwrap(), vec![7; 1_234_567]);
    assert_eq!(std::fs::read(path("boot/efi/EFI/BOOT/BOOTX64.EFI")).unwrap(), testing::program(3, 5000));
    assert_eq!(std::fs::read(path(&format!("usr/share/{LONG}/{LONG}"))).unwrap(), b"long");
    assert_eq!(
        std::fs::read_link(path("usr/share/link")).unwrap(),
        Path::new(&format!("../{}", "x".repeat(150)))
    );
    use std::os::unix::fs::MetadataExt as _;
    let [first, second] =
        ["usr/share/first", "usr/share/second"].map(|name| std::fs::metadata(path(name)).unwrap());
    assert_eq!(first.ino(), second.ino());
    assert_eq!(std::fs::metadata(path("usr/bin/su")).unwrap().mtime(), 1_000_000_000);
}

#[test]
fn an_image_that_anaconda_can_t_install_is_told_with_all_that_it_lacks() {
    let Some(made) = made() else { return };
    let export = Export::open(&made.image).unwrap();
    let system = &made.image.manifest().system;
    let found = anaconda::incompatibilities(export.root(), export.esp(), system).unwrap();
    for lacks in ["grub2-mkconfig", "gen_grub_cfgstub", "efibootmgr", "dracut", "shimx64.efi"] {
        assert!(found.iter().any(|one| one.contains(lacks)), "{lacks}: {found:?}");
    }
    let eight = ImageSystem { os: "almalinux".to_owned(), os_version: "8.10".to_owned(), ..system.clone() };
    let found = anaconda::incompatibilities(export.root(), export.esp(), &eight).unwrap();
    assert!(!found.iter().any(|one| one.contains("gen_grub_cfgstub")), "EL 8 doesn't run it");
}

/// Inodes of a device whose bytes were changed, all of them read.
fn walk(device: MemoryDevice) -> Result<usize> {
    let length = device.size();
    let inodes = Inodes::open(Arc::new(device), 0, length, Budget::of(length))?;
    let (mut stack, mut seen) = (vec![inode::ROOT], HashSet::new());
    while let Some(number) = stack.pop() {
        let inode = inodes.get(number)?;
        attributes::records(&inodes, &inode)?;
        if inode.kind == InodeKind::Directory && seen.insert(number) {
            stack.extend(inodes.list(&inode)?.iter().map(|name| name.inode));
        }
    }
    Ok(seen.len())
}

#[test]
fn a_damaged_file_system_is_an_error_and_never_a_panic() {
    let Some(root) = root() else { return };
    let mut bytes = vec![0; root.size() as usize];
    root.read_at(0, &mut bytes).unwrap();
    let whole = walk(MemoryDevice::new(bytes.clone())).unwrap();
    assert!(whole > 10);
    let damaged = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        walk(MemoryDevice::new(bytes))
    };
    let unclean = damaged(1024 + 0x60, bytes[1024 + 0x60] | 4).unwrap_err().to_string();
    assert!(unclean.contains("e2fsck"), "{unclean}");
    let unknown = damaged(1024 + 0x61, bytes[1024 + 0x61] | 0x80).unwrap_err().to_string();
    assert!(unknown.contains("0x8000"), "{unknown}");
    // superblock, group descriptors, and wherever inodes and directories may be
    let places = (1024..4096).step_by(61).chain((4096..4 << 20).step_by(65_537));
    places.for_each(|at| {
        let _ = damaged(at, !bytes[at]);
    });
}
