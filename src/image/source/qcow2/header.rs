//! The header of a qcow2: what kind it is, and whether it stands alone.

use anyhow::{Context, Result, bail, ensure};

use super::inflate::Compression;
use crate::sys::block::BlockDevice;

/// What QEMU itself takes: 32 MiB of L1, 8 MiB of refcount table.
const MOST_L1: u64 = 32 << 20;
const MOST_REFCOUNTS: u64 = 8 << 20;
const SHORT: u32 = 72;
const LONG: u32 = 104;

const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL: u64 = 1 << 2;
const COMPRESSION: u64 = 1 << 3;
const EXTENDED: u64 = 1 << 4;

/// What is needed of it.
#[derive(Debug)]
pub(super) struct Header {
    pub version: u32,
    /// Logarithm of a cluster's length.
    pub bits: u32,
    /// Length of the disk.
    pub size: u64,
    /// Where the L1 table is.
    pub l1: u64,
    /// Whether clusters have subclusters.
    pub extended: bool,
    pub compression: Compression,
}

impl Header {
    /// Length of a cluster.
    pub(super) fn cluster(&self) -> u64 {
        1 << self.bits
    }

    /// Length of an entry of an L2 table.
    pub(super) fn entry_length(&self) -> u64 {
        if self.extended { 16 } else { 8 }
    }

    /// How much of the disk one L2 table is for.
    pub(super) fn stretch(&self) -> u64 {
        self.cluster() / self.entry_length() * self.cluster()
    }

    /// Reads and judges it.
    ///
    /// # Errors
    /// What it is that isn't taken, with the way out.
    pub(super) fn read(file: &dyn BlockDevice) -> Result<Self> {
        let mut bytes = [0; 112];
        let length = file.size().min(bytes.len() as u64) as usize;
        file.read_at(0, &mut bytes[..length]).context("reading the header of the qcow2 image")?;
        let u32_at = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
        let u64_at = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
        let version = u32_at(4);
        ensure!(
            version == 2 || version == 3,
            "the qcow2 image has version {version}; 2 and 3 can be read: `qemu-img convert -O raw FILE image.raw`, and import that"
        );
        let header_length = if version == 2 { SHORT } else { u32_at(100) };
        ensure!(
            length >= SHORT as usize && (version == 2 || header_length >= LONG && length >= LONG as usize),
            "the qcow2 image is damaged or cut short: its header has {} bytes",
            header_length.min(length as u32)
        );
        let features = if version == 2 { 0 } else { u64_at(72) };
        require_alone(u64_at(8), u32_at(32), u32_at(60), features)?;
        let bits = u32_at(20);
        let extended = features & EXTENDED != 0;
        ensure!(
            (9..=21).contains(&bits) && (!extended || bits >= 14),
            "the qcow2 image is damaged: its clusters have 2^{bits} bytes"
        );
        let kind = if header_length > LONG { bytes[LONG as usize] } else { 0 };
        let compression = match (kind, features & COMPRESSION != 0) {
            (0, false) => Compression::Zlib,
            (1, true) => Compression::Zstd,
            _ => bail!(
                "the qcow2 image is compressed in a way (type {kind}) that isn't known; `qemu-img convert -O raw FILE image.raw`, and import that"
            ),
        };
        let header = Self { version, bits, size: u64_at(24), l1: u64_at(40), extended, compression };
        header.require_tables(file.size(), u32_at(36), u64_at(48), u32_at(56))?;
        Ok(header)
    }

    /// L1 and refcount table lie in the file, and are no larger than QEMU's.
    fn require_tables(&self, file: u64, entries: u32, refcounts: u64, refcount_clusters: u32) -> Result<()> {
        ensure!(self.size > 0, "the qcow2 image holds a disk of 0 bytes");
        let needed = self.size.div_ceil(self.stretch());
        ensure!(
            needed <= u64::from(entries) && u64::from(entries) * 8 <= MOST_L1,
            "the qcow2 image is damaged: its L1 table has {entries} entries for a disk of {} bytes",
            self.size
        );
        let refcount_length = u64::from(refcount_clusters) << self.bits;
        let tables =
            [("L1", self.l1, needed * 8, MOST_L1), ("refcount", refcounts, refcount_length, MOST_REFCOUNTS)];
        for (name, place, length, most) in tables {
            ensure!(
                place % self.cluster() == 0
                    && place >= self.cluster()
                    && length <= most
                    && place.checked_add(length).is_some_and(|end| end <= file),
                "the qcow2 image is damaged or cut short: its {name} table at byte {place} with {length} bytes doesn't lie in its file of {file}"
            );
        }
        Ok(())
    }
}

/// Refuses what needs another file, a password or a repair.
fn require_alone(backing: u64, encryption: u32, snapshots: u32, features: u64) -> Result<()> {
    const FLATTEN: &str =
        "`qemu-img convert -O qcow2 FILE image.qcow2` where all of its files are, and import that";
    ensure!(backing == 0, "the qcow2 image holds only what differs from a backing file: {FLATTEN}");
    ensure!(features & EXTERNAL == 0, "the qcow2 image has its data in another file: {FLATTEN}");
    ensure!(
        encryption == 0,
        "the qcow2 image is encrypted: `qemu-img convert` with its secret makes one that isn't; an image's bytes are no secret to its hosts"
    );
    ensure!(
        features & CORRUPT == 0,
        "QEMU has marked the qcow2 image as corrupt: repair it (`qemu-img check -r all FILE`), or take another"
    );
    ensure!(
        features & DIRTY == 0,
        "the qcow2 image is in use, or was not closed: shut down what uses it, and repair it (`qemu-img check -r all FILE`)"
    );
    let unknown = features & !(DIRTY | CORRUPT | EXTERNAL | COMPRESSION | EXTENDED);
    ensure!(
        unknown == 0,
        "the qcow2 image has features that aren't known here (incompatible bits {unknown:#x}): `qemu-img convert -O raw FILE image.raw`, and import that"
    );
    ensure!(
        snapshots == 0,
        "the qcow2 image has {snapshots} internal snapshots, and which state is meant isn't said: `qemu-img convert -O qcow2 FILE image.qcow2` keeps the newest one"
    );
    Ok(())
}
