//! Answer files: what the distributions' own installers read instead of asking.
//!
//! The [`table`] says which release's installer can say which field; what it can't is refused, all of it at once, with field
//! and way out. Then the host becomes a [`view::View`], a strict template in `templates/` (or the site's override) makes the
//! text, and the target's `grammar` reads it back. Adding a format is one module, one template and one line in
//! [`Format::ALL`]; adding a release, a cell in each row. Pure: templates and the hand-off's files come in as data.
//!
//! These files install the distribution's packages, or where the release has a way to, a golden image that the lock file
//! pins. No order guards them: the disk is chosen by the
//! same selector on the target, and unless the host allows foreign data a disk that isn't blank is refused, which also
//! keeps a second boot of the installer from installing again.

mod autoinstall;
mod dpkg;
mod kickstart;
mod preseed;
mod scripts;
pub mod table;
mod template;
mod unreadable;
mod view;
mod yaml;

use anyhow::{Context, Result, bail, ensure};
use minijinja::value::{Serde, Value};
use serde_json::{Map, Value as Json};

use crate::failure::{Blame, BlameExt};
use crate::grammar::{self, cmdline::Reader};
use crate::host::{Host, Installer, Os, Site};
use crate::spec::lock::LockFile;
use crate::spec::system::SystemFile;

pub use autoinstall::release as autoinstall_release;
pub use kickstart::release as kickstart_release;
pub use preseed::{release as preseed_release, take_over};
use table::Target;
use template::Escape;
pub use template::Template;
pub use unreadable::Unreadable;
use view::{Misfits, View};

/// An answer file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Red Hat's family.
    Kickstart,
    /// Debian.
    Preseed,
    /// Ubuntu.
    Autoinstall,
}

impl Format {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Kickstart, Self::Preseed, Self::Autoinstall];

    /// Its name: on the command line, and of its template.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kickstart => "kickstart",
            Self::Preseed => "preseed",
            Self::Autoinstall => "autoinstall",
        }
    }

    /// The one that an installer reads; our own agent needs none.
    pub fn of(installer: Installer) -> Option<Self> {
        match installer {
            Installer::Native => None,
            Installer::Anaconda => Some(Self::Kickstart),
            Installer::DebianInstaller => Some(Self::Preseed),
            Installer::Subiquity => Some(Self::Autoinstall),
        }
    }

    /// The one in which a release's installer is told.
    pub fn of_release(os: Os) -> Self {
        match os {
            Os::El8 | Os::El9 | Os::El10 | Os::Fedora43 | Os::Fedora44 | Os::Fedora45 => Self::Kickstart,
            Os::Debian12 | Os::Debian13 => Self::Preseed,
            Os::Ubuntu2204 | Os::Ubuntu2404 => Self::Autoinstall,
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|format| format.name() == text);
        found.copied().ok_or_else(|| format!("`{text}` is not a format; known are {}", known()))
    }
}

/// What the hand-off puts on the installed system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seed {
    /// Files to write.
    pub files: Vec<SystemFile>,
    /// Units to enable.
    pub units: Vec<String>,
}

/// The templates in use: built in, or the site's.
#[derive(Debug, Clone)]
pub struct Templates(Vec<Template>);

/// File names of the templates in `templates/`, with the text that is used where a site has none.
const BUILT_IN: [(&str, &str, Escape); 6] = [
    ("autoinstall.j2", include_str!("../../templates/autoinstall.j2"), Escape::Yaml),
    ("kickstart.j2", include_str!("../../templates/kickstart.j2"), Escape::Word),
    ("preseed.j2", include_str!("../../templates/preseed.j2"), Escape::RestOfLine),
    ("disk.sh.j2", include_str!("../../templates/disk.sh.j2"), Escape::Word),
    ("setup.sh.j2", include_str!("../../templates/setup.sh.j2"), Escape::Word),
    ("debian.sh.j2", include_str!("../../templates/debian.sh.j2"), Escape::Word),
];

impl Templates {
    /// The built-in ones, each replaced where `site` gives a text for its name.
    ///
    /// # Errors
    /// What `site` returned.
    pub fn new(mut site: impl FnMut(&str) -> Result<Option<String>>) -> Result<Self> {
        let templates = BUILT_IN.iter().map(|(name, text, escape)| {
            Ok(match site(name)? {
                Some(text) => Template::new(format!("templates/{name}"), text, *escape),
                None => Template::new(format!("templates/{name} (built in)"), (*text).to_owned(), *escape),
            })
        });
        Ok(Self(templates.collect::<Result<_>>()?))
    }

    /// Those that write a format's answer file: its own, and the scripts in it.
    ///
    /// # Errors
    /// Never, unless a format was added without its template.
    pub fn of(&self, format: Format) -> Result<Vec<&Template>> {
        let own = format!("{}.j2", format.name());
        [own.as_str(), "disk.sh.j2", "setup.sh.j2"].into_iter().map(|name| self.get(name)).collect()
    }

