//! The claim record: the mark on a disk that an order has begun to wipe it.
//!
//! It is 4 KiB at byte 1 MiB − 4 KiB of the disk, where images may hold nothing. It is written before anything of ours is
//! destroyed, a second time when only the tables are missing, and stays for good: it tells a later run whose disk this is,
//! which order was the newest, and whether that was carried out. All of it that isn't zero stands in its first 512 bytes,
//! one sector, so that a power cut leaves the old claim or the new one.

use serde::{Deserialize, Serialize};

use super::FormatVersion;
use crate::value::{Digest, HostName, OrderId};

/// Where the record stands on the disk, in bytes.
pub const OFFSET: u64 = (1 << 20) - 4096;
/// Its size in bytes.
pub const SIZE: usize = 4096;

const MAGIC: &[u8; 16] = b"IRONSTRAP-CLAIM\n";
/// magic, length (u32 LE), SHA-256 of the JSON
const HEADER: usize = 16 + 4 + 32;
/// What disks write whole or not at all.
const SECTOR: usize = 512;

/// Who claimed this disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Format of this document.
    pub version: FormatVersion<1>,
    /// The order that may wipe this disk again until it is done.
    pub order: OrderId,
    /// Its generation; orders of this host with a lower one are stale.
    pub generation: u64,
    /// The host it is for.
    pub host: HostName,
    /// `Disk::stable_name` of the disk it was written to: a cloned disk carries a claim for another disk.
    pub disk: String,
    /// How many runs have begun to write under this order, from 1.
    pub attempts: u32,
    /// How far the last of them came.
    #[serde(default, skip_serializing_if = "Stage::is_begun")]
    pub stage: Stage,
    /// Older orders of this host that were done or claimed on this disk, the newest first; as many as fit the sector. They
    /// get done files beside this order's own, and this record is all that is left of them when an install breaks off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<OrderId>,
}

/// How far a run under a claim came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The disk is being written.
    #[default]
    Begun,
    /// All is written but the partition tables. With LBA 0 in use the order is done, whatever became of the system; with
    /// LBA 0 zero the power failed just before, and the run is repeated.
    Ready {
        /// CRC-32 of the partition entries that were made, as the GPT's header has it: others were made since.
        entries: u32,
    },
}

impl Stage {
    fn is_begun(&self) -> bool {
        *self == Self::Begun
    }
}

impl Claim {
    /// The record as it is written.
    ///
    /// # Errors
    /// When the names of host and disk are so long that the JSON doesn't fit one sector. Find out before the wipe.
    pub fn to_record(&self) -> Result<[u8; SIZE], serde_json::Error> {
        let json = serde_json::to_vec(self)?;
        let mut record = [0; SIZE];
        let Some(place) = record[..SECTOR].get_mut(HEADER..HEADER + json.len()) else {
            return Err(serde::ser::Error::custom(format!(
                "claim of {} bytes doesn't fit one sector; the names of host or disk are too long",
                json.len()
            )));
        };
        place.copy_from_slice(&json);
        record[..16].copy_from_slice(MAGIC);
        record[16..20].copy_from_slice(&(json.len() as u32).to_le_bytes());
        record[20..HEADER].copy_from_slice(Digest::of(&json).as_bytes());
        Ok(record)
    }

    /// The claim in these bytes; `None` where there is none, or one that was torn or changed.
    pub fn from_record(record: &[u8]) -> Option<Self> {
        let (header, rest) = record.split_at_checked(HEADER)?;
        let length = u32::from_le_bytes(header[16..20].try_into().ok()?) as usize;
        let json = rest.get(..length)?;
        if &header[..16] != MAGIC || Digest::of(json).as_bytes() != &header[20..] {
            return None;
        }
        serde_json::from_slice(json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_a_changed_one_does_not() {
        let claim = Claim {
            version: FormatVersion,
            order: OrderId::from_random([7; 16]),
            generation: 3,
            host: "web01".parse().unwrap(),
            disk: "serial:S1".to_owned(),
            attempts: 1,
            stage: Stage::Ready { entries: u32::MAX },
            superseded: vec![OrderId::from_random([6; 16])],
        };
        let record = claim.to_record().unwrap();
        assert_eq!(Claim::from_record(&record), Some(claim));
        for byte in [0, 17, 25, 60] {
            let mut torn = record;
            torn[byte] ^= 1;
            assert_eq!(Claim::from_record(&torn), None, "byte {byte}");
        }
        assert_eq!(Claim::from_record(&[0; SIZE]), None);
        assert_eq!(Claim::from_record(b"short"), None);
    }

    #[test]
    fn a_record_without_older_orders_is_read_and_written_as_before_there_were_any() {
        let json = r#"{"version":1,"order":"07070707070707070707070707070707","generation":3,"host":"web01","disk":"serial:S1","attempts":1}"#;
        let claim: Claim = serde_json::from_str(json).unwrap();
        assert!(claim.superseded.is_empty());
        assert_eq!(serde_json::to_string(&claim).unwrap(), json);
    }
}
