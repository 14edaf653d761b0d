//! Everything that a machine wrote to a disk, as QEMU's `blklogwrites` recorded it, and what a power cut would have left of it.
//!
//! The format is that of the kernel's dm-log-writes: a superblock, then for each request a sector that names its place, followed by
//! its bytes. Of what was written since the last flush a cut leaves any sectors or pages; what came before it is durable. That is
//! the model of the in-memory tests (`docs/crash-safety.md`), on a real kernel's writes.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::boots::{Verdict, judge};
use super::chance::Dice;

const MAGIC: u64 = 0x6a_7366_7773_6872;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes, also of a command to zero.
    Write {
        /// First byte of the disk.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// All before it is durable.
    Flush,
}

/// A disk's record.
#[derive(Debug, Clone)]
pub struct Log {
    /// Unit of the record, in bytes.
    sector: u64,
    /// In the order of their arrival.
    pub events: Vec<Event>,
}

impl Log {
    /// Reads a record. Requests that the superblock doesn't count were on their way when the machine was killed.
    ///
    /// # Errors
    /// When it can't be read or isn't one.
    pub fn read(path: &Path) -> Result<Self> {
        let file = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        if file.is_empty() {
            // the superblock comes with the first request
            return Ok(Self { sector: 512, events: Vec::new() });
        }
        let number = |at: u64| -> Result<u64> {
            let bytes = file.get(at as usize..at as usize + 8).context("the record of writes is cut off")?;
            Ok(u64::from_le_bytes(bytes.try_into().context("reading a number")?))
        };
        ensure!(number(0)? == MAGIC && number(8)? == 1, "{} is no record of writes", path.display());
        let (count, sector) = (number(16)?, number(24)? & 0xffff_ffff);
        let (mut at, mut events) = (sector, Vec::new());
        for _ in 0..count {
            let (start, sectors, flags) = (number(at)?, number(at + 8)?, number(at + 16)?);
            at += sector;
            let length = if flags & DISCARD == 0 { sectors * sector } else { 0 };
            if length > 0 {
                let bytes = file.get(at as usize..(at + length) as usize).context("a write is cut off")?;
                events.push(Event::Write { offset: start * sector, bytes: bytes.to_vec() });
            }
            if flags & FLUSH != 0 {
                events.push(Event::Flush);
            }
            at += length;
        }
        Ok(Self { sector, events })
    }

    /// Writes it as QEMU would have, for others to read.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = Vec::new();
        let mut put = |numbers: &[u64], bytes: &[u8]| {
            let start = file.len();
            numbers.iter().for_each(|number| file.extend_from_slice(&number.to_le_bytes()));
            file.resize(start + self.sector as usize, 0);
            file.extend_from_slice(bytes);
        };
        put(&[MAGIC, 1, self.events.len() as u64, self.sector], &[]);
        for event in &self.events {
            match event {
                Event::Write { offset, bytes } => {
                    put(&[offset / self.sector, bytes.len() as u64 / self.sector, 0, 0], bytes);
                }
                Event::Flush => put(&[0, 0, FLUSH, 0], &[]),
            }
        }
        std::fs::write(path, file).with_context(|| format!("writing {}", path.display()))
    }

    /// How often the machine asked for a flush.
    pub fn flushes(&self) -> usize {
        self.events.iter().filter(|event| **event == Event::Flush).count()
    }

    /// The last request over LBA 0: the commit of a finished install.
    ///
    /// # Errors
    /// When there is none.
    pub fn commit(&self) -> Result<usize> {
        self.events.iter().rposition(is_over_lba_0).context("nobody has written LBA 0")
    }

    /// The same writes in a wrong order: no flush before the commit.
    ///
    /// # Errors
    /// When there is no commit.
    pub fn without_flushes_before_the_commit(&self) -> Result<Self> {
        let commit = self.commit()?;
        let kept = |(at, event): &(usize, &Event)| *at > commit || **event != Event::Flush;
        let events = self.events.iter().enumerate().filter(kept).map(|(_, event)| event.clone());
        Ok(Self { events: events.collect(), ..*self })
    }

    /// The same writes in a wrong order: the commit as soon as the old tables are gone.
    ///
    /// # Errors
    /// When there is no commit, or nothing before it touched LBA 0.
    pub fn with_the_commit_first(&self) -> Result<Self> {
        let mut log = self.clone();
        let commit = log.events.remove(self.commit()?);
        let closed = log.commit()?;
        let flush = log.events[closed..].iter().position(|event| *event == Event::Flush);
        let at = closed + flush.context("the gate's closing was never flushed")? + 1;
        log.events.insert(at, commit);
        Ok(log)
    }

    /// A disk after a power cut at the end of this record; `disk` is what it was before.
    pub fn cut_at_its_end(&self, mut disk: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
        let durable = self.events.iter().rposition(|event| *event == Event::Flush).unwrap_or(0);
        let (before, after) = self.events.split_at(durable);
        before.iter().for_each(|event| apply(event, &mut disk));
        for (start, bytes) in lost_in_part(after, dice) {
            disk[start..start + bytes.len()].copy_from_slice(bytes);
        }
        disk
    }
}

