//! What the reader of a format works on: a file on its way into a profile.
//!
//! A reader fills it line by line and decides nothing at the end: what becomes of it all is settled in stages ([`settle`]), of
//! which the first takes it away from the reader.

mod settle;

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use super::draft::Draft;
use super::layout::Part;
use super::line_report::{Id, LineReport};
use super::machine::{NamedMachine, TargetDisk};
use super::names::{Names, identifier, named_after};
use super::{Request, ScriptFile};
use crate::host::Os;
use crate::value::{HostName, Mac, ValueError};

pub use settle::Settled;

/// A file that is being read.
pub struct Reading<'r> {
    request: &'r Request<'r>,
    /// The profile so far.
    pub draft: Draft,
    /// What became of each line so far.
    pub report: LineReport,
    /// What the file calls the host, and where.
    pub name: Option<(HostName, Id)>,
    /// Interfaces that it names, by which the machine can be told.
    pub macs: Vec<(Mac, Id)>,
    /// The disk that the system goes to.
    pub target: TargetDisk<'r>,
    /// Whether the file keeps something that is on a disk already.
    pub keeps_disk: bool,
    /// What the file lays out on disks, each part with its line.
    pub layout: Vec<(Id, Part)>,
    scripts: Scripts,
    /// Commands for the installed system that stand for settings which no key of a profile is for.
    settings: Vec<(Id, String)>,
}

/// Files for the site.
#[derive(Default)]
struct Scripts {
    /// What their names begin with.
    prefix: String,
    files: Vec<ScriptFile>,
    /// How many there are of each kind.
    counts: BTreeMap<String, usize>,
}

impl Scripts {
    /// The path of the next script of a kind.
    fn next(&mut self, kind: &str) -> String {
        let kind = kind.replace('_', "-");
        let count = self.counts.entry(kind.clone()).or_default();
        *count += 1;
        let name = format!("{kind}-{count}.sh");
        self.path("scripts", &name)
    }

    /// The path of a file of this host.
    fn path(&self, folder: &str, name: &str) -> String {
        format!("{folder}/{}-{name}", self.prefix)
    }
}

impl<'r> Reading<'r> {
    /// Nothing is read yet.
    pub fn of(request: &'r Request<'r>) -> Self {
        let name = request.name.clone().unwrap_or_else(|| named_after(request.file));
        Self {
            request,
            draft: Draft::default(),
            report: LineReport::default(),
            name: None,
            macs: Vec::new(),
            target: TargetDisk::of(&request.machine),
            keeps_disk: false,
            layout: Vec::new(),
            scripts: Scripts { prefix: name.short().to_owned(), ..Scripts::default() },
            settings: Vec::new(),
        }
    }

    /// The release whose installer reads the file.
    pub fn os(&self) -> Os {
        self.request.os
    }

    /// What the operator says of the machine.
    pub fn machine(&self) -> &'r NamedMachine {
        &self.request.machine
    }

    /// Sets a key of the profile: its line has one.
    pub fn put(&mut self, path: &str, value: impl Into<Value>, from: Id) {
        self.draft.put(path, value, from);
        self.report.taken(from);
    }

    /// Adds an item to a list of the profile: its line has a key.
    pub fn push(&mut self, path: &str, value: impl Into<Value>, from: Id) {
        self.draft.push(path, value, from);
        self.report.taken(from);
    }

    /// Takes a text over that its type accepts; what it doesn't accept is refused in its own words.
    pub fn take<T: FromStr<Err = ValueError>>(&mut self, path: &str, text: &str, from: Id) {
        match text.parse::<T>() {
            Ok(_) => self.put(path, text, from),
            Err(error) => self.report.refuse_part(from, error.to_string()),
        }
    }

    /// An interface by its address, which tells the machine, too; returns its path in the profile.
    pub fn interface(&mut self, mac: Mac, from: Id) -> String {
        let place = format!("network.interfaces[{mac}]");
        self.put(&format!("{place}.match.mac"), mac.to_string(), from);
        self.macs.push((mac, from));
        place
    }

    /// An argument for the installed system's kernel.
    pub fn kernel_argument(&mut self, argument: &str, from: Id) {
        match argument.strip_prefix("console=") {
            Some(console) => self.push("boot.consoles", console, from),
            None => self.push("kernel_args", argument, from),
        }
    }

    /// An EFI system partition of the usual size at the front of the disk, for a layout that has none; it goes when the line
    /// does that it is for.
    pub fn put_esp(&mut self, names: &mut Names, from: Id) {
        let esp = names.fresh("esp");
        for (key, value) in [("id", "esp"), ("role", "esp"), ("size", "512MiB")] {
            self.draft.put(&format!("storage.partitions[{esp}].{key}"), value, from);
        }
    }

    /// The draft's name for a device that has one of its own; its line says so where it is another one.
    pub fn device_name(&mut self, names: &mut Names, wanted: &str, from: Id) -> String {
        let name = names.fresh(wanted);
        if name != identifier(wanted) {
            self.report.note(from, format!("called `{name}` in the profile: another has its name"));
        }
        name
    }

    /// Adds a script of the host to one of the profile's kinds, such as `post`; returns its path.
    pub fn script(&mut self, kind: &str, text: String, from: Id) -> String {
        let path = self.scripts.next(kind);
        self.draft.push(&format!("scripts.{kind}"), path.clone(), from);
        self.report.file(from, &path);
        self.scripts.files.push(ScriptFile { path: path.clone(), text });
        path
    }

    /// Keeps a script that isn't run: `why` says so in the report.
    pub fn keep_aside(&mut self, kind: &str, text: String, from: Id, why: impl Into<String>) {
        let path = format!("{}.unused", self.scripts.next(kind));
        self.report.file(from, &path);
        self.report.refuse(from, why);
        self.scripts.files.push(ScriptFile { path, text });
    }

    /// Adds a file that is no script, which a key names; returns its path.
    pub fn file(&mut self, name: &str, text: String) -> String {
        let path = self.scripts.path("files", name);
        self.scripts.files.push(ScriptFile { path: path.clone(), text });
        path
    }

    /// Adds a command that sets what no key of a profile sets.
    pub fn setting(&mut self, command: String, from: Id) {
        self.settings.push((from, command));
    }
}
