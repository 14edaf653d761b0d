//! The files of a site → raw layers. The only part of this module that touches the disk.
//!
//! [`open`] reads what all hosts share, and then the hosts a batch at a time, so that a site of a hundred thousand needn't be in
//! memory as it was written; [`load`] reads it all. Mistakes in files are diagnostics; an error is returned only where the
//! machine failed or there is no site.

mod files;
mod texts;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::diag::Diagnostic;
use super::raw::{RawProfile, RawSite};
use super::source::{SourceId, Sources, Span};
use super::spanned::Spanned;
use files::{Job, Read};
use texts::Texts;

/// Classes that every site can name without having them; a file of the same name in the site's `profiles/` wins.
const BUILT_IN: &[(&str, &str)] = &[
    ("debian-12", include_str!("../../profiles/classes/debian-12.yaml")),
    ("debian-13", include_str!("../../profiles/classes/debian-13.yaml")),
    ("el-8", include_str!("../../profiles/classes/el-8.yaml")),
    ("el-9", include_str!("../../profiles/classes/el-9.yaml")),
    ("el-10", include_str!("../../profiles/classes/el-10.yaml")),
    ("fedora-43", include_str!("../../profiles/classes/fedora-43.yaml")),
    ("fedora-44", include_str!("../../profiles/classes/fedora-44.yaml")),
    ("fedora-45", include_str!("../../profiles/classes/fedora-45.yaml")),
    ("ubuntu-22.04", include_str!("../../profiles/classes/ubuntu-22.04.yaml")),
    ("ubuntu-24.04", include_str!("../../profiles/classes/ubuntu-24.04.yaml")),
];

/// One class or host.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Name of its file, without `.yaml`.
    pub name: String,
    /// Its text.
    pub source: SourceId,
    /// What it says.
    pub raw: RawProfile,
    /// Some of it couldn't be read: what is missing there may not be missing at all.
    pub damaged: bool,
}

/// What all hosts of a site may build on.
#[derive(Debug, Clone)]
pub struct Shared {
    /// `site.yaml`.
    pub site: RawSite,
    /// Its text.
    pub site_source: SourceId,
    /// Some of it couldn't be read.
    pub site_damaged: bool,
    /// Classes by name.
    pub classes: BTreeMap<String, Layer>,
}

/// All that was read of a site.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The texts.
    pub sources: Sources,
    /// The site itself and its classes.
    pub shared: Shared,
    /// Hosts in the order of their files' names.
    pub hosts: Vec<Layer>,
    /// Files that hand-offs and scripts name, by path within the site.
    pub texts: BTreeMap<String, SourceId>,
    /// What is wrong so far.
    pub diagnostics: Vec<Diagnostic>,
}

/// The hosts of a site that are still to be read.
#[derive(Debug)]
pub struct Hosts {
    jobs: std::vec::IntoIter<Job>,
    texts: Texts,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
}

/// Some hosts of a site.
#[derive(Debug)]
pub struct Batch {
    /// The hosts, in the order of their files' names.
    pub hosts: Vec<Layer>,
    /// Files that hand-offs and scripts of these hosts and of all classes name, by path within the site.
    pub texts: BTreeMap<String, SourceId>,
}

/// Reads a site's directory.
///
/// # Errors
/// When there is no `site.yaml`, or a directory can't be listed.
pub fn load(root: &Path) -> Result<Tree> {
    load_hosts(root, |_| true)
}

/// Reads a site's directory, and of its hosts those whose files are called so (`web01` of `web01.yaml`).
///
/// # Errors
/// When there is no `site.yaml`, or a directory can't be listed.
pub fn load_hosts(root: &Path, wanted: impl Fn(&str) -> bool) -> Result<Tree> {
    let (shared, mut hosts) = open(root)?;
    hosts.jobs = hosts.jobs.filter(|job| wanted(&job.name)).collect::<Vec<_>>().into_iter();
    let Batch { hosts: layers, texts } = hosts.read(&shared, usize::MAX);
    let Hosts { sources, diagnostics, .. } = hosts;
    Ok(Tree { sources, shared, hosts: layers, texts, diagnostics })
}

