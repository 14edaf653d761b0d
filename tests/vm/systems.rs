//! A system on other file systems than our recipes make: XFS for its root, and XFS for a `/boot` of its own, as EL has it.
//!
//! The golden image's files are put into file systems that stock tools make, without mounting anything: mkfs.xfs takes them by a list.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::hosts::{Host, USER};
use crate::support::disk::{Table, blank, copy_out, move_into};
use crate::support::image_fixture::{Golden, IMAGE};
use crate::support::qemu::{Bus, free_port};
use crate::support::site::Site;
use crate::support::ssh::Key;
use crate::support::{ironstrap, judges, soak_wanted, text, with_machines};

const XRAY: Host = Host { name: "xray", mac: "52:54:00:60:00:18", disk: "XRAY1", bus: Bus::Ahci };
const ROOT: &str = "5f0c1d36-6d35-4e0b-9a39-6f1f3ea0a101";
const BOOT: &str = "5f0c1d36-6d35-4e0b-9a39-6f1f3ea0a102";
const MIB: u64 = 1 << 20;
/// The golden image has no xfsprogs, by which cloud-init would grow what is grown already.
const USER_DATA: &str = "#cloud-config\nresize_rootfs: false\nruncmd: [touch /var/tmp/from-cloud-init]\n";
/// Where the ESP, `/boot` and the root begin in the image, and where it ends.
const PLACES: [u64; 4] = [MIB, 65 * MIB, 385 * MIB, 2000 * MIB];

#[test]
fn an_xfs_root_and_an_xfs_boot_are_installed_grown_and_booted() -> Result<()> {
    if !soak_wanted("a system with an XFS root and an XFS /boot") {
        return Ok(());
    }
    with_machines("systems", |dir| {
        let raw = image(dir)?;
        let key = Key::make(dir)?;
        let yaml = XRAY.yaml(&key.public()?, "{ cloud_init: { user_data: files/xray.yaml } }");
        let site = Site::new(dir, None, &[(XRAY.name, yaml)])?;
        site.write("files/xray.yaml", USER_DATA)?;
        site.own_store()?;
        ironstrap(site.root(), &["image", "import", &raw.to_string_lossy(), IMAGE])?;
        fs::remove_file(&raw).context("removing the image")?;
        let shown = ironstrap(site.root(), &["image", "inspect", IMAGE])?;
        for part in [format!("root, xfs {ROOT}"), format!("/boot, xfs {BOOT}")] {
            ensure!(shown.contains(&part), "inspect doesn't say `{part}`: {shown}");
        }
        site.arm(&[XRAY.name])?;
        let stick = site.stick("usb.img")?;
        let port = free_port()?;
        let (machine, disk) = XRAY.machine(dir)?;
        let mut running = machine.stick(&stick, 0).ssh(port).start()?;
        for step in ["claimed attempt=1", "committed", "converged by=cloud-init"] {
            running.wait_for(&format!("ironstrap: {step}"))?;
        }
        let told = key.run(
            USER,
            port,
            "findmnt -no FSTYPE /; findmnt -no FSTYPE /boot; df -B1 --output=size / | tail -n 1; \
             ls /var/tmp/from-cloud-init; hostname; sudo ls /boot",
        )?;
        running.shut_down()?;
        ensure!(told.matches("xfs\n").count() == 2, "{told}");
        for part in ["vmlinuz-", "xray\n", "/var/tmp/from-cloud-init\n"] {
            ensure!(told.contains(part), "`{part}` isn't in: {told}");
        }
        let size: u64 = told
            .lines()
            .find_map(|line| line.trim().parse().ok())
            .with_context(|| format!("finding the root's size in: {told}"))?;
        ensure!(size > 4 << 30, "the root has {size} bytes");
        is_sound(dir, &disk)
    })
}

/// `xfs_repair -n` of the disk's XFS partitions, the disk's table and its ESP.
fn is_sound(dir: &Path, disk: &Path) -> Result<()> {
    judges::table_and_esp(disk)?;
    let table = Table::read(disk)?;
    let mut judged = 0;
    for partition in &table.partitions {
        let copy = dir.join("partition");
        copy_out(disk, partition, &copy)?;
        let mut magic = [0; 4];
        std::os::unix::fs::FileExt::read_exact_at(&File::open(&copy)?, &mut magic, 0)
            .context("reading a partition")?;
        if &magic == b"XFSB" {
            text(Command::new("xfs_repair").args(["-n", "-f"]).arg(&copy))?;
            judged += 1;
        }
        fs::remove_file(&copy).context("removing a copy")?;
    }
    ensure!(judged == 2, "{judged} partitions are XFS");
    Ok(())
}

