//! The boot medium's payload partition, found by its type on any disk: blobs. Nothing read here is trusted.

use std::path::Path;

use super::source::{BlobSource, BlobStream};
use crate::agent::Failure;
use crate::probe::disks;
use crate::spec::Code;
use crate::spec::image::Blob;
use crate::spec::payload::{self, PayloadBlob, PayloadDirectory};
use crate::sys::block::BlockDevice;
use crate::sys::gpt;
use crate::sys::linux::disk;
use crate::value::Digest;

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

    fn hint(&self, digest: &Digest, limit: u64) -> Option<Vec<u8>> {
        let size = self.size_of(digest).filter(|size| *size <= limit)?;
        let mut bytes = vec![0; size as usize];
        self.open(&Blob { digest: *digest, size }, 0).ok()?.read(&mut bytes).ok()?;
        Some(bytes)
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

#[cfg(test)]
#[path = "stick_tests.rs"]
pub mod tests;
