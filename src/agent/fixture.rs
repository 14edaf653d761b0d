//! A small world for tests: an image with its packs in memory, an order for it, a machine with one disk.
//!
//! The image is real enough to be judged like a disk: a protective MBR, both partition tables, an ESP and a root whose
//! bytes can be told apart, runs of zeroes, chunks of several sizes in two packs.

use uuid::Uuid;

use super::Failure;
use super::disk::install::{Personalised, Personaliser};
use super::disk::table::DiskLayout;
use super::payload::memory_source::MemorySource;
use crate::image::read::{COMMIT_END, Index, PRIMARY_END, index_bytes};
use crate::order;
use crate::plan;
use crate::probe::disk_probe::{self, Seen};
use crate::spec::claim::Claim;
use crate::spec::facts::{Disk, DiskContent, Facts, Machine, Nic, SecureBoot};
use crate::spec::image::{
    Blob, Extent, FilesystemKind, ImageManifest, ImagePartition, ImagePin, ImageSystem, IndexEntry,
    NetworkStack, RootFilesystem,
};
use crate::spec::order::{HostMatch, InstallOrder, WipePolicy};
use crate::spec::plan::{Plan, Refusal};
use crate::spec::system::{NetworkSpec, RootAccount, SystemSpec};
use crate::spec::transport::Transport;
use crate::spec::{Code, FormatVersion};
use crate::sys::block::faults::Dice;
use crate::sys::block::{BlockDevice, MemoryDevice};
use crate::sys::gpt::{self, Entry, Table, TableBytes};
use crate::trust::{SiteKey, TrustedKeys, Verified};
use crate::value::{ByteSize, Digest, EventSecret, OrderId, Seal, Timestamp};

/// Size of the image.
pub const SIZE: u64 = 2 << 20;
const ESP: (u64, u64) = (1 << 20, 256 << 10);
/// Up to the last multiple of 4096 before the backup table, so that one chunk holds the end of both.
const ROOT: (u64, u64) = ((1 << 20) + (256 << 10), (768 << 10) - 20480);

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

/// The image's partition table: protective MBR with boot code, header, entries, padding.
pub fn head() -> Vec<u8> {
    let mut table = tables().primary;
    table.resize(PRIMARY_END as usize, 0);
    table
}

fn tables() -> TableBytes {
    let mut table = Table::new(Uuid::from_u128(0x1337));
    table.boot_code[..3].copy_from_slice(&[0xeb, 0x63, 0x90]);
    for ImagePartition { number, kind, guid, offset, length, name } in &manifest().partitions {
        table.entries.insert(*number, Entry::new(*kind, *guid, *offset, *length, name));
    }
    table.build(SIZE).unwrap()
}

/// The image's bytes.
pub fn image() -> Vec<u8> {
    let tables = tables();
    let mut image = vec![0; SIZE as usize];
    let mut dice = Dice::new(1);
    for (start, length) in [ESP, ROOT] {
        let (start, length) = (start as usize, length as usize);
        // a third of each partition is zeroes, and one block in two is easy to compress
        for (number, block) in image[start..start + length].chunks_mut(4096).enumerate() {
            match number % 6 {
                0 | 1 => {}
                2 | 3 => block.fill(number as u8 + 1),
                _ => block.iter_mut().for_each(|byte| *byte = dice.next() as u8),
            }
        }
    }
    image[..tables.primary.len()].copy_from_slice(&tables.primary);
    image[tables.backup_offset as usize..].copy_from_slice(&tables.backup);
    image
}

/// Everything that an install needs, and the image it is of.
#[derive(Debug)]
pub struct World {
    pub image: Vec<u8>,
    pub manifest: Verified<ImageManifest>,
    pub order: Verified<InstallOrder>,
    pub index: Index,
    pub source: MemorySource,
}

