//! The boot medium: blobs in its payload partition, the story in its recorder partition.
//!
//! Both are found by partition type on any disk. Nothing read here is trusted, and a medium that can't be written records
//! nothing: an install doesn't need it to.

use std::path::Path;

use super::source::{BlobSource, BlobStream};
use crate::agent::Failure;
use crate::agent::probe::disks;
use crate::spec::event::{Event, What};
use crate::spec::image::Blob;
use crate::spec::payload::{self, PayloadBlob, PayloadDirectory};
use crate::spec::{Code, recorder};
use crate::sys::block::BlockDevice;
use crate::sys::gpt;
use crate::sys::linux::disk;
use crate::value::{Digest, Timestamp};

/// The payload partition of a medium.
pub struct StickSource {
    name: String,
    device: Box<dyn BlockDevice>,
    start: u64,
    directory: PayloadDirectory,
}

impl std::fmt::Debug for StickSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StickSource")
            .field("name", &self.name)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

impl StickSource {
    /// Among the disks of this machine, a payload partition that has this blob, else the first one.
    pub fn find(sys: &Path, wanted: Option<&Digest>) -> Option<Self> {
        let sticks = disks::names(sys).into_iter().filter_map(|name| {
            let device = disk::open_to_read(&Path::new("/dev").join(&name)).ok()?;
            Self::on(name, Box::new(device))
        });
        Self::choose(sticks, wanted)
    }

    fn choose(sticks: impl Iterator<Item = Self>, wanted: Option<&Digest>) -> Option<Self> {
        let mut sticks: Vec<_> = sticks.collect();
        let place = sticks.iter().position(|stick| wanted.is_some_and(|wanted| stick.has(wanted)));
        (!sticks.is_empty()).then(|| sticks.swap_remove(place.unwrap_or(0)))
    }

    /// The payload partition of this disk.
    pub fn on(name: String, device: Box<dyn BlockDevice>) -> Option<Self> {
        let (start, length) = gpt::find_partition(&*device, payload::PARTITION_TYPE)?;
        let mut header = [0; 24];
        device.read_at(start, &mut header).ok()?;
        let size = u64::from_le_bytes(header[16..].try_into().ok()?);
        if &header[..16] != payload::MAGIC || size > payload::MAX_DIRECTORY.min(length) {
            return None;
        }
        let mut json = vec![0; size as usize];
        device.read_at(start + payload::ALIGN, &mut json).ok()?;
        let directory = serde_json::from_slice(&json).ok()?;
        Some(Self { name, device, start, directory })
    }

    /// The kernel's name of the medium.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the medium says that it has this blob.
    pub fn has(&self, digest: &Digest) -> bool {
        self.entry(digest).is_some()
    }

    /// The blob's size as the medium says it; for documents of which only the digest is known.
    pub fn size_of(&self, digest: &Digest) -> Option<u64> {
        Some(self.entry(digest)?.blob.size)
    }

    fn entry(&self, digest: &Digest) -> Option<&PayloadBlob> {
        self.directory.blobs.iter().find(|entry| entry.blob.digest == *digest)
    }
}

impl BlobSource for StickSource {
    fn open<'a>(&'a self, blob: &Blob, offset: u64) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        let entry = self.entry(&blob.digest).ok_or_else(|| {
            Failure::new(
                Code::PayloadUnreachable,
                format!("{} doesn't carry blob {}", self.name, blob.digest),
            )
        })?;
        let place = self.start.checked_add(entry.offset).filter(|_| entry.blob.size == blob.size);
        let place = place.and_then(|place| place.checked_add(blob.size).map(|end| (place, end)));
        let (place, end) = place.ok_or_else(|| {
            Failure::new(
                Code::PayloadDamaged,
                format!("{}: blob {} has another size", self.name, blob.digest),
            )
        })?;
        Ok(Box::new(StickStream { stick: self, position: place.saturating_add(offset), end }))
    }
}

struct StickStream<'a> {
    stick: &'a StickSource,
    position: u64,
    end: u64,
}

