//! The stick: a GPT with an ESP, the payload and the recorder.
//!
//! One pass: the ESP is made in memory, blobs are copied and hashed at the same time. Where nothing stands, the file has
//! holes. Everything that is random elsewhere (GUIDs, the FAT's serial number) comes from the manifest's digest.

use std::io::Cursor;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use uuid::Uuid;

use super::contents::Contents;
use super::copy::{Watch, copy_verified};
use super::host::ContentFile;
use crate::spec::FormatVersion;
use crate::spec::image::Blob;
use crate::spec::{payload, recorder};
use crate::sys::block::{FileDevice, write_sparse_at};
use crate::sys::fat::{FatFile, format_fat32};
use crate::sys::files;
use crate::sys::gpt::{ESP, Entry, Table};
use crate::value::Digest;

const MIB: u64 = 1 << 20;
/// The smallest ESP that can be FAT32.
const SMALLEST_ESP: u64 = 40 * MIB;
/// FAT cluster size that sizes are rounded up to, at most.
const CLUSTER: u64 = 4096;

/// Where things stand on a stick, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Layout {
    esp: (u64, u64),
    payload: (u64, u64),
    recorder: (u64, u64),
    size: u64,
    /// The payload's header and directory.
    head: Vec<u8>,
    blobs: Vec<payload::PayloadBlob>,
}

/// Writes a stick's image under its final name, whole or not at all.
///
/// # Errors
/// A damaged blob, no space, or an interruption; nothing is then there under that name, or what was there before.
pub fn write(
    path: &Path,
    contents: &Contents,
    blob_path: &dyn Fn(&Digest) -> PathBuf,
    watch: Watch<'_>,
) -> Result<()> {
    let layout = Layout::new(contents)?;
    let esp = format_esp(contents, layout.esp.1)?;
    let table = table(contents, &layout).build(layout.size).context("making the stick's partition table")?;
    files::require_space(path, layout.size)?;
    // its orders carry password hashes and hand-off scripts
    files::write_whole_with(path, 0o600, |file| {
        file.set_len(layout.size)?;
        write_sparse_at(&FileDevice::new(file.try_clone()?, layout.size, 512), layout.esp.0, &esp)?;
        file.write_all_at(&layout.head, layout.payload.0)?;
        for blob in &layout.blobs {
            let mut at = layout.payload.0 + blob.offset;
            let mut put = |bytes: &[u8]| -> Result<()> {
                file.write_all_at(bytes, at)?;
                at += bytes.len() as u64;
                Ok(())
            };
            copy_verified(&blob_path(&blob.blob.digest), &blob.blob, &mut put, watch)?;
        }
        file.write_all_at(&table.primary, 0)?;
        Ok(file.write_all_at(&table.backup, table.backup_offset)?)
    })
}

impl Layout {
    fn new(contents: &Contents) -> Result<Self> {
        let esp = (MIB, esp_size(&contents.files));
        let (head, blobs, length) = payload_of(&contents.blobs)?;
        let payload = (esp.0 + esp.1, length.next_multiple_of(MIB));
        let recorder = (payload.0 + payload.1, recorder::SIZE);
        Ok(Self { esp, payload, recorder, size: recorder.0 + recorder.1 + MIB, head, blobs })
    }
}

/// Header and directory of the payload partition, its blobs with their places, and its length.
fn payload_of(blobs: &[Blob]) -> Result<(Vec<u8>, Vec<payload::PayloadBlob>, u64)> {
    // offsets are in the directory, whose length they change: place the blobs behind room for the longest offsets
    let place = |first: u64| {
        let mut at = first;
        let placed = blobs.iter().map(|blob| {
            let offset = at;
            at = (at + blob.size).next_multiple_of(payload::ALIGN);
            payload::PayloadBlob { blob: *blob, offset }
        });
        let placed: Vec<_> = placed.collect();
        (placed, at)
    };
    let directory = |blobs: Vec<payload::PayloadBlob>| {
        serde_json::to_vec(&payload::PayloadDirectory { version: FormatVersion, blobs })
            .context("writing the payload's directory")
    };
    let (widest, _) = place(1 << 62);
    let first = payload::ALIGN + (directory(widest)?.len() as u64).next_multiple_of(payload::ALIGN);
    anyhow::ensure!(first <= payload::MAX_DIRECTORY, "{} blobs are too many for one stick", blobs.len());
    let (placed, length) = place(first);
    let json = directory(placed.clone())?;
    let mut head = payload::MAGIC.to_vec();
    head.extend((json.len() as u64).to_le_bytes());
    head.resize(payload::ALIGN as usize, 0);
    head.extend(json);
    Ok((head, placed, length))
}

/// Room for the files, FAT's own tables, and a little more.
fn esp_size(files: &[ContentFile]) -> u64 {
    // a file's directory entries, and its folder, take a cluster at most
    let content: u64 =
        files.iter().map(|file| (file.content.len() as u64).next_multiple_of(CLUSTER) + 2 * CLUSTER).sum();
    (content + content / 40 + 4 * MIB).next_multiple_of(MIB).max(SMALLEST_ESP)
}

fn format_esp(contents: &Contents, size: u64) -> Result<Vec<u8>> {
    let mut volume = Cursor::new(vec![0; usize::try_from(size).context("making the ESP")?]);
    let files = contents.files.iter().map(|file| FatFile::new(file.path.clone(), &file.content[..]));
    let id = u32::from_le_bytes(std::array::from_fn(|i| contents.digest.as_bytes()[i]));
    format_fat32(&mut volume, "IRONSTRAP", id, files.collect()).context("making the stick's ESP")?;
    Ok(volume.into_inner())
}

fn table(contents: &Contents, layout: &Layout) -> Table {
    let guid = |name: &str| {
        let digest = Digest::of(format!("{} {name}", contents.digest).as_bytes());
        uuid::Builder::from_custom_bytes(std::array::from_fn(|i| digest.as_bytes()[i])).into_uuid()
    };
    let entry = |kind: Uuid, (offset, length), name: &str| Entry::new(kind, guid(name), offset, length, name);
    let mut table = Table::new(guid("disk"));
    table.entries.insert(1, entry(ESP, layout.esp, "ironstrap"));
    table.entries.insert(2, entry(payload::PARTITION_TYPE, layout.payload, "ironstrap payload"));
    table.entries.insert(3, entry(recorder::PARTITION_TYPE, layout.recorder, "ironstrap recorder"));
    table
}

#[cfg(test)]
mod tests;
