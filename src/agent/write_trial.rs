//! The write path alone, for benches: the engine that installs, from a folder of blobs onto a disk or a file.
//!
//! No order, no claim, no tables: what it leaves doesn't boot, since LBA 0 is withheld from the engine. That the disk may be
//! overwritten is for the caller to know.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

pub use super::disk::engine::reuse::Held;
use super::disk::engine::{self, Blocks};
use super::payload::folder::FolderSource;
use crate::image::read::Index;
use crate::spec::event::Reused;
use crate::spec::image::ImageManifest;
use crate::sys::block::BlockDevice;
use crate::sys::linux::direct::DirectFile;
use crate::sys::linux::disk::TargetDisk;
use crate::sys::linux::machine;
use crate::trust::Verified;

/// What is written where.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The image.
    pub manifest: &'a Verified<ImageManifest>,
    /// Its index.
    pub index: &'a Index,
    /// Its packs, as files that are named by their digests.
    pub blobs: PathBuf,
    /// A disk's node, or a file.
    pub target: &'a Path,
    /// What the target holds already, as a claim would say.
    pub held: Held<'a>,
    /// The target says that it zeroes by command, and then refuses to.
    pub refuse_zeroing: bool,
    /// So many hands, in place of as many as the machine gives.
    pub hands: Option<usize>,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Until everything was written and flushed.
    pub written: Duration,
    /// Until all was read back.
    pub all: Duration,
    /// What was used again.
    pub reused: Option<Reused>,
    /// Largest resident set of this process, in KiB.
    pub peak_rss_kib: u64,
}

/// Writes the image, flushes, and reads it back.
///
/// # Errors
/// The target can't be opened or is too small; those of an install.
pub fn write(trial: &Trial<'_>) -> Result<Figures> {
    let begin = Instant::now();
    let device = Watched {
        device: open(trial.target).with_context(|| format!("opening {}", trial.target.display()))?,
        refuse_zeroing: trial.refuse_zeroing,
        begin,
        settled: Mutex::new(None),
    };
    let (size, has) = (trial.manifest.size.as_bytes(), device.size());
    ensure!(has >= size, "{} has {has} bytes, the image {size}", trial.target.display());
    let source = FolderSource(trial.blobs.clone());
    let (manifest, index) = (&**trial.manifest, trial.index);
    let blocks = Blocks { device: &device, manifest, index, source: &source };
    let held = &trial.held;
    let reused = match trial.hands {
        Some(hands) => engine::place_with(hands.max(1), held, &blocks, &mut |_| Ok(()))?,
        None => engine::place(held, &blocks, &mut |_| Ok(()))?,
    };
    let all = begin.elapsed();
    let written = device.settled().unwrap_or(all);
    Ok(Figures { written, all, reused, peak_rss_kib: machine::peak_rss_kib() })
}

fn open(target: &Path) -> io::Result<Box<dyn BlockDevice>> {
    Ok(match std::fs::metadata(target)?.file_type().is_block_device() {
        true => Box::new(TargetDisk::open(target)?),
        false => Box::new(DirectFile::open(target)?),
    })
}

/// A device that knows since when all that was written to it is durable; and, where that is wanted, promises to zero by command,
/// and doesn't.
struct Watched {
    device: Box<dyn BlockDevice>,
    refuse_zeroing: bool,
    begin: Instant,
    /// When the first flush ended after the last write.
    settled: Mutex<Option<Duration>>,
}

impl Watched {
    fn settled(&self) -> MutexGuard<'_, Option<Duration>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockDevice for Watched {
    fn size(&self) -> u64 {
        self.device.size()
    }

    fn logical_block(&self) -> u32 {
        self.device.logical_block()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.device.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let done = self.device.write_at(offset, bytes);
        *self.settled() = None;
        done
    }

    fn flush(&self) -> io::Result<()> {
        let done = self.device.flush();
        self.settled().get_or_insert_with(|| self.begin.elapsed());
        done
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        if self.refuse_zeroing {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let done = self.device.zero(range);
        *self.settled() = None;
        done
    }

    fn zeroes_cheaply(&self) -> bool {
        self.device.zeroes_cheaply()
    }

    fn depth(&self) -> usize {
        self.device.depth()
    }
}