fn is_over_lba_0(event: &Event) -> bool {
    matches!(event, Event::Write { offset: 0, .. })
}

fn apply(event: &Event, disk: &mut [u8]) {
    if let Event::Write { offset, bytes } = event {
        disk[*offset as usize..*offset as usize + bytes.len()].copy_from_slice(bytes);
    }
}

/// What is there of writes that weren't flushed: of sectors or of pages most, half or few.
fn lost_in_part<'a>(events: &'a [Event], dice: &mut Dice) -> Vec<(usize, &'a [u8])> {
    let unit = if dice.below(2) == 0 { 512 } else { 4096 };
    let of_eight = [1, 4, 4, 7][dice.below(4) as usize];
    let mut pieces = Vec::new();
    for event in events {
        let Event::Write { offset, bytes } = event else { continue };
        let (start, mut at) = (*offset as usize, 0);
        while at < bytes.len() {
            let end = bytes.len().min((start + at) / unit * unit + unit - start);
            if dice.below(8) < of_eight {
                pieces.push((start + at, &bytes[at..end]));
            }
            at = end;
        }
    }
    pieces
}

/// How many states of a disk that was blank were what.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Firmware boots nothing.
    pub closed: usize,
    /// The new system, all of it.
    pub complete: usize,
    /// Something of which a part is missing.
    pub half: usize,
}

impl Tally {
    fn count(&mut self, disk: &[u8], complete: &[u8]) {
        match judge(disk, &[0; 512], complete) {
            Verdict::Closed => self.closed += 1,
            Verdict::Complete => self.complete += 1,
            Verdict::Before | Verdict::Half => self.half += 1,
        }
    }
}

/// Cuts the power of a disk that was blank: at each flush, and between each two of them so many times that there are about `states`.
/// `complete` is the disk as the record ends.
pub fn replay(log: &Log, complete: &[u8], states: usize, dice: &mut Dice) -> Tally {
    let mut disk = vec![0; complete.len()];
    let mut tally = Tally::default();
    let each = states / (log.flushes() + 1) + 1;
    for interval in log.events.split(|event| *event == Event::Flush) {
        tally.count(&disk, complete);
        for number in 0..if interval.is_empty() { 0 } else { each } {
            // the last write of an interval is what the flush before it was for
            let cut = match number % 3 {
                0 => interval.len(),
                _ => dice.below(interval.len() as u64 + 1) as usize,
            };
            let mut undo = Vec::new();
            for (start, bytes) in lost_in_part(&interval[..cut], dice) {
                let place = &mut disk[start..start + bytes.len()];
                undo.push((start, place.to_vec()));
                place.copy_from_slice(bytes);
            }
            tally.count(&disk, complete);
            for (start, bytes) in undo.iter().rev() {
                disk[*start..*start + bytes.len()].copy_from_slice(bytes);
            }
        }
        interval.iter().for_each(|event| apply(event, &mut disk));
    }
    tally.count(&disk, complete);
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_another_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let write = |offset, byte| Event::Write { offset, bytes: vec![byte; 1024] };
        let log = Log { sector: 512, events: vec![write(4096, 1), Event::Flush, write(0, 2)] };
        log.write(&path).unwrap();
        assert_eq!(Log::read(&path).unwrap().events, log.events);
        assert_eq!((log.flushes(), log.commit().unwrap()), (1, 2));
        std::fs::write(&path, [7; 4096]).unwrap();
        let error = Log::read(&path).unwrap_err();
        assert!(error.to_string().contains("no record of writes"), "{error}");
    }

    #[test]
    fn what_was_flushed_is_there_after_a_cut_and_of_the_rest_a_part() {
        let write = |offset, byte| Event::Write { offset, bytes: vec![byte; 64 << 10] };
        let log = Log { sector: 512, events: vec![write(0, 1), Event::Flush, write(64 << 10, 2)] };
        let disk = log.cut_at_its_end(vec![0; 128 << 10], &mut crate::support::chance::from_seed(3));
        assert!(disk[..64 << 10].iter().all(|byte| *byte == 1));
        assert!(disk[64 << 10..].contains(&0) && disk[64 << 10..].contains(&2));
    }
}