/// The world, with an order that allows the loss of foreign data.
pub fn world() -> World {
    let image = image();
    let mut source = MemorySource::new();
    let mut manifest = manifest();
    let (entries, packs) = chunks(&image);
    manifest.packs = packs.into_iter().map(|pack| source.add(pack)).collect();
    let bytes = index_bytes(entries);
    manifest.index = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
    manifest.raw = Digest::of(&image);
    let bytes = Verified::by_digest(bytes, &manifest.index.digest).unwrap();
    let index = Index::parse(bytes, &manifest).unwrap();
    let order = InstallOrder { wipe: WipePolicy::Foreign, ..order(&manifest) };
    World { image, manifest: verified(&manifest), order: verified(&granted(order)), index, source }
}

/// The key that all orders of these worlds are sealed with.
pub fn key() -> SiteKey {
    SiteKey::from_random([3; 40])
}

/// With the seal that its claims need to be believed.
pub fn granted(order: InstallOrder) -> InstallOrder {
    let seal = order::seal(&order.grant(), &key());
    InstallOrder { seal, ..order }
}

/// A claim with its seal.
pub fn granted_claim(claim: Claim) -> Claim {
    let seal = order::seal(&claim.grant, &key());
    Claim { seal, ..claim }
}

/// A document as trusted as one whose digest or signature was checked.
pub fn verified<T: serde::Serialize + serde::de::DeserializeOwned>(document: &T) -> Verified<T> {
    let bytes = serde_json::to_vec(document).unwrap();
    let digest = Digest::of(&bytes);
    Verified::by_digest(bytes, &digest).unwrap().parse_json().unwrap()
}

/// Cuts the image where it must be cut and, beyond that, every 40 KiB; two packs, so that one of them ends in the ESP. The
/// gap before the ESP, with the place of the claim record, is a data chunk though it is zeroes.
fn chunks(image: &[u8]) -> (Vec<IndexEntry>, Vec<Vec<u8>>) {
    let mut cuts = vec![0, COMMIT_END, PRIMARY_END, ESP.0 - 65536, ESP.0, ESP.0 + ESP.1, SIZE];
    cuts.extend((ESP.0..SIZE).step_by(40 << 10));
    cuts.sort_unstable();
    cuts.dedup();
    let (mut entries, mut packs) = (Vec::new(), vec![Vec::new(), Vec::new()]);
    for pair in cuts.windows(2) {
        let (offset, end) = (pair[0], pair[1]);
        let bytes = &image[offset as usize..end as usize];
        let is_zero = bytes.iter().all(|byte| *byte == 0) && end != ESP.0;
        let content = if is_zero {
            Extent::Zero
        } else {
            let pack = usize::from(offset >= ESP.0 + (80 << 10));
            let frame = zstd::bulk::compress(bytes, 1).unwrap();
            let (frame_offset, frame_length) = (packs[pack].len() as u64, frame.len() as u32);
            packs[pack].extend_from_slice(&frame);
            Extent::Data { digest: Digest::of(bytes), pack: pack as u32, frame_offset, frame_length }
        };
        entries.push(IndexEntry { offset, length: end - offset, content });
    }
    (entries, packs)
}

/// The plan for a disk with this content: what the agent finds out by looking at it.
pub fn plan_for(world: &World, disk: &[u8]) -> Result<Plan, Refusal> {
    plan_for_device(world, &MemoryDevice::new(disk.to_vec()))
}

/// The plan for a disk with this content.
pub fn plan_for_device(world: &World, device: &dyn BlockDevice) -> Result<Plan, Refusal> {
    plan_with_keys(world, device, &key().alone())
}

/// The same for an agent whose medium carries these keys.
pub fn plan_with_keys(world: &World, device: &dyn BlockDevice, keys: &TrustedKeys) -> Result<Plan, Refusal> {
    let mut facts = facts(device.size());
    let seen = &mut facts.disks[0];
    Seen { content: seen.content, samples: seen.samples, unread: seen.unread } =
        disk_probe::look(device, keys, true);
    if let DiskContent::Ours { .. } = seen.content {
        seen.claimed_root_in_place = root_is_there(world, device);
    }
    if is_done(device) {
        // what its file systems would tell, if this world had any: the done file, and the root that it names
        seen.filesystems = vec![world.manifest.root.uuid];
        seen.done_roots = seen.filesystems.clone();
    }
    plan::plan(&world.order, &world.manifest, world.order.not_before, &facts)
}

