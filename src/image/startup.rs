//! Whether an installed image finds its own files when it starts: loader configuration, kernel's command line, initrd, fstab; and
//! room for ours in the ESP.
//!
//! Promises: what is refused here would stop each machine after its disk was wiped: a boot loader without a configuration, or a mount
//! that waits for a device of the machine where the image was made. What only may be wrong isn't: lines with `nofail` or `noauto`,
//! variables in a menu, and anything in a file system that can't be read are passed over.

mod bls;

use anyhow::{Result, bail, ensure};

use super::names::{Kind, Names};
use super::root_view::LONGEST_TEXT;
use super::tree::{EntryType, FatTree, ReadTree};
use crate::image_rules::fstab;

/// Files of ours in the ESP: those that say that an order is done, their directory, and a configuration that is written anew
/// beside itself.
pub const ESP_CLUSTERS: u64 = 64;
const FSTAB: &str = "/etc/fstab";
/// Where GRUB's menu is in the root, by distribution.
const MENUS: [&str; 2] = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"];

/// Judges an image whose newest kernel is this release.
///
/// # Errors
/// What is missing or leads nowhere; names file and line.
pub fn judge(root: &dyn ReadTree, esp: &FatTree, names: &Names, release: &str) -> Result<()> {
    initrd(root, release)?;
    if let Some(text) = text(root, FSTAB)? {
        mounts(&text, names)?;
    }
    menu(root, esp, names)?;
    bls::judge(root, esp, names, boot(root, names)?.is_some())?;
    room(esp)
}

/// The partition that the system mounts at `/boot`, where that isn't in its root. A mount that a start doesn't wait for, of something
/// that isn't there, isn't one.
///
/// # Errors
/// One that the image doesn't have; names the line.
pub fn boot(root: &dyn ReadTree, names: &Names) -> Result<Option<u32>> {
    let text = text(root, FSTAB)?.unwrap_or_default();
    let Some(line) = fstab::lines(&text).find(|line| line.place.trim_end_matches('/') == "/boot") else {
        return Ok(None);
    };
    match Kind::read(&line.device).and_then(|(kind, name)| names.partition(kind, &name)) {
        Some(partition) => Ok(Some(partition)),
        None if !line.is_waited_for() => Ok(None),
        None => bail!(
            "line {} of /etc/fstab in the image mounts /boot from {}, and none of its partitions is called that; name it by UUID=… (`blkid` prints it)",
            line.number,
            line.device
        ),
    }
}