impl BlobStream for StickStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        let next = self.position.saturating_add(buffer.len() as u64);
        let name = &self.stick.name;
        if next > self.end {
            return Err(Failure::new(Code::PayloadDamaged, format!("{name}: read past the end of a blob")));
        }
        self.stick.device.read_at(self.position, buffer).map_err(|error| {
            let place = self.position;
            Failure::new(
                Code::PayloadUnreachable,
                format!("reading the medium {name} at byte {place}: {error}"),
            )
        })?;
        self.position = next;
        Ok(())
    }
}

/// The recorder partition of a medium, from the first free byte on.
pub struct Recorder {
    device: Box<dyn BlockDevice>,
    start: u64,
    position: u64,
    end: u64,
    believed: Option<Timestamp>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Recorder {
    /// The recorder on the disk with this kernel name; `None` when it has none or can't be written.
    pub fn open(name: &str) -> Option<Self> {
        let device = disk::open_shared(&Path::new("/dev").join(name)).ok()?;
        Self::on(Box::new(device))
    }

    /// The recorder of this disk, after the records that are there.
    pub fn on(device: Box<dyn BlockDevice>) -> Option<Self> {
        let (start, length) = gpt::find_partition(&*device, recorder::PARTITION_TYPE)?;
        let mut bytes = vec![0; length.min(recorder::SIZE) as usize];
        device.read_at(start, &mut bytes).ok()?;
        let used: usize = records(&bytes).map(|(_, padded)| padded).sum();
        let believed = records(&bytes).filter_map(|(json, _)| believed_in(json)).max();
        let position = start + used as u64;
        Some(Self { device, start, position, end: start + bytes.len() as u64, believed })
    }

    /// What is recorded, of this run too: at most 4 MiB, by whoever wrote on the medium. Records of another version are passed
    /// over; a recorder that can't be read any more knows nothing.
    pub fn events(&self) -> Vec<Event> {
        // never above what `on` read
        let mut bytes = vec![0; (self.position - self.start) as usize];
        if self.device.read_at(self.start, &mut bytes).is_err() {
            return Vec::new();
        }
        records(&bytes).filter_map(|(json, _)| serde_json::from_slice(json).ok()).collect()
    }

    /// The newest time that an install from this medium believed, as recorded before it was opened. What the clocks of its
    /// machines said is another matter.
    pub fn believed(&self) -> Option<Timestamp> {
        self.believed
    }

    /// Appends one event. A full or failing recorder stays silent; its last part is for what a later run has to know.
    pub fn append(&mut self, event: &Event) {
        let record = serde_json::to_vec(event).ok().and_then(|json| recorder::encode(&json));
        let Some(record) = record else { return };
        let end =
            if matters_later(&event.what) { self.end } else { self.end - reserved(self.end - self.start) };
        if self.position + record.len() as u64 <= end && self.device.write_at(self.position, &record).is_ok()
        {
            self.position += record.len() as u64;
            let _ = self.device.flush();
        }
    }
}

/// Room at the end of a recorder of this length, in bytes, that refusals and progress don't fill: on our media, hundreds of installs.
fn reserved(length: u64) -> u64 {
    const LEAST: u64 = 1 << 20;
    if length < LEAST { 0 } else { length / 16 }
}

/// Whether an event says on which disk an order was used, or what time it was.
fn matters_later(what: &What) -> bool {
    matches!(
        what,
        What::Planned { .. }
            | What::Claimed { .. }
            | What::Committed { .. }
            | What::TablesMade
            | What::Failed { .. }
    )
}

/// The JSON of each record and the room that it takes.
fn records(bytes: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut used = 0;
    std::iter::from_fn(move || {
        let record = recorder::decode(bytes.get(used..)?)?;
        used += record.1;
        Some(record)
    })
}

/// The time that a record says was believed.
fn believed_in(json: &[u8]) -> Option<Timestamp> {
    match serde_json::from_slice(json).ok()? {
        Event { what: What::Planned { believed, .. }, .. } => believed,
        _ => None,
    }
}

#[cfg(test)]
#[path = "stick_tests.rs"]
mod tests;
#[cfg(test)]
pub(crate) use tests::Medium;
