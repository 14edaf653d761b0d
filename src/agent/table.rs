//! The partition table of the installed disk, made from the image's: another disk GUID, the root grown to the end.
//!
//! Pure. Promises: slots, types, names and GUIDs of the partitions are the image's; what is written is complete (both
//! tables, a protective MBR for this disk's size) and satisfies `sgdisk -v`. The table is only made here; when which part
//! of it may be written is the business of `install`.

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use crate::image::read::{BACKUP_LENGTH, PRIMARY_END};
use crate::spec::image::{ImageManifest, ImagePartition};
use crate::sys::gpt::{self, BLOCK, Table};

/// Partitions end on multiples of this where the disk has room.
const ALIGN: u64 = 1 << 20;

/// Where everything is on the installed disk: what the kernel is told before it mounts the file systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLayout {
    /// GUID of the disk, of this disk only.
    pub disk: Uuid,
    /// The partitions in table order, the root at its final length.
    pub partitions: Vec<ImagePartition>,
    /// The EFI system partition.
    pub esp: ImagePartition,
    /// The root partition.
    pub root: ImagePartition,
}

/// The final table as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalTable {
    /// Bytes 0..[`PRIMARY_END`] of the disk: protective MBR, header, entries, zeroes.
    pub primary: Vec<u8>,
    /// First byte of the backup table.
    pub backup_offset: u64,
    /// The backup table, up to the disk's last byte.
    pub backup: Vec<u8>,
    /// CRC-32 of the partition entries, for the claim record.
    pub entries_checksum: u32,
    /// The same, for those who don't read tables.
    pub layout: DiskLayout,
}

/// Makes the table for a disk of this size with this new GUID. `head` is the image's first [`PRIMARY_END`] bytes, verified.
///
/// # Errors
/// When the image's table is damaged or isn't the one that the manifest describes, or the disk is too small.
pub fn final_table(head: &[u8], manifest: &ImageManifest, disk_size: u64, disk: Uuid) -> Result<FinalTable> {
    let mut table = gpt::parse_primary(head).context("reading the image's partition table")?;
    compare(&table, manifest)?;
    let (root, esp) = (manifest.root.partition, manifest.esp);
    grow(&mut table, root, disk_size)?;
    table.disk = disk;
    let bytes = table.build(disk_size).context("making the partition table for this disk")?;
    let mut primary = bytes.primary;
    primary.resize(PRIMARY_END as usize, 0);
    let partitions: Vec<_> = manifest
        .partitions
        .iter()
        .map(|partition| ImagePartition {
            length: table.entries.get(&partition.number).map_or(partition.length, gpt::Entry::length),
            ..partition.clone()
        })
        .collect();
    let find = |number: u32| {
        let found = partitions.iter().find(|partition| partition.number == number).cloned();
        found.with_context(|| format!("the manifest has no partition {number}"))
    };
    let layout = DiskLayout { disk, esp: find(esp)?, root: find(root)?, partitions };
    let entries_checksum =
        gpt::entries_checksum(&primary).context("reading the partition table just made")?;
    Ok(FinalTable {
        primary,
        backup_offset: bytes.backup_offset,
        backup: bytes.backup,
        entries_checksum,
        layout,
    })
}

/// The manifest was made from this table; when they differ, one of them is of another image.
fn compare(table: &Table, manifest: &ImageManifest) -> Result<()> {
    ensure!(
        table.entries.len() == manifest.partitions.len(),
        "the image's partition table has {} partitions, its manifest {}",
        table.entries.len(),
        manifest.partitions.len()
    );
    for partition in &manifest.partitions {
        let number = partition.number;
        let entry = table.entries.get(&number);
        let same = entry.is_some_and(|entry| {
            (entry.kind, entry.guid, entry.offset(), entry.length())
                == (partition.kind, partition.guid, partition.offset, partition.length)
        });
        ensure!(same, "partition {number} in the image's table isn't the one in its manifest");
    }
    Ok(())
}

/// Moves the end of the root to the end of the disk; never backwards.
fn grow(table: &mut Table, root: u32, disk_size: u64) -> Result<()> {
    let usable = (disk_size / BLOCK * BLOCK).checked_sub(BACKUP_LENGTH);
    let end = usable.with_context(|| format!("a disk of {disk_size} bytes is too small"))? / ALIGN * ALIGN;
    let entry = table.entries.get_mut(&root).with_context(|| format!("there is no partition {root}"))?;
    entry.last = entry.last.max((end / BLOCK).saturating_sub(1));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::agent::fixture;

    const DISK: Uuid = Uuid::from_u128(0xd15c);

    fn made(disk_size: u64) -> FinalTable {
        final_table(&fixture::head(), &fixture::manifest(), disk_size, DISK).unwrap()
    }

    #[test]
    fn the_root_grows_to_the_last_whole_mebibyte_and_nothing_else_changes() {
        let table = made((9 << 20) + 512);
        let read = gpt::parse_primary(&table.primary).unwrap();
        let image = gpt::parse_primary(&fixture::head()).unwrap();
        assert_eq!((read.disk, image.disk == DISK), (DISK, false));
        assert_eq!(read.boot_code, image.boot_code);
        assert_eq!(read.entries.keys().collect::<Vec<_>>(), [&1, &15]);
        assert_eq!(read.entries[&15], image.entries[&15]);
        let (root, before) = (&read.entries[&1], &image.entries[&1]);
        assert_eq!((root.guid, root.first, root.flags), (before.guid, before.first, before.flags));
        assert_eq!(root.offset() + root.length(), 8 << 20);
        assert_eq!((table.layout.root.offset, table.layout.root.length), (root.offset(), root.length()));
        assert_eq!(table.layout.esp, fixture::manifest().partitions[1]);
    }

    #[test]
    fn on_a_disk_as_small_as_the_image_the_root_keeps_its_end() {
        let table = made(fixture::SIZE);
        assert_eq!(table.layout.partitions, fixture::manifest().partitions);
        assert_eq!(table.backup_offset + table.backup.len() as u64, fixture::SIZE);
    }

    #[test]
    fn a_table_that_is_not_the_manifests_is_refused() {
        let mut manifest = fixture::manifest();
        manifest.partitions[0].guid = Uuid::from_u128(77);
        let error = final_table(&fixture::head(), &manifest, 8 << 20, DISK).unwrap_err();
        assert!(error.to_string().contains("partition 1"), "{error}");
        manifest = fixture::manifest();
        manifest.partitions.pop();
        assert!(final_table(&fixture::head(), &manifest, 8 << 20, DISK).is_err());
        let mut head = fixture::head();
        head[1024] ^= 1;
        assert!(final_table(&head, &fixture::manifest(), 8 << 20, DISK).is_err());
        assert!(final_table(&fixture::head(), &fixture::manifest(), fixture::SIZE - 4096, DISK).is_err());
    }

    #[test]
    fn stock_sgdisk_finds_no_fault() {
        let dir = tempfile::tempdir().unwrap();
        for size in [fixture::SIZE, fixture::SIZE + 512, 64 << 20, (5 << 30) + 4096] {
            let table = made(size);
            let path = dir.path().join("disk");
            let file = std::fs::File::create(&path).unwrap();
            file.set_len(size).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &table.primary, 0).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, &table.backup, table.backup_offset).unwrap();
            let Ok(output) = Command::new("sgdisk").arg("-v").arg(&path).output() else {
                crate::skip_tests::missing("sgdisk", "gdisk");
                return;
            };
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && text.contains("No problems found"), "{size}: {text}");
        }
    }
}
