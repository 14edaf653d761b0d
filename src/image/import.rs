//! Taking a whole-disk image into the store.
//!
//! Promises: nothing gets a name before all of it was read back out of the store and compared with the file; what can't
//! be installed is refused before anything is written; a failed import leaves the store as it was.

use std::fs::File;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::chunk::forced_cuts;
use super::layout::{self, Layout};
use super::pack::{Known, Packed, pack};
use super::read::index_bytes;
use super::store::Store;
use super::stored::StoredImage;
use super::system;
use super::tree::{FatTree, ReadTree as _};
use crate::image_rules::identity::Carried;
use crate::spec::FormatVersion;
use crate::spec::image::{Blob, INDEX_MAGIC, INDEX_RECORD, ImageManifest, ImageSystem, MAX_INDEX};
use crate::sys::block::{BlockDevice, FileDevice};
use crate::trust::{Purpose, SiteKey};
use crate::value::{ByteSize, Digest, DigestWriter, ImageRef};

/// What an import does for as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Packs of earlier versions are read, to see which of their chunks can be used again.
    Recall,
    /// The file is read, cut and compressed.
    Pack,
    /// The image is read back out of the store.
    Verify,
}

/// Told how far a step is: bytes done, bytes in all. An error of its own ends the import, as when somebody pressed Ctrl-C.
pub type Progress<'a> = &'a mut dyn FnMut(Step, u64, u64) -> Result<()>;

/// An imported image.
#[derive(Debug)]
pub struct Imported {
    /// Digest of the manifest.
    pub digest: Digest,
    /// The manifest.
    pub manifest: ImageManifest,
    /// Bytes that the store didn't have before, in packs.
    pub added: u64,
    /// Whether machines can boot it over the network; sticks need nothing for that.
    pub net_boot: bool,
    /// What it carries of one machine's identity; its hosts don't share it.
    pub identity: Vec<Carried>,
}

/// Opens a raw image file.
///
/// # Errors
/// Missing, unreadable, or neither file nor block device.
pub fn open_raw(path: &Path) -> Result<Arc<dyn BlockDevice>> {
    let opening = || format!("opening image {}", path.display());
    let file = File::open(path).with_context(opening)?;
    let metadata = file.metadata().with_context(opening)?;
    ensure!(
        metadata.is_file() && !metadata.file_type().is_block_device(),
        "{} is not a file; copy the disk to a file first",
        path.display()
    );
    Ok(Arc::new(FileDevice::new(file, metadata.len(), 512)))
}

/// Imports an image under a name.
///
/// # Errors
/// An image that can't be installed, a name that is taken (unless `replace`), a store that can't be written, or bytes that
/// come back differently; what `progress` returned.
pub fn import(
    store: &Store,
    device: &Arc<dyn BlockDevice>,
    image: &ImageRef,
    key: &SiteKey,
    replace: bool,
    progress: Progress<'_>,
) -> Result<Imported> {
    let layout = layout::read_layout(device)?;
    let Inside { system, net_boot, identity } = look_inside(device, &layout)?;
    let known =
        Known::of(store, image.name(), &key.alone(), &mut |done, total| progress(Step::Recall, done, total))?;
    let cuts = forced_cuts(device.size(), &layout.partitions);
    let size = device.size();
    let packed = pack(store, &**device, &cuts, &known, &mut |done| progress(Step::Pack, done, size))?;
    let mut written = packed.fresh.clone();
    let described = (|| {
        let index = put_index(store, &packed, &mut written)?;
        let manifest = describe(image, size, layout, system, index, &packed);
        read_back(store, &manifest, key, progress).map(|()| manifest)
    })();
    let manifest = described.inspect_err(|_| store.forget(&written))?;
    let digest = store.publish(&manifest, key, replace, &written)?;
    let added = packed.fresh.iter().map(|blob| blob.size).sum();
    Ok(Imported { digest, manifest, added, net_boot, identity })
}

/// What is in the image: its system, whether it has a loader for network boot, and whose identity.
struct Inside {
    system: ImageSystem,
    net_boot: bool,
    identity: Vec<Carried>,
}

fn look_inside(device: &Arc<dyn BlockDevice>, layout: &Layout) -> Result<Inside> {
    let esp = FatTree::open(Arc::clone(device), layout.esp.offset, layout.esp.length)
        .with_context(|| format!("partition {}, the ESP", layout.esp.number))?;
    let root = layout::open(device, &layout.root)?;
    Ok(Inside {
        system: system::inspect(&root, &esp)?,
        net_boot: root.exists(system::NET_GRUB)?,
        identity: system::identity(&root, &esp)?,
    })
}

fn put_index(store: &Store, packed: &Packed, written: &mut Vec<Blob>) -> Result<Blob> {
    use std::io::Write as _;
    require_index(packed.entries.len())?;
    let mut writer = store.begin_blob()?;
    writer.write_all(&index_bytes(packed.entries.iter().copied())).context("writing the index")?;
    let (index, fresh) = writer.finish()?;
    if fresh {
        written.push(index);
    }
    Ok(index)
}

/// A target reads no longer index.
fn require_index(extents: usize) -> Result<()> {
    let most = (MAX_INDEX as usize - INDEX_MAGIC.len()) / INDEX_RECORD;
    ensure!(
        extents <= most,
        "the image has {extents} extents of data and zeroes, and targets have memory for {most}; make it smaller: keep large data out of the golden image"
    );
    Ok(())
}

fn describe(
    image: &ImageRef,
    size: u64,
    layout: Layout,
    system: ImageSystem,
    index: Blob,
    packed: &Packed,
) -> ImageManifest {
    ImageManifest {
        version: FormatVersion,
        image: image.clone(),
        size: ByteSize::bytes(size),
        logical_block: 512,
        raw: packed.raw,
        index,
        packs: packed.packs.clone(),
        data: ByteSize::bytes(packed.data),
        partitions: layout.partitions,
        esp: layout.esp.number,
        root: layout.filesystem,
        system,
    }
}

/// Reads the whole image out of the store as an install would and compares it with what was imported.
fn read_back(store: &Store, manifest: &ImageManifest, key: &SiteKey, progress: Progress<'_>) -> Result<()> {
    let bytes = serde_json::to_vec(manifest).context("writing the manifest")?;
    let signature = key.sign(Purpose::Image, &bytes);
    let verified = key.public().verify(Purpose::Image, bytes, &signature)?.parse_json()?;
    let image = StoredImage::open(store, &verified)?;
    verify(&image, &mut |done, size| progress(Step::Verify, done, size))
}

/// Reads all of a stored image and compares it with the digest in its manifest.
///
/// # Errors
/// A damaged or missing pack; says which.
pub fn verify(image: &StoredImage, progress: &mut dyn FnMut(u64, u64) -> Result<()>) -> Result<()> {
    use std::io::Write as _;
    let manifest = image.manifest();
    let mut hasher = DigestWriter::new(std::io::sink());
    let mut buffer = vec![0; 1 << 20];
    let (mut done, size) = (0, image.size());
    while done < size {
        let count = usize::try_from(size - done).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        image
            .read_at(done, &mut buffer[..count])
            .with_context(|| format!("reading {} from the store", manifest.image))?;
        hasher.write_all(&buffer[..count]).context("hashing")?;
        done += count as u64;
        progress(done, size)?;
    }
    let (_, found, _) = hasher.finish();
    ensure!(
        found == manifest.raw,
        "{} reads back with digest {found}, expected {}: the file changed while it was read, or the store's disk is failing",
        manifest.image,
        manifest.raw
    );
    Ok(())
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
