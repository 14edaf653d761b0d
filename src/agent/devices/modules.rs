//! Kernel modules: what `udev` and `modprobe` do elsewhere, for one boot.
//!
//! [`ModuleIndex`] knows `modules.dep`, `modules.alias` and `modules.softdep` of the initramfs and answers in which order
//! to load what; [`Loader`] does it. A module that doesn't load is reported and passed over: whether something is
//! missing shows in the facts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::spec::depmod::{self, Alias, Dep, Softdep, module_name, plain_name, plain_pattern};
use crate::sys::linux::machine;

/// What the kernel itself would ask `modprobe` for, which we don't have: file systems, their character sets, checksums.
const REQUESTED: [&str; 11] = [
    "fs-ext4",
    "fs-xfs",
    "fs-vfat",
    "nls_cp437",
    "nls_ascii",
    "nls_utf8",
    "nls_iso8859-1",
    "crypto-crc32c",
    "crypto-crct10dif",
    "loop",
    "rng_core",
];

/// Which modules there are, what they need and what they drive.
#[derive(Debug, Default)]
pub struct ModuleIndex {
    /// name → file and the files it needs, nearest first
    files: HashMap<String, (String, Vec<String>)>,
    /// literal text before the first wildcard → the patterns that begin so, as text: 20,000 parsed ones take 60 MiB
    aliases: HashMap<String, Vec<(String, String)>>,
    /// name → modules to load before and after
    soft: HashMap<String, (Vec<String>, Vec<String>)>,
}

impl ModuleIndex {
    /// Reads the lists of `/lib/modules/<release>`.
    ///
    /// # Errors
    /// When `modules.dep` is missing or makes no sense; the other lists may be missing.
    pub fn read(directory: &Path) -> Result<Self> {
        let dep = directory.join("modules.dep");
        let dep = std::fs::read_to_string(&dep).with_context(|| format!("reading {}", dep.display()))?;
        let optional = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        Self::parse(&dep, &optional("modules.alias"), &optional("modules.softdep"))
    }

    fn parse(dep: &str, alias: &str, softdep: &str) -> Result<Self> {
        let mut index = Self::default();
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        for dep in depmod::deps(dep) {
            let Dep { path, needs } = dep?;
            index.files.insert(module_name(path), (path.to_owned(), owned(needs)));
        }
        for Alias { pattern, module } in alias.lines().filter_map(depmod::alias) {
            let pattern = plain_pattern(pattern);
            let literal = depmod::literal_prefix(&pattern).to_owned();
            index.aliases.entry(literal).or_default().push((pattern, module_name(module)));
        }
        for Softdep { module, before, after } in softdep.lines().filter_map(depmod::softdep) {
            let soft = index.soft.entry(module_name(module)).or_default();
            soft.0.extend(owned(before));
            soft.1.extend(owned(after));
        }
        Ok(index)
    }

    /// Modules for a device's `modalias`, or for a name that the kernel or a soft dependency uses.
    pub fn find(&self, alias: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let alias = &plain_name(alias);
        if self.files.contains_key(alias) {
            found.insert(alias.clone());
        }
        // every pattern that can match begins with a literal that is a prefix of the alias
        for end in (0..=alias.len()).filter(|end| alias.is_char_boundary(*end)) {
            let candidates = self.aliases.get(&alias[..end]).map(Vec::as_slice).unwrap_or_default();
            let matches =
                |pattern: &str| glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(alias));
            found.extend(candidates.iter().filter(|(pattern, _)| matches(pattern)).map(|(_, m)| m.clone()));
        }
        found
    }

    /// Files to load for a module, in order, soft dependencies around it. Unknown modules (built in) give none.
    fn files_for(&self, module: &str, seen: &mut HashSet<String>, files: &mut Vec<String>) {
        if !seen.insert(module.to_owned()) {
            return;
        }
        let (before, after) = self.soft.get(module).cloned().unwrap_or_default();
        let around = |names: Vec<String>, seen: &mut HashSet<String>, files: &mut Vec<String>| {
            for name in names.iter().flat_map(|name| self.find(name)) {
                self.files_for(&name, seen, files);
            }
        };
        around(before, seen, files);
        if let Some((file, needs)) = self.files.get(module) {
            for need in needs.iter().rev() {
                self.files_for(&module_name(need), seen, files);
            }
            files.push(file.clone());
        }
        around(after, seen, files);
    }
}

/// Loads modules and remembers which.
#[derive(Debug)]
pub struct Loader {
    directory: PathBuf,
    index: ModuleIndex,
    seen: HashSet<String>,
    aliases: HashSet<String>,
    /// What didn't load, with the reason, for the log.
    pub problems: Vec<String>,
    /// How many files were loaded.
    pub loaded: usize,
}

impl Loader {
    /// For the running kernel's modules in this file system.
    ///
    /// # Errors
    /// When the initramfs has no modules for the running kernel.
    pub fn new(root: &Path) -> Result<Self> {
        let directory = root.join(crate::spec::boot::MODULES).join(machine::kernel_release());
        let index = ModuleIndex::read(&directory)?;
        Ok(Self {
            directory,
            index,
            seen: HashSet::new(),
            aliases: HashSet::new(),
            problems: Vec::new(),
            loaded: 0,
        })
    }

    /// Loads what drives the devices under `/sys`, again and again until no new device appears; then what the kernel
    /// would request.
    pub fn load_for_devices(&mut self, sys: &Path) {
        while self.load_new_devices(sys) {}
        for name in REQUESTED {
            self.load(name);
        }
    }

