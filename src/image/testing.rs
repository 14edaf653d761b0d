//! A small image that has all that an import asks for, made of synthetic files, for tests of this and other modules.

use std::process::Command;
use std::sync::Arc;

use super::assemble::{Identity, assemble, image_size};
use crate::sys::block::{BlockDevice, FileDevice, MemoryDevice, Window};
use crate::sys::fat::{FatFile, format_fat32};
use crate::sys::gpt::{self, Entry, Table};
use crate::trust::SiteKey;

/// A program that makes an image isn't there; it was said aloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoTool;

pub(crate) const KERNEL: &str = "6.1.0-9-amd64";

/// What the image's GRUB reads first.
pub(crate) fn grub_config() -> FatFile<'static> {
    let text = "set prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n";
    FatFile::new("EFI/debian/grub.cfg", std::io::Cursor::new(text.as_bytes()))
}

pub(crate) fn key() -> SiteKey {
    SiteKey::from_random([5; 40])
}

/// Bytes that EFI would take for a program, the same length and content for a seed.
pub(crate) fn program(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(length)
    .collect();
    bytes[..2].copy_from_slice(b"MZ");
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes
}

/// The files of the root, in a directory.
pub(crate) fn root_files(root: &std::path::Path) {
    let put = |path: &str, content: &[u8]| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    put("usr/lib/os-release", b"NAME=x\nID=debian\nVERSION_ID=\"12\"\n");
    put(&format!("boot/vmlinuz-{KERNEL}"), &program(1, 300_000));
    put("boot/vmlinuz-6.1.0-8-amd64", &program(2, 1000));
    put(&format!("boot/initrd.img-{KERNEL}"), b"initrd");
    put(&format!("lib/modules/{KERNEL}/modules.dep"), b"kernel/fs/ext4/ext4.ko:\n");
    put("usr/bin/curl", b"");
    put("usr/sbin/sshd", b"");
    put("etc/hostname", b"golden\n");
    put("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\ndebian:x:1000:1000::/home/debian:/bin/sh\n");
    put("etc/shadow", b"root:*:19000:0:99999:7:::\n");
    put("etc/group", b"root:x:0:\ndebian:x:1000:\n");
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    std::fs::create_dir_all(&wants).unwrap();
    let link = |target: &str, at: &std::path::Path| std::os::unix::fs::symlink(target, at).unwrap();
    link("/lib/systemd/system/systemd-networkd.service", &wants.join("systemd-networkd.service"));
    link("../usr/lib/os-release", &root.join("etc/os-release"));
    link(&format!("boot/vmlinuz-{KERNEL}"), &root.join("vmlinuz"));
}

/// The files of a root in which Anaconda finds all that it runs.
pub(crate) fn anaconda_files(root: &std::path::Path) {
    root_files(root);
    for program in ["depmod", "dracut", "efibootmgr", "grub2-mkconfig", "gen_grub_cfgstub", "useradd"] {
        std::fs::write(root.join("usr/sbin").join(program), "").unwrap();
    }
    for program in ["kernel-install", "systemd-machine-id-setup"] {
        std::fs::write(root.join("usr/bin").join(program), "").unwrap();
    }
}

pub(crate) fn esp_files() -> Vec<FatFile<'static>> {
    let file = |path: &str, seed| FatFile::new(path, std::io::Cursor::new(program(seed, 5000)));
    vec![
        file("EFI/BOOT/BOOTX64.EFI", 3),
        file("EFI/BOOT/grubx64.efi", 4),
        file("EFI/debian/grubx64.efi", 4),
        grub_config(),
    ]
}