/// The golden image's system in XFS, as a raw image.
fn image(dir: &Path) -> Result<PathBuf> {
    let golden = Golden::get()?;
    let (tar, tree, boot) = (dir.join("golden.tar"), dir.join("tree"), dir.join("boot"));
    ironstrap(golden.site(), &["image", "export", IMAGE, "--unchecked", "-o", &tar.to_string_lossy()])?;
    fs::create_dir(&tree).context("making a directory")?;
    text(Command::new("tar").arg("-xpf").arg(&tar).arg("-C").arg(&tree).arg("--numeric-owner"))?;
    fs::remove_file(&tar).context("removing the tar")?;
    let esp = dir.join("esp");
    fs::rename(tree.join("boot/efi"), &esp).context("moving the ESP's files")?;
    fs::rename(tree.join("boot"), &boot).context("moving /boot")?;
    fs::create_dir_all(tree.join("boot")).context("making /boot")?;
    fs::create_dir(boot.join("efi")).context("making /boot/efi")?;
    configure(&tree, &boot, &esp)?;
    let raw = blank(dir, "xfs.raw", PLACES[3] + MIB)?;
    let mut table = Command::new("sgdisk");
    for (number, (kind, name)) in
        [("ef00", "esp"), ("ea00", "boot"), ("8304", "root")].into_iter().enumerate()
    {
        let (first, last) = (PLACES[number] / 512, PLACES[number + 1] / 512 - 1);
        let number = number + 1;
        table.args([format!("--new={number}:{first}:{last}"), format!("--typecode={number}:{kind}")]);
        table.arg(format!("--change-name={number}:{name}"));
    }
    text(table.arg(&raw))?;
    let fat = blank(dir, "esp.img", PLACES[1] - PLACES[0])?;
    text(Command::new("mkfs.vfat").args(["-F", "32"]).arg(&fat))?;
    text(Command::new("mcopy").args(["-s", "-i"]).arg(&fat).arg(esp.join("EFI")).arg("::"))?;
    move_into(&fat, &raw, PLACES[0])?;
    for (from, uuid, number) in [(&boot, BOOT, 1), (&tree, ROOT, 2)] {
        let xfs = make_xfs(dir, from, uuid, PLACES[number + 1] - PLACES[number])?;
        move_into(&xfs, &raw, PLACES[number])?;
        fs::remove_dir_all(from).context("removing what was copied")?;
    }
    Ok(raw)
}

/// fstab, GRUB's menu beside the kernels, and what GRUB reads in the ESP.
fn configure(tree: &Path, boot: &Path, esp: &Path) -> Result<()> {
    let fstab = format!("UUID={ROOT} / xfs defaults 0 0\nUUID={BOOT} /boot xfs defaults 0 0\n");
    fs::write(tree.join("etc/fstab"), fstab).context("writing fstab")?;
    let name = |prefix: &str| -> Result<String> {
        let names = fs::read_dir(boot).context("listing /boot")?.flatten();
        let mut names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.find(|name| name.starts_with(prefix)).with_context(|| format!("finding {prefix}"))
    };
    let menu = format!(
        "search --no-floppy --fs-uuid --set=root {BOOT}\nset timeout=1\nmenuentry 'Debian on XFS' {{\n\
         \tlinux /{} root=UUID={ROOT} ro console=tty0 console=ttyS0,115200n8\n\tinitrd /{}\n}}\n",
        name("vmlinuz-")?,
        name("initrd.img-")?
    );
    fs::write(boot.join("grub/grub.cfg"), menu).context("writing GRUB's menu")?;
    let finder = format!(
        "search --no-floppy --fs-uuid --set=root {BOOT}\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg\n"
    );
    for vendor in ["BOOT", "debian"] {
        fs::write(esp.join(format!("EFI/{vendor}/grub.cfg")), &finder).context("writing GRUB's finder")?;
    }
    Ok(())
}

fn make_xfs(dir: &Path, from: &Path, uuid: &str, size: u64) -> Result<PathBuf> {
    let mut list = "-\n0 0\nd--755 0 0\n".to_owned();
    describe(from, &mut list)?;
    let (list_file, xfs) = (dir.join("list"), blank(dir, "xfs.img", size)?);
    fs::write(&list_file, list).context("writing the list")?;
    let mut mkfs = Command::new("mkfs.xfs");
    text(mkfs.args(["-q", "-m", &format!("uuid={uuid}"), "-p"]).arg(&list_file).arg(&xfs))?;
    Ok(xfs)
}

/// A directory in the words of mkfs.xfs(8). It knows no sticky bits, and no names with blanks.
fn describe(directory: &Path, list: &mut String) -> Result<()> {
    let mut entries = fs::read_dir(directory)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("listing {}", directory.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| !name.contains(char::is_whitespace)) else { continue };
        let (data, kind) = (fs::symlink_metadata(&path).context("looking at a file")?, entry.file_type()?);
        let letter = |set: u32, letter| if data.mode() & set == 0 { '-' } else { letter };
        let bits = format!("{}{}{:03o}", letter(0o4000, 'u'), letter(0o2000, 'g'), data.mode() & 0o777);
        let owner = format!("{} {}", data.uid(), data.gid());
        // writing to a String doesn't fail
        let _ = if kind.is_symlink() {
            writeln!(list, "{name} l{bits} {owner} {}", fs::read_link(&path)?.display())
        } else if kind.is_dir() {
            writeln!(list, "{name} d{bits} {owner}")
        } else if kind.is_file() {
            writeln!(list, "{name} -{bits} {owner} {}", path.display())
        } else {
            ensure!(!kind.is_block_device(), "{} is a block device", path.display());
            continue;
        };
        if kind.is_dir() {
            describe(&path, list)?;
        }
    }
    list.push_str("$\n");
    Ok(())
}