    /// Loads for devices that weren't there before; whether there were any.
    pub fn load_new_devices(&mut self, sys: &Path) -> bool {
        let mut aliases = BTreeSet::new();
        collect_aliases(&sys.join("devices"), 0, &mut aliases);
        let new: Vec<_> = aliases.into_iter().filter(|alias| !self.aliases.contains(alias)).collect();
        for alias in &new {
            self.load(alias);
        }
        let any = !new.is_empty();
        self.aliases.extend(new);
        any
    }

    /// Loads a module by name or alias.
    pub fn load(&mut self, alias: &str) {
        let mut files = Vec::new();
        for module in self.index.find(alias) {
            self.index.files_for(&module, &mut self.seen, &mut files);
        }
        for file in files {
            let path = self.directory.join(&file);
            match load_file(&path) {
                Ok(()) => self.loaded += 1,
                // the initramfs carries what installs need: a sound card's driver isn't missed
                Err(_) if !path.exists() => {}
                Err(error) => self.problems.push(format!("{}: {error:#}", module_name(&file))),
            }
        }
    }
}

/// Deeper than any real device tree; symbolic links are not followed.
const MAX_DEPTH: u32 = 40;

fn collect_aliases(directory: &Path, depth: u32, aliases: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < MAX_DEPTH {
            collect_aliases(&entry.path(), depth + 1, aliases);
        } else if entry.file_name() == "modalias" {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            aliases.extend(Some(text.trim().to_owned()).filter(|alias| !alias.is_empty()));
        }
    }
}

/// Larger than any module; the initramfs as a whole is at most 64 MiB compressed.
const MAX_MODULE: u64 = 64 << 20;

fn load_file(path: &Path) -> Result<()> {
    let bytes = read_module(path)?;
    machine::load_module(&bytes).context("loading it")
}

fn read_module(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let reader: Box<dyn Read> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => Box::new(file),
        Some("xz") => Box::new(liblzma::read::XzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::new(file).context("starting zstd")?),
        other => bail!("{other:?} is not a module's extension"),
    };
    let mut bytes = Vec::new();
    reader.take(MAX_MODULE).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> ModuleIndex {
        ModuleIndex::parse(
            "kernel/a/ahci.ko.xz: kernel/a/libahci.ko.xz kernel/a/libata.ko.xz\nkernel/a/libahci.ko.xz: kernel/a/libata.ko.xz\n\
             kernel/a/libata.ko.xz:\nkernel/s/sd-mod.ko:\nkernel/f/ext4.ko: kernel/f/jbd2.ko\nkernel/f/jbd2.ko:\nkernel/c/crc32c_generic.ko:\n",
            "alias pci:v*d*sv*sd*bc01sc06i01* ahci\nalias scsi:t-0x00* sd_mod\nalias fs-ext4 ext4\nalias crypto-crc32c crc32c_generic\nalias dmi*:svnSome Vendor*:pn* ahci\n\
             alias usb:v*p*d*dc*dsc*dp*ic08isc06ip[0-9A]in* ahci\n",
            "softdep ahci post: sd_mod\nsoftdep ext4 pre: crypto-crc32c\n",
        )
        .unwrap()
    }

    fn order(alias: &str) -> Vec<String> {
        let (index, mut files) = (index(), Vec::new());
        for module in index.find(alias) {
            index.files_for(&module, &mut HashSet::new(), &mut files);
        }
        files.iter().map(|file| module_name(file)).collect()
    }

    #[test]
    fn a_device_gets_its_driver_after_what_that_needs() {
        let alias = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01";
        assert_eq!(order(alias), ["libata", "libahci", "ahci", "sd_mod"]);
        assert_eq!(order("fs-ext4"), ["crc32c_generic", "jbd2", "ext4"]);
        assert_eq!(order("scsi:t-0x00"), ["sd_mod"]);
        assert_eq!(order("dmi:bvnX:svnSome Vendor Inc:pnY"), ["libata", "libahci", "ahci", "sd_mod"]);
        assert!(order("pci:v00008086d00002922sv00001AF4sd00001100bc01sc07i01").is_empty());
        assert!(order("usb:v1p1d1dc0dsc0dp0ic08isc06ip50in00").is_empty());
    }

    #[test]
    fn names_are_found_with_dashes_and_underscores() {
        assert_eq!(order("sd-mod"), ["sd_mod"]);
        assert_eq!(order("sd_mod"), ["sd_mod"]);
    }

    #[test]
    fn compressed_modules_are_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let content = b"module ".repeat(1000);
        let zst = dir.path().join("a.ko.zst");
        std::fs::write(&zst, zstd::encode_all(&content[..], 1).unwrap()).unwrap();
        let xz = dir.path().join("a.ko.xz");
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new(&content[..], 1).read_to_end(&mut packed).unwrap();
        std::fs::write(&xz, packed).unwrap();
        assert_eq!(read_module(&zst).unwrap(), content);
        assert_eq!(read_module(&xz).unwrap(), content);
        assert!(read_module(&dir.path().join("a.gz")).is_err());
    }

    #[test]
    fn aliases_are_collected_from_the_whole_tree() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("devices/pci0000:00/0000:00:1f.2");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("modalias"), "pci:x\n").unwrap();
        let mut aliases = BTreeSet::new();
        collect_aliases(&dir.path().join("devices"), 0, &mut aliases);
        assert_eq!(aliases.into_iter().collect::<Vec<_>>(), ["pci:x"]);
    }
}
