//! The claim record: the mark on a disk that an order has begun to wipe it.
//!
//! It is 4 KiB at byte 1 MiB − 4 KiB of the disk, where images may hold nothing. It is written before anything of ours is
//! destroyed, again at each [`Stage`] and after a failure, and stays for good: it tells a later run whose disk this is, which
//! order was the newest, and how far that was carried out. All of it that isn't zero stands in its first 512 bytes, one
//! sector, so that a power cut leaves the old claim or the new one.
//!
//! A record proves who made it by the [`Seal`] over its [`Grant`], which only the site's key can make: whoever reads claims
//! off a disk believes those whose seal holds (`order::is_granted`) and takes all others for somebody's data. What isn't in
//! the grant is the target's own word; copied to another disk, [`Claim::disk`] gives it away.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::FormatVersion;
use super::order::Grant;
use crate::value::{ByteSize, Digest, HostName, OrderId, Seal, Timestamp};

/// Where the record stands on the disk, in bytes.
pub const OFFSET: u64 = (1 << 20) - 4096;
/// Its size in bytes.
pub const SIZE: usize = 4096;
/// Runs after which an order isn't begun again, whatever ended them: a machine whose kernel dies under it counts no failure.
pub const MOST_ATTEMPTS: u32 = 100;
/// Failed runs after which an order is not tried again; power cuts don't count.
pub const MOST_FAILURES: u32 = 3;

const MAGIC: &[u8; 16] = b"IRONSTRAP-CLAIM2";
/// Of records that had no seal; nothing in them can be believed.
pub const UNSEALED_MAGIC: &[u8; 16] = b"IRONSTRAP-CLAIM\n";
/// magic, length (u32 LE), SHA-256 of the content
const HEADER: usize = 16 + 4 + 32;
/// What disks write whole or not at all.
const SECTOR: usize = 512;

/// Who claimed this disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Format of this document.
    pub version: FormatVersion<2>,
    /// The order that may wipe this disk again until it is done, with its host and generation; orders of this host with a lower
    /// generation are stale.
    pub grant: Grant,
    /// The site's signature over the grant.
    pub seal: Seal,
    /// `Disk::stable_name` of the disk it was written to: a cloned disk carries a claim for another disk.
    pub disk: String,
    /// How many runs have begun to write under this order, from 1.
    pub attempts: u32,
    /// How many of them failed, in the claim or after it. Power cuts aren't among them.
    pub failures: u32,
    /// Whether the first run gave up data that isn't ours. Another order of the host gives up only what it allows itself.
    pub foreign: bool,
    /// What was believed to be the time when the first run began: within the order's validity.
    pub time: Timestamp,
    /// Size of the image: what lies beyond is the former life's until the stage is [`Stage::Placed`].
    pub covers: ByteSize,
    /// The image's root file system, and its first byte on the disk: whether it is still there shows whether the disk is ours
    /// once the image was placed.
    pub root: (Uuid, ByteSize),
    /// Digest of the samples beyond the image (`Samples::outside`) as they were judged before the run that wrote this.
    pub outside: Digest,
    /// How far the last run came.
    pub stage: Stage,
    /// Older orders of this host that were done or claimed on this disk, the newest first; as many as fit the sector. They
    /// get done files beside this order's own, and this record is all that is left of them when an install breaks off.
    pub superseded: Vec<OrderId>,
    /// Digest of the manifest of the image that is being written, or was. A hint: claims of earlier versions don't have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Digest>,
    /// The same of the image that was there before this order began, where that was another one. Of use until the new one is
    /// [`Stage::Placed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Digest>,
}

/// How far a run under a claim came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The disk is being written, within the image.
    #[default]
    Begun,
    /// Every block of the image was read back; what lies beyond it is ours from here on.
    Placed,
    /// All is written but the partition tables: the order is done, and nothing but the tables is ever written under it again.
    /// With LBA 0 zero, the power failed just before the commit, or somebody zeroed it since.
    Ready {
        /// CRC-32 of the partition entries that were made, as the GPT's header has it: others were made since.
        entries: u32,
    },
}

/// The record's content as it is encoded: postcard (<https://postcard.jamesmunns.com/wire-format>), fields in this order.
#[derive(Serialize, Deserialize)]
struct Wire {
    host: String,
    order: [u8; 16],
    generation: u64,
    not_before: i64,
    not_after: i64,
    seal: ([u8; 32], [u8; 32]),
    disk: String,
    attempts: u32,
    failures: u32,
    foreign: bool,
    time: i64,
    covers: u64,
    root: ([u8; 16], u64),
    outside: [u8; 32],
    stage: Stage,
    superseded: Vec<[u8; 16]>,
}

