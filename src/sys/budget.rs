//! What a command may spend on a volume that it doesn't trust: tables in a damaged one may send their reader round in circles, and
//! what an inode says of itself may be terabytes.
//!
//! Every reader of an image draws from the one [`Budget`] of its command: bytes that it reads, names that it looks at, memory that
//! it holds; and each draw asks whether somebody pressed Ctrl-C, and whether the last progress is too long ago. So what ends
//! the work is here, and no reader has to know what another one has spent. It bounds the work and judges nothing. Not for writing.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::block::Window;
use super::interrupt;

/// What a read costs at least, so that many small ones end too.
const SMALLEST: u64 = 64;
/// Beside what grows with the volume: directories and inodes are read again for each path that is asked for.
const READ_ANYWAY: u64 = 4 << 30;
/// How often the volume may be read over.
const READ_AGAIN: u64 = 16;
/// Names that are looked at: a hundred times those of a large system.
const NAMES: u64 = 200_000_000;
/// Memory for what is read, at one time.
const HELD: u64 = 160 << 20;
/// No step takes longer; each begins with [`Budget::progress`].
const PATIENCE: Duration = Duration::from_secs(60);

/// What was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// So many bytes were read.
    Read(u64),
    /// So many names were looked at.
    Names(u64),
    /// So many bytes would have been in memory, more than these.
    Held(u64, u64),
    /// Nothing came of it for so long.
    Stalled(Duration),
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(limit) => {
                write!(f, "after {limit} bytes that were read of it there is no end: the volume is damaged")
            }
            Self::Names(limit) => {
                write!(f, "after {limit} names in its directories there is no end: the volume is damaged")
            }
            Self::Held(wanted, limit) => {
                write!(
                    f,
                    "it would take {wanted} bytes of memory, the limit is {limit}: the volume is damaged, or has directories that nobody has"
                )
            }
            Self::Stalled(time) => {
                write!(
                    f,
                    "nothing came of it for {} seconds: the volume is damaged, or its disk is failing",
                    time.as_secs()
                )
            }
        }
    }
}

impl std::error::Error for Spent {}

/// How much of each there is.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes that may be read, those counted again that are read again.
    pub read: u64,
    /// Names that may be looked at.
    pub names: u64,
    /// Bytes that may be held at one time.
    pub held: u64,
    /// How long nothing may come of it.
    pub patience: Duration,
}

/// What is left to a command. Clones draw from the same one.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    read: AtomicU64,
    names: AtomicU64,
    held: AtomicU64,
    progress: Mutex<Instant>,
}

impl Budget {
    /// For a volume of so many bytes.
    pub fn of(volume: u64) -> Self {
        let read = READ_ANYWAY.saturating_add(volume.saturating_mul(READ_AGAIN));
        Self::new(Limits { read, names: NAMES, held: HELD, patience: PATIENCE })
    }

    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        let progress = Mutex::new(Instant::now());
        let zero = AtomicU64::default;
        Self(Arc::new(Inner { limits, read: zero(), names: zero(), held: zero(), progress }))
    }

    /// Takes so many bytes that are read.
    ///
    /// # Errors
    /// [`Spent`]; that somebody interrupted the work.
    pub fn read(&self, bytes: u64) -> Result<()> {
        let Inner { limits, read, .. } = &*self.0;
        let bytes = bytes.max(SMALLEST);
        if read.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > limits.read {
            return Err(Spent::Read(limits.read).into());
        }
        self.check()
    }

    /// Takes so many names that are looked at.
    ///
    /// # Errors
    /// [`Spent`].
    pub fn names(&self, count: u64) -> Result<()> {
        let Inner { limits, names, .. } = &*self.0;
        if names.fetch_add(count, Ordering::Relaxed).saturating_add(count) > limits.names {
            return Err(Spent::Names(limits.names).into());
        }
        Ok(())
    }

    /// Takes memory, until what is given back is dropped. To be asked before it is allocated.
    ///
    /// # Errors
    /// [`Spent`].
    pub fn hold(&self, bytes: u64) -> Result<Held> {
        let Inner { limits, held, .. } = &*self.0;
        let wanted = held.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        // gives back also what there wasn't
        let taken = Held { budget: self.clone(), bytes };
        if wanted > limits.held {
            return Err(Spent::Held(wanted, limits.held).into());
        }
        Ok(taken)
    }

    /// Says that something came of it.
    pub fn progress(&self) {
        *self.0.progress.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn check(&self) -> Result<()> {
        interrupt::check()?;
        let since = self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        let patience = self.0.limits.patience;
        if since > patience { Err(Spent::Stalled(patience).into()) } else { Ok(()) }
    }
}

