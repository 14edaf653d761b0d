//! Taking a whole-disk image into the store.
//!
//! Promises: nothing gets a name before all of it was read back out of the store and compared with the file; what can't
//! be installed is refused before anything is written; a failed import leaves the store as it was.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use super::chunk::forced_cuts;
use super::layout::{self, Layout};
use super::names::Names;
use super::pack::{Known, Packed, pack};
use super::read::index_bytes;
use super::startup;
use super::store::Store;
use super::stored::StoredImage;
use super::system;
use super::tree::{FatTree, ReadTree as _};
use super::whole::WholeDigest;
use crate::image_rules::identity::Carried;
use crate::spec::FormatVersion;
use crate::spec::image::{Blob, INDEX_MAGIC, INDEX_RECORD, ImageManifest, ImageSystem, MAX_INDEX};
use crate::sys::block::{BlockDevice, FileDevice};
use crate::sys::budget::Budget;
use crate::trust::{Purpose, SiteKey};
use crate::value::{ByteSize, Digest, ImageRef};

/// What an import does for as long as it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A compressed file is unpacked.
    Unpack,
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
/// Missing, unreadable, or no regular file.
pub fn open_raw(path: &Path) -> Result<Arc<dyn BlockDevice>> {
    Ok(Arc::new(FileDevice::watch(path).context("opening the image")?))
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
    let budget = Budget::of(device.size());
    let layout = layout::read_layout(device, &budget)?;
    let Inside { system, net_boot, identity } = look_inside(device, &layout, &budget)?;
    let store = &store.begin_import()?;
    let known =
        Known::of(store, image.name(), &key.alone(), &mut |done, total| progress(Step::Recall, done, total))?;
    let cuts = forced_cuts(device.size(), &layout.partitions);
    let size = device.size();
    let packed = pack(store, &**device, &cuts, &known, &mut |done| progress(Step::Pack, done, size))?;
    let mut written = packed.fresh.clone();
    let described = (|| -> Result<ImageManifest> {
        require_unchanged(device)?;
        let index = put_index(store, &packed, &mut written)?;
        let manifest = describe(image, size, layout, system, index, &packed);
        let stored = read_back(store, &manifest, key, progress)?;
        require_unchanged(device)?;
        // between looking and reading it may have become another one, with its times set back
        require_same(&manifest, &stored)?;
        Ok(manifest)
    })();
    let manifest = described.inspect_err(|_| store.forget(&written))?;
    let digest = store.publish(&manifest, key, replace, &written)?;
    let added = packed.fresh.iter().map(|blob| blob.size).sum();
    Ok(Imported { digest, manifest, added, net_boot, identity })
}

fn require_unchanged(device: &Arc<dyn BlockDevice>) -> Result<()> {
    match device.changed().context("looking whether the image changed")? {
        None => Ok(()),
        Some(what) => bail!(
            "{what} changed while the image was read: somebody writes to it; shut that down, or import a copy"
        ),
    }
}

/// What was judged must be what is stored.
fn require_same(manifest: &ImageManifest, stored: &StoredImage) -> Result<()> {
    let device: Arc<dyn BlockDevice> = Arc::new(stored.clone());
    let again = layout::read_layout(&device, stored.budget())
        .and_then(|layout| Ok((look_inside(&device, &layout, stored.budget())?, layout)));
    let (inside, layout) = again.context("looking into the image again, as it was stored")?;
    ensure!(
        inside.system == manifest.system
            && layout.partitions == manifest.partitions
            && layout.filesystem == manifest.root
            && layout.boot == manifest.boot,
        "the image changed while it was read: what is stored isn't what was judged; import a copy that nobody writes to"
    );
    Ok(())
}

/// What is in the image: its system, whether it has a loader for network boot, and whose identity.
struct Inside {
    system: ImageSystem,
    net_boot: bool,
    identity: Vec<Carried>,
}

fn look_inside(device: &Arc<dyn BlockDevice>, layout: &Layout, budget: &Budget) -> Result<Inside> {
    let esp = FatTree::open_within(Arc::clone(device), layout.esp.offset, layout.esp.length, budget)
        .with_context(|| format!("partition {}, the ESP", layout.esp.number))?;
    let root = layout::open(device, layout, budget)?;
    let names = Names::read(&**device, &layout.partitions)?;
    let system = system::inspect(&root, &esp)?;
    startup::judge(&root, &esp, &names, &system.kernel)?;
    let (copied, (cluster, free)) = (system::copied(&esp)?, esp.free()?);
    ensure!(
        copied <= free.saturating_sub(startup::ESP_CLUSTERS) * cluster,
        "the image's ESP has no room for another copy of its GRUB, of {copied} bytes, which an install puts beside shim; delete something in it, or make it larger"
    );
    Ok(Inside { system, net_boot: root.exists(system::NET_GRUB)?, identity: system::identity(&root, &esp)? })
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
        boot: layout.boot,
        system,
    }
}

/// Reads the whole image out of the store as an install would and compares it with what was imported.
fn read_back(
    store: &Store,
    manifest: &ImageManifest,
    key: &SiteKey,
    progress: Progress<'_>,
) -> Result<StoredImage> {
    let bytes = serde_json::to_vec(manifest).context("writing the manifest")?;
    let signature = key.sign(Purpose::Image, &bytes);
    let verified = key.public().verify(Purpose::Image, bytes, &signature)?.parse_json()?;
    let image = StoredImage::open(store, &verified)?;
    verify(&image, &mut |done, size| progress(Step::Verify, done, size))?;
    Ok(image)
}

/// Reads all of a stored image and compares it with the digest in its manifest.
///
/// # Errors
/// A damaged or missing pack; says which.
pub fn verify(image: &StoredImage, progress: &mut dyn FnMut(u64, u64) -> Result<()>) -> Result<()> {
    let manifest = image.manifest();
    let mut hasher = WholeDigest::to_compare(manifest.raw.as_ref());
    let mut buffer = vec![0; 1 << 20];
    let (mut done, size) = (0, image.size());
    while done < size {
        image.budget().progress();
        let data = image.next_data(done).context("reading the index")?.unwrap_or(size..size);
        if data.start > done {
            hasher.zeroes(data.start - done, &mut |reached| progress(done + reached, size))?;
            done = data.start;
            continue;
        }
        let count = usize::try_from(data.end - done).map_or(buffer.len(), |rest| rest.min(buffer.len()));
        image
            .read_at(done, &mut buffer[..count])
            .with_context(|| format!("reading {} from the store", manifest.image))?;
        hasher.data(&buffer[..count]);
        done += count as u64;
        progress(done, size)?;
    }
    let (found, expected) = (hasher.finish(), manifest.raw);
    let show = |digest: Option<Digest>| digest.map_or_else(|| "of no bytes".to_owned(), |it| it.to_string());
    ensure!(
        found == expected,
        "{} reads back with digest {}, expected {}: the file changed while it was read, or the store's disk is failing",
        manifest.image,
        show(found),
        show(expected)
    );
    Ok(())
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
