//! FAT32 volumes: the ESPs of images and sticks.
//!
//! Promises: the same files in the same order give the same bytes, wherever and whenever; the result passes `fsck.vfat`.
//! The window must hold zeroes (a fresh sparse file does). Reading is left to the `fatfs` crate itself.

use std::io::{self, Read, Seek, SeekFrom, Write};

use anyhow::{Context, Result, ensure};
use fatfs::{Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};

/// One file to put on a volume.
pub struct FatFile<'a> {
    path: String,
    content: Box<dyn Read + 'a>,
}

impl std::fmt::Debug for FatFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FatFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'a> FatFile<'a> {
    /// A file at this path (`EFI/BOOT/grub.cfg`); directories are made as needed. Less than 4 GiB.
    pub fn new(path: impl Into<String>, content: impl Read + 'a) -> Self {
        Self { path: path.into(), content: Box::new(content) }
    }
}

/// Every file has the same time: 1980-01-01, where FAT's time begins.
#[derive(Debug)]
struct Epoch;

impl TimeProvider for Epoch {
    fn get_current_date(&self) -> Date {
        Date { year: 1980, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime { date: self.get_current_date(), time: Time { hour: 0, min: 0, sec: 0, millis: 0 } }
    }
}

/// Makes a FAT32 volume of the whole stream and writes the files in the order given.
///
/// # Errors
/// A stream below 33 MiB (FAT32 can't be that small), a label or path that FAT can't hold, no room for the files, or
/// the stream's own error.
pub fn format_fat32<D: Read + Write + Seek>(
    volume: &mut D,
    label: &str,
    volume_id: u32,
    files: Vec<FatFile<'_>>,
) -> Result<()> {
    let size = volume.seek(SeekFrom::End(0)).context("measuring the FAT volume")?;
    volume.rewind().context("formatting the FAT volume")?;
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(cluster_size(size)?)
        .volume_label(padded(label)?)
        .volume_id(volume_id);
    fatfs::format_volume(&mut *volume, options).context("formatting the FAT volume")?;
    volume.rewind().context("formatting the FAT volume")?;
    let filesystem = FileSystem::new(&mut *volume, FsOptions::new().time_provider(&Epoch))
        .context("opening the new FAT volume")?;
    ensure!(filesystem.fat_type() == FatType::Fat32, "{size} bytes don't make a FAT32 volume");
    for mut file in files {
        let path = file.path.clone();
        write_file(&filesystem, &mut file)
            .with_context(|| format!("writing {path} to the FAT volume of {size} bytes"))?;
    }
    // without this the count of free clusters stays blank
    filesystem.stats().and_then(|_| filesystem.unmount()).context("closing the FAT volume")?;
    repair_directories(volume).context("repairing the FAT volume's directories")
}

fn write_file<D: Read + Write + Seek>(filesystem: &FileSystem<D>, file: &mut FatFile<'_>) -> io::Result<()> {
    let mut dir = filesystem.root_dir();
    let mut parts: Vec<_> = file.path.split('/').filter(|part| !part.is_empty()).collect();
    let Some(name) = parts.pop() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is empty"));
    };
    for part in parts {
        // `create_dir` opens one that is there
        dir = dir.create_dir(part)?;
    }
    let mut target = dir.create_file(name)?;
    target.truncate()?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.content.read(&mut buffer)? {
            0 => return target.flush(),
            count => target.write_all(&buffer[..count])?,
        }
    }
}

/// The largest cluster up to 4 KiB that leaves enough clusters for the volume to be FAT32 and not FAT16.
fn cluster_size(volume: u64) -> Result<u32> {
    const FEWEST: u64 = 65_525 + 1024; // FAT32 begins at 65,525; the tables and reserved sectors take some
    let size = [4096, 2048, 1024, 512].into_iter().find(|cluster| volume / u64::from(*cluster) >= FEWEST);
    size.with_context(|| format!("{volume} bytes are too few for FAT32; it needs 33 MiB"))
}

fn padded(label: &str) -> Result<[u8; 11]> {
    let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_- ".contains(&b);
    ensure!(
        label.len() <= 11 && label.bytes().all(good),
        "`{label}` is not a FAT label (upper-case letters, digits, `_`, `-`, space; at most 11)"
    );
    let mut bytes = [b' '; 11];
    bytes[..label.len()].copy_from_slice(label.as_bytes());
    Ok(bytes)
}

const RECORD: usize = 32;
const DELETED: u8 = 0xe5;
const LONG_NAME: u8 = 0x0f;
const DIRECTORY: u8 = 0x10;
const VOLUME_LABEL: u8 = 0x08;

/// Where things stand on the volume, from its boot sector.
struct Geometry {
    cluster: usize,
    table: u64,
    data: u64,
    root: u32,
}

/// fatfs 0.3 puts long names before `.` and `..`, and lets `..` of a first-level directory point at the root's cluster
/// instead of 0. Linux reads over both; firmware may not and `fsck.vfat` calls them damage. Both records are moved to the
/// start of their directory, where the format wants them, and the two long names are marked as deleted.
fn repair_directories<D: Read + Write + Seek>(volume: &mut D) -> io::Result<()> {
    let geometry = Geometry::read(volume)?;
    let mut pending = vec![geometry.root];
    while let Some(directory) = pending.pop() {
        let mut cluster = directory;
        while (2..0x0fff_fff8).contains(&cluster) {
            let mut records = vec![0; geometry.cluster];
            volume.seek(SeekFrom::Start(geometry.place(cluster)))?;
            volume.read_exact(&mut records)?;
            if cluster == directory && directory != geometry.root && reorder(&mut records, geometry.root) {
                volume.seek(SeekFrom::Start(geometry.place(cluster)))?;
                volume.write_all(&records)?;
            }
            pending.extend(records.chunks_exact(RECORD).filter_map(subdirectory));
            cluster = geometry.next(volume, cluster)?;
        }
    }
    volume.flush()
}

