//! Media in memory.

use uuid::Uuid;

use super::*;
use crate::agent::payload::source;
use crate::spec::FormatVersion;
use crate::sys::block::MemoryDevice;

/// Where the payload partition begins.
pub const PAYLOAD: u64 = 1 << 20;

/// A medium that carries these blobs, and where in its payload partition.
pub fn medium_of(contents: &[Vec<u8>]) -> (Vec<u8>, Vec<PayloadBlob>) {
    let mut disk = vec![0; 4 << 20];
    let mut table = gpt::Table::new(Uuid::from_u128(1));
    let entry = |kind, at, length| gpt::Entry::new(kind, Uuid::from_u128(u128::from(at)), at, length, "x");
    table.entries.insert(2, entry(payload::PARTITION_TYPE, PAYLOAD, 1 << 20));
    let built = table.build(disk.len() as u64).unwrap();
    disk[..built.primary.len()].copy_from_slice(&built.primary);
    disk[built.backup_offset as usize..].copy_from_slice(&built.backup);
    let (mut blobs, mut offset) = (Vec::new(), 8192);
    for content in contents {
        let blob = Blob { digest: Digest::of(content), size: content.len() as u64 };
        blobs.push(PayloadBlob { blob, offset });
        disk[(PAYLOAD + offset) as usize..][..content.len()].copy_from_slice(content);
        offset += blob.size.next_multiple_of(payload::ALIGN);
    }
    let directory = PayloadDirectory { version: FormatVersion, blobs };
    let json = serde_json::to_vec(&directory).unwrap();
    let at = PAYLOAD as usize;
    disk[at..at + 16].copy_from_slice(payload::MAGIC);
    disk[at + 16..at + 24].copy_from_slice(&(json.len() as u64).to_le_bytes());
    disk[at + 4096..at + 4096 + json.len()].copy_from_slice(&json);
    (disk, directory.blobs)
}

fn medium(content: &[u8]) -> (Vec<u8>, Blob) {
    let (disk, blobs) = medium_of(&[content.to_vec()]);
    (disk, blobs[0].blob)
}

#[test]
fn blobs_are_read_and_verified_from_the_partition() {
    let content = b"golden".repeat(1000);
    let (disk, blob) = medium(&content);
    let stick = StickSource::on("sda".to_owned(), Box::new(MemoryDevice::new(disk.clone()))).unwrap();
    assert!(stick.has(&blob.digest));
    assert_eq!(*source::fetch(&stick, &blob, 1 << 20).unwrap(), content);
    assert_eq!(stick.hint(&blob.digest, blob.size), Some(content.clone()));
    assert_eq!(stick.hint(&blob.digest, blob.size - 1), None);
    assert_eq!(stick.hint(&Digest::of(b"other"), 1 << 20), None);
    let missing = Blob { digest: Digest::of(b"other"), size: 5 };
    assert_eq!(source::fetch(&stick, &missing, 1 << 20).unwrap_err().code, Code::PayloadUnreachable);
    let longer = Blob { size: blob.size + 1, ..blob };
    assert_eq!(source::fetch(&stick, &longer, 1 << 20).unwrap_err().code, Code::PayloadDamaged);
    let mut damaged = disk;
    damaged[PAYLOAD as usize + 8192 + 100] ^= 1;
    let stick = StickSource::on("sda".to_owned(), Box::new(MemoryDevice::new(damaged))).unwrap();
    assert_eq!(source::fetch(&stick, &blob, 1 << 20).unwrap_err().code, Code::PayloadDamaged);
}

#[test]
fn of_two_sticks_the_one_with_the_image_is_taken() {
    let ((one, first), (two, second)) = (medium(b"one"), medium(b"two"));
    let sticks = || {
        [("sda", &one), ("sdb", &two)].into_iter().map(|(name, disk)| {
            StickSource::on(name.to_owned(), Box::new(MemoryDevice::new(disk.clone()))).unwrap()
        })
    };
    let chosen = |wanted: Option<Digest>| StickSource::choose(sticks(), wanted.as_ref()).unwrap().name;
    assert_eq!([chosen(Some(first.digest)), chosen(Some(second.digest))], ["sda", "sdb"]);
    assert_eq!([chosen(Some(Digest::of(b"three"))), chosen(None)], ["sda", "sda"]);
    assert!(StickSource::choose(std::iter::empty(), Some(&first.digest)).is_none());
}

#[test]
fn a_disk_without_our_partitions_is_no_medium() {
    let disk = Box::new(MemoryDevice::new(vec![0; 1 << 20]));
    assert!(StickSource::on("sda".to_owned(), disk).is_none());
}
