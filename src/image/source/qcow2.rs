//! qcow2, QEMU's image format (docs/interop/qcow2.txt there), versions 2 and 3: read as a disk, where it lies.
//!
//! Promises: tables are read in pages as they are asked for, so that no number in the file decides over memory; at opening all of
//! them are walked once, and what doesn't lie in the file, or is more than the file can hold, is refused. What was never written isn't read.
//! An image that needs another file, a password or a repair is refused.

mod header;
mod inflate;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use anyhow::{Context, Result, ensure};

use self::header::Header;
use super::has;
use crate::sys::block::{self, BlockDevice};
use crate::sys::budget::Budget;

const PAGE: u64 = 4096;
/// Pages of tables that are kept: a mebibyte.
const PAGES: u64 = 256;
/// Where L1 and L2 entries have the place in the file.
const PLACE: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
const ZERO: u64 = 1;
const SUBCLUSTERS: u64 = 32;
/// Bytes of compressed clusters that are kept, at least two of them: who reads a file system goes to and fro.
const CLUSTERS: u64 = 4 << 20;
/// Longest stretch that [`BlockDevice::next_data`] looks ahead.
const AHEAD: u64 = 16 << 20;
/// What compressed clusters hold at most, and how often the file beside that.
const ANYWAY: u64 = 4 << 30;
const RATIO: u64 = 64;

/// Whether it is one of a version that can be read; 1 is another format.
pub(super) fn is(file: &dyn BlockDevice) -> Result<bool> {
    Ok(has(file, 0, b"QFI\xfb")? && !has(file, 4, b"\0\0\0\x01")?)
}

/// The disk in a qcow2.
pub(super) struct Qcow2 {
    file: Arc<dyn BlockDevice>,
    header: Header,
    state: Mutex<State>,
}

/// What was read last.
struct State {
    pages: Vec<Option<(u64, Vec<u8>)>>,
    /// Compressed clusters, the last one used behind: their places, and what is in them.
    clusters: VecDeque<(u64, Vec<u8>)>,
    /// Where the file's next data is behind this byte.
    data: Option<(u64, Option<Range<u64>>)>,
}

/// Where some bytes of the disk are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nowhere: they are zero.
    Nowhere,
    /// At this byte of the file.
    At(u64),
    /// In the compressed cluster that begins at this byte and is no longer than this.
    Compressed(u64, u64),
}

impl fmt::Debug for Qcow2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Qcow2").field("header", &self.header).finish_non_exhaustive()
    }
}

