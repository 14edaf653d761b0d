//! Every rule of the index and of the layout, broken once.

use uuid::Uuid;

use super::*;
use crate::spec::FormatVersion;
use crate::spec::image::{Blob, FilesystemKind, ImageFilesystem, ImagePartition, ImageSystem, NetworkStack};
use crate::value::ByteSize;

const ESP_START: u64 = 1 << 20;
const ROOT_START: u64 = 2 << 20;
const SIZE: u64 = 4 << 20;

fn partition(number: u32, offset: u64, length: u64) -> ImagePartition {
    let kind = Uuid::from_u128(1);
    ImagePartition { number, kind, guid: Uuid::from_u128(number.into()), offset, length, name: String::new() }
}

fn manifest() -> ImageManifest {
    ImageManifest {
        version: FormatVersion,
        image: "debian-12-base@1.0.0".parse().unwrap(),
        size: ByteSize::bytes(SIZE),
        logical_block: 512,
        raw: Some(Digest::of(b"raw")),
        index: Blob { digest: Digest::of(b""), size: 0 },
        packs: vec![Blob { digest: Digest::of(b"pack"), size: 5000 }],
        data: ByteSize::bytes(0),
        partitions: vec![partition(15, ESP_START, 1 << 20), partition(1, ROOT_START, 1 << 20)],
        esp: 15,
        root: ImageFilesystem { partition: 1, uuid: Uuid::from_u128(9), kind: FilesystemKind::Ext4 },
        boot: None,
        system: ImageSystem {
            os: "debian".to_owned(),
            os_version: "12".to_owned(),
            kernel: "6.1".to_owned(),
            network: NetworkStack::Networkd,
            selinux_enforcing: false,
            tools: Vec::new(),
        },
    }
}

fn zero(offset: u64, end: u64) -> IndexEntry {
    IndexEntry { offset, length: end - offset, content: Extent::Zero }
}

fn data(offset: u64, end: u64, frame_offset: u64, frame_length: u32) -> IndexEntry {
    let content = Extent::Data { digest: Digest::of(b"chunk"), pack: 0, frame_offset, frame_length };
    IndexEntry { offset, length: end - offset, content }
}

fn good() -> Vec<IndexEntry> {
    vec![
        data(0, COMMIT_END, 0, 1000),
        zero(COMMIT_END, PRIMARY_END),
        zero(PRIMARY_END, ESP_START),
        data(ESP_START, ESP_START + 8192, 1000, 4000),
        zero(ESP_START + 8192, ROOT_START),
        zero(ROOT_START, SIZE),
    ]
}

fn parse(entries: &[IndexEntry]) -> Result<Index> {
    let bytes = index_bytes(entries.iter().copied());
    let mut manifest = manifest();
    manifest.index = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
    let digest = manifest.index.digest;
    Index::parse(Verified::by_digest(bytes, &digest).unwrap(), &manifest)
}

#[test]
fn a_good_index_reads_back() {
    let index = parse(&good()).unwrap();
    assert_eq!(index.entries().collect::<Vec<_>>(), good());
    assert_eq!((index.len(), index.is_empty(), index.data_bytes()), (6, false, COMMIT_END + 8192));
    assert_eq!(index.containing(COMMIT_END - 1), Some(good()[0]));
    assert_eq!(index.containing(ESP_START), Some(good()[3]));
    assert_eq!(index.containing(SIZE - 1), Some(good()[5]));
    assert_eq!(index.containing(SIZE), None);
}