/// The root file system; `None`, said aloud, where mke2fs is missing.
pub(crate) fn root_device(files: impl FnOnce(&std::path::Path), options: &[&str]) -> Option<FileDevice> {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    files(&root);
    let image = dir.path().join("root.img");
    let mut mke2fs = Command::new("mke2fs");
    mke2fs.args(["-q", "-t", "ext4", "-b", "4096", "-O", "^metadata_csum_seed,^orphan_file"]);
    mke2fs.args(["-U", &identity().root.to_string(), "-d"]).arg(&root).args(options).arg(&image).arg("16M");
    let Ok(output) = mke2fs.output() else {
        crate::expect::missing_program("mke2fs", "e2fsprogs");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(FileDevice::new(std::fs::File::open(&image).unwrap(), 16 << 20, 512))
}

/// A directory as `mkfs.xfs -p` takes it: what it is called, its type, owner and target or file.
fn prototype(directory: &std::path::Path, depth: usize) -> String {
    let indent = " ".repeat(depth);
    let mut entries: Vec<_> = std::fs::read_dir(directory).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let line = |entry: &std::fs::DirEntry| {
        let (name, path, kind) = (entry.file_name(), entry.path(), entry.file_type().unwrap());
        let name = name.to_str().unwrap();
        if kind.is_symlink() {
            format!("{indent}{name} l--777 0 0 {}\n", std::fs::read_link(path).unwrap().display())
        } else if kind.is_dir() {
            format!("{indent}{name} d--755 0 0\n{}", prototype(&path, depth + 1))
        } else {
            format!("{indent}{name} ---644 0 0 {}\n", path.display())
        }
    };
    let lines: String = entries.iter().map(line).collect();
    format!("{lines}{indent}$\n")
}

/// An XFS file system of so many bytes; `None`, said aloud, where mkfs.xfs is missing.
pub(crate) fn xfs_device(
    files: impl FnOnce(&std::path::Path),
    size: u64,
    options: &[&str],
) -> Option<FileDevice> {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir_all(&root).unwrap();
    files(&root);
    let (image, text) = (dir.path().join("xfs.img"), dir.path().join("prototype"));
    std::fs::write(&text, format!("-\n0 0\nd--755 0 0\n{}", prototype(&root, 0))).unwrap();
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&image).unwrap();
    file.set_len(size).unwrap();
    let mut mkfs = Command::new("mkfs.xfs");
    // in the tests of XFS itself, file systems may be smaller than 300 MiB
    mkfs.envs([("TEST_DIR", "/"), ("TEST_DEV", "/"), ("QA_CHECK_FS", "/")]);
    mkfs.args(["-q", "-m", &format!("uuid={}", identity().root), "-p"]).arg(&text).args(options).arg(&image);
    let Ok(output) = mkfs.output() else {
        crate::expect::missing_program("mkfs.xfs", "xfsprogs");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(FileDevice::new(file, size, 512))
}

pub(crate) fn identity() -> Identity {
    Identity::of(&"test@1".parse().unwrap())
}

/// An image on a disk in memory.
pub(crate) fn image_with(root: &dyn BlockDevice, esp: Vec<FatFile<'_>>) -> MemoryDevice {
    let device = MemoryDevice::new(vec![0; image_size(root.size()) as usize]);
    assemble(&device, root, esp, &identity()).unwrap();
    device
}

/// An image whose `/boot` is a file system of its own, before its root.
pub(crate) fn image_with_boot(
    boot: &dyn BlockDevice,
    root: &dyn BlockDevice,
    esp: Vec<FatFile<'_>>,
) -> MemoryDevice {
    const MIB: u64 = 1 << 20;
    const ESP: u64 = 40 * MIB;
    let starts = [MIB, MIB + ESP, MIB + ESP + boot.size()];
    let device = MemoryDevice::new(vec![0; (starts[2] + root.size() + MIB) as usize]);
    let mut table = Table::new(identity().disk);
    let guid = |number: u128| uuid::Uuid::from_u128(number);
    let entries = [
        Entry::new(gpt::ESP, guid(1), starts[0], ESP, "esp"),
        Entry::new(gpt::LINUX_ROOT_X64, guid(2), starts[1], boot.size(), "boot"),
        Entry::new(gpt::LINUX_ROOT_X64, guid(3), starts[2], root.size(), "root"),
    ];
    table.entries.extend((1..).zip(entries));
    let built = table.build(device.size()).unwrap();
    format_fat32(&mut Window::new(&device, starts[0], ESP), "ESP", 1, esp).unwrap();
    for (from, start) in [(boot, starts[1]), (root, starts[2])] {
        let mut bytes = vec![0; from.size() as usize];
        from.read_at(0, &mut bytes).unwrap();
        device.write_at(start, &bytes).unwrap();
    }
    device.write_at(0, &built.primary).unwrap();
    device.write_at(built.backup_offset, &built.backup).unwrap();
    device
}

/// The usual image.
pub(crate) fn image() -> Option<Arc<dyn BlockDevice>> {
    let root = root_device(root_files, &[])?;
    Some(Arc::new(image_with(&root, esp_files())))
}

/// Paths of shim and GRUB of Debian 12; `None`, said aloud, where they aren't unpacked.
pub(crate) fn debian_loaders() -> Option<[std::path::PathBuf; 2]> {
    let shim = "unpacked/usr/lib/shim/shimx64.efi.signed";
    let grub = "unpacked/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed";
    let unpacked = |variable, path| {
        crate::expect::built(
            variable,
            path,
            "tests/install-deps.sh unpacks shim-signed and grub-efi-amd64-signed",
        )
    };
    Some([unpacked("IRONSTRAP_SHIM", shim)?, unpacked("IRONSTRAP_GRUB", grub)?])
}
