//! Disks in memory, for tests: they record what was done to them, and fail where they are told to.

use std::io;
use std::ops::Range;
use std::sync::Mutex;

use super::{BlockDevice, check};

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
pub struct MemoryDevice {
    logical_block: u32,
    state: Mutex<MemoryState>,
}

#[derive(Debug)]
struct MemoryState {
    bytes: Vec<u8>,
    log: Vec<Operation>,
    bad: Option<Range<u64>>,
    weak: Option<(u64, u32)>,
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
        Self {
            logical_block: 512,
            state: Mutex::new(MemoryState {
                bytes: content,
                log: Vec::new(),
                bad: None,
                weak: None,
                zeroing: Zeroing::Absent,
            }),
        }
    }

    /// The faulty twin: reads and writes that touch this range fail.
    #[must_use]
    pub fn with_bad_range(self, bad: Range<u64>) -> Self {
        self.locked().bad = Some(bad);
        self
    }

    /// The faulty twin that lies: the next `times` writes over this byte store it changed and report success.
    #[must_use]
    pub fn with_weak_byte(self, at: u64, times: u32) -> Self {
        self.locked().weak = Some((at, times));
        self
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

    fn locked(&self) -> std::sync::MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl MemoryState {
    fn place(&self, offset: u64, length: usize) -> io::Result<Range<usize>> {
        check(self.bytes.len() as u64, offset, length)?;
        let range = offset..offset + length as u64;
        match &self.bad {
            Some(bad) if bad.start < range.end && range.start < bad.end => {
                Err(io::Error::other(format!("input/output error at byte {}", bad.start.max(range.start))))
            }
            _ => Ok(offset as usize..offset as usize + length),
        }
    }
}

impl BlockDevice for MemoryDevice {
    fn size(&self) -> u64 {
        self.locked().bytes.len() as u64
    }

    fn logical_block(&self) -> u32 {
        self.logical_block
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
        state.bytes[place.clone()].copy_from_slice(bytes);
        if let Some((at, times)) = state.weak
            && times > 0
            && place.contains(&(at as usize))
        {
            state.bytes[at as usize] ^= 0x01;
            state.weak = Some((at, times - 1));
        }
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
