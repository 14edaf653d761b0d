//! A golden image as a tar of its root file system, for installers that unpack one: Anaconda's `liveimg`.
//!
//! What that asks for was read in Anaconda's sources (`payload/live_image/installation.py` and `live_tar` of rhel-8 to 45): members
//! are named `./…`, since what it leaves out (`./etc/machine-id`, `./dev/*`, `./boot/loader`) is named so; it unpacks by GNU tar
//! with owners as numbers, access lists, attributes and labels, and finds kernels by `boot/vmlinuz-`; the EFI programs must
//! be in `boot/efi`, where it mounts the new ESP, so the image's ESP is put there.
//!
//! What is one machine's goes into no tar: it is unpacked on many, where nobody but the system itself makes it anew.
//!
//! Promises: the same image gives the same bytes; names are sorted; bytes come from verified chunks; memory doesn't grow with
//! the image, but by one name for each further name of a file, and by the names of the directories above. Each directory is written once,
//! and a tar that would be many times its image isn't begun. Reads only, without root and without mounting.

pub mod anaconda;
pub mod attributes;
mod level;
pub mod member;
pub mod packed;

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use super::ext4::content::Content;
use super::ext4::inode::{self, Inode, InodeKind, Inodes, Time};
use super::mounts::Filesystem;
use super::root_view::TreeView;
use super::store::Store;
use super::stored::StoredImage;
use super::tree::{self, Ext4Tree, FatTree, ReadTree};
use level::{Level, Node};
use member::{Member, Tar, What};

use crate::image_rules::identity::{self, Fate, Maker, Place, TRACES};
use crate::spec::image::ImageManifest;
use crate::sys::budget::Budget;
use crate::trust::Verified;
use crate::value::{Digest, DigestWriter};

/// Where the ESP's content goes.
const ESP: &[u8] = b"./boot/efi";
/// No path is longer (Linux's PATH_MAX).
const LONGEST_PATH: usize = 4096;
/// No tar is longer than so many times its image, and this: what hard links and holes make of it.
const LONGEST_TIMES: u64 = 4;
const LONGEST_ANYWAY: u64 = 1 << 30;
/// Names in an ESP, and directories in each other: a hundred times and more what loaders need.
const MOST_ESP_NAMES: usize = 65_536;
const DEEPEST_ESP: usize = 32;

/// Hears of each step's bytes, and may end the work.
pub type Progress = Box<dyn FnMut(u64) -> Result<()>>;

/// An image that can be written as a tar.
#[derive(Debug)]
pub struct Export {
    tree: Ext4Tree,
    inodes: Arc<Inodes>,
    esp: FatTree,
    budget: Budget,
    /// No tar of it is longer.
    longest: u64,
    /// Names in the tar that would make the machines twins.
    identity: HashSet<Vec<u8>>,
}

/// What a tar became.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Members in it.
    pub members: u64,
    /// Sockets, which no tar can hold.
    pub left_out: u64,
    /// Files and directories of one machine's identity, which were left out too.
    pub identity: u64,
}

/// Whether contents are read, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contents {
    Read,
    /// Zeroes stand for them.
    Count,
}

/// The digest of an image's tar, not packed, if Anaconda could install it. `progress` is asked for one for so many bytes.
///
/// # Errors
/// It couldn't, the image is damaged, or what the progress returned.
pub fn tar_digest(
    store: &Store,
    manifest: &Verified<ImageManifest>,
    progress: &dyn Fn(u64) -> Progress,
) -> Result<Digest> {
    let export = Export::open(&StoredImage::open(store, manifest)?)?;
    export.require_installable(manifest)?;
    let progress = progress(export.length()?);
    let (out, _) = export.write(DigestWriter::new(io::sink()), progress)?;
    Ok(out.finish().1)
}

impl Export {
    /// Opens an image of the store.
    ///
    /// # Errors
    /// When its file systems can't be read.
    pub fn open(image: &StoredImage) -> Result<Self> {
        let manifest = image.manifest();
        ensure!(
            manifest.boot.is_none(),
            "{}: /boot is a file system of its own; tars are made of images whose root holds it",
            manifest.image
        );
        let Filesystem::Ext4(inodes) =
            image.filesystem(&manifest.root).context("opening the image's root")?
        else {
            bail!(
                "{}: its root is {}; tars are made of images whose root is ext4",
                manifest.image,
                manifest.root.kind.name()
            );
        };
        let tree = Ext4Tree::of(Arc::clone(&inodes));
        let identity = identity_of(&tree).context("looking for one machine's identity in the image")?;
        let budget = image.budget().clone();
        let longest =
            LONGEST_ANYWAY.saturating_add(image.manifest().size.as_bytes().saturating_mul(LONGEST_TIMES));
        Ok(Self { tree, inodes, esp: image.esp()?, budget, longest, identity })
    }

