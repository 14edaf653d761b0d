//! Debian's installer as what starts the agent: its kernel, its initrd, and the modules that this kernel needs for disks.
//!
//! The netboot initrd has drivers for networks only; those for disks come from a mirror as udebs while d-i runs, which no install of
//! a golden image waits for. So they are taken out of the udebs here. Promises: nothing is taken that isn't what the lock file
//! pins ([`Unverified`] becomes [`Pinned`] that way only); kernel, initrd and udebs are of one release, or refused.

mod depmod;
mod files;
mod initrd;
mod udeb;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

pub use self::files::{is_here, place, read};
use self::initrd::Initrd;
use crate::image::system::is_kernel;
use crate::image::tree::{Entry, EntryType, ReadTree};
use crate::spec::depmod::module_name;
use crate::spec::image::FilesystemKind;
use crate::spec::installer::{DebianRelease, InstallerPin};
use crate::value::Digest;

/// The files of an installer as they were found.
#[derive(Clone)]
pub struct Unverified {
    /// Which one it is said to be.
    pub release: DebianRelease,
    /// `linux` of the netboot images.
    pub kernel: Vec<u8>,
    /// `initrd.gz` beside it.
    pub initrd: Vec<u8>,
    /// Packages of modules, by file name.
    pub udebs: BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Debug for Unverified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unverified({}, {} udebs)", self.release, self.udebs.len())
    }
}

impl Unverified {
    /// What the lock file says of these files.
    pub fn pin(&self) -> InstallerPin {
        let udebs = self.udebs.iter().map(|(name, content)| (name.clone(), Digest::of(content)));
        InstallerPin {
            kernel: Digest::of(&self.kernel),
            initrd: Digest::of(&self.initrd),
            udebs: udebs.collect(),
        }
    }

    /// Accepts the files if they are what is pinned.
    ///
    /// # Errors
    /// Every file that is another one, is missing or is too many.
    pub fn verify(self, pin: &InstallerPin) -> Result<Pinned> {
        let differences = self.differences(pin);
        ensure!(
            differences.is_empty(),
            "the installer of {} isn't the one in ironstrap.lock; `ironstrap lock --update` pins what is there now:\n  {}",
            self.release,
            differences.join("\n  ")
        );
        Ok(Pinned { files: self, pin: pin.clone() })
    }

    /// How the files differ from what is pinned, a line each.
    pub fn differences(&self, pin: &InstallerPin) -> Vec<String> {
        let found = self.pin();
        let mut differences = Vec::new();
        for (name, pinned, found) in
            [("kernel", pin.kernel, found.kernel), ("initrd", pin.initrd, found.initrd)]
        {
            if pinned != found {
                differences.push(format!("{name}: pinned is {pinned}, found is {found}"));
            }
        }
        for (name, pinned) in &pin.udebs {
            match found.udebs.get(name) {
                Some(found) if found == pinned => {}
                Some(found) => differences.push(format!("{name}: pinned is {pinned}, found is {found}")),
                None => differences.push(format!("{name}: is pinned and not there")),
            }
        }
        let more = found.udebs.keys().filter(|name| !pin.udebs.contains_key(*name));
        differences.extend(more.map(|name| format!("{name}: is there and not pinned")));
        differences
    }
}

/// Files of an installer that the lock file pins.
#[derive(Debug, Clone)]
pub struct Pinned {
    files: Unverified,
    pin: InstallerPin,
}

impl Pinned {
    /// What is pinned.
    pub fn pin(&self) -> &InstallerPin {
        &self.pin
    }

    /// Its kernel.
    pub fn kernel(&self) -> &[u8] {
        &self.files.kernel
    }

    /// Its initrd.
    pub fn initrd(&self) -> &[u8] {
        &self.files.initrd
    }

    /// Looks into the files.
    ///
    /// # Errors
    /// Files of several kernels, a damaged one, or udebs that lack a driver that installs need.
    pub fn open(&self) -> Result<DebianInstaller> {
        let Unverified { release: debian, kernel, initrd, udebs } = &self.files;
        let reading = || format!("reading the installer of {debian}");
        ensure!(is_kernel(kernel), "the `kernel` of {debian}'s installer is no Linux kernel for EFI");
        let Initrd { release, library, mut files } = initrd::read(initrd).with_context(reading)?;
        let own = kernel_release(kernel)
            .with_context(|| format!("the `kernel` of {debian}'s installer doesn't tell its release"))?;
        ensure!(
            own == release,
            "the `kernel` of {debian}'s installer is {own}, the modules in its `initrd` are for {release}; take both out of one directory"
        );
        let mut left = udeb::MOST_UNPACKED;
        for (name, content) in udebs {
            let modules = udeb::modules(content, &mut left).with_context(|| format!("reading {name}"))?;
            for (path, module) in modules {
                let Some(inside) = path.strip_prefix(&format!("{release}/")) else {
                    bail!(
                        "{name} has modules for another kernel ({path}); the installer of {debian} has {release}: take its `*-{release}-di_*.udeb`"
                    );
                };
                files.insert(inside.to_owned(), module);
            }
        }
        let tables = depmod::tables(&files).with_context(reading)?;
        let missing = missing(&tables, &files);
        ensure!(
            missing.is_empty(),
            "the installer of {debian} can't install without these modules, which neither its initrd nor its `udebs` have:\n  {}",
            missing.join("\n  ")
        );
        files.extend(tables);
        Ok(DebianInstaller {
            tree: ModuleTree { folder: format!("/lib/modules/{release}"), files },
            release,
            library,
        })
    }
}

