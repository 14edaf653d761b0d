//! Blobs on their way from the store to a medium: read once, written and hashed at the same time.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use sha2::{Digest as _, Sha256};

use crate::spec::image::Blob;
use crate::value::Digest;

/// Large enough that calls don't count, small enough for the processor's cache to matter.
const BUFFER: usize = 2 << 20;
const BUFFERS: usize = 4;

/// What is told of a copy: how many bytes have just been written. An error stops it.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> Result<()>;

/// Copies a blob to `write` and compares it with its digest. What was written is worthless when this fails.
///
/// # Errors
/// A blob that is missing, longer, shorter or other than its name says; what `write` or `watch` return.
pub fn copy_verified(
    source: &Path,
    blob: &Blob,
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
    watch: Watch<'_>,
) -> Result<()> {
    let file = File::open(source).with_context(|| format!("opening the blob {}", source.display()))?;
    // one byte more than expected: a blob that grew is damaged, not cut
    let mut file = file.take(blob.size.saturating_add(1));
    let (full, to_hash) = channel::<Vec<u8>>();
    let (free, from_hash) = channel();
    for _ in 0..BUFFERS {
        free.send(Vec::new()).map_err(|_| anyhow!("making buffers"))?;
    }
    let (copied, found) = thread::scope(|scope| {
        let hasher = scope.spawn(move || hash(&to_hash, &free));
        let copied = (|| -> Result<u64> {
            let mut copied = 0;
            loop {
                let mut buffer: Vec<u8> = from_hash.recv().context("hashing stopped")?;
                buffer.resize(BUFFER, 0);
                let count = read_full(&mut file, &mut buffer)
                    .with_context(|| format!("reading the blob {}", source.display()))?;
                if count == 0 {
                    return Ok(copied);
                }
                buffer.truncate(count);
                copied += count as u64;
                ensure!(copied <= blob.size, "{}", damaged(source, "it is longer than it should be"));
                write(&buffer)?;
                watch(count as u64)?;
                full.send(buffer).map_err(|_| anyhow!("hashing stopped"))?;
            }
        })();
        drop(full);
        (copied, hasher.join())
    });
    let (copied, found) = (copied?, found.map_err(|_| anyhow!("hashing stopped"))?);
    ensure!(copied == blob.size, "{}", damaged(source, &format!("it has {copied} bytes of {}", blob.size)));
    ensure!(found == blob.digest, "{}", damaged(source, &format!("its digest is {found}")));
    Ok(())
}

fn damaged(source: &Path, why: &str) -> String {
    format!("the blob {} is damaged: {why}; import or build the image again", source.display())
}

fn hash(full: &Receiver<Vec<u8>>, free: &Sender<Vec<u8>>) -> Digest {
    let mut hasher = Sha256::new();
    for buffer in full {
        hasher.update(&buffer);
        // nobody waits for it at the end
        let _ = free.send(buffer);
    }
    Digest::from_bytes(hasher.finalize().into())
}

/// Fills the buffer as far as the file reaches.
fn read_full(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(content: &[u8], blob: &Blob) -> (Vec<u8>, Result<()>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("blob-7");
        std::fs::write(&path, content).unwrap();
        let mut out = Vec::new();
        let mut told = 0;
        let mut write = |bytes: &[u8]| {
            out.extend_from_slice(bytes);
            Ok(())
        };
        let result = copy_verified(&path, blob, &mut write, &mut |count| {
            told += count;
            Ok(())
        });
        assert_eq!(told, out.len() as u64);
        (out, result)
    }

    #[test]
    fn a_whole_blob_arrives_and_any_damage_is_named() {
        let content: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
        let blob = Blob { digest: Digest::of(&content), size: content.len() as u64 };
        let (out, result) = copy(&content, &blob);
        assert!(result.is_ok() && out == content);
        let mut flipped = content.clone();
        flipped[4_000_000] ^= 1;
        let longer = [&content[..], b"x"].concat();
        for damaged in [&flipped[..], &content[1..], &longer[..], b""] {
            let error = copy(damaged, &blob).1.unwrap_err().to_string();
            assert!(error.contains("blob-7 is damaged"), "{error}");
        }
    }

    #[test]
    fn whoever_watches_can_stop_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pack");
        std::fs::write(&path, vec![0; 3 * BUFFER]).unwrap();
        let blob = Blob { digest: Digest::of(&[]), size: 3 * BUFFER as u64 };
        let mut steps = 0;
        let stopped = copy_verified(&path, &blob, &mut |_| Ok(()), &mut |_| {
            steps += 1;
            anyhow::bail!("interrupted")
        });
        assert_eq!((stopped.unwrap_err().to_string().as_str(), steps), ("interrupted", 1));
    }
}