    fn get(&self, name: &str) -> Result<&Template> {
        let place = BUILT_IN.iter().position(|(known, ..)| *known == name);
        place
            .and_then(|place| self.0.get(place))
            .with_context(|| format!("no template {name}"))
            .blame(Blame::Bug)
    }
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
}

/// A file beside an answer file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companion {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("kernel_args", &self.kernel_args).finish_non_exhaustive()
    }
}

/// What an installer can't say of a host, for people: host, key, reason and way out, a line each.
pub fn misfits(host: &Host, target: Target) -> Vec<String> {
    let refused = table::judge(host, target).refused;
    refused.into_iter().map(|(key, why)| format!("{}: {key}: {} {why}", host.name, target.name())).collect()
}

/// Renders a host's answers for a release and reads the result back. `lock` pins the images.
///
/// # Errors
/// All misfits of the host, a line each; a template that fails; a result that the target couldn't read.
pub fn render(
    os: Os,
    site: &Site,
    host: &Host,
    lock: &LockFile,
    seed: &Seed,
    templates: &Templates,
) -> Result<Answers> {
    let format = Format::of_release(os);
    let mut refused = misfits(host, Target::Os(os));
    if table::by_agent(host, Target::Os(os)) {
        ensure!(refused.is_empty(), "{}", refused.join("\n"));
        return preseed::take_over(os, host);
    }
    let mut misfits = Misfits::of(host, os.name());
    let mut view = view::view(site, host, seed, &mut misfits);
    let prepared = match format {
        Format::Kickstart => kickstart::prepare(os, site, host, lock, &mut view, &mut misfits),
        Format::Preseed => Ok(preseed::prepare(os, host, &mut view, &mut misfits)),
        Format::Autoinstall => Ok(autoinstall::prepare(os, host, &mut view, &mut misfits)),
    };
    refused.extend(misfits.into_inner());
    if !refused.is_empty() {
        bail!("{}", refused.join("\n"));
    }
    let prepared = prepared.with_context(|| format!("rendering {}", host.name))?;
    let text = fill(format, host, &view, &prepared, templates)
        .with_context(|| format!("rendering {}", host.name))?;
    let kernel_args = prepared.kernel_args;
    let found = match format {
        Format::Kickstart => grammar::kickstart::lint(&text, kickstart::release(os)),
        Format::Preseed => grammar::preseed::lint(&text, preseed::release(os)),
        Format::Autoinstall => grammar::autoinstall::lint(&text, autoinstall::release(os)),
    };
    let template = templates.get(&format!("{}.j2", format.name()))?.name();
    Unreadable::unless_fine(host, template, format, &text, found)?;
    check_kernel_args(os, host, &kernel_args)?;
    let companions = match format {
        Format::Kickstart | Format::Preseed => Vec::new(),
        Format::Autoinstall => autoinstall::companions(host),
    };
    Ok(Answers { text, kernel_args, companions })
}

/// Holds the installer's command line against what the kernel and the installer take.
fn check_kernel_args(os: Os, host: &Host, args: &[String]) -> Result<()> {
    let reader = match Format::of_release(os) {
        Format::Preseed => Reader::DebianInstaller(preseed::release(os)),
        Format::Kickstart | Format::Autoinstall => Reader::Anybody,
    };
    let found = grammar::cmdline::lint(&args.join(" "), reader);
    let errors: Vec<_> = grammar::errors(&found).map(|finding| finding.message.clone()).collect();
    ensure!(
        errors.is_empty(),
        "{}: kernel_args: the installer's command line: {}",
        host.name,
        errors.join("; ")
    );
    Ok(())
}

/// What a format's own module adds to the view.
struct Prepared {
    /// Arguments for the installer's kernel; the place of the answer file stands as `URL`.
    kernel_args: Vec<String>,
    /// More values for the template.
    values: Value,
    /// What the format says as data, where it has such a form.
    document: Option<Map<String, Json>>,
}

fn fill(
    format: Format,
    host: &Host,
    view: &View,
    prepared: &Prepared,
    templates: &Templates,
) -> Result<String> {
    let base = minijinja::value::merge_maps([prepared.values.clone(), Value::from(Serde(view))]);
    let script = |name: &str| templates.get(name)?.render(base.clone());
    let (disk, setup) = (script("disk.sh.j2")?, script("setup.sh.j2")?);
    let parts = match format {
        Format::Kickstart => kickstart::parts(&disk, &setup),
        Format::Preseed => preseed::parts(&disk, &script("debian.sh.j2")?, &setup)?,
        Format::Autoinstall => {
            let document = prepared.document.clone().unwrap_or_default();
            autoinstall::parts(host, view, document, &disk, &setup)
        }
    };
    let line = prepared.kernel_args.join(" ");
    let line = minijinja::context! { kernel_line => Value::from_safe_string(line) };
    let context = minijinja::value::merge_maps([line, parts, base]);
    templates.get(&format!("{}.j2", format.name()))?.render(context)
}

#[cfg(test)]
mod tests;
