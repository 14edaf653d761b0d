//! A small image made from the golden one: its kernel, shim, GRUB and the modules an emulated machine needs, with a
//! root that holds just enough to be installed. It doesn't boot to a login; what it is for ends at the commit.
//!
//! Assembled with other people's tools, so that `image import` meets an image that ironstrap didn't build.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{create_dir_all, write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use ironstrap::image::store::Store;
use ironstrap::image::stored::StoredImage;
use ironstrap::image::tree::ReadTree;
use ironstrap::trust::SitePublicKey;

use super::image_fixture::{Golden, IMAGE};
use super::text;

const MIB: u64 = 1 << 20;
/// Modules that a q35 machine needs to install from a stick onto a virtio disk, without their dependencies.
const MODULES: [&str; 15] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    "xhci_pci",
    "usb_storage",
    "uas",
    "sd_mod",
    "ext4",
    "vfat",
    "nls_ascii",
    "nls_cp437",
    "nls_iso8859_1",
    "crc32c_generic",
    "crct10dif_generic",
];
/// What a golden image must say of itself and its accounts.
const ETC: [(&str, &str); 8] = [
    ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
    ("etc/group", "root:x:0:\nsudo:x:27:\n"),
    ("etc/shadow", "root:*:19000:0:99999:7:::\n"),
    ("etc/gshadow", "root:*::\nsudo:!::\n"),
    ("etc/hosts", "127.0.0.1 localhost\n"),
    ("etc/hostname", "golden\n"),
    ("etc/machine-id", "uninitialized\n"),
];

/// Sizes of an image's parts, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// The ESP: FAT32 needs 34.
    pub esp: u64,
    /// The root file system.
    pub root: u64,
}

/// Makes a raw image in `dir`; `extra` are files for its root.
///
/// # Errors
/// When the golden image lacks something or a tool fails.
pub fn make(dir: &Path, sizes: Sizes, extra: &[&Path]) -> Result<PathBuf> {
    let golden = open_golden()?;
    let tree = dir.join("mini-root");
    fill_root(&tree, &golden)?;
    for file in extra {
        let name = file.file_name().context("naming an extra file")?;
        std::fs::rename(file, tree.join(name)).with_context(|| format!("moving {}", file.display()))?;
    }
    let root = dir.join("mini-root.ext4");
    text(
        Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-b", "4096", "-E", "root_owner=0:0", "-d"])
            .arg(&tree)
            .arg(&root)
            .arg(format!("{}M", sizes.root)),
    )?;
    std::fs::remove_dir_all(&tree).context("removing the tree")?;
    let esp = dir.join("mini-esp.fat");
    fill_esp(&esp, sizes.esp, dir, &golden)?;
    assemble(dir, sizes, &esp, &root)
}

/// The golden image, to read.
///
/// # Errors
/// When it can't be built or opened.
pub fn open_golden() -> Result<StoredImage> {
    let site = Golden::get()?.site().to_owned();
    let key = std::fs::read_to_string(site.join("ironstrap.pub")).context("reading the site's public key")?;
    let store = Store::open(&site.join(".ironstrap/store"))?;
    let image = IMAGE.parse().context("reading the golden image's name")?;
    let digest = store.find(&image)?.context("the golden image isn't in its store")?;
    StoredImage::open(&store, &store.manifest(&image, &digest, &SitePublicKey::from_text(&key)?.into())?)
}

fn fill_root(tree: &Path, golden: &StoredImage) -> Result<()> {
    let from = golden.root()?;
    let release = &golden.manifest().system.kernel;
    let put = |path: &str, bytes: &[u8]| {
        let to = tree.join(path);
        create_dir_all(to.parent().context("finding the parent")?)?;
        write(&to, bytes).with_context(|| format!("writing {}", to.display()))
    };
    ETC.iter().try_for_each(|(path, content)| put(path, content.as_bytes()))?;
    put("etc/systemd/system/multi-user.target.wants/systemd-networkd.service", b"")?;
    put("root/.keep", b"")?;
    let kernel = format!("boot/vmlinuz-{release}");
    put(&kernel, &from.read(&kernel)?)?;
    put(&format!("boot/initrd.img-{release}"), b"of a system that nobody starts")?;
    let modules = format!("lib/modules/{release}");
    let (dep, files) = wanted(&String::from_utf8_lossy(&from.read(&format!("usr/{modules}/modules.dep"))?))?;
    put(&format!("{modules}/modules.dep"), dep.as_bytes())?;
    for file in files {
        put(&format!("{modules}/{file}"), &from.read(&format!("usr/{modules}/{file}"))?)?;
    }
    let is_wanted = |line: &&str| MODULES.iter().any(|name| line.ends_with(&format!(" {name}")));
    let alias = from.read(&format!("usr/{modules}/modules.alias"))?;
    let alias = String::from_utf8_lossy(&alias);
    let alias = alias.lines().filter(is_wanted).map(|line| format!("{line}\n")).collect::<String>();
    put(&format!("{modules}/modules.alias"), alias.as_bytes())?;
    for table in ["modules.softdep", "modules.builtin", "modules.order"] {
        put(&format!("{modules}/{table}"), b"")?;
    }
    Ok(())
}