/// Reads what all hosts of a site share; the hosts are read by and by.
///
/// # Errors
/// When there is no `site.yaml`, or a directory can't be listed.
pub fn open(root: &Path) -> Result<(Shared, Hosts)> {
    let site_path = root.join("site.yaml");
    if !site_path.exists() {
        anyhow::bail!(
            "no site.yaml in {}; make a site with `ironstrap init DIR`, or name its directory with `--site DIR`",
            root.display()
        );
    }
    let mut sources = Sources::default();
    let mut diagnostics = Vec::new();
    let site_source = sources.add(shown(&site_path), String::new());
    let mut classes = Vec::new();
    for (name, text) in BUILT_IN {
        classes.push(built_in(&mut sources, name, text, &mut diagnostics));
    }
    let class_jobs = files::list(root, "profiles", &mut sources, &mut diagnostics)?;
    let host_jobs = files::list(root, "hosts", &mut sources, &mut diagnostics)?;

    let site_job = Job { name: "site".to_owned(), path: site_path, source: site_source };
    let Read { value: site, text, diagnostics: mut found, .. } = files::read(&site_job);
    let site_damaged = !found.is_empty();
    sources.set_text(site_source, text);
    diagnostics.append(&mut found);

    classes.extend(files::read_layers(&class_jobs, &mut sources, &mut diagnostics));
    let classes = classes.into_iter().map(|layer| (layer.name.clone(), layer)).collect();
    let shared = Shared { site, site_source, site_damaged, classes };
    Ok((shared, Hosts { jobs: host_jobs.into_iter(), texts: Texts::of(root), sources, diagnostics }))
}

impl Hosts {
    /// Whether all were read.
    pub fn is_empty(&self) -> bool {
        self.jobs.len() == 0
    }

    /// Reads so many more, or all that are left.
    pub fn read(&mut self, shared: &Shared, most: usize) -> Batch {
        let Self { jobs, texts, sources, diagnostics } = self;
        let jobs: Vec<_> = jobs.take(most).collect();
        let hosts = files::read_layers(&jobs, sources, diagnostics);
        let texts = texts.named(shared.classes.values().chain(&hosts), sources, diagnostics);
        Batch { hosts, texts }
    }

    /// The texts so far.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The texts, and what is wrong with them.
    pub fn finish(self) -> (Sources, Vec<Diagnostic>) {
        (self.sources, self.diagnostics)
    }
}

/// A site of one host that isn't on any disk: with the built-in classes, and `texts` for what hand-off and scripts name.
pub fn of_host<'t>(name: &str, text: &str, texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Tree {
    let (mut sources, mut diagnostics) = (Sources::default(), Vec::new());
    let site_source = sources.add("site.yaml", String::new());
    let classes = BUILT_IN.iter().map(|(name, text)| built_in(&mut sources, name, text, &mut diagnostics));
    let classes = classes.map(|layer| (layer.name.clone(), layer)).collect();
    let source = sources.add(format!("hosts/{name}.yaml"), text);
    let raw = files::parse(source, text, &mut diagnostics);
    let damaged = !diagnostics.is_empty();
    let hosts = vec![Layer { name: name.to_owned(), source, raw, damaged }];
    let texts = texts.into_iter().map(|(path, text)| (path.to_owned(), sources.add(path, text))).collect();
    let named = Spanned { value: "none".to_owned(), span: Span::file(site_source) };
    let site = RawSite { name: Some(named), ..RawSite::default() };
    let shared = Shared { site, site_source, site_damaged: false, classes };
    Tree { sources, shared, hosts, texts, diagnostics }
}

/// A path as the user would type it: `./` says nothing.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn built_in(sources: &mut Sources, name: &str, text: &str, diagnostics: &mut Vec<Diagnostic>) -> Layer {
    let source = sources.add(format!("<built in>/{name}.yaml"), text);
    let before = diagnostics.len();
    let raw = files::parse(source, text, diagnostics);
    Layer { name: name.to_owned(), source, raw, damaged: diagnostics.len() > before }
}