/// A file as text: what isn't UTF-8 is in its comments, and names nothing that is looked for.
fn text(tree: &dyn ReadTree, path: &str) -> Result<Option<String>> {
    if !tree.exists(path)? {
        return Ok(None);
    }
    let bytes = tree.read_at_most(path, LONGEST_TEXT)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn mounts(text: &str, names: &Names) -> Result<()> {
    for line in fstab::lines(text).filter(fstab::Line::is_waited_for) {
        let fstab::Line { number, device, place, .. } = &line;
        let line = || format!("line {number} of /etc/fstab in the image mounts {place} from {device}");
        if let Some((kind, name)) = Kind::read(device) {
            ensure!(
                names.may_be(kind, &name),
                "{}, which the image doesn't have: machines would wait for it; take the line out, or add the option `nofail`",
                line()
            );
        }
        ensure!(
            !is_of_a_machine(device),
            "{}: machines may call their disks otherwise; write UUID=… there (`blkid` prints it), or add the option `nofail`",
            line()
        );
    }
    Ok(())
}

/// Names that the kernel or udev gives to what it finds, in its order or by its serial number.
fn is_of_a_machine(device: &str) -> bool {
    const KERNEL: [&str; 7] = ["sd", "vd", "hd", "xvd", "nvme", "mmcblk", "sr"];
    let Some(name) = device.strip_prefix("/dev/") else { return false };
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // arrays and volumes go with their content
    let by_content = |id: &str| ["dm-", "md-", "lvm-pv-uuid-"].iter().any(|content| id.starts_with(content));
    name.strip_prefix("disk/by-id/").is_some_and(|id| !by_content(id))
        || name.starts_with("disk/by-path/")
        || plain && KERNEL.iter().any(|kind| name.starts_with(kind))
}

/// The initrd of the kernel that the menu starts: by initramfs-tools, dracut, or SUSE's.
fn initrd(root: &dyn ReadTree, release: &str) -> Result<()> {
    let places = [
        format!("/boot/initrd.img-{release}"),
        format!("/boot/initramfs-{release}.img"),
        format!("/boot/initrd-{release}"),
    ];
    for place in &places {
        if root.exists(place)? {
            return Ok(());
        }
    }
    bail!(
        "the image has no initrd for its newest kernel: {} were looked for; make it in the image (`update-initramfs -c -k {release}`, `dracut --kver {release}`), or remove that kernel",
        places.join(", ")
    )
}

/// What GRUB reads first, and where that leads.
fn menu(root: &dyn ReadTree, esp: &FatTree, names: &Names) -> Result<()> {
    let mut found = false;
    let mut places = vec!["/grub/grub.cfg".to_owned(), "/boot/grub/grub.cfg".to_owned()];
    let vendors = esp.list("/EFI")?.into_iter().filter(|entry| entry.kind == EntryType::Directory);
    places.extend(vendors.map(|vendor| format!("/EFI/{}/grub.cfg", vendor.name)));
    // folders of vendors that the loader isn't of may be left over: one that leads somewhere is enough
    let mut wrong = None;
    for place in &places {
        let Some(text) = text(esp, place)? else { continue };
        match searched(&text, &format!("{place} in the image's ESP"), names) {
            Ok(()) => found = true,
            Err(error) => _ = wrong.get_or_insert(error),
        }
    }
    if let (Some(error), false) = (wrong, found) {
        return Err(error);
    }
    // Debian's GRUB looks there where it finds none (its built-in configuration)
    found |= root.exists("/.disk/info")? || root.exists("/.disk/mini-info")?;
    ensure!(
        found,
        "GRUB would find no configuration: the image's ESP has none of {} and no /EFI/VENDOR/grub.cfg; install GRUB in the image (`grub-install`, or the distribution's grub-efi package)",
        places.join(", ")
    );
    for place in MENUS {
        if let Some(text) = text(root, place)? {
            searched(&text, &format!("{place} in the image"), names)?;
            started(&text, place, names)?;
        }
    }
    Ok(())
}

/// The first file system that a configuration of GRUB's looks for by UUID; others may be of other systems. Its words come in any order
/// (GRUB's manual, `search`): the UUID is the one that looks like one.
fn searched(text: &str, file: &str, names: &Names) -> Result<()> {
    for (line, number) in text.lines().zip(1..) {
        let mut words = line.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
        let is_search = match words.next() {
            Some("search.fs_uuid") => true,
            Some("search") => words.clone().any(|word| ["--fs-uuid", "-u"].contains(&word)),
            _ => false,
        };
        let Some(wanted) = words.find(|word| is_search && is_uuid(word)) else { continue };
        ensure!(
            names.may_be(Kind::Uuid, wanted),
            "line {number} of {file} looks for the file system {wanted}, which the image doesn't have; make GRUB's configuration anew in the image (`grub-install`, `update-grub`)"
        );
        return Ok(());
    }
    Ok(())
}

/// As file systems have them: groups of hexadecimal digits (`0fc63daf-8483-…`, `ABCD-1234`).
fn is_uuid(word: &str) -> bool {
    word.contains('-')
        && word.split('-').all(|part| part.len() >= 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The root that the first kernel of a menu is told.
fn started(text: &str, file: &str, names: &Names) -> Result<()> {
    let kernels = ["linux", "linuxefi", "linux16"];
    let first = text.lines().zip(1..).find_map(|(line, number)| {
        let mut words = line.split_whitespace();
        let told =
            kernels.contains(&words.next()?).then(|| words.find_map(|word| word.strip_prefix("root=")))?;
        Some((number, told?))
    });
    let Some((number, root)) = first else { return Ok(()) };
    ensure!(
        is_roots_name(root, names),
        "line {number} of {file} in the image starts the kernel with root={root}, which installed machines don't have; name the root by root=UUID=… (`update-grub` does, in the image)"
    );
    Ok(())
}

/// Whether installed machines may have a root of this name.
fn is_roots_name(root: &str, names: &Names) -> bool {
    let is_known =
        Kind::read(root).is_none_or(|(kind, name)| name.starts_with('$') || names.may_be(kind, &name));
    is_known && !is_of_a_machine(root)
}

fn room(esp: &FatTree) -> Result<()> {
    let (cluster, free) = esp.free()?;
    let missing = ESP_CLUSTERS.saturating_sub(free) * cluster;
    ensure!(
        missing == 0,
        "the image's ESP is full: {missing} bytes are missing for the files that an install puts there; delete something in it, or make it larger"
    );
    Ok(())
}

#[cfg(test)]
#[path = "startup_tests.rs"]
mod tests;
