//! Mounting and growing alone, for tests: what the agent does with the root of an image, on one partition.
//!
//! No order and no claim: that the file system may be written to is for the caller to know.

use std::path::Path;

use anyhow::{Context, Result};

use super::personalise::kernel_personaliser::{Mounted, grow};
use crate::spec::image::FilesystemKind;

/// As many files as an image must have room for, and as many bytes in them all.
const FILES: usize = 100;
const FILE: usize = 10_000;

/// Mounts the file system on a partition at `place`, grows it to so many bytes, writes files, and unmounts it.
///
/// # Errors
/// The step at which the kernel gives up.
pub fn try_filesystem(node: &Path, place: &Path, kind: FilesystemKind, length: u64) -> Result<()> {
    let mounted = Mounted::mount(node, place, kind.name())?;
    grow(&mounted, kind, length)?;
    for number in 0..FILES {
        let path = place.join(format!("file-{number}"));
        std::fs::write(&path, [number as u8; FILE]).with_context(|| format!("writing {}", path.display()))?;
    }
    mounted.unmount()
}