#[test]
fn every_broken_rule_is_named() {
    type Change = fn(&mut Vec<IndexEntry>);
    let cases: [(&str, Change); 11] = [
        ("the last record ends", |all| all.truncate(5)),
        ("begins at byte", |all| {
            all.remove(2);
        }),
        ("begins at byte", |all| all.swap(2, 3)),
        ("begins at byte", |all| all[3].offset += 512),
        ("whole blocks", |all| all[2].length -= 1),
        ("past the image's end", |all| all[5].length += 512),
        ("past the image's end", |all| all[5].length = u64::MAX),
        ("where there must be a cut", |all| {
            all.splice(0..2, [zero(0, PRIMARY_END)]);
        }),
        ("where there must be a cut", |all| {
            all.splice(4..6, [zero(ESP_START + 8192, SIZE)]);
        }),
        ("past the end of pack", |all| all[3] = data(ESP_START, ESP_START + 8192, 1001, 4000)),
        ("no frame has", |all| all[3] = data(ESP_START, ESP_START + 8192, 1001, 0)),
    ];
    for (message, change) in cases {
        let mut entries = good();
        change(&mut entries);
        let error = format!("{:#}", parse(&entries).unwrap_err());
        assert!(error.contains(message), "expected `{message}` in: {error}");
    }
}

#[test]
fn a_chunk_over_the_limit_and_an_unknown_pack_are_refused() {
    let mut entries = good();
    entries[5] = data(ROOT_START, SIZE, 0, 10);
    assert!(format!("{:#}", parse(&entries).unwrap_err()).contains("more than a chunk may have"));
    let mut entries = good();
    let Extent::Data { pack, .. } = &mut entries[0].content else { unreachable!() };
    *pack = 1;
    assert!(format!("{:#}", parse(&entries).unwrap_err()).contains("names pack 1, but there are 1"));
}

#[test]
fn an_index_of_another_image_or_with_half_a_record_is_refused() {
    let bytes = index_bytes(good());
    let verified = Verified::by_digest(bytes.clone(), &Digest::of(&bytes)).unwrap();
    assert!(format!("{:#}", Index::parse(verified, &manifest()).unwrap_err()).contains("is not the one of"));
    for bytes in [bytes[..bytes.len() - 1].to_vec(), bytes[1..].to_vec(), Vec::new()] {
        let mut manifest = manifest();
        manifest.index.digest = Digest::of(&bytes);
        let digest = manifest.index.digest;
        assert!(Index::parse(Verified::by_digest(bytes, &digest).unwrap(), &manifest).is_err());
    }
}

#[test]
fn layouts_that_can_not_be_installed_are_refused() {
    type Change = fn(&mut ImageManifest);
    let cases: [(&str, Change); 8] = [
        ("only 512", |m| m.logical_block = 4096),
        ("multiple of 4096", |m| m.size = ByteSize::bytes(SIZE + 512)),
        ("too few", |m| m.size = ByteSize::bytes(1 << 20)),
        ("begins before", |m| m.partitions[0].offset = 512),
        ("overlap", |m| m.partitions[0].length += 512),
        ("last usable byte", |m| m.partitions[1].length = u64::MAX),
        ("not the last one", |m| m.root.partition = 15),
        ("no ESP", |m| m.esp = 3),
    ];
    for (message, change) in cases {
        let mut manifest = manifest();
        change(&mut manifest);
        let error = check_layout(&manifest).unwrap_err().to_string();
        assert!(error.contains(message), "expected `{message}` in: {error}");
    }
}

#[test]
fn frames_are_decoded_and_damaged_ones_are_not() {
    let raw = vec![7; 8192];
    let frame = zstd::bulk::compress(&raw, 3).unwrap();
    let content =
        |digest| Extent::Data { digest, pack: 0, frame_offset: 0, frame_length: frame.len() as u32 };
    let entry = IndexEntry { offset: 0, length: 8192, content: content(Digest::of(&raw)) };
    assert_eq!(*decode_frame(&entry, &frame).unwrap(), raw);
    for length in [4096, 12288] {
        assert!(decode_frame(&IndexEntry { length, ..entry }, &frame).is_err(), "{length}");
    }
    let other = IndexEntry { content: content(Digest::of(b"other")), ..entry };
    assert!(format!("{:#}", decode_frame(&other, &frame).unwrap_err()).contains("expected"));
    assert!(decode_frame(&entry, &frame[..frame.len() - 1]).is_err());
    assert!(decode_frame(&entry, b"").is_err());
    assert!(decode_frame(&IndexEntry { content: Extent::Zero, ..entry }, &frame).is_err());
}
