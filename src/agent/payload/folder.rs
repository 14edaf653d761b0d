//! Blobs as files of one folder, where a bench has them. No target knows this source.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::source::{BlobSource, BlobStream};
use crate::agent::Failure;
use crate::spec::Code;
use crate::spec::image::Blob;
use crate::value::Digest;

/// A folder of files that are named by their digests.
#[derive(Debug)]
pub struct FolderSource(pub PathBuf);

#[derive(Debug)]
struct FolderStream {
    path: PathBuf,
    file: File,
}

fn unreachable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::PayloadUnreachable, format!("reading {}: {error}", path.display()))
}

impl BlobSource for FolderSource {
    fn open<'a>(&'a self, blob: &Blob, offset: u64) -> Result<Box<dyn BlobStream + 'a>, Failure> {
        let path = self.0.join(blob.digest.to_string());
        let open = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(offset)).map(|_| file)
        };
        let file = open().map_err(|error| unreachable(&path, &error))?;
        Ok(Box::new(FolderStream { path, file }))
    }

    fn hint(&self, digest: &Digest, limit: u64) -> Option<Vec<u8>> {
        let file = File::open(self.0.join(digest.to_string())).ok()?;
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= limit).then_some(bytes)
    }
}

impl BlobStream for FolderStream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        self.file.read_exact(buffer).map_err(|error| unreachable(&self.path, &error))
    }
}
