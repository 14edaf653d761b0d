//! Answer files that somebody wrote by hand → a host profile, scripts, and a report that accounts for every line.
//!
//! ```text
//! text ─► a reader per format ─► LineReport (a verdict a line) ─► proof ─► profile, scripts, report
//!                            └─► Draft  (keys, each with the line that it came from)
//! ```
//!
//! - A reader claims no more than it can show: it says which keys a line became and what the line says in the canonical form of its
//!   grammar. [`proof`] resolves and renders the drafted profile as any other; *kept* is a line whose canonical form comes out
//!   again. What the model or the installer's table refuses is taken out again, with their reason.
//! - Nothing is lost without a word: comments and what was not taken over stand in the profile as comments, scripts in files.
//! - No clear password gets anywhere: [`secret`] masks them wherever a line is shown.
//!
//! Pure. A new format is one module that implements [`reader::Reader`], and its line in that file's registry.

mod autoinstall;
mod cards;
mod draft;
mod kickstart;
mod layout;
mod line_report;
mod names;
mod preseed;
mod profile;
mod proof;
mod reader;
mod secret;
mod shell;
mod stack;

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::answers::{Dialect, Format};
use crate::host::Os;
use crate::value::{HostName, Mac, ValueError};

pub use line_report::{Entry, Report, Verdict};

use draft::Draft;
use line_report::LineReport;

/// What is imported, and what its file can't say.
#[derive(Debug)]
pub struct Request<'a> {
    /// Its name, for people.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The release whose installer reads it.
    pub os: Os,
    /// What the host is called; the file's own name for it where absent.
    pub name: Option<HostName>,
    /// Which machine it is for.
    pub machine: Machine,
}

/// A machine, as far as the operator names it: answer files know kernel names, and profiles know what is written on the parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Addresses by which the machine is recognised.
    pub macs: Vec<Mac>,
    /// Serial number of the disk that the system is installed on.
    pub target: Option<String>,
    /// Serial numbers of disks by kernel name.
    pub disks: BTreeMap<String, String>,
    /// Addresses of network cards by kernel name.
    pub cards: BTreeMap<String, Mac>,
}

/// What became of a file.
#[derive(Debug)]
pub struct Imported {
    /// The host.
    pub name: HostName,
    /// Its profile, YAML.
    pub profile: String,
    /// Scripts by path in the site; they may hold what the original's scripts held.
    pub scripts: Vec<ScriptFile>,
    /// Every line of the file.
    pub report: Report,
}

/// A script for the site.
#[derive(Clone, PartialEq, Eq)]
pub struct ScriptFile {
    /// Its path in the site.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Without the text, which may hold what must not be logged.
impl std::fmt::Debug for ScriptFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ScriptFile").field(&self.path).finish()
    }
}

/// Reads a file into a profile.
pub fn import(request: &Request<'_>) -> Imported {
    let mut reading = Reading {
        os: request.os,
        machine: &request.machine,
        name: None,
        macs: Vec::new(),
        draft: Draft::default(),
        report: LineReport::default(),
        prefix: request.name.clone().unwrap_or_else(|| named_after(request.file)).short().to_owned(),
        scripts: Vec::new(),
        kinds: BTreeMap::new(),
        settings: Vec::new(),
        keeps_disk: false,
        layout: Vec::new(),
        target: Disk::of(&request.machine),
    };
    reader::of(&Dialect::of(request.os)).read(request.text, &mut reading);
    let said =
        reading.name.take().filter(|(_, from)| !reading.report.is_refused(*from)).map(|(name, _)| name);
    let name = request.name.clone().or(said).unwrap_or_else(|| named_after(request.file));
    settle_settings(&mut reading);
    settle_refused(&mut reading);
    settle_layout(&mut reading);
    recognise(&mut reading);
    settle_draft(&mut reading);
    let mut unproven = proof::prove(&mut reading, &name);
    if reading.keeps_disk {
        unproven.insert(0, KEEPS_DISK.to_owned());
    }
    if let Disk::Contradicted(why) = &reading.target {
        unproven.insert(0, why.clone());
    }
    profile::write(request, name, reading, unproven)
}

/// Why a layout is not taken over; a disk that the operator named stays named.
const KEEPS_DISK: &str = "the original keeps what is on a disk already, so that no layout of it is taken over: ironstrap's usual one, or what you say in `storage:`, overwrites the whole disk that `storage.target` names";