/// Memory that was taken from a budget; dropped, it is given back.
#[derive(Debug)]
pub struct Held {
    budget: Budget,
    bytes: u64,
}

impl Held {
    /// Takes more.
    ///
    /// # Errors
    /// [`Spent`].
    pub fn grow(&mut self, bytes: u64) -> Result<()> {
        let mut more = self.budget.hold(bytes)?;
        self.bytes += std::mem::take(&mut more.bytes);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A window that can be read for so many bytes, and then no more.
#[derive(Debug)]
pub struct Budgeted<'a> {
    window: Window<'a>,
    left: u64,
    budget: Option<Budget>,
}

impl<'a> Budgeted<'a> {
    /// Reads this window, `bytes` of it at most, those counted again that are read again.
    pub fn new(window: Window<'a>, bytes: u64) -> Self {
        Self { window, left: bytes, budget: None }
    }

    /// Draws from this budget too.
    pub fn of(self, budget: &Budget) -> Self {
        Self { budget: Some(budget.clone()), ..self }
    }
}

impl Read for Budgeted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let cost = (buffer.len() as u64).max(SMALLEST);
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let left = self.left.checked_sub(cost);
        self.left = left.ok_or_else(|| invalid("the volume has no end; it is damaged".to_owned()))?;
        if let Some(budget) = &self.budget {
            budget.read(cost).map_err(|error| invalid(format!("{error:#}")))?;
        }
        self.window.read(buffer)
    }
}

impl Seek for Budgeted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.window.seek(to)
    }
}

/// The reader of FAT asks for it; nothing is written.
impl Write for Budgeted<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "volumes of others are only read"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(Limits { read: 1000, names: 10, held: 100, patience: Duration::from_millis(50) })
    }

    fn spent(result: Result<impl Sized>) -> Spent {
        *result.map(drop).unwrap_err().downcast_ref().unwrap()
    }

    #[test]
    fn all_readers_draw_from_one_budget() {
        let (one, other) = (budget(), budget());
        let clone = one.clone();
        one.read(500).unwrap();
        clone.read(436).unwrap();
        // a small read costs something too
        assert_eq!(
            spent([one.read(1), one.read(1)].into_iter().collect::<Result<Vec<_>>>()),
            Spent::Read(1000)
        );
        other.read(900).unwrap();
        other.names(10).unwrap();
        assert_eq!(spent(other.names(1)), Spent::Names(10));
    }

    #[test]
    fn memory_is_given_back() {
        let budget = budget();
        let mut held = budget.hold(60).unwrap();
        assert_eq!(spent(budget.hold(60)), Spent::Held(120, 100));
        held.grow(40).unwrap();
        assert_eq!(spent(held.grow(1)), Spent::Held(101, 100));
        drop(held);
        budget.hold(100).unwrap();
    }

    #[test]
    fn what_nothing_comes_of_ends() {
        let budget = budget();
        std::thread::sleep(Duration::from_millis(60));
        assert!(matches!(spent(budget.read(1)), Spent::Stalled(_)));
        budget.progress();
        budget.read(1).unwrap();
    }
}
