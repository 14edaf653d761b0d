//! Whether a golden image is fit for hardware, and free of what shouldn't be in it: found before anybody wipes a disk.
//!
//! [`general`] judges an image by itself, [`on_hardware`] for what a machine's devices ask for. Each rule is a file of its own, with
//! its row in [`rules`] and a folder in `tests/image-lint` that breaks it. Promises: the same image, day and hardware give the same
//! findings; what can't be told is no finding; a secret's place is told, never the secret. Pure: whoever calls brings the tree as a
//! [`Tree`], whose reader bounds the work, and says what day it is. What is unpacked is bounded here.
//!
//! What a host asks of its image (accounts, units) isn't here but in `image_rules`: that can't be waived.

mod age;
mod cloud_init;
mod datasource;
mod debconf;
mod drivers;
mod end_of_life;
mod firmware;
mod fstab;
mod grub_config;
mod hosts;
mod initrd;
mod initrd_driver;
mod kernel_flavour;
mod modules;
mod nic_names;
mod passwords;
pub mod presets;
mod private_keys;
mod records;
mod resume;
pub mod rules;
mod search;
mod signatures;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use self::initrd::Initrd;
use self::modules::Modules;
use crate::image_rules::RootView;
use crate::spec::image::ImageSystem;
use crate::spec::secure_boot::{Loaders, Program};
use crate::value::Timestamp;
use crate::value::rule::{Rule, Severity};

/// The tree of an image, as far as these rules need to see it.
pub trait Tree: RootView {
    /// The bytes of a file of at most so many, links followed inside the tree; `None` where there is no file.
    ///
    /// # Errors
    /// A longer one, or a tree that can't be read.
    fn bytes(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>>;

    /// The beginning of a file, or all of it where it is shorter; `None` where there is no file.
    ///
    /// # Errors
    /// When the tree can't be read.
    fn start(&self, path: &str, count: u64) -> Result<Option<Vec<u8>>>;
}

/// No text that a rule reads whole is longer; what is longer is not judged.
const LONGEST_TEXT: u64 = 1 << 20;

/// An image that is judged.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Its root.
    pub root: &'a dyn Tree,
    /// Its EFI system partition.
    pub esp: &'a dyn Tree,
    /// What is installed in it.
    pub system: &'a ImageSystem,
    /// Its shim and GRUB; `None` where they can't be told.
    pub loaders: Option<&'a Loaders>,
    /// Its kernel; `None` where that is no program for UEFI.
    pub kernel: Option<&'a Program>,
    /// When it is judged.
    pub now: Timestamp,
}

impl Subject<'_> {
    /// A text of the root, whatever its encoding; `None` where there is none, or one that nobody wrote by hand.
    fn text(&self, path: &str) -> Result<Option<String>> {
        let whole = self.whole(path, LONGEST_TEXT)?;
        Ok(whole.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A file of at most so many bytes; `None` where there is none, or a longer one: that isn't judged, and no reason to refuse an image.
    fn whole(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let start = self.root.start(path, limit + 1)?;
        Ok(start.filter(|bytes| bytes.len() as u64 <= limit))
    }

    /// The texts of a directory's files with this ending, by path.
    fn texts(&self, directory: &str, ending: &str) -> Result<Vec<(String, String)>> {
        let mut texts = Vec::new();
        for name in self.root.list(directory)?.into_iter().filter(|name| name.ends_with(ending)) {
            let path = format!("{directory}/{name}");
            texts.extend(self.text(&path)?.map(|text| (path, text)));
        }
        Ok(texts)
    }

    fn is_like(&self, os: &[&str]) -> bool {
        os.contains(&self.system.os.as_str())
    }
}

/// Systems that are made of RHEL's packages, by `ID` of os-release(5).
const LIKE_RHEL: &[&str] = &["rhel", "centos", "almalinux", "rocky", "ol", "fedora"];

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Which rule is broken.
    pub rule: &'static Rule,
    /// The file or device that it is about, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What it is: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Finding {
    /// As bad as its rule is at most.
    fn new(rule: &'static Rule, message: impl Into<String>) -> Self {
        let severity = rule.severities().first().copied().unwrap_or(Severity::Error);
        Self { severity, rule, at: None, message: message.into(), help: None }
    }

    fn at(mut self, at: impl Into<String>) -> Self {
        self.at = Some(at.into());
        self
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn of_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

/// In words: place, message. Whoever shows it adds rule and severity.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(at) = &self.at {
            write!(f, "{}: ", at.escape_debug())?;
        }
        f.write_str(&self.message)
    }
}

type General = fn(&Subject<'_>) -> Result<Vec<Finding>>;

/// The rules about an image by itself.
const GENERAL: &[General] = &[
    kernel_flavour::find,
    signatures::find,
    grub_config::find,
    fstab::find,
    cloud_init::find,
    datasource::find,
    debconf::find,
    nic_names::find,
    hosts::find,
    resume::find,
    private_keys::find,
    passwords::find,
    records::find,
    age::find,
    end_of_life::find,
];

/// What the rules say of an image by itself, errors first.
///
/// # Errors
/// When its trees can't be read.
pub fn general(subject: &Subject<'_>) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for rule in GENERAL {
        found.extend(rule(subject)?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What a machine has that needs a driver.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hardware {
    /// What its devices ask for, as `modalias` in sysfs has it.
    pub modaliases: Vec<String>,
}

/// What of an image the rules about hardware look at, read once for all machines.
#[derive(Debug, Default)]
pub struct Shelf {
    modules: OnceCell<Modules>,
    initrd: OnceCell<Option<Initrd>>,
    firmware: RefCell<BTreeMap<String, Vec<String>>>,
    judged: RefCell<BTreeMap<Vec<String>, Vec<Finding>>>,
}

impl Shelf {
    fn modules(&self, subject: &Subject<'_>) -> Result<&Modules> {
        if let Some(known) = self.modules.get() {
            return Ok(known);
        }
        let read = Modules::read(subject)?;
        Ok(self.modules.get_or_init(|| read))
    }

    fn initrd(&self, subject: &Subject<'_>) -> Result<Option<&Initrd>> {
        if let Some(known) = self.initrd.get() {
            return Ok(known.as_ref());
        }
        let read = initrd::of_image(subject)?;
        Ok(self.initrd.get_or_init(|| read).as_ref())
    }
}

/// What the rules say of an image on such hardware, errors first. Machines of one kind are judged once.
///
/// # Errors
/// When its trees can't be read.
pub fn on_hardware(subject: &Subject<'_>, shelf: &Shelf, hardware: &Hardware) -> Result<Vec<Finding>> {
    let devices = drivers::devices(&hardware.modaliases);
    let key: Vec<String> = devices.iter().map(|device| device.modalias.to_owned()).collect();
    if let Some(known) = shelf.judged.borrow().get(&key) {
        return Ok(known.clone());
    }
    let mut found = Vec::new();
    for rule in [drivers::find, firmware::find, initrd_driver::find] {
        found.extend(rule(subject, shelf, &devices)?);
    }
    found.sort();
    found.dedup();
    shelf.judged.borrow_mut().insert(key, found.clone());
    Ok(found)
}
