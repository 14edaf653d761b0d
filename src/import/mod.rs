//! Answer files that somebody wrote by hand → a host profile, scripts, and a report that accounts for every line.
//!
//! ```text
//!                             ┌─► LineReport  every line, and what becomes of it
//! text ─► reader ─► Reading ──┼─► Draft       keys, each with the line that it came from
//!         (a format's)        └─► Part        what the file lays out on disks
//!
//! Reading ─► stages of `reading::settle` ─► Settled ─► proof ─► Proven ─► profile ─► YAML, scripts, Report
//! ```
//!
//! - A reader claims no more than it can show: it says which keys a line became and what the line says in the canonical form of its
//!   grammar. [`proof`] resolves and renders the drafted profile as any other; *kept* is a line whose canonical form comes out
//!   again. What the model or the installer's table refuses is taken out again, with their reason.
//! - Nothing is lost without a word: comments and what was not taken over stand in the profile as comments, scripts in files.
//! - No clear password gets anywhere: [`secret`] masks them wherever a line is shown.
//! - No device is guessed: a kernel name means what the operator says ([`machine`]), or nothing.
//!
//! Pure. A new format is one folder that implements [`reader::Reader`], and its line in that file's registry: how its files are
//! read, what a rendered file says, and when two lines of it say the same. Nothing outside of its folder asks which format it is, or
//! knows a word of one but [`secret`], which hides what any of them hides.

mod autoinstall;
mod device;
mod draft;
mod kickstart;
mod layout;
mod line_report;
mod machine;
mod names;
mod preseed;
mod profile;
mod proof;
mod reader;
mod reading;
mod secret;
mod shell;

use ipnet::ipv4_mask_to_prefix;

use crate::answers::{Dialect, Format};
use crate::host::Os;
use crate::value::HostName;

pub use line_report::{Entry, Report, Verdict};
pub use machine::NamedMachine;

use reading::Reading;

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
    pub machine: NamedMachine,
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
    let mut reading = Reading::of(request);
    reader::of(&Dialect::of(request.os)).read(request.text, &mut reading);
    let settled = reading.end().drop_refused().judge_layout().recognise().settle();
    profile::write(request, proof::prove(settled))
}

/// A netmask as the length of its prefix.
fn prefix(netmask: &str) -> Option<u8> {
    ipv4_mask_to_prefix(netmask.parse().ok()?).ok()
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
