//! The drivers of an image's kernel: which of them answers to a device.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{Subject, presets};
use crate::spec::depmod::{self, literal_prefix, module_name, plain_name};

/// No table is longer: Debian's largest is a tenth of it.
const LONGEST_TABLE: u64 = 32 << 20;
/// Wildcards in a pattern: the kernel's have a dozen at most.
const MOST_WILDCARDS: usize = 32;

/// What built-in drivers answer to: before Linux 6.18 no table of a kernel says it. Of a class of devices, or of a bus; what is in
/// [`presets`] comes to it. Source: the drivers' own tables.
const BUILT_IN: &[(&str, &str)] = &[
    ("ahci", "pci:v*d*sv*sd*bc01sc06i01*"),
    ("ata_generic", "pci:v*d*sv*sd*bc01sc01i*"),
    ("nvme", "pci:v*d*sv*sd*bc01sc08i02*"),
    ("xhci_pci", "pci:v*d*sv*sd*bc0Csc03i30*"),
    ("ehci_pci", "pci:v*d*sv*sd*bc0Csc03i20*"),
    ("ohci_pci", "pci:v*d*sv*sd*bc0Csc03i10*"),
    ("uhci_hcd", "pci:v*d*sv*sd*bc0Csc03i00*"),
    ("usb_storage", "usb:v*ic08isc06ip50in*"),
    ("uas", "usb:v*ic08isc06ip62in*"),
    ("virtio_pci", "pci:v00001AF4d*"),
    ("virtio_net", "virtio:d00000001v*"),
    ("virtio_blk", "virtio:d00000002v*"),
    ("virtio_scsi", "virtio:d00000008v*"),
];
/// Parts that others are made of: they answer to no device.
const PARTS: &[&str] = &[
    "libata",
    "libahci",
    "scsi_mod",
    "scsi_common",
    "sd_mod",
    "sr_mod",
    "sg",
    "mii",
    "hv_storvsc",
    "nvme_core",
];

/// What `modules.alias` and the lists of what is built in say.
#[derive(Debug, Default)]
pub(super) struct Modules {
    /// Patterns by what stands before their first wildcard.
    patterns: BTreeMap<String, Vec<(glob::Pattern, String)>>,
    /// Files below the kernel's folder, by name.
    files: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
    /// Folders of built-in drivers of which nobody knows what they answer to.
    unknown: BTreeSet<String>,
    /// Whether there is a list of what is built in.
    has_list: bool,
    /// Where they are.
    pub(super) folder: String,
}

impl Modules {
    /// Reads the tables of the image's newest kernel; what is missing is empty.
    ///
    /// # Errors
    /// A table that can't be read, or is longer than any.
    pub(super) fn read(subject: &Subject<'_>) -> Result<Self> {
        let folder = format!("/lib/modules/{}", subject.system.kernel);
        let table = |name: &str| -> Result<Option<String>> {
            let bytes = subject.root.bytes(&format!("{folder}/{name}"), LONGEST_TABLE)?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let mut modules = Self::default();
        for line in table("modules.alias")?.unwrap_or_default().lines() {
            if let Some(alias) = depmod::alias(line) {
                modules.add(alias.pattern, alias.module);
            }
        }
        for dep in depmod::deps(&table("modules.dep")?.unwrap_or_default()).flatten() {
            let needs = dep.needs.iter().map(|path| (*path).to_owned());
            let files = std::iter::once(dep.path.to_owned()).chain(needs).collect();
            modules.files.insert(module_name(dep.path), files);
        }
        let list = table("modules.builtin")?;
        modules.has_list = list.is_some();
        modules.add_builtin(&list.unwrap_or_default());
        for line in table("modules.builtin.modinfo")?.unwrap_or_default().split('\0') {
            let alias = line.split_once(".alias=").filter(|(module, _)| !module.contains('='));
            if let Some((module, pattern)) = alias {
                modules.add(pattern, module);
            }
        }
        modules.folder = folder;
        Ok(modules)
    }

    /// What is built in, by the paths in `modules.builtin`.
    fn add_builtin(&mut self, list: &str) {
        for path in list.lines() {
            let name = module_name(path);
            let of_table = BUILT_IN
                .iter()
                .filter(|(driver, _)| *driver == name)
                .map(|(_, pattern)| (*pattern).to_owned());
            let of_presets =
                presets::ALL.iter().filter(|preset| preset.name == name).flat_map(|preset| preset.modaliases);
            // whatever the subsystem
            let any = |modalias: &&str| Some(format!("{}sv*", modalias.split_once("sv")?.0));
            let patterns: Vec<_> = of_table.chain(of_presets.filter_map(any)).collect();
            if patterns.is_empty() && !PARTS.contains(&name.as_str()) {
                self.unknown.insert(path.to_owned());
            }
            patterns.iter().for_each(|pattern| self.add(pattern, &name));
            self.builtin.insert(name);
        }
    }

    /// Whether a device that [`drivers`](Self::drivers) has none for may have a built-in one of this kind after all.
    pub(super) fn may_be_builtin(&self, folders: &[&str]) -> bool {
        let is_in = |path: &String| folders.iter().any(|folder| path.contains(folder));
        !self.has_list || self.unknown.iter().any(is_in)
    }

    fn add(&mut self, pattern: &str, module: &str) {
        if pattern.matches(['*', '?', '[']).count() > MOST_WILDCARDS {
            return;
        }
        let Ok(compiled) = glob::Pattern::new(pattern) else { return };
        let place = self.patterns.entry(literal_prefix(pattern).to_owned()).or_default();
        place.push((compiled, plain_name(module)));
    }

    /// The drivers that answer to a device, as the kernel names them, sorted.
    pub(super) fn drivers(&self, modalias: &str) -> BTreeSet<&str> {
        let beginnings = modalias.char_indices().map(|(at, _)| &modalias[..at]).chain([modalias]);
        let near = beginnings.filter_map(|beginning| self.patterns.get(beginning)).flatten();
        let matching = near.filter(|(pattern, _)| pattern.matches(modalias));
        matching.map(|(_, module)| module.as_str()).collect()
    }

    /// Whether a driver needs no file.
    pub(super) fn is_builtin(&self, driver: &str) -> bool {
        self.builtin.contains(driver)
    }

    /// The files of a driver and of what it needs, below [`folder`](Self::folder), its own first.
    pub(super) fn files(&self, driver: &str) -> &[String] {
        self.files.get(driver).map(Vec::as_slice).unwrap_or_default()
    }
}
