//! What disks do wrong: the fault model that tests of the agent are held to, in prose and rates.
//!
//! # What a disk is
//! Pages of 4 KiB, in sectors of its logical block size. A sector is the old one or the new one, never a mixture; a page may
//! be torn between two sectors. A write is done once it is in the disk's cache, and durable once a later flush has
//! succeeded. Between two flushes the disk writes in whatever order it likes.
//!
//! # Faults that are in the model
//!
//! | fault | what it looks like | how often |
//! |---|---|---|
//! | power cut | of what was written or zeroed since the last flush, any subset of pages or sectors is there | whenever a test says |
//! | torn write | a write or a command to zero fails, and any subset of its pages is there | [`Rates::writes_fail`], [`Rates::zeroes_fail`] |
//! | read error | a read fails; the next one may succeed | [`Rates::reads_fail`] |
//! | lost cache | a flush fails; of what was written since the last one any subset is gone for good, and the next flush succeeds all the same | [`Rates::flushes_fail`], [`Fault::Flush`] |
//! | latent sector error | a page takes a write and can't be read until it is written again | [`Rates::pages_wear`] |
//! | bad place | reads and writes of a range fail, always | [`Fault::Bad`] |
//! | bad sector | reads or writes of a range fail, so many times or always; of a write, what stands before it is written: a short write | [`Fault::Fails`] |
//! | a size that is a lie | behind its end a disk fails, forgets what is written and gives zeroes, or begins anew | [`Fault::Ends`], [`Beyond`] |
//! | flipped bit | a page is stored with one bit changed, and the disk says that all is well | [`Rates::bits_flip`], [`Fault::Weak`] |
//! | lost write | the disk says that it wrote and didn't | [`Rates::writes_vanish`] |
//! | misdirected write | the disk writes to another place, some pages away, and not where it should | [`Rates::writes_stray`] |
//! | stall | an operation takes long, and then happens | [`Rates::stalls`] |
//! | the disk is gone | after so many operations every one fails, and what wasn't flushed is as after a power cut | [`Fault::Gone`] |
//!
//! What fails, what tears, and a disk that is gone are *loud*: somebody is told, or the power is gone. A stall is neither: all
//! happens, later. A loud fault may strike anywhere and at any time, in any number. What must hold is that no disk is left that
//! boots half of a system, and that no failure passes for a success.
//!
//! Flipped bits, lost and misdirected writes, and an end that isn't told are *silent*. They are found by reading back, so they are in the model for as
//! long as what they hit is going to be read back: blocks of the image until the end of the read-back, and the final tables.
//! A test says when that is ([`FaultyDevice::calm`](super::FaultyDevice::calm)). `docs/crash-safety.md` says of each zone of the disk who would notice.
//!
//! # Faults that are not in the model
//!
//! - A sector that is neither old nor new, and one that changes though nobody wrote near it.
//! - A flush that succeeds and keeps nothing: no order of writes helps against it.
//! - A disk that begins anew at a size that isn't a power of two: forged flash ignores whole address lines.
//! - A write that strays over a block that was read back before, where the place that it missed held the same bytes already. A miss
//!   that changes anything is found there, and all is read back again.
//! - Two disks that are mixed up, and other writers: the agent holds the disk alone, and looks at its serial number.
//! - Silent faults of what nobody reads back: the claim record, zeroes behind the image, the personaliser's files.
//!
//! # Rates
//! A real disk has one latent error in some 10¹⁴ bits, which no test would ever meet. [`Rates::LOUD`] and [`Rates::SILENT`] are
//! chosen for an install of some MiB: it meets a fault more often than not, and often enough the one fault is all there is.
//!
//! # Seeds
//! Everything that is left to chance comes from [`Dice`], which [`for_seeds`] makes from small numbers: a run is the same each
//! time. A failure prints the seed, `IRONSTRAP_SEED=7` repeats it alone, `IRONSTRAP_ROUNDS=40` tries forty times as many as usual.

#[path = "../../../tests/support/dice.rs"]
mod dice;

use std::time::Duration;

pub use self::dice::Dice;
use super::Operation;

