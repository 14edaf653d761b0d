//! A small world for tests: an image with its packs in memory, an order for it, a machine with one disk.
//!
//! The image is real enough to be judged like a disk: a protective MBR, both partition tables, an ESP and a root whose
//! bytes can be told apart, runs of zeroes, chunks of several sizes in two packs.

use uuid::Uuid;

use crate::spec::FormatVersion;
use crate::spec::facts::{Disk, DiskContent, Facts, Machine, Nic, SecureBoot};
use crate::spec::image::{
    Blob, FilesystemKind, ImageManifest, ImagePartition, ImagePin, ImageSystem, NetworkStack, RootFilesystem,
};
use crate::spec::order::{HostMatch, InstallOrder, WipePolicy};
use crate::spec::system::{NetworkSpec, RootAccount, SystemSpec};
use crate::value::{ByteSize, Digest, OrderId, Timestamp};

/// Size of the image.
pub const SIZE: u64 = 4 << 20;
const ESP: (u64, u64) = (1 << 20, 1 << 20);
const ROOT: (u64, u64) = (2 << 20, (1 << 20) + (512 << 10));

/// A manifest whose blobs are still missing.
pub fn manifest() -> ImageManifest {
    let partition = |number, kind, (offset, length)| ImagePartition {
        number,
        kind,
        guid: Uuid::from_u128(0x1000 + u128::from(number)),
        offset,
        length,
        name: format!("part{number}"),
    };
    ImageManifest {
        version: FormatVersion,
        image: "debian-12-base@1.0.0".parse().unwrap(),
        size: ByteSize::bytes(SIZE),
        logical_block: 512,
        raw: Digest::of(b""),
        index: Blob { digest: Digest::of(b""), size: 0 },
        packs: Vec::new(),
        data: ByteSize::bytes(0),
        partitions: vec![
            partition(1, Uuid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4), ROOT),
            partition(15, Uuid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b), ESP),
        ],
        esp: 15,
        root: RootFilesystem { partition: 1, uuid: Uuid::from_u128(0xabc), kind: FilesystemKind::Ext4 },
        system: ImageSystem {
            os: "debian".to_owned(),
            os_version: "12".to_owned(),
            kernel: "6.1.0-50-amd64".to_owned(),
            network: NetworkStack::Networkd,
            selinux_enforcing: false,
            tools: Vec::new(),
        },
    }
}

/// An order for `web01` and the disk with serial S1, generation 7.
pub fn order(manifest: &ImageManifest) -> InstallOrder {
    InstallOrder {
        version: FormatVersion,
        id: OrderId::from_random([1; 16]),
        host: "web01".parse().unwrap(),
        generation: 7,
        not_before: Timestamp::from_unix(1_795_000_000),
        not_after: Timestamp::from_unix(1_795_600_000),
        matching: HostMatch { macs: vec!["52:54:00:12:34:56".parse().unwrap()], ..HostMatch::default() },
        image: ImagePin { image: manifest.image.clone(), manifest: Digest::of(b"manifest") },
        target: serde_json::from_str(r#"{"serial":"S1"}"#).unwrap(),
        wipe: WipePolicy::Ours,
        confirm_seconds: 0,
        network: NetworkSpec::default(),
        payload: None,
        server: None,
        system: SystemSpec {
            hostname: "web01".parse().unwrap(),
            timezone: None,
            root: RootAccount::default(),
            users: Vec::new(),
            files: Vec::new(),
            units: Vec::new(),
        },
    }
}

/// The machine of that order with one blank disk of this size.
pub fn facts(disk_size: u64) -> Facts {
    let disk = Disk {
        name: "sda".to_owned(),
        size: ByteSize::bytes(disk_size),
        logical_block: 512,
        serial: Some("S1".to_owned()),
        wwn: None,
        model: Some("QEMU HARDDISK".to_owned()),
        removable: false,
        read_only: false,
        boot_medium: false,
        content: DiskContent::Blank,
        filesystems: Vec::new(),
        done: Vec::new(),
    };
    Facts {
        version: FormatVersion,
        clock: Timestamp::from_unix(1_795_000_100),
        machine: Machine {
            vendor: Some("QEMU".to_owned()),
            model: None,
            serial: None,
            uuid: None,
            nics: vec![Nic {
                name: "eth0".to_owned(),
                mac: "52:54:00:12:34:56".parse().unwrap(),
                driver: None,
                carrier: true,
            }],
            memory: ByteSize::bytes(1 << 30),
            secure_boot: SecureBoot::On,
        },
        disks: vec![disk],
    }
}
