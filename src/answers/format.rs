//! What a format of answer files does: the one thing that a new format implements, for each of its releases.
//!
//! [`super::write`] asks it in this order: what it adds to the view and what it can't say ([`AnswerFormat::prepare`]), how the
//! scripts stand in its file ([`AnswerFormat::parts`]), then its template makes the text, and its grammar reads that back
//! ([`AnswerFormat::lint`]). An implementation decides nothing by the release's name: it *is* a release.

use anyhow::Result;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use super::Seed;
use super::templates::{BuiltIn, Templates};
use super::view::View;
use crate::grammar::Finding;
use crate::grammar::cmdline::Reader;
use crate::host::{Host, Refusal, Site};
use crate::spec::lock::LockFile;

/// A format, as one release's installer reads it.
pub trait AnswerFormat {
    /// Its name: on the command line, in messages, and of its template.
    fn name(&self) -> &'static str;

    /// Its own templates; the first makes the file. `disk.sh.j2` and `setup.sh.j2` are everybody's.
    fn templates(&self) -> &'static [BuiltIn];

    /// Notes what it can't say beside what the table says, changes the view where it says something in its own way, and adds
    /// what only its template needs.
    ///
    /// # Errors
    /// A value that nothing of the format can carry. What the host must change belongs into `refusal`.
    fn prepare(&self, job: &Job<'_>, view: &mut View, refusal: &mut Refusal) -> Result<Prepared>;

    /// The scripts as they stand in its file: values for the template.
    ///
    /// # Errors
    /// Scripts that its file can't hold.
    fn parts(&self, job: &Job<'_>, view: &View, prepared: &Prepared, scripts: &Scripts<'_>) -> Result<Value>;

    /// What its reader would stumble over.
    fn lint(&self, text: &str) -> Vec<Finding>;

    /// Who reads the command line of its installer's kernel, beside the kernel.
    fn command_line(&self) -> Reader {
        Reader::Anybody
    }

    /// Files that must lie beside the answer file.
    fn companions(&self, _: &Host) -> Vec<Companion> {
        Vec::new()
    }
}

/// A host whose answers are written.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The installer's name in messages: `el-9`.
    pub installer: &'static str,
    /// The site.
    pub site: &'a Site,
    /// The host.
    pub host: &'a Host,
    /// Pins the images.
    pub lock: &'a LockFile,
    /// What the hand-off puts on the installed system.
    pub seed: &'a Seed,
    /// What scripts of ours have to do: key and what is done.
    pub scripted: &'a [(String, &'static str)],
}

/// What a format adds to the view.
pub struct Prepared {
    /// Arguments for the installer's kernel; the place of the answer file stands as `URL`.
    pub kernel_args: Vec<String>,
    /// More values for the template.
    pub values: Value,
    /// What the format says as data, where it has such a form.
    pub document: Option<Map<String, Json>>,
}

/// Without values, which may hold hashes of passwords.
impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("kernel_args", &self.kernel_args).finish_non_exhaustive()
    }
}

/// The scripts that a format's file carries, made of templates.
pub struct Scripts<'a> {
    /// Finds the disks, in the installer.
    pub disk: String,
    /// Sets up the installed system.
    pub setup: String,
    templates: &'a Templates,
    base: Value,
}

impl<'a> Scripts<'a> {
    /// Makes those that every format has.
    pub(super) fn new(templates: &'a Templates, base: Value) -> Result<Self> {
        let disk = templates.get("disk.sh.j2")?.render(base.clone())?;
        let setup = templates.get("setup.sh.j2")?.render(base.clone())?;
        Ok(Self { disk, setup, templates, base })
    }

    /// One of the format's own.
    ///
    /// # Errors
    /// No such template, or one that fails.
    pub fn own(&self, name: &str) -> Result<String> {
        self.templates.get(name)?.render(self.base.clone())
    }
}

/// Without texts, as [`Prepared`].
impl std::fmt::Debug for Scripts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripts").finish_non_exhaustive()
    }
}

/// A file beside an answer file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}