/// A refused line leaves nothing behind, also where it was half read.
fn settle_refused(reading: &mut Reading<'_>) {
    let all = (0..reading.report.entries.len()).map(line_report::Id);
    let refused: HashSet<_> = all.filter(|id| reading.report.is_refused(*id)).collect();
    reading.draft.remove_all(&refused);
}

/// Takes out a layout that isn't for an empty disk: what is left of it without the lines that keep something would stand for
/// a disk of which nothing is kept.
fn settle_layout(reading: &mut Reading<'_>) {
    if !reading.keeps_disk {
        return;
    }
    // what comes from nobody stands outside of the layout too: classes, the installer
    let lines: HashSet<_> =
        reading.draft.behind("storage").into_iter().filter(|id| *id != line_report::Id::NOBODY).collect();
    lines.iter().for_each(|id| reading.report.refuse(*id, KEEPS_DISK));
    reading.draft.remove_all(&lines);
    reading.draft.remove_section("storage");
}

/// Which machine and disk the profile is for: what the operator says, or the cards that the file names.
fn recognise(reading: &mut Reading<'_>) {
    for mac in &reading.machine.macs {
        reading.draft.push("match.mac", mac.to_string(), line_report::Id::NOBODY);
    }
    if reading.machine.macs.is_empty() {
        let macs = std::mem::take(&mut reading.macs);
        for (mac, from) in macs.into_iter().filter(|(_, from)| !reading.report.is_refused(*from)) {
            reading.draft.push("match.mac", mac.to_string(), from);
        }
    }
    if let Disk::Serial(serial) = &reading.target {
        reading.draft.put("storage.target.serial", serial.clone(), line_report::Id::NOBODY);
    }
}

/// Of what didn't get into the draft, or didn't stay there, its line says so.
fn settle_draft(reading: &mut Reading<'_>) {
    for id in reading.draft.take_nameless() {
        // half of what it says would be worse than nothing
        reading.draft.remove(id);
        reading
            .report
            .refuse(id, "a name in it holds brackets or line breaks, or is empty: name it otherwise");
    }
    let overwritten = reading.draft.take_overwritten();
    if overwritten.is_empty() {
        return;
    }
    let left = reading.draft.keys_by_entry();
    for draft::Overwritten { earlier, later, path } in overwritten {
        if !reading.report.is_taken(earlier) {
            continue;
        }
        let why = match reading.report.entries.get(later.0) {
            Some(entry) if reading.report.is_taken(later) => {
                format!("`{path}`: line {} says it again, and counts", entry.first)
            }
            Some(entry) => format!("`{path}`: line {} says it again", entry.first),
            None => format!("`{path}`: what the command line says counts"),
        };
        match left.contains_key(&earlier) {
            true => reading.report.lose(earlier, why),
            false => reading.report.refuse(earlier, why),
        }
    }
}

/// A host name made of a file's: `web 01.ks` is `web-01`.
fn named_after(file: &str) -> HostName {
    let stem = file.rsplit('/').next().unwrap_or(file);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let stem: String = stem.chars().take(63).map(plain).collect();
    let name = stem.trim_matches('-').parse();
    // a name that is all digits, or nothing
    name.unwrap_or_else(|_| fallback())
}

/// A netmask as the length of its prefix.
fn prefix(netmask: &str) -> Option<u32> {
    let mask = u32::from(netmask.parse::<Ipv4Addr>().ok()?);
    (mask.leading_ones() == mask.count_ones()).then(|| mask.count_ones())
}

fn fallback() -> HostName {
    #[allow(clippy::expect_used, reason = "a constant that the type's own tests hold")]
    "imported".parse().expect("a host name")
}

/// What a reader works on.
struct Reading<'r> {
    os: Os,
    machine: &'r Machine,
    /// What the file calls the host, and where.
    name: Option<(HostName, line_report::Id)>,
    /// Cards that it names, by which the machine can be told.
    macs: Vec<(Mac, line_report::Id)>,
    draft: Draft,
    report: LineReport,
    /// What the names of scripts begin with.
    prefix: String,
    scripts: Vec<ScriptFile>,
    /// How many scripts of each kind there are.
    kinds: BTreeMap<String, usize>,
    /// Commands for the installed system that stand for settings which no key of a profile is for.
    settings: Vec<(line_report::Id, String)>,
    /// Whether the file keeps something that is on a disk already.
    keeps_disk: bool,
    /// What the file lays out on disks, each with its line.
    layout: Vec<(line_report::Id, layout::Part)>,
    /// The disk that the system goes to, as far as the operator says it.
    target: Disk,
}