/// What is torn and worn as one.
pub const PAGE: u64 = 4096;

/// How often something happens: once in so many times, or never (0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneIn(pub u32);

impl OneIn {
    /// Not at all.
    pub const NEVER: Self = Self(0);
}

/// How often a device does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of reads: an error.
    pub reads_fail: OneIn,
    /// Of writes: an error, and a part of it is written.
    pub writes_fail: OneIn,
    /// Of commands to zero: an error, and a part of it is zeroed.
    pub zeroes_fail: OneIn,
    /// Of flushes: an error, and a part of what it was for is lost.
    pub flushes_fail: OneIn,
    /// Of pages that are written: they can't be read any more.
    pub pages_wear: OneIn,
    /// Of writes: one bit is stored changed.
    pub bits_flip: OneIn,
    /// Of writes: nothing happens.
    pub writes_vanish: OneIn,
    /// Of writes: it happens elsewhere.
    pub writes_stray: OneIn,
    /// Of all operations: it takes [`STALL`].
    pub stalls: OneIn,
}

/// How long a stalled operation takes here; a test that waited for a real one would tell nothing more.
pub const STALL: Duration = Duration::from_millis(2);

impl Rates {
    /// A good disk.
    pub const NONE: Self = Self {
        reads_fail: OneIn::NEVER,
        writes_fail: OneIn::NEVER,
        zeroes_fail: OneIn::NEVER,
        flushes_fail: OneIn::NEVER,
        pages_wear: OneIn::NEVER,
        bits_flip: OneIn::NEVER,
        writes_vanish: OneIn::NEVER,
        writes_stray: OneIn::NEVER,
        stalls: OneIn::NEVER,
    };
    /// A dying disk that says so.
    pub const LOUD: Self = Self {
        reads_fail: OneIn(400),
        writes_fail: OneIn(250),
        zeroes_fail: OneIn(8),
        flushes_fail: OneIn(50),
        pages_wear: OneIn(4000),
        stalls: OneIn(500),
        ..Self::NONE
    };
    /// A disk that says that all is well.
    pub const SILENT: Self =
        Self { bits_flip: OneIn(150), writes_vanish: OneIn(200), writes_stray: OneIn(300), ..Self::NONE };
}

/// What a device is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Bytes.
    Read,
    /// To hold bytes, or zeroes.
    Write,
}

/// What a disk does behind its true end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// It fails.
    Fails,
    /// It takes what is written, and gives zeroes.
    Forgets,
    /// It begins anew at byte 0.
    Wraps,
}

/// A fault at a place or time of a test's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Reads, writes and zeroes that touch this range fail.
    Bad(std::ops::Range<u64>),
    /// The next `times` writes over this byte store it changed and report success.
    Weak {
        /// Which byte.
        at: u64,
        /// How often.
        times: u32,
    },
    /// Reads or writes (and zeroing) that touch this range fail. Of a write, the sectors before it are written.
    Fails {
        /// What fails.
        access: Access,
        /// Where.
        range: std::ops::Range<u64>,
        /// How often; `u32::MAX`: always.
        times: u32,
    },
    /// The disk ends here, whatever it says.
    Ends {
        /// Its true size, less than it says.
        at: u64,
        /// What it does behind that.
        beyond: Beyond,
    },
    /// This flush fails, the first one being 0.
    Flush(u64),
    /// After this many operations the disk is gone.
    Gone {
        /// How many are still carried out.
        after: u64,
    },
}

impl Fault {
    /// The first byte for which this fault refuses to read or to write this range now.
    pub fn refuses(&mut self, access: Access, range: &std::ops::Range<u64>) -> Option<u64> {
        let touched =
            |bad: &std::ops::Range<u64>| bad.start < range.end && range.start < bad.end && !range.is_empty();
        match self {
            Self::Bad(bad) if touched(bad) => Some(bad.start.max(range.start)),
            Self::Fails { access: which, range: bad, times } if *which == access && touched(bad) => {
                let left = times.checked_sub(1)?;
                if *times != u32::MAX {
                    *times = left;
                }
                Some(bad.start.max(range.start))
            }
            Self::Ends { at, beyond: Beyond::Fails } if *at < range.end => Some(range.start.max(*at)),
            _ => None,
        }
    }
}

