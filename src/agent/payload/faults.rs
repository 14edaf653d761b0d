//! What sources do wrong, on demand: the faults of the faulty twin of [`MemorySource`](super::memory_source::MemorySource).

use crate::value::Digest;

/// What a source does wrong, once or always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Streams of this blob end at this byte.
    Cut {
        /// Which blob.
        blob: Digest,
        /// First byte that doesn't arrive.
        at: u64,
    },
    /// Nothing arrives from this byte on, until the source's patience ends.
    Stall {
        /// Which blob.
        blob: Digest,
        /// First byte that doesn't arrive.
        at: u64,
    },
    /// One bit of this byte arrives changed.
    Flip {
        /// Which blob.
        blob: Digest,
        /// Which byte.
        at: u64,
        /// Only the first stream that passes it is wrong.
        once: bool,
    },
}

/// How a fault shows in one read.
pub enum Struck {
    /// The stream ends; why.
    Gone(String),
    /// The bytes that arrived aren't the blob's; whether it was the last time.
    Changed {
        /// The fault is over.
        over: bool,
    },
}

impl Fault {
    /// What becomes of a read that gave these bytes of this blob, from this place on.
    pub fn strike(self, read: Digest, position: u64, bytes: &mut [u8]) -> Option<Struck> {
        let range = position..position + bytes.len() as u64;
        match self {
            Self::Cut { blob, at } if blob == read && at < range.end => {
                Some(Struck::Gone(format!("the stream ended at byte {at}")))
            }
            Self::Stall { blob, at } if blob == read && at < range.end => {
                Some(Struck::Gone(format!("nothing arrived after byte {at}")))
            }
            Self::Flip { blob, at, once } if blob == read && range.contains(&at) => {
                bytes[(at - position) as usize] ^= 0x10;
                Some(Struck::Changed { over: once })
            }
            _ => None,
        }
    }
}