/// The lines of modules.dep for [`MODULES`] and all they need, and the files.
fn wanted(dep: &str) -> Result<(String, BTreeSet<String>)> {
    let name = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or(path);
        file.split(".ko").next().unwrap_or(file).replace('-', "_")
    };
    let lines: BTreeMap<_, _> = dep
        .lines()
        .filter_map(|line| line.split_once(':').map(|(path, needs)| (name(path), (path, needs))))
        .collect();
    let mut pending: Vec<_> = MODULES.iter().map(|name| (*name).to_owned()).collect();
    let (mut text, mut files) = (String::new(), BTreeSet::new());
    while let Some(module) = pending.pop() {
        // what has no line is built in
        let Some((path, needs)) = lines.get(&module) else { continue };
        if files.insert((*path).to_owned()) {
            text.push_str(&format!("{path}:{needs}\n"));
            pending.extend(needs.split_whitespace().map(name));
        }
    }
    anyhow::ensure!(
        files.len() > 5,
        "the golden image's modules.dep has few of the modules wanted: {files:?}"
    );
    Ok((text, files))
}

fn fill_esp(esp: &Path, mib: u64, dir: &Path, golden: &StoredImage) -> Result<()> {
    std::fs::File::create(esp).and_then(|file| file.set_len(mib * MIB)).context("creating the ESP")?;
    text(Command::new("mkfs.vfat").args(["-F", "32", "-s", "1", "-n", "ESP"]).arg(esp))?;
    text(Command::new("mmd").arg("-i").arg(esp).args(["::EFI", "::EFI/BOOT", "::EFI/debian"]))?;
    let from = golden.esp()?;
    let copy = dir.join("mini-file");
    for path in ["EFI/BOOT/BOOTX64.EFI", "EFI/BOOT/grubx64.efi"] {
        write(&copy, from.read(path)?).with_context(|| format!("copying {path}"))?;
        text(Command::new("mcopy").arg("-i").arg(esp).arg(&copy).arg(format!("::{path}")))?;
    }
    write(&copy, "echo 'mini image started'\nhalt\n").context("writing grub.cfg")?;
    text(Command::new("mcopy").arg("-i").arg(esp).arg(&copy).arg("::EFI/debian/grub.cfg"))?;
    std::fs::remove_file(&copy).context("removing a copy")
}

/// Makes a raw image in `dir` of two file systems, whose files are gone afterwards.
///
/// # Errors
/// When a tool fails.
pub fn assemble(dir: &Path, sizes: Sizes, esp: &Path, root: &Path) -> Result<PathBuf> {
    let image = dir.join("mini.raw");
    let file = std::fs::File::create(&image).with_context(|| format!("creating {}", image.display()))?;
    file.set_len((1 + sizes.esp + sizes.root + 1) * MIB).context("sizing the image")?;
    let (esp_end, root_end) = (2048 + sizes.esp * 2048 - 1, 2048 + (sizes.esp + sizes.root) * 2048 - 1);
    text(
        Command::new("sgdisk")
            .args(["-a", "1", "-n", &format!("1:2048:{esp_end}"), "-t", "1:ef00"])
            .args(["-n", &format!("2:{}:{root_end}", esp_end + 1), "-t", "2:8304"])
            .arg(&image),
    )?;
    for (part, seek) in [(esp, 1), (root, 1 + sizes.esp)] {
        text(
            Command::new("dd")
                .arg(format!("if={}", part.display()))
                .arg(format!("of={}", image.display()))
                .args(["bs=1M", &format!("seek={seek}"), "conv=notrunc,sparse", "status=none"]),
        )?;
        std::fs::remove_file(part).context("removing a part")?;
    }
    Ok(image)
}
