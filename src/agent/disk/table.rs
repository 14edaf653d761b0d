//! The partition table of the installed disk, made from the image's: GUIDs of its own, the root grown to the end.
//!
//! Pure. Promises: slots, types and names of the partitions are the image's; all GUIDs follow from order and host, so that
//! the same order on the same disk gives the same bytes at any time, and no two hosts or orders share one; what is written
//! is complete (both tables, a protective MBR for this disk's size) and satisfies `sgdisk -v`. The table is only made here;
//! when which part of it may be written is the business of `install`.

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use crate::image::read::{BACKUP_LENGTH, PRIMARY_END};
use crate::spec::image::{ImageManifest, ImagePartition};
use crate::sys::gpt::{self, BLOCK, Table};
use crate::value::{Digest, HostName, OrderId};

/// Partitions end on multiples of this where the disk has room.
const ALIGN: u64 = 1 << 20;

/// Where everything is on the installed disk: what the kernel is told before it mounts the file systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLayout {
    /// GUID of the disk, of this disk only.
    pub disk: Uuid,
    /// The partitions in table order with this disk's GUIDs, the root at its final length.
    pub partitions: Vec<ImagePartition>,
    /// The EFI system partition.
    pub esp: ImagePartition,
    /// The root partition.
    pub root: ImagePartition,
    /// The partition of `/boot`, where it has one.
    pub boot: Option<ImagePartition>,
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

/// For whom a table is made: its GUIDs follow from these two.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The order that the disk is installed by.
    pub order: &'a OrderId,
    /// The host that it is for.
    pub host: &'a HostName,
}

impl Owner<'_> {
    /// GUID of the disk.
    pub fn disk(&self) -> Uuid {
        self.guid("disk")
    }

    /// GUID of the partition in this slot.
    pub fn partition(&self, number: u32) -> Uuid {
        self.guid(&number.to_string())
    }

    /// A name-based UUID with a hash of our own choice: version 8 (RFC 9562, sections 5.8 and 6.5).
    fn guid(&self, what: &str) -> Uuid {
        let digest = Digest::of(format!("ironstrap guid\0{}\0{}\0{what}", self.order, self.host).as_bytes());
        uuid::Builder::from_custom_bytes(std::array::from_fn(|i| digest.as_bytes()[i])).into_uuid()
    }
}

