//! Disk files: made sparse, compared by content, and what is in their partition tables.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 1 << 20;

/// A new blank disk.
///
/// # Errors
/// When the file can't be made.
pub fn blank(dir: &Path, name: &str, bytes: u64) -> Result<PathBuf> {
    std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    let path = dir.join(name);
    let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    file.set_len(bytes).with_context(|| format!("sizing {}", path.display()))?;
    Ok(path)
}

/// Puts bytes somewhere on a disk.
///
/// # Errors
/// When they can't be written.
pub fn put(disk: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
    let file =
        File::options().write(true).open(disk).with_context(|| format!("opening {}", disk.display()))?;
    file.write_all_at(bytes, offset).with_context(|| format!("writing {}", disk.display()))
}

/// Reads bytes of a disk.
///
/// # Errors
/// When they can't be read.
pub fn get(disk: &Path, offset: u64, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let file = File::open(disk).with_context(|| format!("opening {}", disk.display()))?;
    file.read_exact_at(&mut bytes, offset).with_context(|| format!("reading {}", disk.display()))?;
    Ok(bytes)
}

/// SHA-256 of a disk's content: length, then position and bytes of every MiB that isn't zero. Holes cost nothing, and a
/// hole that became written zeroes is no change.
///
/// # Errors
/// When it can't be read.
pub fn content_digest(disk: &Path) -> Result<String> {
    use rustix::fs::{SeekFrom as Place, seek};
    let mut file = File::open(disk).with_context(|| format!("opening {}", disk.display()))?;
    let length = file.metadata().context("asking for the size")?.len();
    let mut hash = Sha256::new();
    hash.update(length.to_le_bytes());
    let mut buffer = vec![0; BLOCK];
    let mut at = 0;
    while at < length {
        at = match seek(&file, Place::Data(at)) {
            Ok(data) => data / BLOCK as u64 * BLOCK as u64,
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => {
                return Err(error).with_context(|| format!("looking for data in {}", disk.display()));
            }
        };
        let size = (length - at).min(BLOCK as u64) as usize;
        file.seek(SeekFrom::Start(at)).context("seeking")?;
        file.read_exact(&mut buffer[..size]).with_context(|| format!("reading {}", disk.display()))?;
        if buffer[..size].iter().any(|byte| *byte != 0) {
            hash.update(at.to_le_bytes());
            hash.update(&buffer[..size]);
        }
        at += size as u64;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// SHA-256 of a file, as `sha256sum` prints it.
///
/// # Errors
/// When it can't be read.
pub fn file_digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BLOCK];
    loop {
        match file.read(&mut buffer).with_context(|| format!("reading {}", path.display()))? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One partition.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Number, from 1.
    pub number: u32,
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub length: u64,
    /// Type as the GPT names it, upper case.
    pub kind: String,
    /// Unique GUID.
    pub guid: String,
}

/// A disk's GUID and partitions.
#[derive(Debug, Clone)]
pub struct Table {
    /// GUID of the disk.
    pub disk: String,
    /// Partitions that are in use.
    pub partitions: Vec<Partition>,
}

/// Moves a file into another one at a whole mebibyte, holes as holes.
///
/// # Errors
/// When it can't be copied or removed.
pub fn move_into(from: &Path, to: &Path, at: u64) -> Result<()> {
    copy_sparsely(from, to, &[format!("seek={}", at >> 20)])?;
    std::fs::remove_file(from).with_context(|| format!("removing {}", from.display()))
}

/// Copies a partition, which begins and ends at a whole mebibyte, into a file, zeroes as holes.
///
/// # Errors
/// When it can't be copied.
pub fn copy_out(disk: &Path, partition: &Partition, to: &Path) -> Result<()> {
    let [skip, count] = [partition.start, partition.length].map(|bytes| bytes >> 20);
    copy_sparsely(disk, to, &[format!("skip={skip}"), format!("count={count}")])
}

/// dd(1), by the mebibyte.
fn copy_sparsely(from: &Path, to: &Path, more: &[String]) -> Result<()> {
    let (input, output) = (format!("if={}", from.display()), format!("of={}", to.display()));
    let mut dd = Command::new("dd");
    dd.args([input.as_str(), output.as_str(), "bs=1M", "conv=notrunc,sparse", "status=none"]).args(more);
    super::text(&mut dd).map(drop)
}

/// GPT type of an EFI system partition.
const ESP: &str = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

impl Table {
    /// Reads the GPT of a disk file.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(disk: &Path) -> Result<Self> {
        let table = gpt::GptConfig::new()
            .writable(false)
            .open(disk)
            .with_context(|| format!("reading the partition table of {}", disk.display()))?;
        let partitions = table
            .partitions()
            .iter()
            .filter(|(_, p)| p.is_used())
            .map(|(number, p)| Partition {
                number: *number,
                start: p.first_lba * 512,
                length: (p.last_lba + 1 - p.first_lba) * 512,
                kind: p.part_type_guid.guid.to_string().to_uppercase(),
                guid: p.part_guid.to_string(),
            })
            .collect();
        Ok(Self { disk: table.guid().to_string(), partitions })
    }

    /// The EFI system partition.
    ///
    /// # Errors
    /// When there is none.
    pub fn esp(&self) -> Result<&Partition> {
        self.partitions.iter().find(|p| p.kind == ESP).context("finding the EFI system partition")
    }

    /// The physically last partition: the root of a golden image.
    ///
    /// # Errors
    /// When the table is empty.
    pub fn last(&self) -> Result<&Partition> {
        self.partitions.iter().max_by_key(|p| p.start).context("finding the last partition")
    }
}

/// Copies a partition into a file of its own.
///
/// # Errors
/// When reading or writing fails.
pub fn extract(disk: &Path, partition: &Partition, to: &Path) -> Result<()> {
    let mut from = File::open(disk).with_context(|| format!("opening {}", disk.display()))?;
    from.seek(SeekFrom::Start(partition.start)).context("seeking to the partition")?;
    let mut out = File::create(to).with_context(|| format!("creating {}", to.display()))?;
    std::io::copy(&mut from.take(partition.length), &mut out)
        .with_context(|| format!("writing {}", to.display()))?;
    out.flush().context("writing out")
}
