//! Disks in memory, for tests: they record what was done to them, and fail where they are told to.

use std::io;
use std::ops::Range;
use std::sync::Mutex;

use super::faults::{Dice, Fault, Rates};
use super::{BlockDevice, FaultyDevice, check};

/// What a [`MemoryDevice`] was asked to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Bytes were written there.
    Write {
        /// First byte.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Bytes were zeroed there by command.
    Zero {
        /// First byte.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// Everything before is durable.
    Flush,
}

/// The fake: a disk in memory that records every change and flush, and fails where it is told to.
#[derive(Debug)]
pub struct MemoryDevice(FaultyDevice<Recorder>);

/// A good disk in memory.
#[derive(Debug)]
struct Recorder(Mutex<Recorded>);

#[derive(Debug)]
struct Recorded {
    bytes: Vec<u8>,
    log: Vec<Operation>,
    zeroing: Zeroing,
}

/// What becomes of the command that zeroes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zeroing {
    /// There is none.
    Absent,
    /// It works.
    Cheap,
    /// The device says that it has it, and refuses.
    Refused,
}

impl MemoryDevice {
    /// A disk with this content and 512-byte blocks.
    pub fn new(content: Vec<u8>) -> Self {
        let recorded = Recorded { bytes: content, log: Vec::new(), zeroing: Zeroing::Absent };
        Self(FaultyDevice::new(Recorder(Mutex::new(recorded))))
    }

    /// The faulty twin: reads and writes that touch this range fail.
    #[must_use]
    pub fn with_bad_range(self, bad: Range<u64>) -> Self {
        self.with_fault(Fault::Bad(bad))
    }

    /// The faulty twin that lies: the next `times` writes over this byte store it changed and report success.
    #[must_use]
    pub fn with_weak_byte(self, at: u64, times: u32) -> Self {
        self.with_fault(Fault::Weak { at, times })
    }

    /// The faulty twin with any fault at a place or time of choice.
    #[must_use]
    pub fn with_fault(self, fault: Fault) -> Self {
        self.0.add(fault);
        self
    }

    /// The faulty twin whose faults come by chance.
    #[must_use]
    pub fn with_rates(self, rates: Rates, dice: Dice) -> Self {
        self.0.set_rates(rates, dice);
        self
    }

    /// Its faults: what went wrong, calm, and power cuts.
    pub fn faults(&self) -> &FaultyDevice<impl BlockDevice> {
        &self.0
    }

    /// One that zeroes by command.
    #[must_use]
    pub fn with_cheap_zeroes(self) -> Self {
        self.locked().zeroing = Zeroing::Cheap;
        self
    }

    /// The faulty twin that claims to zero by command and then refuses.
    #[must_use]
    pub fn with_refused_zeroes(self) -> Self {
        self.locked().zeroing = Zeroing::Refused;
        self
    }

    /// A copy of what the disk holds now.
    pub fn content(&self) -> Vec<u8> {
        self.locked().bytes.clone()
    }

    /// Everything that was written, zeroed and flushed so far, in order.
    pub fn operations(&self) -> Vec<Operation> {
        self.locked().log.clone()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.0.inner().locked()
    }
}

impl Recorder {
    fn locked(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Recorded {
    fn place(&self, offset: u64, length: usize) -> io::Result<Range<usize>> {
        check(self.bytes.len() as u64, offset, length as u64)?;
        Ok(offset as usize..offset as usize + length)
    }
}

impl BlockDevice for Recorder {
    fn size(&self) -> u64 {
        self.locked().bytes.len() as u64
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.locked();
        let place = state.place(offset, buffer.len())?;
        buffer.copy_from_slice(&state.bytes[place]);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.locked();
        let place = state.place(offset, bytes.len())?;
        state.bytes[place].copy_from_slice(bytes);
        state.log.push(Operation::Write { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.locked().log.push(Operation::Flush);
        Ok(())
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let mut state = self.locked();
        if state.zeroing != Zeroing::Cheap {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let length = range.end.saturating_sub(range.start);
        let place = state.place(range.start, usize::try_from(length).unwrap_or(usize::MAX))?;
        state.bytes[place].fill(0);
        state.log.push(Operation::Zero { offset: range.start, length });
        Ok(())
    }

    fn zeroes_cheaply(&self) -> bool {
        self.locked().zeroing != Zeroing::Absent
    }
}

impl BlockDevice for MemoryDevice {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn logical_block(&self) -> u32 {
        self.0.logical_block()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        self.0.zero(range)
    }

    fn zeroes_cheaply(&self) -> bool {
        self.0.zeroes_cheaply()
    }
}
