//! A small world for tests: an image with its packs in memory, an order for it, a machine with one disk.
//!
//! The image is real enough to be judged like a disk: a protective MBR, both partition tables, an ESP and a root whose
//! bytes can be told apart, runs of zeroes, chunks of several sizes in two packs.

pub mod delivery;
mod image;

pub use self::image::{SIZE, head, manifest};
use self::image::{Shape, chunks};
use super::Failure;
use super::disk::install::{Personalised, Personaliser};
use super::disk::table::DiskLayout;
use super::payload::memory_source::MemorySource;
use crate::image::read::{Index, index_bytes};
use crate::order;
use crate::plan;
use crate::probe::disk_probe::{self, Seen};
use crate::spec::claim::Claim;
use crate::spec::facts::{Disk, DiskContent, Facts, Machine, Nic, SecureBoot};
use crate::spec::image::{Blob, ImageManifest, ImagePin};
use crate::spec::order::{HostMatch, InstallOrder, WipePolicy};
use crate::spec::plan::{Plan, Refusal};
use crate::spec::system::{NetworkSpec, RootAccount, SystemSpec};
use crate::spec::transport::Transport;
use crate::spec::{Code, FormatVersion};
use crate::sys::block::{BlockDevice, MemoryDevice};
use crate::sys::gpt;
use crate::trust::{SiteKey, TrustedKeys, Verified};
use crate::value::{ByteSize, Digest, EventSecret, OrderId, Seal, Timestamp};

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
    world_of(&image::USUAL)
}

/// A world whose image is so small that each bit of it can be tried.
pub fn small_world() -> World {
    world_of(&image::SMALL)
}

fn world_of(shape: &Shape) -> World {
    let image = shape.image();
    let (manifest, index, source) = stored(shape, &image, MemorySource::new());
    let order = InstallOrder { wipe: WipePolicy::Foreign, image: pin(&manifest), ..order(&manifest) };
    World { image, manifest: verified(&manifest), order: verified(&granted(order)), index, source }
}

fn pin(manifest: &ImageManifest) -> ImagePin {
    ImagePin { image: manifest.image.clone(), manifest: Digest::of(&delivery::bytes_of(manifest)) }
}

/// Adds an image to what a source has.
fn stored(shape: &Shape, image: &[u8], mut source: MemorySource) -> (ImageManifest, Index, MemorySource) {
    let mut manifest = shape.manifest();
    let (entries, packs) = chunks(shape, image);
    manifest.packs = packs.into_iter().map(|pack| source.add(pack)).collect();
    let bytes = index_bytes(entries);
    manifest.index = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
    manifest.raw = Some(Digest::of(image));
    let bytes = Verified::by_digest(bytes, &manifest.index.digest).unwrap();
    let index = Index::parse(bytes, &manifest).unwrap();
    (manifest, index, source)
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
    let bytes = delivery::bytes_of(document);
    let digest = Digest::of(&bytes);
    Verified::by_digest(bytes, &digest).unwrap().parse_json().unwrap()
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
    device.read_at(image::ESP_START + 4096, &mut mark).is_ok()
        && mark == [0xa3; 4096]
        && gpt::kernel_table(device).is_some()
}

/// Whether the world's root is on a disk: by a block that nobody changes, since it has no superblock.
fn root_is_there(world: &World, device: &dyn BlockDevice) -> bool {
    let at = world.manifest.partitions[0].offset + 10 * 4096;
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

impl World {
    /// Another version of the image under a new order that allows no loss of foreign data: in its root many chunks have other places,
    /// some in each other's, and a block is new. The source has the former image's index, where that is wanted.
    pub fn next_version(self, knows_former: bool) -> Self {
        let mut image = self.image.clone();
        let root = (image::ESP_START + (280 << 10)) as usize..(image::ESP_START + (1000 << 10)) as usize;
        image[root.clone()].rotate_left(200 << 10);
        let (first, second) = (root.start + (400 << 10), root.start + (480 << 10));
        for at in 0..40 << 10 {
            image.swap(first + at, second + at);
        }
        image[root.start + (600 << 10)] ^= 0x55;
        let mut source = self.source;
        if knows_former {
            source =
                source.with_other(self.order.image.manifest, serde_json::to_vec(&*self.manifest).unwrap());
            source = source.with_other(self.manifest.index.digest, index_bytes(self.index.entries()));
        }
        let (manifest, index, source) = stored(&image::USUAL, &image, source);
        let order = InstallOrder {
            id: OrderId::from_random([3; 16]),
            generation: self.order.generation + 1,
            wipe: WipePolicy::Ours,
            image: pin(&manifest),
            ..(*self.order).clone()
        };
        Self { image, manifest: verified(&manifest), order: verified(&granted(order)), index, source }
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
        let block = &disk[image::ESP_START as usize + 8192 + number * 4096..][..4096];
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