/// Puts `.` and `..` first; false when they are there already.
fn reorder(records: &mut [u8], root: u32) -> bool {
    let (first, rest) = records.split_at_mut(2 * RECORD);
    let misplaced =
        first[11] == LONG_NAME && first[RECORD..].starts_with(b".  ") && rest[RECORD..].starts_with(b".. ");
    if !misplaced {
        return false;
    }
    first.copy_within(RECORD.., 0);
    let parent = &mut first[RECORD..];
    parent.copy_from_slice(&rest[RECORD..2 * RECORD]);
    if cluster_of(parent) == root {
        parent[20..22].fill(0);
        parent[26..28].fill(0);
    }
    rest[0] = DELETED;
    rest[RECORD] = DELETED;
    true
}

fn subdirectory(record: &[u8]) -> Option<u32> {
    let used = !matches!(record[0], 0 | DELETED | b'.') && record[11] != LONG_NAME;
    let directory = record[11] & (DIRECTORY | VOLUME_LABEL) == DIRECTORY;
    (used && directory).then(|| cluster_of(record))
}

fn cluster_of(record: &[u8]) -> u32 {
    let half = |at: usize| u32::from(u16::from_le_bytes([record[at], record[at + 1]]));
    half(20) << 16 | half(26)
}

impl Geometry {
    fn read<D: Read + Seek>(volume: &mut D) -> io::Result<Self> {
        let mut boot = [0; 512];
        volume.rewind()?;
        volume.read_exact(&mut boot)?;
        let short = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
        let long = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| boot[at + i]));
        let (sector, table) = (short(11), short(14) * short(11));
        Ok(Self {
            cluster: usize::from(boot[13]) * sector as usize,
            table,
            data: table + u64::from(boot[16]) * u64::from(long(36)) * sector,
            root: long(44),
        })
    }

    fn place(&self, cluster: u32) -> u64 {
        self.data + u64::from(cluster - 2) * self.cluster as u64
    }

    fn next<D: Read + Seek>(&self, volume: &mut D, cluster: u32) -> io::Result<u32> {
        let mut entry = [0; 4];
        volume.seek(SeekFrom::Start(self.table + u64::from(cluster) * 4))?;
        volume.read_exact(&mut entry)?;
        Ok(u32::from_le_bytes(entry) & 0x0fff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::process::Command;

    use super::*;

    const MIB: usize = 1 << 20;

    fn volume(size: usize) -> Vec<u8> {
        let mut bytes = Cursor::new(vec![0; size]);
        let files = vec![
            FatFile::new("EFI/BOOT/BOOTX64.EFI", &[7; 3 * MIB][..]),
            FatFile::new("EFI/BOOT/grub.cfg", &b"search\n"[..]),
            FatFile::new("EFI/a long directory name/with/another file.txt", &b"x"[..]),
            FatFile::new("empty", &b""[..]),
        ];
        format_fat32(&mut bytes, "ESP", 0x1234_5678, files).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn files_read_back_and_two_runs_are_the_same() {
        let bytes = volume(64 * MIB);
        assert_eq!(Digestible(&bytes), Digestible(&volume(64 * MIB)));
        let filesystem = FileSystem::new(Cursor::new(bytes), FsOptions::new()).unwrap();
        let root = filesystem.root_dir();
        let read = |path: &str| {
            let mut content = Vec::new();
            root.open_file(path).unwrap().read_to_end(&mut content).unwrap();
            content
        };
        assert_eq!(read("efi/boot/bootx64.efi"), vec![7; 3 * MIB]);
        assert_eq!(read("EFI/a long directory name/with/another file.txt"), b"x");
        assert_eq!(read("empty"), b"");
        assert!(filesystem.stats().unwrap().free_clusters() > 100_000);
    }

    /// Bytes that don't fill the screen when they differ.
    #[derive(PartialEq)]
    struct Digestible<'a>(&'a [u8]);

    impl std::fmt::Debug for Digestible<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            crate::value::Digest::of(self.0).fmt(f)
        }
    }

    #[test]
    fn fsck_finds_nothing_to_repair() {
        for size in [34 * MIB, 64 * MIB, 300 * MIB] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), volume(size)).unwrap();
            let Ok(output) = Command::new("fsck.vfat").arg("-n").arg(file.path()).output() else {
                crate::expect::missing_program("fsck.vfat", "dosfstools");
                return;
            };
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let mut small = Cursor::new(vec![0; 20 * MIB]);
        assert!(format_fat32(&mut small, "ESP", 1, vec![]).unwrap_err().to_string().contains("33 MiB"));
        let mut full = Cursor::new(vec![0; 40 * MIB]);
        let big = vec![1; 41 * MIB];
        let error = format_fat32(&mut full, "ESP", 1, vec![FatFile::new("big", &big[..])]).unwrap_err();
        assert!(error.to_string().contains("big"), "{error:#}");
        let mut fine = Cursor::new(vec![0; 40 * MIB]);
        assert!(format_fat32(&mut fine, "lower", 1, vec![]).is_err());
    }
}