/// What stands behind it since there are hints. Earlier versions read past it; records of theirs end before it.
#[derive(Default, Serialize, Deserialize)]
struct Hints {
    image: Option<[u8; 32]>,
    former: Option<[u8; 32]>,
}

/// Why a claim can't be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLong {
    /// Bytes that it would take.
    pub length: usize,
}

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let room = SECTOR - HEADER;
        write!(
            f,
            "claim of {} bytes doesn't fit the {room} of a sector; the names of host or disk are too long",
            self.length
        )
    }
}

impl std::error::Error for TooLong {}

impl Claim {
    /// The record as it is written.
    ///
    /// # Errors
    /// When the names of host and disk are so long that it doesn't fit one sector. Find out before the wipe.
    pub fn to_record(&self) -> Result<[u8; SIZE], TooLong> {
        let content = postcard::to_allocvec(&(self.to_wire(), self.hints())).unwrap_or_default();
        let mut record = [0; SIZE];
        match record[..SECTOR].get_mut(HEADER..HEADER + content.len()) {
            Some(place) if !content.is_empty() => place.copy_from_slice(&content),
            _ => return Err(TooLong { length: content.len() }),
        }
        record[..16].copy_from_slice(MAGIC);
        record[16..20].copy_from_slice(&(content.len() as u32).to_le_bytes());
        record[20..HEADER].copy_from_slice(Digest::of(&content).as_bytes());
        Ok(record)
    }