    /// The root file system.
    pub fn root(&self) -> &dyn ReadTree {
        &self.tree
    }

    /// The EFI system partition.
    pub fn esp(&self) -> &dyn ReadTree {
        &self.esp
    }

    /// Refuses an image that Anaconda couldn't install from its tar.
    ///
    /// # Errors
    /// All that it lacks; when it can't be read.
    pub fn require_installable(&self, manifest: &ImageManifest) -> Result<()> {
        let found = anaconda::incompatibilities(self.root(), self.esp(), &manifest.system)?;
        ensure!(
            found.is_empty(),
            "{}: Anaconda can't install it:\n  {}\nadd the packages to the image, install it by `installer: native`, or export it for other readers with --unchecked",
            manifest.image,
            found.join("\n  ")
        );
        Ok(())
    }

    /// How long the tar will be, in bytes. Reads directories and inodes, but no contents.
    ///
    /// # Errors
    /// When these can't be read.
    pub fn length(&self) -> Result<u64> {
        let counter = self.all(Counter(0), Contents::Count, |_| Ok(()))?;
        Ok(counter.0.0)
    }

    /// Writes the tar. `progress` hears of each step's bytes, of about [`length`](Self::length) altogether.
    ///
    /// # Errors
    /// When the image can't be read or the place is full, or what `progress` returned; names the path in the image.
    pub fn write<W: Write>(
        &self,
        out: W,
        progress: impl FnMut(u64) -> Result<()> + 'static,
    ) -> Result<(W, Summary)> {
        self.all(out, Contents::Read, progress)
    }

    fn all<W: Write>(
        &self,
        out: W,
        contents: Contents,
        progress: impl FnMut(u64) -> Result<()> + 'static,
    ) -> Result<(W, Summary)> {
        let budget = self.budget.clone();
        let mut progress = progress;
        let mut run = Run {
            export: self,
            contents,
            tar: Tar::new(out, move |bytes| {
                budget.progress();
                progress(bytes)
            }),
            summary: Summary::default(),
            first_names: HashMap::new(),
            directories: HashSet::new(),
            esp_time: Time::default(),
            length: 0,
            esp_names: 0,
        };
        self.budget.progress();
        let mut levels: Vec<Level> = run.node(Node::Inode(b".".to_vec(), inode::ROOT))?.into_iter().collect();
        while let Some(level) = levels.last_mut() {
            match level.next() {
                Some(node) => levels.extend(run.node(node)?),
                None => drop(levels.pop()),
            }
        }
        Ok((run.tar.finish()?, run.summary))
    }
}

/// Names of what is left out. Two traces stay: the machine id, which Anaconda leaves out and makes itself, and
/// popularity-contest's, since it stands among settings.
fn identity_of(tree: &Ext4Tree) -> Result<HashSet<Vec<u8>>> {
    let mut names = HashSet::new();
    for trace in TRACES {
        if !matches!(trace.fate, Fate::Anew(Maker::MachineId | Maker::PopconId)) {
            let paths = identity::of_root(trace, &TreeView(tree))?;
            names.extend(paths.into_iter().map(|path| format!(".{path}").into_bytes()));
        }
        let esp = trace.places.iter().filter_map(|place| match place {
            Place::Esp(path) => Some([ESP, path.as_bytes()].concat()),
            _ => None,
        });
        names.extend(esp);
    }
    Ok(names)
}

/// One pass over an image.
struct Run<'e, W: Write> {
    export: &'e Export,
    contents: Contents,
    tar: Tar<W>,
    summary: Summary,
    /// The first name of each file that has several.
    first_names: HashMap<u32, Vec<u8>>,
    /// Those that were seen: a damaged file system may lead in circles.
    directories: HashSet<u32>,
    esp_time: Time,
    /// Bytes of the tar so far, about.
    length: u64,
    /// Names of the ESP so far.
    esp_names: usize,
}

