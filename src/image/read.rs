//! Reading an image from its index: with [`chunk`](super::chunk) the only part of this module that the agent uses.
//!
//! Promises: an [`Index`] that exists covers the image from its first to its last byte without gap or overlap, names only
//! frames that lie inside their packs, and is cut where the install needs cuts, so nobody who walks it has to check again.
//! [`decode_frame`] gives bytes of exactly the promised length and digest, and never allocates more than one chunk.
//!
//! Memory: the index stays in its packed form (64 bytes a record; a 64 GiB image has about 16 MiB of it). Don't collect
//! its entries. No I/O here: bytes come in as arguments.

use anyhow::{Context, Result, bail, ensure};

use crate::spec::image::{
    Extent, INDEX_MAGIC, INDEX_RECORD, ImageFilesystem, ImageManifest, IndexEntry, MAX_CHUNK,
};
use crate::trust::Verified;
use crate::value::Digest;

/// End of the part of the disk that one atomic-as-possible write commits.
pub const COMMIT_END: u64 = 4096;
/// End of the primary partition table with its padding: MBR, header, 128 entries, up to a multiple of 4096.
pub const PRIMARY_END: u64 = 20480;
/// Length of the backup partition table at the end of a disk with 512-byte blocks: 32 blocks of entries, the header.
pub const BACKUP_LENGTH: u64 = 33 * 512;
/// Partitions begin at this byte or later; before it images hold nothing but the table.
pub const FIRST_PARTITION: u64 = 1 << 20;

/// Every block size that is supported; all offsets are multiples of it.
const BLOCK: u64 = 512;
/// No frame of one chunk is longer, even of bytes that don't compress.
const MAX_FRAME: u64 = MAX_CHUNK + MAX_CHUNK / 128 + 1024;

/// The checked index of one image.
#[derive(Debug, Clone)]
pub struct Index {
    bytes: Vec<u8>,
    data_bytes: u64,
}

impl Index {
    /// Reads an index that belongs to this manifest.
    ///
    /// # Errors
    /// When it isn't the one that the manifest names, or breaks one of the rules of this module; says which record.
    pub fn parse(bytes: Verified<Vec<u8>>, manifest: &ImageManifest) -> Result<Self> {
        check_layout(manifest).with_context(|| format!("checking the manifest of {}", manifest.image))?;
        let bytes = bytes.into_inner();
        let digest = Digest::of(&bytes);
        ensure!(
            digest == manifest.index.digest,
            "index {digest} is not the one of {}, which is {}",
            manifest.image,
            manifest.index.digest
        );
        ensure!(bytes.starts_with(INDEX_MAGIC), "index {digest} doesn't begin with its magic number");
        let records = bytes.len() - INDEX_MAGIC.len();
        ensure!(
            records.is_multiple_of(INDEX_RECORD),
            "index {digest} ends within a record ({records} bytes of records)"
        );
        let mut index = Self { bytes, data_bytes: 0 };
        index.data_bytes = check_entries(index.entries(), manifest)
            .with_context(|| format!("checking index {digest} of {}", manifest.image))?;
        Ok(index)
    }

    /// Number of extents.
    pub fn len(&self) -> usize {
        (self.bytes.len() - INDEX_MAGIC.len()) / INDEX_RECORD
    }

    /// Never true for an index that was parsed: images aren't empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on the target that come from packs.
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// The extents in ascending order. Cheap to call and to clone: decoded one by one.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = IndexEntry> + Clone + '_ {
        let (records, _) = self.bytes[INDEX_MAGIC.len()..].as_chunks::<INDEX_RECORD>();
        records.iter().map(IndexEntry::from_record)
    }

    /// The extent with this number, counted from 0.
    pub fn get(&self, number: usize) -> Option<IndexEntry> {
        let (records, _) = self.bytes[INDEX_MAGIC.len()..].as_chunks::<INDEX_RECORD>();
        records.get(number).map(IndexEntry::from_record)
    }

    /// The extent that holds this byte of the image.
    pub fn containing(&self, offset: u64) -> Option<IndexEntry> {
        let (records, _) = self.bytes[INDEX_MAGIC.len()..].as_chunks::<INDEX_RECORD>();
        let after = records.partition_point(|record| IndexEntry::from_record(record).offset <= offset);
        let entry = IndexEntry::from_record(records.get(after.checked_sub(1)?)?);
        (offset - entry.offset < entry.length).then_some(entry)
    }
}