/// What no install can do without, and the package it comes in.
const NEEDED: [(&str, &str); 7] = [
    ("ahci", "sata-modules"),
    ("efivarfs", "efi-modules"),
    ("ext4", "ext4-modules"),
    ("nvme", "scsi-modules"),
    ("sd_mod", "scsi-core-modules"),
    ("vfat", "fat-modules"),
    ("virtio_blk", "scsi-modules"),
];

/// Whether a line of `modules.dep` or `modules.builtin` is this module's.
fn is_of(line: &str, module: &str) -> bool {
    module_name(line.split(':').next().unwrap_or_default()) == module
}

fn missing(tables: &BTreeMap<String, Vec<u8>>, files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let there = |list: Option<&Vec<u8>>, name: &str| {
        let text = String::from_utf8_lossy(list.map(Vec::as_slice).unwrap_or_default());
        text.lines().any(|line| is_of(line, name))
    };
    let lacks =
        |name: &str| !there(tables.get("modules.dep"), name) && !there(files.get("modules.builtin"), name);
    let needed = NEEDED.iter().filter(|(name, _)| lacks(name));
    needed.map(|(name, package)| format!("{name} (package {package}-RELEASE-di)")).collect()
}

/// The release in the header of a kernel (Linux boot protocol, `kernel_version` at 0x20e).
fn kernel_release(kernel: &[u8]) -> Option<&str> {
    let at: [u8; 2] = kernel.get(0x20e..0x210)?.try_into().ok()?;
    let text = kernel.get(usize::from(u16::from_le_bytes(at)) + 0x200..)?;
    let end = text.iter().take(256).position(|byte| *byte == 0 || *byte == b' ')?;
    std::str::from_utf8(&text[..end]).ok()
}

/// An installer that was looked into.
#[derive(Debug)]
pub struct DebianInstaller {
    release: String,
    library: &'static str,
    tree: ModuleTree,
}

impl DebianInstaller {
    /// The release of its kernel.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Where its initrd holds modules and firmware: `lib`, or `usr/lib`, where `lib` is a link that must stay one.
    pub fn library(&self) -> &str {
        self.library
    }

    /// Refuses a kind of file system that this installer's kernel can't mount.
    ///
    /// # Errors
    /// Names the package that it takes.
    pub fn require_mountable(&self, kind: FilesystemKind) -> Result<()> {
        let has = |list: &str| -> Result<bool> {
            let text = self.tree.read(&format!("{}/{list}", self.tree.folder))?;
            Ok(String::from_utf8_lossy(&text).lines().any(|line| is_of(line, kind.name())))
        };
        let (name, release) = (kind.name(), &self.release);
        ensure!(
            has("modules.dep")? || has("modules.builtin")?,
            "the image has a file system of {name}, and this installer can't mount that: add {name}-modules-{release}-di to its `udebs`"
        );
        Ok(())
    }

    /// The modules of initrd and udebs with their tables, below `/lib/modules/RELEASE`.
    pub fn modules(&self) -> &dyn ReadTree {
        &self.tree
    }
}

/// Files of one folder, by their path in it.
struct ModuleTree {
    folder: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Debug for ModuleTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModuleTree({}, {} files)", self.folder, self.files.len())
    }
}

impl ModuleTree {
    fn find(&self, path: &str) -> Option<&Vec<u8>> {
        self.files.get(path.strip_prefix(&self.folder)?.strip_prefix('/')?)
    }
}

impl ReadTree for ModuleTree {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.find(path).cloned().with_context(|| format!("reading {path} in the installer: not there"))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        bail!("listing {path} in the installer: nobody needs that")
    }

    fn kind(&self, path: &str) -> Result<Option<EntryType>> {
        let directory = (path == self.folder).then_some(EntryType::Directory);
        Ok(directory.or(self.find(path).map(|_| EntryType::File)))
    }

    fn exists(&self, path: &str) -> Result<bool> {
        Ok(self.kind(path)?.is_some())
    }
}

#[cfg(test)]
mod tests;
