//! What the phases of an install tell while they run.

use crate::agent::Failure;
use crate::spec::event::Step;

/// How far the install is. Comes often; the receiver decides what to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The claim is about to be written, the first write of all: a failure before this touched nothing, one after it may have.
    Claimed {
        /// `Disk::stable_name`.
        disk: String,
        /// Runs that have begun under this order, from 1.
        attempt: u32,
    },
    /// The partition tables are about to be made anew, and nothing else.
    Tables,
    /// Bytes were written or read back.
    Bytes {
        /// Which phase.
        step: Step,
        /// Bytes done.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// All blocks are in their place; the image is about to become this host.
    Personalising,
    /// The host is complete; the tables that make its disk bootable are about to be written.
    Committing,
}

/// Hears of progress, and may break the phase off.
pub type Told<'a> = dyn FnMut(Progress) -> Result<(), Failure> + 'a;
