//! Answer files: what the distributions' own installers read instead of asking.
//!
//! The [`table`] says which release's installer can say which field; what it can't is refused, all of it at once, with field
//! and way out. Then the host becomes a [`View`], a strict template in `templates/` (or the site's override) makes the
//! text, and the target's `grammar` reads it back. A format is one module that implements [`AnswerFormat`], its template, its
//! lines in `dialect`, and its column in the table; a release is its line there, and a cell where the table tells its format's
//! releases apart. Pure: templates and the hand-off's files come in as data.
//!
//! These files install the distribution's packages, or where the release has a way to, a golden image that the lock file
//! pins. No order guards them: the disk is chosen by the
//! same selector on the target, and unless the host allows foreign data a disk that isn't blank is refused, which also
//! keeps a second boot of the installer from installing again.

mod autoinstall;
mod dialect;
mod dpkg;
mod error;
pub mod format;
mod kickstart;
mod preseed;
mod scripts;
pub mod table;
mod template;
mod templates;
mod unreadable;
mod view;

use anyhow::{Context, Result};
use minijinja::value::{Serde, Value};

use crate::grammar::Finding;
use crate::host::{Host, Os, Refusal, Site};
use crate::spec::lock::LockFile;
use crate::spec::system::SystemFile;

pub use dialect::{Dialect, Format};
pub use error::{CommandLine, RenderError};
pub use format::{AnswerFormat, Companion, Job, Prepared};
pub use preseed::take_over;
use table::Target;
pub use template::{Escape, Template};
pub use templates::{BuiltIn, Templates};
pub use unreadable::Unreadable;
pub use view::View;

/// What the hand-off puts on the installed system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seed {
    /// Files to write.
    pub files: Vec<SystemFile>,
    /// Units to enable.
    pub units: Vec<String>,
}

/// An answer file.
#[derive(Clone, PartialEq, Eq)]
pub struct Answers {
    /// Its text. It holds password hashes: write it with mode 0600.
    pub text: String,
    /// Arguments for the installer's kernel; the place of this file stands as `URL`.
    pub kernel_args: Vec<String>,
    /// Files that must lie beside it.
    pub companions: Vec<Companion>,
    /// Errors that its reader would stumble over and that the site waives.
    pub waived: Vec<Finding>,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("kernel_args", &self.kernel_args).finish_non_exhaustive()
    }
}

/// Holds a host against the column of an installer.
///
/// # Errors
/// What it can't say of the host, all of it.
pub fn require_supported(host: &Host, target: Target) -> Result<(), Refusal> {
    let mut refusal = Refusal::by(target.name(), host);
    refusal.extend(table::judge(host, target).refused);
    refusal.unless_empty()
}

/// Renders a host's answers for a release and reads the result back. `lock` pins the images.
///
/// # Errors
/// All that the installer can't say of the host; a template that fails; a result that the target couldn't read.
pub fn render(
    os: Os,
    site: &Site,
    host: &Host,
    lock: &LockFile,
    seed: &Seed,
    templates: &Templates,
) -> Result<Answers, RenderError> {
    let target = Target::Os(os);
    if table::by_agent(host, target) {
        require_supported(host, target)?;
        return preseed::take_over(os, host);
    }
    let table::Verdict { refused, scripted } = table::judge(host, target);
    let mut refusal = Refusal::by(os.name(), host);
    refusal.extend(refused);
    let job = Job { installer: os.name(), site, host, lock, seed, scripted: &scripted };
    write(Dialect::of(os).writer(), &job, refusal, templates)
}

/// Writes a host's answers in a format and reads the result back. `refusal` is what is known to be refused already: the
/// format's own refusals are told with it.
///
/// # Errors
/// As [`render`].
pub fn write(
    format: &dyn AnswerFormat,
    job: &Job<'_>,
    mut refusal: Refusal,
    templates: &Templates,
) -> Result<Answers, RenderError> {
    let host = job.host;
    let mut view = view::view(job.site, host, job.seed, &mut refusal);
    let prepared = format.prepare(job, &mut view, &mut refusal);
    refusal.unless_empty()?;
    let rendering = || format!("rendering {}", host.name);
    let prepared = prepared.with_context(rendering)?;
    let text = fill(format, job, &view, &prepared, templates).with_context(rendering)?;
    let template = templates.file(format)?.name();
    let waivable = if templates.are_of_site(format) { &host.waived[..] } else { &[] };
    let waived = Unreadable::unless_fine(host, waivable, template, format, &text)?;
    let kernel_args = prepared.kernel_args;
    CommandLine::check(host, &kernel_args, format.command_line())?;
    Ok(Answers { text, kernel_args, companions: format.companions(host), waived })
}

fn fill(
    format: &dyn AnswerFormat,
    job: &Job<'_>,
    view: &View,
    prepared: &Prepared,
    templates: &Templates,
) -> Result<String> {
    let base = minijinja::value::merge_maps([prepared.values.clone(), Value::from(Serde(view))]);
    let scripts = format::Scripts::new(templates, base.clone())?;
    let parts = format.parts(job, view, prepared, &scripts)?;
    let line = prepared.kernel_args.join(" ");
    let line = minijinja::context! { kernel_line => Value::from_safe_string(line) };
    let context = minijinja::value::merge_maps([line, parts, base]);
    templates.file(format)?.render(context)
}

#[cfg(test)]
mod tests;
