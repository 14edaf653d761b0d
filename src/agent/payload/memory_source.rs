//! The fake source: blobs in memory; and, with [`MemorySource::with_fault`], its faulty twin.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::faults::{Fault, Struck};
use super::source::{BlobSource, BlobStream};
use crate::agent::Failure;
use crate::spec::Code;
use crate::spec::image::Blob;
use crate::value::Digest;

/// Blobs in memory.
#[derive(Debug, Default)]
pub struct MemorySource {
    blobs: BTreeMap<Digest, Vec<u8>>,
    fault: Mutex<Option<Fault>>,
    opened: Mutex<Vec<(Digest, u64)>>,
}

impl MemorySource {
    /// A source without blobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a blob under the digest of its bytes.
    pub fn add(&mut self, bytes: Vec<u8>) -> Blob {
        let blob = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64 };
        self.blobs.insert(blob.digest, bytes);
        blob
    }

    /// A blob that is there.
    pub fn bytes(&self, digest: &Digest) -> &[u8] {
        &self.blobs[digest]
    }

    /// Has these bytes under a digest that isn't theirs, perhaps.
    #[must_use]
    pub fn with_other(mut self, digest: Digest, bytes: Vec<u8>) -> Self {
        self.blobs.insert(digest, bytes);
        self
    }

    /// The faulty twin.
    #[must_use]
    pub fn with_fault(self, fault: Fault) -> Self {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        self
    }

    /// Every stream that was opened: blob and first byte.
    pub fn opened(&self) -> Vec<(Digest, u64)> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl BlobSource for MemorySource {
    fn open<'a>(&'a self, blob: &Blob, offset: u64) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        let Some(bytes) = self.blobs.get(&blob.digest) else {
            let message = format!("blob {} isn't there", blob.digest);
            return Err(Failure::new(Code::PayloadUnreachable, message));
        };
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push((blob.digest, offset));
        Ok(Box::new(MemoryStream { source: self, blob: blob.digest, bytes, position: offset }))
    }

    fn hint(&self, digest: &Digest, limit: u64) -> Option<Vec<u8>> {
        self.blobs.get(digest).filter(|bytes| bytes.len() as u64 <= limit).cloned()
    }
}

struct MemoryStream<'a> {
    source: &'a MemorySource,
    blob: Digest,
    bytes: &'a [u8],
    position: u64,
}

impl BlobStream for MemoryStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        let end = self.position + buffer.len() as u64;
        let gone = |why: String| Failure::new(Code::PayloadUnreachable, format!("blob {}: {why}", self.blob));
        let Some(bytes) = self.bytes.get(self.position as usize..end as usize) else {
            return Err(gone(format!("it has {} bytes, {end} were asked for", self.bytes.len())));
        };
        buffer.copy_from_slice(bytes);
        let mut fault = self.source.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match fault.and_then(|fault| fault.strike(self.blob, self.position, buffer)) {
            Some(Struck::Gone(why)) => return Err(gone(why)),
            Some(Struck::Changed { over: true }) => *fault = None,
            Some(Struck::Changed { over: false }) | None => {}
        }
        self.position = end;
        Ok(())
    }
}
