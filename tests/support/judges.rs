//! What others say about our disks: `sgdisk -v`, `fsck.vfat -n`, `e2fsck -fn`; and what an installed disk holds, read
//! with `debugfs` and `mtools` rather than with our own readers.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::disk::{Table, extract};
use super::{output, text};

/// Judges a disk's partition table and the FAT of its EFI system partition.
///
/// # Errors
/// When a judge complains.
pub fn table_and_esp(disk: &Path) -> Result<()> {
    let said = text(Command::new("sgdisk").arg("-v").arg(disk))?;
    ensure!(said.contains("No problems found"), "sgdisk -v {}: {said}", disk.display());
    text(Command::new("fsck.vfat").arg("-n").arg(esp(disk)?))?;
    Ok(())
}

/// Judges an installed disk: table, ESP and the ext4 root.
///
/// # Errors
/// When a judge complains.
pub fn installed_disk(disk: &Path) -> Result<()> {
    table_and_esp(disk)?;
    let root = root(disk)?;
    let result = output(Command::new("e2fsck").arg("-fn").arg(&root))?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&result.stdout), String::from_utf8_lossy(&result.stderr));
    // A machine that was switched off leaves a journal, which `-n` may not replay; that is no fault of the file system.
    if !result.status.success()
        && !said.contains("needs to be recovered")
        && !said.contains("recovering journal")
    {
        bail!("e2fsck -fn {root}: {said}");
    }
    Ok(())
}

/// A copy of a disk's EFI system partition beside the disk.
///
/// # Errors
/// When there is none.
pub fn esp(disk: &Path) -> Result<PathBuf> {
    let copy = disk.with_extension("esp");
    extract(disk, Table::read(disk)?.esp()?, &copy)?;
    Ok(copy)
}

/// The root file system of a disk in the notation of e2fsprogs.
fn root(disk: &Path) -> Result<String> {
    Ok(format!("{}?offset={}", disk.display(), Table::read(disk)?.last()?.start))
}

/// The root partition's length and its file system's, in bytes.
///
/// # Errors
/// When the disk has none.
pub fn root_sizes(disk: &Path) -> Result<(u64, u64)> {
    let said = text(Command::new("dumpe2fs").arg("-h").arg(root(disk)?))?;
    let field = |name: &str| -> Result<u64> {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.context("reading dumpe2fs")?.trim().parse().with_context(|| format!("reading {name}"))
    };
    let system = field("Block count:")? * field("Block size:")?;
    Ok((Table::read(disk)?.last()?.length, system))
}

/// A file of an installed disk's root.
///
/// # Errors
/// When it isn't there.
pub fn file(disk: &Path, path: &str) -> Result<String> {
    let result = output(Command::new("debugfs").args(["-R", &format!("cat {path}")]).arg(root(disk)?))?;
    let complaints = String::from_utf8_lossy(&result.stderr);
    if let Some(line) = complaints.lines().find(|line| line.contains("File not found")) {
        bail!("{path} on {}: {line}", disk.display());
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// What `debugfs` says of a file or directory of an installed disk's root: its mode and owner among other things.
///
/// # Errors
/// When the disk has no root.
pub fn stat(disk: &Path, path: &str) -> Result<String> {
    text(Command::new("debugfs").args(["-R", &format!("stat {path}")]).arg(root(disk)?))
}

/// Names in a directory of an installed disk's ESP.
///
/// # Errors
/// When it isn't there.
pub fn esp_names(disk: &Path, dir: &str) -> Result<Vec<String>> {
    let said = text(Command::new("mdir").arg("-b").arg("-i").arg(esp(disk)?).arg(format!("::{dir}")))?;
    Ok(said.lines().filter_map(|line| line.rsplit('/').next()).map(str::to_owned).collect())
}