impl Dice {
    /// Whether it happens this time. What never happens takes no chance.
    pub fn hits(&mut self, rate: OneIn) -> bool {
        rate.0 != 0 && self.below(u64::from(rate.0)) == 0
    }

    /// Whether heads is up.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}: `{text}` is no number")))
}

/// As many rounds as usual, or `IRONSTRAP_ROUNDS` times as many.
pub fn rounds(usual: u64) -> u64 {
    usual * number("IRONSTRAP_ROUNDS").unwrap_or(1)
}

/// So many seeds, or `IRONSTRAP_ROUNDS` times as many; `IRONSTRAP_SEED` alone where that is set.
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    match number("IRONSTRAP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..rounds(usual) + 1,
    }
}

/// Of what can be tried one by one: one in so many, or twenty times as many where `IRONSTRAP_SOAK` is set.
pub fn one_in(usual: usize) -> usize {
    if std::env::var_os("IRONSTRAP_SOAK").is_some() { usual.div_ceil(20) } else { usual }
}

/// Runs a test from each of many seeds, or from `IRONSTRAP_SEED` alone; a failure says from which.
/// Returns how many seeds there were.
pub fn for_seeds(usual: u64, mut test: impl FnMut(&mut Dice)) -> u64 {
    struct Told(u64);
    impl Drop for Told {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("this was seed {0}: IRONSTRAP_SEED={0} repeats it alone", self.0);
            }
        }
    }
    let seeds = seeds(usual);
    for seed in seeds.clone() {
        let _told = Told(seed);
        test(&mut Dice::new(seed));
    }
    seeds.end - seeds.start
}

/// How a disk comes out of a power cut.
#[derive(Debug, Clone, Copy)]
pub struct Survival {
    /// What is there as a whole or not at all, in bytes.
    unit: u64,
    /// Of eight units, how many are there.
    of_eight: u64,
}

impl Survival {
    /// By chance: of sectors or of pages most, half or few.
    pub fn any(sector: u64, dice: &mut Dice) -> Self {
        let unit = if dice.coin() { sector } else { PAGE };
        Self { unit, of_eight: [1, 4, 4, 7][dice.below(4) as usize] }
    }

    /// The pieces of a range that are there after all.
    pub fn pieces(self, range: std::ops::Range<u64>, dice: &mut Dice) -> Vec<std::ops::Range<u64>> {
        let (mut at, mut pieces) = (range.start, Vec::new());
        while at < range.end {
            let end = range.end.min((at / self.unit + 1) * self.unit);
            if dice.below(8) < self.of_eight {
                pieces.push(at..end);
            }
            at = end;
        }
        pieces
    }
}

/// A disk after a power cut: what was recorded before operation number `cut` happened to `disk`, as far as it was durable;
/// of the rest each write and each zeroing left some of its pieces.
pub fn after_cut(
    mut disk: Vec<u8>,
    operations: &[Operation],
    cut: usize,
    sector: u64,
    dice: &mut Dice,
) -> Vec<u8> {
    let durable = operations[..cut].iter().rposition(|op| *op == Operation::Flush).unwrap_or(0);
    let survival = Survival::any(sector, dice);
    for (number, operation) in operations[..cut].iter().enumerate() {
        let (start, length) = match operation {
            Operation::Write { offset, bytes } => (*offset, bytes.len() as u64),
            Operation::Zero { offset, length } => (*offset, *length),
            Operation::Flush => continue,
        };
        let whole = start..start + length;
        let pieces = if number < durable { vec![whole] } else { survival.pieces(whole, dice) };
        for piece in pieces {
            let place = &mut disk[piece.start as usize..piece.end as usize];
            match operation {
                Operation::Write { bytes, .. } => {
                    place.copy_from_slice(&bytes[(piece.start - start) as usize..][..place.len()]);
                }
                _ => place.fill(0),
            }
        }
    }
    disk
}