impl<W: Write> Run<'_, W> {
    /// Writes one name; gives what lies below.
    fn node(&mut self, node: Node) -> Result<Option<Level>> {
        let name = match &node {
            Node::Inode(path, _) | Node::Esp(path, ..) => path.clone(),
        };
        if self.export.identity.contains(&name) {
            self.summary.identity += 1;
            return Ok(None);
        }
        let below = match node {
            Node::Inode(path, number) => self.inode(path, number),
            Node::Esp(path, inner, kind) => self.esp(path, &inner, kind),
        };
        below.with_context(|| format!("exporting {}", String::from_utf8_lossy(&name)))
    }

    /// Counts a member before it is written: files of holes and names without end make a tar that nobody has room for.
    fn account(&mut self, member: &Member) -> Result<()> {
        let attributes: u64 = member.attributes.iter().map(|(_, value)| value.len() as u64).sum();
        let content = if let What::File(size) = member.what { size } else { 0 };
        self.length =
            self.length.saturating_add(512 + member.path.len() as u64 + attributes).saturating_add(content);
        let longest = self.export.longest;
        ensure!(
            self.length <= longest,
            "with its {content} bytes the tar would be longer than {longest}, {LONGEST_TIMES} times the image and {LONGEST_ANYWAY}: the image holds files that are all holes, or is damaged; take them out of the image"
        );
        Ok(())
    }

    /// Writes one inode under this name; gives what lies below.
    fn inode(&mut self, path: Vec<u8>, number: u32) -> Result<Option<Level>> {
        ensure!(path.len() < LONGEST_PATH, "the path is longer than {LONGEST_PATH} bytes");
        let export = self.export;
        let inode = export.inodes.get(number)?;
        let target = match inode.kind {
            InodeKind::Symlink => Some(export.inodes.link(&inode)?),
            _ => None,
        };
        let attributes = attributes::records(&export.inodes, &inode)?;
        let name =
            if inode.kind == InodeKind::Directory { [&path, &b"/"[..]].concat() } else { path.clone() };
        let Some(mut member) = Member::of(&inode, name, target, attributes) else {
            self.summary.left_out += 1;
            return Ok(None);
        };
        if inode.kind != InodeKind::Directory && inode.names > 1 {
            match self.first_names.get(&number) {
                Some(first) => member.what = What::HardLink(first.clone()),
                None => {
                    self.first_names.insert(number, path.clone());
                }
            }
        }
        self.account(&member)?;
        match (&member.what, self.contents) {
            (What::File(size), Contents::Read) if *size > 0 => {
                self.tar.add(&member, Content::open(&export.inodes, &inode)?)?;
            }
            (What::File(size), _) => self.tar.add(&member, io::repeat(0).take(*size))?,
            _ => self.tar.add(&member, io::empty())?,
        }
        self.summary.members += 1;
        if inode.kind == InodeKind::Directory { self.below(path, &inode).map(Some) } else { Ok(None) }
    }

    fn below(&mut self, path: Vec<u8>, inode: &Inode) -> Result<Level> {
        ensure!(self.directories.insert(inode.number), "the directory lies in itself, or in two places");
        let mut names = self.export.inodes.list(inode)?;
        let mut esp = None;
        if path == b"." {
            // every file system is made with one
            names.remove(b"lost+found");
        } else if path == b"./boot" {
            self.esp_time = inode.modified;
            esp = Some(names.remove(b"efi"));
        }
        Ok(Level::Root { path, names, next: 0, esp })
    }

    /// Writes one name of the ESP, with owner and mode as Linux shows them there; gives what lies below. FAT's times are in
    /// nobody's time zone: they are those of `/boot`.
    fn esp(&mut self, path: Vec<u8>, inner: &str, kind: tree::EntryType) -> Result<Option<Level>> {
        ensure!(path.len() < LONGEST_PATH, "the path is longer than {LONGEST_PATH} bytes");
        let is_directory = kind == tree::EntryType::Directory;
        let content = if is_directory { Vec::new() } else { self.export.esp.read(inner)? };
        self.esp_names += 1;
        ensure!(
            self.esp_names <= MOST_ESP_NAMES && inner.split('/').count() <= DEEPEST_ESP,
            "the ESP has more than {MOST_ESP_NAMES} names, or directories more than {DEEPEST_ESP} deep: it is damaged"
        );
        let name = if is_directory { [&path, &b"/"[..]].concat() } else { path.clone() };
        let what = if is_directory { What::Directory } else { What::File(content.len() as u64) };
        let modified = Time { nanoseconds: 0, ..self.esp_time };
        let member =
            Member { path: name, what, mode: 0o700, uid: 0, gid: 0, modified, attributes: Vec::new() };
        self.account(&member)?;
        self.tar.add(&member, content.as_slice())?;
        self.summary.members += 1;
        if !is_directory {
            return Ok(None);
        }
        let entries = self.export.esp.list(inner)?.into_iter();
        Ok(Some(Level::Esp { path, inner: inner.to_owned(), entries }))
    }
}

/// Counts and forgets.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