/// What the operator says of the disk that is installed on.
enum Disk {
    /// Nothing that is known to be about it.
    Unsaid,
    Serial(String),
    /// Two things: none counts. The reason is for people.
    Contradicted(String),
}

impl Disk {
    fn of(machine: &Machine) -> Self {
        machine.target.clone().map_or(Self::Unsaid, Self::Serial)
    }
}

impl Reading<'_> {
    /// The file installs on a disk that it calls so: what the operator says of that name is about the target.
    fn name_target(&mut self, disk: &str) {
        let Some(said) = self.machine.disks.get(disk) else { return };
        match &self.target {
            Disk::Unsaid => self.target = Disk::Serial(said.clone()),
            Disk::Serial(serial) if serial != said => {
                let why = format!(
                    "the file installs on `{}`: --disk {serial} and --disk {}={said} name two disks for it, and none is taken",
                    disk.escape_debug(),
                    disk.escape_debug()
                );
                self.target = Disk::Contradicted(why);
            }
            Disk::Serial(_) | Disk::Contradicted(_) => {}
        }
    }

    /// The serial number of a further disk.
    fn serial_of(&self, disk: &str) -> Result<String, String> {
        let shown = disk.escape_debug();
        match (self.machine.disks.get(disk), &self.target) {
            (Some(serial), Disk::Serial(target)) if serial == target => Err(format!(
                "--disk {shown}={serial} is the disk that the system goes to, and the file means another one"
            )),
            (Some(serial), _) => Ok(serial.clone()),
            (None, _) => Err(format!(
                "`{shown}` is a kernel name, which may be another disk's tomorrow: import with --disk {shown}=SERIAL"
            )),
        }
    }

    /// Takes a text over that its type accepts; what it doesn't accept is refused in its own words.
    fn take<T: FromStr<Err = ValueError>>(&mut self, path: &str, text: &str, from: line_report::Id) {
        match text.parse::<T>() {
            Ok(_) => {
                self.draft.put(path, text, from);
                self.report.taken(from);
            }
            Err(error) => self.report.refuse_part(from, error.to_string()),
        }
    }

    /// Adds a script of the host to one of the profile's kinds, such as `post`.
    fn script(&mut self, kind: &str, text: String, from: line_report::Id) {
        let path = self.script_path(kind);
        self.draft.push(&format!("scripts.{kind}"), path.clone(), from);
        self.report.file(from, &path);
        self.scripts.push(ScriptFile { path, text });
    }

    /// Adds a command that sets what no key of a profile sets.
    fn setting(&mut self, command: String, from: line_report::Id) {
        self.settings.push((from, command));
    }

    /// Keeps a script that isn't run: `why` says so in the report.
    fn keep_aside(&mut self, kind: &str, text: String, from: line_report::Id, why: impl Into<String>) {
        let path = format!("{}.unused", self.script_path(kind));
        self.report.file(from, &path);
        self.report.refuse(from, why);
        self.scripts.push(ScriptFile { path, text });
    }

    fn script_path(&mut self, kind: &str) -> String {
        let kind = kind.replace('_', "-");
        let number = self.kinds.entry(kind.clone()).or_default();
        *number += 1;
        format!("scripts/{}-{kind}-{number}.sh", self.prefix)
    }
}

/// One script for all settings, before the file's own: installers set them before they run scripts.
fn settle_settings(reading: &mut Reading<'_>) {
    let settings = std::mem::take(&mut reading.settings);
    let Some((first, _)) = settings.first() else { return };
    let path = format!("scripts/{}-settings.sh", reading.prefix);
    let mut text = "#!/bin/sh\nset -e\n".to_owned();
    for (id, command) in &settings {
        reading.report.file(*id, &path);
        text.push_str(&format!("{command}\n"));
    }
    reading.draft.push_front("scripts.post", path.clone(), *first);
    reading.scripts.push(ScriptFile { path, text });
}

/// Why no line of a file can be taken over, where that is so: the installer could read nothing of it either.
///
/// # Errors
/// The reason.
pub fn readable(format: Format, text: &str) -> Result<(), String> {
    reader::of(&Dialect::of(format.newest())).readable(text)
}

/// The release that a file was written for, as far as it says so.
pub fn release(format: Format, text: &str) -> Option<Os> {
    reader::of(&Dialect::of(format.newest())).release(text)
}
