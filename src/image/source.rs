//! What an image may come in: a raw disk image or a qcow2, as it is or in a compressed file.
//!
//! A file is what its first bytes say, whatever it is called. Each format is a file of this room: [`packed`] unpacks into a file
//! without a name, [`qcow2`] is read where it lies, and [`others`] names what isn't taken, with the way out. Trees in tars and containers
//! get their place here.
//!
//! Promises: what comes out is a disk as a guest would see it, read only; whatever a file says of itself, opening it ends, with little
//! memory; nothing is left of it in the file system. What is on the disk is judged by [`layout`](super::layout), not here.

mod others;
mod packed;
mod qcow2;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use self::packed::Packing;
use self::qcow2::Qcow2;
use super::import::Progress;
use crate::sys::block::{BlockDevice, FileDevice};

/// Opens the disk in a file. A compressed one is unpacked first, into a file without a name in the directory `room`.
///
/// # Errors
/// Missing, unreadable, no regular file; a format that isn't taken; damaged, cut short, or larger than it may become; no room.
pub fn open(path: &Path, room: &Path, progress: Progress<'_>) -> Result<Arc<dyn BlockDevice>> {
    let file: Arc<dyn BlockDevice> = Arc::new(FileDevice::watch(path).context("opening the image")?);
    let Some(packing) = Packing::of(&*file)? else { return disk(file) };
    let unpacked = packed::unpack(file, packing, room, progress)?;
    if let Some(inner) = Packing::of(&*unpacked)? {
        bail!(
            "there is a {} file in the {} file; unpack it once (`{}`), and import what comes out",
            inner.name(),
            packing.name(),
            packing.way()
        );
    }
    disk(unpacked).with_context(|| format!("in the {} file", packing.name()))
}

/// The disk in a file that isn't compressed.
fn disk(file: Arc<dyn BlockDevice>) -> Result<Arc<dyn BlockDevice>> {
    if qcow2::is(&*file)? {
        return Ok(Arc::new(Qcow2::open(file)?));
    }
    others::refuse(&*file)?;
    Ok(file)
}

/// Whether these bytes are at this place.
fn has(file: &dyn BlockDevice, offset: u64, magic: &[u8]) -> Result<bool> {
    let mut found = vec![0; magic.len()];
    if offset.checked_add(magic.len() as u64).is_none_or(|end| end > file.size()) {
        return Ok(false);
    }
    file.read_at(offset, &mut found).context("reading the image")?;
    Ok(found == magic)
}