/// Makes the table for a disk of this size. `head` is the image's first [`PRIMARY_END`] bytes, verified.
///
/// # Errors
/// When the image's table is damaged or isn't the one that the manifest describes, or the disk is too small.
pub fn final_table(
    head: &[u8],
    manifest: &ImageManifest,
    disk_size: u64,
    owner: Owner<'_>,
) -> Result<FinalTable> {
    let mut table = gpt::parse_primary(head).context("reading the image's partition table")?;
    compare(&table, manifest)?;
    let (root, esp) = (manifest.root.partition, manifest.esp);
    grow(&mut table, root, disk_size)?;
    table.disk = owner.disk();
    for (number, entry) in &mut table.entries {
        entry.guid = owner.partition(*number);
    }
    let bytes = table.build(disk_size).context("making the partition table for this disk")?;
    let mut primary = bytes.primary;
    primary.resize(PRIMARY_END as usize, 0);
    let partitions: Vec<_> = manifest
        .partitions
        .iter()
        .map(|partition| ImagePartition {
            length: table.entries.get(&partition.number).map_or(partition.length, gpt::Entry::length),
            guid: owner.partition(partition.number),
            ..partition.clone()
        })
        .collect();
    let find = |number: u32| {
        let found = partitions.iter().find(|partition| partition.number == number).cloned();
        found.with_context(|| format!("the manifest has no partition {number}"))
    };
    let boot = manifest.boot.as_ref().map(|boot| find(boot.partition)).transpose()?;
    let layout = DiskLayout { disk: table.disk, esp: find(esp)?, root: find(root)?, boot, partitions };
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

    fn made_for(order: u8, host: &str, disk_size: u64) -> Result<FinalTable> {
        made_from(&fixture::head(), &fixture::manifest(), order, host, disk_size)
    }

    fn made_from(
        head: &[u8],
        manifest: &ImageManifest,
        order: u8,
        host: &str,
        disk_size: u64,
    ) -> Result<FinalTable> {
        let (order, host) = (OrderId::from_random([order; 16]), host.parse().unwrap());
        final_table(head, manifest, disk_size, Owner { order: &order, host: &host })
    }

    fn made(disk_size: u64) -> FinalTable {
        made_for(1, "web01", disk_size).unwrap()
    }

    /// A disk's GUID and its partitions'.
    fn guids(table: &FinalTable) -> Vec<Uuid> {
        let read = gpt::parse_primary(&table.primary).unwrap();
        let all: Vec<_> = std::iter::once(read.disk).chain(read.entries.values().map(|e| e.guid)).collect();
        let of_layout = table.layout.partitions.iter().map(|partition| partition.guid);
        assert!(std::iter::once(table.layout.disk).chain(of_layout).eq(all.iter().copied()));
        all
    }

    #[test]
    fn guids_follow_from_order_and_host_and_nobody_shares_one() {
        let image = gpt::parse_primary(&fixture::head()).unwrap();
        let mut all = vec![image.disk];
        all.extend(image.entries.values().map(|entry| entry.guid));
        let owners = [(1, "web01"), (2, "web01"), (1, "web02")];
        for (order, host) in owners {
            let table = made_for(order, host, 8 << 20).unwrap();
            assert_eq!(table, made_for(order, host, 8 << 20).unwrap());
            // another disk gets another length of the root, and the same names
            assert_eq!(guids(&table), guids(&made_for(order, host, 9 << 20).unwrap()));
            all.extend(guids(&table));
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), count), (12, 12));
    }

    /// The table of an order that was begun must be made again by a later release: these are for ever.
    #[test]
    fn guids_stay_what_they_were() {
        let guids = guids(&made(8 << 20)).iter().map(Uuid::to_string).collect::<Vec<_>>();
        // as Python's hashlib and uuid make them
        assert_eq!(
            guids,
            [
                "1c401662-d1ba-8e0c-a224-a7b185bea482",
                "59609a84-326c-8e71-92a8-03a1a4424d38",
                "4d6cd4d5-7d46-8a67-9e01-0b5d521e88c2",
            ]
        );
        assert!(guids.iter().all(|guid| guid.parse::<Uuid>().unwrap().get_version_num() == 8));
    }

    #[test]
    fn the_root_grows_to_the_last_whole_mebibyte_and_nothing_else_changes() {
        let table = made((9 << 20) + 512);
        let read = gpt::parse_primary(&table.primary).unwrap();
        let image = gpt::parse_primary(&fixture::head()).unwrap();
        assert_eq!(read.boot_code, image.boot_code);
        assert_eq!(read.entries.keys().collect::<Vec<_>>(), [&1, &15]);
        let esp = gpt::Entry { guid: image.entries[&15].guid, ..read.entries[&15].clone() };
        assert_eq!(esp, image.entries[&15]);
        let (root, before) = (&read.entries[&1], &image.entries[&1]);
        assert_eq!((root.kind, root.first, root.flags), (before.kind, before.first, before.flags));
        assert_eq!(root.offset() + root.length(), 8 << 20);
        assert_eq!((table.layout.root.offset, table.layout.root.length), (root.offset(), root.length()));
        let esp =
            ImagePartition { guid: read.entries[&15].guid, ..fixture::manifest().partitions[1].clone() };
        assert_eq!(table.layout.esp, esp);
    }

    #[test]
    fn on_a_disk_as_small_as_the_image_the_root_keeps_its_end() {
        let table = made(fixture::SIZE);
        let places = |partitions: &[ImagePartition]| -> Vec<(u64, u64)> {
            partitions.iter().map(|partition| (partition.offset, partition.length)).collect()
        };
        assert_eq!(places(&table.layout.partitions), places(&fixture::manifest().partitions));
        assert_eq!(table.backup_offset + table.backup.len() as u64, fixture::SIZE);
    }

    #[test]
    fn a_table_that_is_not_the_manifests_is_refused() {
        let mut manifest = fixture::manifest();
        manifest.partitions[0].guid = Uuid::from_u128(77);
        let error = made_from(&fixture::head(), &manifest, 1, "web01", 8 << 20).unwrap_err();
        assert!(error.to_string().contains("partition 1"), "{error}");
        manifest = fixture::manifest();
        manifest.partitions.pop();
        assert!(made_from(&fixture::head(), &manifest, 1, "web01", 8 << 20).is_err());
        let mut head = fixture::head();
        head[1024] ^= 1;
        assert!(made_from(&head, &fixture::manifest(), 1, "web01", 8 << 20).is_err());
        assert!(made_for(1, "web01", fixture::SIZE - 4096).is_err());
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
                crate::expect::missing_program("sgdisk", "gdisk");
                return;
            };
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && text.contains("No problems found"), "{size}: {text}");
        }
    }
}