fn damaged(what: impl fmt::Display) -> io::Error {
    let text = format!("the qcow2 image is damaged or cut short: {what}; `qemu-img check` says more");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl Qcow2 {
    /// Reads the header and walks the tables.
    ///
    /// # Errors
    /// What can't be read or isn't taken, with the way out.
    pub(super) fn open(file: Arc<dyn BlockDevice>) -> Result<Self> {
        let header = Header::read(&*file)?;
        let pages = (0..PAGES).map(|_| None).collect();
        let state = State { pages, clusters: VecDeque::new(), data: None };
        let image = Self { file, header, state: Mutex::new(state) };
        image.survey().context("reading the tables of the qcow2 image")?;
        Ok(image)
    }

    /// A big-endian number in a table.
    fn entry(&self, offset: u64) -> io::Result<u64> {
        let (number, within) = (offset / PAGE, (offset % PAGE) as usize);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut state.pages[(number % PAGES) as usize];
        if slot.as_ref().is_none_or(|(kept, _)| *kept != number) {
            let start = number * PAGE;
            let length = self.file.size().saturating_sub(start).min(PAGE);
            let mut page = vec![0; length as usize];
            self.file.read_at(start, &mut page)?;
            *slot = Some((number, page));
        }
        let bytes = slot.as_ref().and_then(|(_, page)| page.get(within..within + 8)?.first_chunk::<8>());
        bytes.map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(|| damaged("a table reaches past its end"))
    }

    fn require_inside(&self, what: &str, place: u64, length: u64) -> io::Result<()> {
        match place.checked_add(length) {
            Some(end) if end <= self.file.size() => Ok(()),
            _ => Err(damaged(format_args!(
                "{what} at byte {place} reaches past the end of the file ({} bytes)",
                self.file.size()
            ))),
        }
    }

    /// Where the L2 table for this stretch is; 0 where there is none.
    fn table(&self, stretch: u64) -> io::Result<u64> {
        let table = self.entry(self.header.l1 + stretch * 8)? & PLACE;
        if !table.is_multiple_of(self.header.cluster()) {
            return Err(damaged(format_args!("an L2 table is at byte {table}, where no cluster begins")));
        }
        if table != 0 {
            self.require_inside("an L2 table", table, self.header.cluster())?;
        }
        Ok(table)
    }

    /// Where this cluster's piece at `within` is. Pieces are subclusters where the image has them.
    fn place(&self, table: u64, index: u64, within: u64) -> io::Result<Place> {
        let Header { bits, extended, version, .. } = self.header;
        let cluster = self.header.cluster();
        let entry = self.entry(table + index * self.header.entry_length())?;
        if entry & COMPRESSED != 0 {
            let wide = 62 - (bits - 8);
            let place = entry & ((1 << wide) - 1);
            let sectors = (entry & (COMPRESSED - 1)) >> wide;
            self.require_inside("a compressed cluster", place, 1)?;
            let length = ((sectors + 1) * 512 - place % 512).min(self.file.size() - place);
            return Ok(Place::Compressed(place, length));
        }
        let place = entry & PLACE;
        if !place.is_multiple_of(cluster) {
            return Err(damaged(format_args!("a cluster is at byte {place}, where none begins")));
        }
        let is_there = if extended {
            let bitmap = self.entry(table + index * self.header.entry_length() + 8)?;
            let bit = within / (cluster / SUBCLUSTERS);
            match (bitmap >> bit & 1, bitmap >> (bit + SUBCLUSTERS) & 1) {
                (0, _) => false,
                (_, 0) if place != 0 => true,
                _ => return Err(damaged("a subcluster is both there and zero, or nowhere")),
            }
        } else if entry & ZERO != 0 {
            if version < 3 {
                return Err(damaged("version 2 has no clusters of zeroes"));
            }
            false
        } else {
            place != 0
        };
        if !is_there {
            return Ok(Place::Nowhere);
        }
        // the last cluster of a file may end where the disk does
        self.require_inside("a cluster", place + within, 1)?;
        Ok(Place::At(place + within))
    }

    /// How long a piece with one place is: a cluster, or a subcluster.
    fn piece(&self) -> u64 {
        self.header.cluster() / if self.header.extended { SUBCLUSTERS } else { 1 }
    }

    /// Where the piece is that this byte of the disk is in, and how many bytes are left of it, or of a whole stretch without a table.
    fn locate(&self, offset: u64) -> io::Result<(Place, u64)> {
        let (cluster, stretch) = (self.header.cluster(), self.header.stretch());
        let table = self.table(offset / stretch)?;
        if table == 0 {
            return Ok((Place::Nowhere, stretch - offset % stretch));
        }
        let within = offset % cluster;
        let piece = self.piece();
        let place = self.place(table, offset % stretch / cluster, within - within % piece)?;
        Ok(match place {
            Place::At(start) => (Place::At(start + within % piece), piece - within % piece),
            Place::Compressed(..) => (place, cluster - within),
            Place::Nowhere => (place, piece - within % piece),
        })
    }

    /// Looks at every entry of every table once: what there is of them is bounded by the file.
    fn survey(&self) -> Result<()> {
        let budget = Budget::of(self.file.size());
        let (size, cluster, stretch) = (self.header.size, self.header.cluster(), self.header.stretch());
        let most = self.file.size().saturating_add(cluster);
        let most_compressed = ANYWAY.saturating_add(self.file.size().saturating_mul(RATIO));
        let (mut plain, mut compressed, mut offset, mut before) = (0, 0, 0, 0);
        while offset < size {
            // what stands in the file is progress, tables that lead nowhere aren't
            if offset % stretch == 0 && plain + compressed > before {
                budget.progress();
                before = plain + compressed;
            }
            if offset % cluster == 0 {
                budget.read(self.header.entry_length())?;
            }
            if offset % stretch == 0 && self.table(offset / stretch)? != 0 {
                plain += cluster;
            }
            let (place, left) = self.locate(offset)?;
            let left = left.min(size - offset);
            match place {
                Place::Nowhere => {}
                Place::At(start) => {
                    self.require_inside("a cluster", start, left)?;
                    plain += left;
                }
                Place::Compressed(..) => compressed += left,
            }
            ensure!(
                plain <= most,
                "more is in its tables than in its file: it is damaged, `qemu-img check` says more"
            );
            ensure!(
                compressed <= most_compressed,
                "its compressed clusters hold more than {most_compressed} bytes, {RATIO} times itself and 4 GiB; if that is meant, `qemu-img convert -O raw FILE image.raw`, and import that"
            );
            offset += left;
        }
        Ok(())
    }

    /// Reads a piece of a compressed cluster.
    fn read_compressed(&self, place: u64, length: u64, within: usize, buffer: &mut [u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let clusters = &mut state.clusters;
        let kept = clusters.iter().position(|(kept, _)| *kept == place).and_then(|at| clusters.remove(at));
        let bytes = match kept {
            Some((_, bytes)) => bytes,
            None => {
                let most = (CLUSTERS / self.header.cluster()).max(2) as usize;
                let room = if clusters.len() < most { None } else { clusters.pop_front() };
                let mut bytes = room.map(|(_, bytes)| bytes).unwrap_or_default();
                bytes.resize(self.header.cluster() as usize, 0);
                let mut packed = vec![0; length as usize];
                self.file.read_at(place, &mut packed)?;
                inflate::cluster(self.header.compression, &packed, &mut bytes).map_err(|error| {
                    damaged(format_args!("the compressed cluster at byte {place}: {error}"))
                })?;
                bytes
            }
        };
        let wanted =
            bytes.get(within..within + buffer.len()).ok_or_else(|| damaged("a cluster is too short"))?;
        buffer.copy_from_slice(wanted);
        clusters.push_back((place, bytes));
        Ok(())
    }

    /// Where the file's next data is. Asked once a stretch of it: a file system looks for the end of the stretch from its beginning on.
    fn file_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.data {
            Some((asked, None)) if *asked <= from => return Ok(None),
            Some((asked, Some(data))) if *asked <= from && from < data.end => {
                return Ok(Some(data.start.max(from)..data.end));
            }
            _ => {}
        }
        let found = self.file.next_data(from)?;
        state.data = Some((from, found.clone()));
        Ok(found)
    }

    /// Whether what is here has to be read: not where the file itself has a hole.
    fn holds_data(&self, place: Place, length: u64) -> io::Result<bool> {
        Ok(match place {
            Place::Nowhere => false,
            Place::Compressed(..) => true,
            Place::At(start) => self.file_data(start)?.is_some_and(|data| data.start < start + length),
        })
    }
}

impl BlockDevice for Qcow2 {
    fn size(&self) -> u64 {
        self.header.size
    }

    fn logical_block(&self) -> u32 {
        512
    }

    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        block::check(self.header.size, offset, buffer.len() as u64)?;
        while !buffer.is_empty() {
            let (place, left) = self.locate(offset)?;
            let count = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let (now, rest) = buffer.split_at_mut(count);
            match place {
                Place::Nowhere => now.fill(0),
                Place::At(start) => self.file.read_at(start, now)?,
                Place::Compressed(start, length) => {
                    self.read_compressed(start, length, (offset % self.header.cluster()) as usize, now)?;
                }
            }
            (offset, buffer) = (offset + count as u64, rest);
        }
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        let size = self.header.size;
        let (mut offset, mut start) = (from, None);
        while offset < size && start.is_none_or(|start| offset - start < AHEAD) {
            let (place, left) = self.locate(offset)?;
            match (self.holds_data(place, left)?, start) {
                (true, None) => start = Some(offset),
                (false, Some(_)) => break,
                _ => {}
            }
            offset = offset.saturating_add(left).min(size);
        }
        Ok(start.map(|start| start..offset))
    }

    fn changed(&self) -> io::Result<Option<&'static str>> {
        self.file.changed()
    }
}