/// Whether [`Marker`] was here, and the partitions are there: what the done file shows where there are file systems.
fn is_done(device: &dyn BlockDevice) -> bool {
    let mut mark = [0; 4096];
    device.read_at(ESP.0 + 4096, &mut mark).is_ok()
        && mark == [0xa3; 4096]
        && gpt::kernel_table(device).is_some()
}

/// Whether the world's root is on a disk: by a block that nobody changes, since it has no superblock.
fn root_is_there(world: &World, device: &dyn BlockDevice) -> bool {
    let at = ROOT.0 + 10 * 4096;
    let mut block = [0; 4096];
    let expected = world.image.get(at as usize..at as usize + block.len());
    device.read_at(at, &mut block).is_ok() && expected == Some(&block)
}

impl World {
    /// The same world after the host was armed again, by an order that allows no loss of foreign data.
    pub fn armed_again(self) -> Self {
        self.armed_again_with(WipePolicy::Ours)
    }

    /// The same world after the host was armed again.
    pub fn armed_again_with(self, wipe: WipePolicy) -> Self {
        let order = InstallOrder {
            id: OrderId::from_random([2; 16]),
            generation: self.order.generation + 1,
            wipe,
            ..(*self.order).clone()
        };
        Self { order: verified(&granted(order)), ..self }
    }
}

/// Writes into both partitions as an agent would: first and last bytes of the root, the done files' blocks in the ESP.
#[derive(Debug)]
pub struct Marker<'a> {
    device: &'a MemoryDevice,
    superseded: &'a [OrderId],
}

impl<'a> Marker<'a> {
    /// One that knows of no older order.
    pub fn new(device: &'a MemoryDevice) -> Self {
        Self { device, superseded: &[] }
    }

    /// One that does what this plan says.
    pub fn of(device: &'a MemoryDevice, plan: &'a Plan) -> Self {
        Self { device, superseded: &plan.superseded }
    }

    /// What stands in the ESP of a done disk for an older order: its name, in the `number`th block after this order's.
    pub fn older_mark(disk: &[u8], number: usize) -> Option<OrderId> {
        let block = &disk[ESP.0 as usize + 8192 + number * 4096..][..4096];
        std::str::from_utf8(block).ok()?.trim_end_matches('\0').parse().ok()
    }
}

impl Personaliser for Marker<'_> {
    fn personalise(&mut self, layout: &DiskLayout) -> Result<Personalised, Failure> {
        let root_end = layout.root.offset + layout.root.length;
        let mut writes =
            vec![(layout.root.offset + 8192, vec![0xa1; 20 << 10]), (root_end - 65536, vec![0xa2; 64 << 10])];
        for (number, order) in self.superseded.iter().enumerate() {
            let mut mark = order.to_string().into_bytes();
            mark.resize(4096, 0);
            writes.push((layout.esp.offset + 8192 + number as u64 * 4096, mark));
        }
        writes.push((layout.esp.offset + 4096, vec![0xa3; 4096]));
        for (at, bytes) in writes {
            self.device
                .write_at(at, &bytes)
                .map_err(|error| Failure::new(Code::Personalise, error.to_string()))?;
        }
        Ok(Personalised { ssh_host_key: Some("SHA256:fake".to_owned()), outcomes: None })
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
        loaders: None,
        target: serde_json::from_str(r#"{"serial":"S1"}"#).unwrap(),
        wipe: WipePolicy::Ours,
        confirm_seconds: 0,
        refusal_pause_seconds: 600,
        allow_dead_clock: false,
        seal: Seal::from_bytes([0; 64]),
        events: EventSecret::from_bytes([4; 32]),
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
        transport: Transport::Ata,
        read_only: false,
        boot_medium: false,
        content: DiskContent::Blank,
        samples: None,
        unread: None,
        filesystems: Vec::new(),
        done: Vec::new(),
        done_roots: Vec::new(),
        done_at: None,
        claimed_root_in_place: false,
    };
    Facts {
        version: FormatVersion,
        clock: Timestamp::from_unix(1_795_000_100),
        vouchers: Vec::new(),
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
            firmware: None,
            modaliases: Vec::new(),
        },
        disks: vec![disk],
    }
}
