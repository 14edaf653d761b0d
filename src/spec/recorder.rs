//! The flight recorder of a stick: a raw partition of append-only records.
//!
//! A record starts at a multiple of 512 bytes: magic 8, length of the JSON u32 LE, CRC-32 (IEEE) of the JSON u32 LE, the
//! JSON of one [`Event`](super::event::Event), zeroes to the next multiple of 512. The first block that isn't an intact
//! record is the end. When the partition is full, recording stops; nothing is overwritten.

use uuid::Uuid;

/// GPT type of the recorder partition. Ours; made once with a random generator.
pub const PARTITION_TYPE: Uuid = Uuid::from_u128(0x1d3c_90a7_8b54_4f6e_a1e2_c94f_2d60_7b35);
/// Size of the partition in bytes.
pub const SIZE: u64 = 4 << 20;
/// Records start at multiples of this.
pub const BLOCK: usize = 512;

const MAGIC: &[u8; 8] = b"ISRECORD";
const HEADER: usize = 16;
/// Longest JSON of one record: a sentence, not a log.
const MAX_JSON: usize = 64 << 10;

/// The record for this JSON, padded; `None` when it is too long for a record.
pub fn encode(json: &[u8]) -> Option<Vec<u8>> {
    if json.len() > MAX_JSON {
        return None;
    }
    let mut record = Vec::with_capacity((HEADER + json.len()).next_multiple_of(BLOCK));
    record.extend_from_slice(MAGIC);
    record.extend_from_slice(&(json.len() as u32).to_le_bytes());
    record.extend_from_slice(&crc32fast::hash(json).to_le_bytes());
    record.extend_from_slice(json);
    record.resize(record.len().next_multiple_of(BLOCK), 0);
    Some(record)
}

/// The JSON of the record at the start of `bytes` and the record's padded length; `None` at the end of the records.
pub fn decode(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let header = bytes.get(..HEADER)?;
    let length = u32::from_le_bytes(header[8..12].try_into().ok()?) as usize;
    let crc = u32::from_le_bytes(header[12..16].try_into().ok()?);
    if &header[..8] != MAGIC || length > MAX_JSON {
        return None;
    }
    let json = bytes.get(HEADER..HEADER + length)?;
    (crc32fast::hash(json) == crc).then_some((json, (HEADER + length).next_multiple_of(BLOCK)))
}

/// A part of what is recorded, with its first byte in the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// An intact record.
    Record {
        /// Where it starts.
        at: usize,
        /// Its JSON.
        json: &'a [u8],
    },
    /// Bytes that aren't zero and are no record: one that was torn by a power cut, or a fault of the medium.
    Damaged {
        /// Where they start.
        at: usize,
        /// How many, in whole blocks.
        length: usize,
    },
}

/// Everything in a recorder, for people: unlike the agent, which stops at the first block that is no record, this looks for
/// records behind damage too.
pub fn parts(area: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let mut at = 0;
    let is_free = |block: &[u8]| block.iter().all(|byte| *byte == 0);
    std::iter::from_fn(move || {
        while area.get(at..at + BLOCK).is_some_and(is_free) {
            at += BLOCK;
        }
        area.get(at..at + BLOCK)?;
        let start = at;
        if let Some((json, padded)) = decode(&area[at..]) {
            at += padded;
            return Some(Part::Record { at: start, json });
        }
        while area.get(at..at + BLOCK).is_some_and(|block| !is_free(block)) && decode(&area[at..]).is_none() {
            at += BLOCK;
        }
        Some(Part::Damaged { at: start, length: at - start })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_follow_each_other_and_end_at_damage() {
        let mut area = encode(b"{\"a\":1}").unwrap();
        area.extend(encode(&[b'x'; 600]).unwrap());
        area.extend([0; 512]);
        let (first, length) = decode(&area).unwrap();
        assert_eq!(first, b"{\"a\":1}");
        let (second, next) = decode(&area[length..]).unwrap();
        assert_eq!((second.len(), next), (600, 1024));
        assert!(decode(&area[length + next..]).is_none());
        area[20] ^= 1;
        assert!(decode(&area).is_none());
        assert!(encode(&vec![0; MAX_JSON + 1]).is_none());
    }
}
