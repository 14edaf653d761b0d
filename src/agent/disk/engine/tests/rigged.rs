//! A disk in memory that errs at the operation that a test names, and remembers in which order operations began and ended.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::sys::block::{BlockDevice, MemoryDevice};

/// What a device is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
    Zero,
    Flush,
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// It fails, and nothing was done.
    Error,
    /// It fails after half of the bytes.
    Short,
    /// The thread that asked dies.
    Panic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Moment {
    Begin(Kind, Range<u64>),
    End(Kind, Range<u64>),
}

pub struct Rigged {
    pub disk: MemoryDevice,
    block: u32,
    depth: usize,
    pause: Duration,
    stroke: Option<(Kind, usize, Stroke)>,
    unreadable: Option<u64>,
    /// A byte that is stored changed, and how often.
    changes: (u64, AtomicUsize),
    moments: Mutex<Vec<Moment>>,
    at_once: AtomicUsize,
    most: AtomicUsize,
    still: (Mutex<bool>, Condvar),
    struck: AtomicBool,
}

/// What the device says.
pub fn error() -> io::Error {
    io::Error::other("input/output error")
}

impl Rigged {
    pub fn new(disk: MemoryDevice) -> Self {
        Self {
            disk,
            block: 512,
            depth: 8,
            pause: Duration::ZERO,
            stroke: None,
            unreadable: None,
            changes: (0, AtomicUsize::new(0)),
            moments: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            still: (Mutex::new(false), Condvar::new()),
            struck: AtomicBool::new(false),
        }
    }

    /// The operation of this kind and number goes wrong.
    pub fn strike(self, kind: Kind, number: usize, stroke: Stroke) -> Self {
        Self { stroke: Some((kind, number, stroke)), ..self }
    }

    /// The next `times` times this byte is written or zeroed, it is stored as another.
    pub fn changes(self, at: u64, times: usize) -> Self {
        Self { changes: (at, AtomicUsize::new(times)), ..self }
    }

    /// This byte can't be read.
    pub fn unreadable(self, at: u64) -> Self {
        Self { unreadable: Some(at), ..self }
    }

    pub fn with_block(self, block: u32) -> Self {
        Self { block, ..self }
    }

    /// Takes so many operations at once, and time for each.
    pub fn slow(self, depth: usize) -> Self {
        Self { depth, pause: Duration::from_millis(2), ..self }
    }

    /// No write ends before [`go_on`](Self::go_on).
    pub fn stands_still(self) -> Self {
        *self.still.0.lock().unwrap() = true;
        self
    }

    pub fn go_on(&self) {
        *self.still.0.lock().unwrap() = false;
        self.still.1.notify_all();
    }

    /// How many operations of a kind there were.
    pub fn count(&self, kind: Kind) -> usize {
        let begun = |moment: &&Moment| matches!(moment, Moment::Begin(found, _) if *found == kind);
        self.moments.lock().unwrap().iter().filter(begun).count()
    }

    /// How many lies are left.
    pub fn left(&self) -> usize {
        self.changes.1.load(Ordering::SeqCst)
    }

    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// Between the end of a write and the beginning of a read of the same bytes, a whole flush must lie.
    pub fn require_flushed_reads(&self) {
        let moments = self.moments.lock().unwrap();
        let mut reads = 0;
        for (at, moment) in moments.iter().enumerate() {
            let Moment::Begin(Kind::Read, read) = moment else { continue };
            let overlaps = |range: &Range<u64>| range.start < read.end && read.start < range.end;
            let is_write = |moment: &Moment| matches!(moment, Moment::End(Kind::Write | Kind::Zero, range) if overlaps(range));
            let written = moments[..at].iter().rposition(is_write).expect("it is written before it is read");
            let between = &moments[written..at];
            let begun = between.iter().position(|moment| matches!(moment, Moment::Begin(Kind::Flush, _)));
            let ended = between.iter().rposition(|moment| matches!(moment, Moment::End(Kind::Flush, _)));
            assert!(begun.is_some() && begun < ended, "{read:?} was read and not flushed");
            reads += 1;
        }
        assert!(reads > 20, "{reads}");
    }

    fn operate(
        &self,
        kind: Kind,
        range: Range<u64>,
        act: impl FnOnce(Option<Stroke>) -> io::Result<()>,
    ) -> io::Result<()> {
        let number = {
            let mut moments = self.moments.lock().unwrap();
            let begun = |moment: &&Moment| matches!(moment, Moment::Begin(found, _) if *found == kind);
            let number = moments.iter().filter(begun).count();
            moments.push(Moment::Begin(kind, range.clone()));
            number
        };
        self.most.fetch_max(self.at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(self.pause);
        let stroke = self.stroke.filter(|(which, at, _)| (*which, *at) == (kind, number));
        let stroke =
            stroke.filter(|_| !self.struck.swap(true, Ordering::SeqCst)).map(|(_, _, stroke)| stroke);
        let done = match stroke {
            Some(Stroke::Panic) => panic!("the test wants it"),
            Some(Stroke::Error) => Err(error()),
            stroke => act(stroke),
        };
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.moments.lock().unwrap().push(Moment::End(kind, range));
        done
    }

    fn change(&self, range: &Range<u64>) {
        let (at, times) = &self.changes;
        let next = |left: usize| left.checked_sub(1);
        if range.contains(at) && times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok() {
            let mut byte = [0];
            self.disk.read_at(*at, &mut byte).unwrap();
            self.disk.write_at(*at, &[byte[0] ^ 0x40]).unwrap();
        }
    }
}

impl BlockDevice for Rigged {
    fn size(&self) -> u64 {
        self.disk.size()
    }

    fn logical_block(&self) -> u32 {
        self.block
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let range = offset..offset + buffer.len() as u64;
        self.operate(Kind::Read, range.clone(), |_| match self.unreadable {
            Some(at) if range.contains(&at) => Err(error()),
            _ => self.disk.read_at(offset, buffer),
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (still, moved) = &self.still;
        drop(moved.wait_while(still.lock().unwrap(), |still| *still).unwrap());
        let range = offset..offset + bytes.len() as u64;
        self.operate(Kind::Write, range.clone(), |stroke| {
            if stroke == Some(Stroke::Short) {
                self.disk.write_at(offset, &bytes[..bytes.len() / 2])?;
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.disk.write_at(offset, bytes)?;
            self.change(&range);
            Ok(())
        })
    }

    fn flush(&self) -> io::Result<()> {
        self.operate(Kind::Flush, 0..0, |_| self.disk.flush())
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        self.operate(Kind::Zero, range.clone(), |_| {
            self.disk.zero(range.clone())?;
            self.change(&range);
            Ok(())
        })
    }

    fn zeroes_cheaply(&self) -> bool {
        self.disk.zeroes_cheaply()
    }

    fn depth(&self) -> usize {
        self.depth
    }
}