/// The bytes of an index, for whoever makes one.
pub fn index_bytes(entries: impl IntoIterator<Item = IndexEntry>) -> Vec<u8> {
    let mut bytes = INDEX_MAGIC.to_vec();
    entries.into_iter().for_each(|entry| bytes.extend_from_slice(&entry.to_record()));
    bytes
}

/// Decompresses one frame of a pack and compares it with its digest.
///
/// # Errors
/// As for [`Decoder::decode`].
pub fn decode_frame(entry: &IndexEntry, frame: &[u8]) -> Result<Verified<Vec<u8>>> {
    Decoder::default().decode(entry, frame, vec![0; entry.length.min(MAX_CHUNK) as usize])
}

/// Decompresses frames, one after the other, with the same working memory.
#[derive(Default)]
pub struct Decoder(zstd::bulk::Decompressor<'static>);

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Decoder {
    /// Fills the room, which must be as long as the chunk, with the chunk of this frame, and compares it with its digest.
    ///
    /// # Errors
    /// When the frame isn't zstd, gives more or fewer bytes than promised, or other ones. Nothing longer than the room is
    /// ever in memory; the room is gone.
    pub fn decode<B: AsRef<[u8]> + AsMut<[u8]>>(
        &mut self,
        entry: &IndexEntry,
        frame: &[u8],
        mut room: B,
    ) -> Result<Verified<B>> {
        let Extent::Data { digest, .. } = entry.content else {
            bail!("the extent at byte {} is zeroes and has no frame", entry.offset);
        };
        let length = (self.0.decompress_to_buffer(frame, room.as_mut()))
            .with_context(|| format!("decompressing the chunk for byte {}", entry.offset))?;
        ensure!(
            length as u64 == entry.length && length == room.as_ref().len(),
            "the chunk for byte {} has {length} bytes, expected {}",
            entry.offset,
            entry.length
        );
        Verified::by_digest(room, &digest)
            .with_context(|| format!("verifying the chunk for byte {}", entry.offset))
    }
}

/// Judges sizes and partitions of a manifest: what the installer relies on and a signature doesn't promise.
///
/// # Errors
/// Names the first thing that can't be installed.
pub fn check_layout(manifest: &ImageManifest) -> Result<()> {
    let size = manifest.size.as_bytes();
    ensure!(
        manifest.logical_block == 512,
        "the image is made for blocks of {} bytes, only 512 is supported",
        manifest.logical_block
    );
    ensure!(size.is_multiple_of(4096), "the image's size {size} is not a multiple of 4096");
    let Some(backup) = size.checked_sub(BACKUP_LENGTH).filter(|backup| *backup > FIRST_PARTITION) else {
        bail!("the image has {size} bytes, too few for a partition table and one partition");
    };
    let mut places = Vec::new();
    for partition in &manifest.partitions {
        let (number, start) = (partition.number, partition.offset);
        let end = start.checked_add(partition.length).filter(|end| *end <= backup);
        let Some(end) = end else { bail!("partition {number} reaches past the image's last usable byte") };
        ensure!((1..=128).contains(&number), "partition number {number} is not between 1 and 128");
        ensure!(start >= FIRST_PARTITION, "partition {number} begins before byte {FIRST_PARTITION}");
        ensure!(
            start.is_multiple_of(BLOCK) && partition.length.is_multiple_of(BLOCK) && end > start,
            "partition {number} is empty or isn't made of whole blocks"
        );
        places.push((start, end, number));
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        let [(_, end, first), (start, _, second)] = [pair[0], pair[1]];
        ensure!(end <= start, "partitions {first} and {second} overlap");
    }
    ensure!(manifest.partition(manifest.esp).is_some(), "there is no ESP, partition {}", manifest.esp);
    let root = manifest.root.partition;
    ensure!(
        places.last().is_some_and(|(_, _, number)| *number == root),
        "the root partition {root} is not the last one on the disk, so it can't grow"
    );
    ensure!(root != manifest.esp, "root and ESP are the same partition {root}");
    if let Some(ImageFilesystem { partition: boot, .. }) = manifest.boot {
        ensure!(manifest.partition(boot).is_some(), "there is no /boot, partition {boot}");
        ensure!(boot != root && boot != manifest.esp, "/boot is the same partition as root or ESP, {boot}");
    }
    Ok(())
}

/// Checks order, bounds, cuts and frames; gives the number of data bytes.
fn check_entries(entries: impl Iterator<Item = IndexEntry>, manifest: &ImageManifest) -> Result<u64> {
    let mut cuts: Vec<u64> = manifest.partitions.iter().map(|partition| partition.offset).collect();
    cuts.extend([COMMIT_END, PRIMARY_END]);
    cuts.sort_unstable();
    let (mut reached, mut data) = (0, 0);
    for (number, entry) in entries.enumerate() {
        let end = check_place(&entry, reached, manifest.size.as_bytes())
            .and_then(|end| check_cuts(&entry, end, &cuts).map(|()| end))
            .and_then(|end| check_frame(&entry, manifest).map(|()| end))
            .with_context(|| format!("record {number}, for byte {}", entry.offset))?;
        if matches!(entry.content, Extent::Data { .. }) {
            data += entry.length;
        }
        reached = end;
    }
    ensure!(
        reached == manifest.size.as_bytes(),
        "the last record ends at byte {reached}, the image at {}",
        manifest.size.as_bytes()
    );
    Ok(data)
}

fn check_place(entry: &IndexEntry, reached: u64, size: u64) -> Result<u64> {
    ensure!(
        entry.offset == reached,
        "begins at byte {}, but the record before it ended at {reached}",
        entry.offset
    );
    let end = entry.offset.checked_add(entry.length).filter(|end| *end <= size);
    let Some(end) = end else { bail!("its {} bytes reach past the image's end", entry.length) };
    ensure!(
        entry.length > 0 && entry.length.is_multiple_of(BLOCK),
        "its length {} is not a positive number of whole blocks",
        entry.length
    );
    Ok(end)
}

fn check_cuts(entry: &IndexEntry, end: u64, cuts: &[u64]) -> Result<()> {
    let next = cuts.partition_point(|cut| *cut <= entry.offset);
    match cuts.get(next) {
        Some(cut) if *cut < end => bail!("runs over byte {cut}, where there must be a cut"),
        _ => Ok(()),
    }
}

fn check_frame(entry: &IndexEntry, manifest: &ImageManifest) -> Result<()> {
    let Extent::Data { pack, frame_offset, frame_length, .. } = entry.content else { return Ok(()) };
    ensure!(entry.length <= MAX_CHUNK, "its {} bytes are more than a chunk may have", entry.length);
    let length = u64::from(frame_length);
    ensure!(length > 0 && length <= MAX_FRAME, "no frame has {frame_length} bytes");
    let packs = manifest.packs.len();
    let blob = usize::try_from(pack).ok().and_then(|pack| manifest.packs.get(pack));
    let Some(blob) = blob else { bail!("names pack {pack}, but there are {packs}") };
    ensure!(
        frame_offset.checked_add(length).is_some_and(|end| end <= blob.size),
        "its frame of {frame_length} bytes at {frame_offset} reaches past the end of pack {}",
        blob.digest
    );
    Ok(())
}

#[cfg(test)]
mod tests;