    /// The claim in these bytes; `None` where there is none, or one that was torn or changed. Whether it may be believed is for
    /// its seal to say.
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let (header, rest) = record.split_at_checked(HEADER)?;
        let length = u32::from_le_bytes(header[16..20].try_into().ok()?) as usize;
        let content = rest.get(..length)?;
        if &header[..16] != MAGIC || Digest::of(content).as_bytes() != &header[20..] {
            return None;
        }
        let (wire, rest) = postcard::take_from_bytes(content).ok()?;
        let hints = if rest.is_empty() { Hints::default() } else { postcard::from_bytes(rest).ok()? };
        Self::from_wire(wire, &hints)
    }

    /// Whether the record of this claim can be written again at its longest stage.
    ///
    /// # Errors
    /// As for [`Claim::to_record`].
    pub fn require_room(&self) -> Result<(), TooLong> {
        let last = Stage::Ready { entries: u32::MAX };
        Self { stage: last, attempts: u32::MAX, failures: u32::MAX, ..self.clone() }.to_record().map(drop)
    }

    fn hints(&self) -> Hints {
        let bytes = |image: &Option<Digest>| image.map(|image| *image.as_bytes());
        Hints { image: bytes(&self.image), former: bytes(&self.former) }
    }

    fn to_wire(&self) -> Wire {
        let Self { version: _, grant, seal, disk, attempts, failures, foreign, time, .. } = self;
        let Self { covers, root, outside, stage, superseded, .. } = self;
        let Grant { host, order, generation, not_before, not_after } = grant;
        let seal = seal.as_bytes();
        Wire {
            host: host.to_string(),
            order: order.to_bytes(),
            generation: *generation,
            not_before: not_before.as_unix(),
            not_after: not_after.as_unix(),
            seal: (std::array::from_fn(|i| seal[i]), std::array::from_fn(|i| seal[32 + i])),
            disk: disk.clone(),
            attempts: *attempts,
            failures: *failures,
            foreign: *foreign,
            time: time.as_unix(),
            covers: covers.as_bytes(),
            root: (*root.0.as_bytes(), root.1.as_bytes()),
            outside: *outside.as_bytes(),
            stage: *stage,
            superseded: superseded.iter().map(OrderId::to_bytes).collect(),
        }
    }

    fn from_wire(wire: Wire, hints: &Hints) -> Option<Self> {
        let host: HostName = wire.host.parse().ok()?;
        let (first, second) = wire.seal;
        let seal = std::array::from_fn(|i| if i < 32 { first[i] } else { second[i - 32] });
        Some(Self {
            version: FormatVersion,
            grant: Grant {
                host,
                order: OrderId::from_random(wire.order),
                generation: wire.generation,
                not_before: Timestamp::from_unix(wire.not_before),
                not_after: Timestamp::from_unix(wire.not_after),
            },
            seal: Seal::from_bytes(seal),
            disk: wire.disk,
            attempts: wire.attempts,
            failures: wire.failures,
            foreign: wire.foreign,
            time: Timestamp::from_unix(wire.time),
            covers: ByteSize::bytes(wire.covers),
            root: (Uuid::from_bytes(wire.root.0), ByteSize::bytes(wire.root.1)),
            outside: Digest::from_bytes(wire.outside),
            stage: wire.stage,
            superseded: wire.superseded.into_iter().map(OrderId::from_random).collect(),
            image: hints.image.map(Digest::from_bytes),
            former: hints.former.map(Digest::from_bytes),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Generation 3 of `web01`, sealed by nobody.
    pub(crate) fn claim() -> Claim {
        Claim {
            version: FormatVersion,
            grant: Grant {
                host: "web01".parse().unwrap(),
                order: OrderId::from_random([7; 16]),
                generation: 3,
                not_before: Timestamp::from_unix(1_795_000_000),
                not_after: Timestamp::from_unix(1_795_600_000),
            },
            seal: Seal::from_bytes([9; 64]),
            disk: "serial:S1".to_owned(),
            attempts: 1,
            failures: 0,
            foreign: false,
            time: Timestamp::from_unix(1_795_000_100),
            covers: ByteSize::bytes(2 << 20),
            root: (Uuid::from_u128(0xabc), ByteSize::bytes((1 << 20) + (256 << 10))),
            outside: Digest::of(b"outside"),
            stage: Stage::Begun,
            superseded: Vec::new(),
            image: Some(Digest::of(b"image")),
            former: Some(Digest::of(b"former")),
        }
    }

    #[test]
    fn a_record_reads_back_and_a_changed_one_does_not() {
        let claim = Claim {
            stage: Stage::Ready { entries: u32::MAX },
            superseded: vec![OrderId::from_random([6; 16])],
            ..claim()
        };
        let record = claim.to_record().unwrap();
        assert!(record[SECTOR..].iter().all(|byte| *byte == 0), "more than a sector can be torn");
        assert_eq!(Claim::from_record(&record), Some(claim));
        for byte in [0, 17, 25, 60] {
            let mut torn = record;
            torn[byte] ^= 1;
            assert_eq!(Claim::from_record(&torn), None, "byte {byte}");
        }
        assert_eq!(Claim::from_record(&[0; SIZE]), None);
        assert_eq!(Claim::from_record(b"short"), None);
    }

    /// The content in the frame of a record.
    fn framed(content: &[u8]) -> Vec<u8> {
        let mut record = MAGIC.to_vec();
        record.extend_from_slice(&(content.len() as u32).to_le_bytes());
        record.extend_from_slice(Digest::of(content).as_bytes());
        record.extend_from_slice(content);
        record
    }

    #[test]
    fn records_of_earlier_versions_name_no_images_and_those_versions_read_past_ours() {
        let earlier = framed(&postcard::to_allocvec(&claim().to_wire()).unwrap());
        assert_eq!(Claim::from_record(&earlier), Some(Claim { image: None, former: None, ..claim() }));
        let ours = claim().to_record().unwrap();
        let length = u32::from_le_bytes(ours[16..20].try_into().unwrap()) as usize;
        let wire: Wire = postcard::from_bytes(&ours[HEADER..HEADER + length]).unwrap();
        assert_eq!(Claim::from_wire(wire, &Hints::default()).unwrap().grant, claim().grant);
        // and what a later one may add is read past
        let mut later = ours[HEADER..HEADER + length].to_vec();
        later.push(1);
        assert_eq!(Claim::from_record(&framed(&later)), Some(claim()));
    }

    #[test]
    fn usual_names_leave_room_for_older_orders_and_absurd_ones_are_found_out_before_the_wipe() {
        let older = |count| (0..count).map(|i| OrderId::from_random([i; 16])).collect::<Vec<_>>();
        let host = "a-rather-long-name-of-a-machine.rack-7.datacenter.example.com";
        let mut claim = Claim { disk: "wwn:eui.0025388b710116a10025388b710116a1".to_owned(), ..claim() };
        claim.grant.host = host.parse().unwrap();
        claim.superseded = older(7);
        assert_eq!(claim.require_room(), Ok(()));
        claim.disk = "x".repeat(300);
        let error = claim.require_room().unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
}
