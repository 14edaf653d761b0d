//! The files of a site → raw layers. The only part of this module that touches the disk.
//!
//! Files are read and decoded in parallel; what comes out doesn't depend on that. Mistakes in files are diagnostics; an
//! error is returned only where the machine failed or there is no site.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::decode::decode;
use super::diag::{Diagnostic, nearest};
use super::raw::{RawHandoff, RawProfile, RawScripts, RawSite};
use super::source::{SourceId, Sources, Span};
use super::spanned::Spanned;
use super::yaml;
use crate::sys::files;

/// Classes that every site can name without having them; a file of the same name in the site's `profiles/` wins.
const BUILT_IN: &[(&str, &str)] = &[
    ("debian-12", include_str!("../../profiles/classes/debian-12.yaml")),
    ("debian-13", include_str!("../../profiles/classes/debian-13.yaml")),
    ("el-8", include_str!("../../profiles/classes/el-8.yaml")),
    ("el-9", include_str!("../../profiles/classes/el-9.yaml")),
    ("el-10", include_str!("../../profiles/classes/el-10.yaml")),
    ("fedora-43", include_str!("../../profiles/classes/fedora-43.yaml")),
    ("fedora-44", include_str!("../../profiles/classes/fedora-44.yaml")),
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

/// All that was read of a site.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The texts.
    pub sources: Sources,
    /// `site.yaml`.
    pub site: RawSite,
    /// Its text.
    pub site_source: SourceId,
    /// Some of it couldn't be read.
    pub site_damaged: bool,
    /// Classes by name.
    pub classes: BTreeMap<String, Layer>,
    /// Hosts in the order of their files' names.
    pub hosts: Vec<Layer>,
    /// Files that hand-offs and scripts name, by path within the site.
    pub texts: BTreeMap<String, SourceId>,
    /// What is wrong so far.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a site's directory.
///
/// # Errors
/// When there is no `site.yaml`, or a directory can't be listed.
pub fn load(root: &Path) -> Result<Tree> {
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
    let class_jobs = list(root, "profiles", &mut sources, &mut diagnostics)?;
    let host_jobs = list(root, "hosts", &mut sources, &mut diagnostics)?;

    let site_job = Job { name: "site".to_owned(), path: site_path, source: site_source };
    let Read { value: site, text, diagnostics: mut found, .. } = read(&site_job);
    let site_damaged = !found.is_empty();
    sources.set_text(site_source, text);
    diagnostics.append(&mut found);

    classes.extend(read_layers(&class_jobs, &mut sources, &mut diagnostics));
    let hosts = read_layers(&host_jobs, &mut sources, &mut diagnostics);
    let classes = classes.into_iter().map(|layer| (layer.name.clone(), layer)).collect();
    let texts = BTreeMap::new();
    let mut tree = Tree { sources, site, site_source, site_damaged, classes, hosts, texts, diagnostics };
    read_texts(root, &mut tree);
    Ok(tree)
}

/// A site of one host that isn't on any disk: with the built-in classes, and `texts` for what hand-off and scripts name.
pub fn of_host<'t>(name: &str, text: &str, texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Tree {
    let (mut sources, mut diagnostics) = (Sources::default(), Vec::new());
    let site_source = sources.add("site.yaml", String::new());
    let classes = BUILT_IN.iter().map(|(name, text)| built_in(&mut sources, name, text, &mut diagnostics));
    let classes = classes.map(|layer| (layer.name.clone(), layer)).collect();
    let source = sources.add(format!("hosts/{name}.yaml"), text);
    let raw = parse(source, text, &mut diagnostics);
    let damaged = !diagnostics.is_empty();
    let hosts = vec![Layer { name: name.to_owned(), source, raw, damaged }];
    let texts = texts.into_iter().map(|(path, text)| (path.to_owned(), sources.add(path, text))).collect();
    let named = Spanned { value: "none".to_owned(), span: Span::file(site_source) };
    let site = RawSite { name: Some(named), ..RawSite::default() };
    Tree { sources, site, site_source, site_damaged: false, classes, hosts, texts, diagnostics }
}

/// A path as the user would type it: `./` says nothing.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

struct Job {
    name: String,
    path: PathBuf,
    source: SourceId,
}

struct Read<T> {
    value: T,
    text: String,
    diagnostics: Vec<Diagnostic>,
}

fn built_in(sources: &mut Sources, name: &str, text: &str, diagnostics: &mut Vec<Diagnostic>) -> Layer {
    let source = sources.add(format!("<built in>/{name}.yaml"), text);
    let before = diagnostics.len();
    let raw = parse(source, text, diagnostics);
    Layer { name: name.to_owned(), source, raw, damaged: diagnostics.len() > before }
}

/// The YAML files of a directory. What looks as if it were meant to be read and isn't, is told.
fn list(
    root: &Path,
    folder: &str,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Vec<Job>> {
    let directory = root.join(folder);
    let entries = files::list_dir(&directory).with_context(|| format!("listing {}", directory.display()))?;
    let mut jobs = Vec::new();
    for entry in entries.into_iter().filter(|entry| !entry.name.starts_with('.')) {
        let path = directory.join(&entry.name);
        match entry.name.strip_suffix(".yaml") {
            Some(name) if !entry.is_dir => {
                let source = sources.add(shown(&path), String::new());
                jobs.push(Job { name: name.to_owned(), path, source });
            }
            None if !entry.is_dir && !entry.name.ends_with(".yml") => {}
            _ => {
                let source = sources.add(shown(&path), String::new());
                let help = format!("only `{folder}/NAME.yaml` counts; rename or move it");
                diagnostics.push(Diagnostic::new(Span::file(source), "this isn't read").help(help));
            }
        }
    }
    Ok(jobs)
}

fn read_layers(jobs: &[Job], sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) -> Vec<Layer> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = jobs.len().div_ceil(workers).max(1);
    let read_share = |jobs: &[Job]| jobs.iter().map(read::<RawProfile>).collect::<Vec<_>>();
    let read: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            jobs.chunks(share).map(|jobs| (jobs, scope.spawn(move || read_share(jobs)))).collect();
        // a thread that panicked left nothing: its share is read again here, where the panic is everybody's
        threads
            .into_iter()
            .flat_map(|(jobs, thread)| thread.join().unwrap_or_else(|_| read_share(jobs)))
            .collect()
    });
    let layer = |(job, mut read): (&Job, Read<RawProfile>)| {
        let damaged = !read.diagnostics.is_empty();
        sources.set_text(job.source, read.text);
        diagnostics.append(&mut read.diagnostics);
        Layer { name: job.name.clone(), source: job.source, raw: read.value, damaged }
    };
    jobs.iter().zip(read).map(layer).collect()
}

fn read<T: Default + for<'de> Deserialize<'de>>(job: &Job) -> Read<T> {
    let mut diagnostics = Vec::new();
    let text = read_text(&job.path, job.source, &mut diagnostics);
    let value = match diagnostics.is_empty() {
        true => parse(job.source, &text, &mut diagnostics),
        false => T::default(),
    };
    Read { value, text, diagnostics }
}

fn parse<T: Default + for<'de> Deserialize<'de>>(
    source: SourceId,
    text: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> T {
    match yaml::parse(source, text, diagnostics) {
        Some(root) => decode(root, diagnostics),
        None => T::default(),
    }
}

/// The text of a file, or what could be read of it and a diagnostic.
fn read_text(path: &Path, source: SourceId, diagnostics: &mut Vec<Diagnostic>) -> String {
    let mut wrong = |span, message: String| diagnostics.push(Diagnostic::new(span, message));
    let bytes = match files::read_bounded(path, yaml::MAX_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let limit = yaml::MAX_BYTES >> 20;
            wrong(Span::file(source), format!("the file is larger than {limit} MiB"));
            return String::new();
        }
        Err(error) => {
            wrong(Span::file(source), format!("the file can't be read: {error}"));
            return String::new();
        }
    };
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let at = error.utf8_error().valid_up_to();
        let start = u32::try_from(at).unwrap_or(u32::MAX);
        wrong(Span { source, start, end: start }, "the file is not UTF-8 from here on".to_owned());
        let mut bytes = error.into_bytes();
        bytes.truncate(at);
        String::from_utf8(bytes).unwrap_or_default()
    })
}

/// Reads what hand-offs and scripts name. A missing file is told at each place that names it.
fn read_texts(root: &Path, tree: &mut Tree) {
    let layers = tree.classes.values().chain(&tree.hosts);
    let mut named: Vec<Spanned<String>> = Vec::new();
    for layer in layers {
        named.extend(layer.raw.handoff.value.as_ref().and_then(named_file).cloned());
        let RawScripts { pre, post, post_outside, first_boot, on_error } = &layer.raw.scripts.value;
        for scripts in [pre, post, post_outside, first_boot, on_error] {
            named.extend(scripts.items.iter().cloned());
        }
    }
    for Spanned { value: path, span } in named {
        if tree.texts.contains_key(&path) {
            continue;
        }
        if !is_inside(&path) {
            let message = format!("`{}` is not a file under `files/` or `scripts/`", path.escape_debug());
            tree.diagnostics.push(Diagnostic::new(span, message).help("paths start at the site's directory"));
            continue;
        }
        let full = root.join(&path);
        if !full.exists() {
            let message = format!("there is no file `{}`", path.escape_debug());
            tree.diagnostics.push(Diagnostic::new(span, message).maybe_help(similar_file(root, &path)));
            continue;
        }
        let source = tree.sources.add(shown(&full), String::new());
        let text = read_text(&full, source, &mut tree.diagnostics);
        tree.sources.set_text(source, text);
        tree.texts.insert(path, source);
    }
}

/// The file that a hand-off names; `None` where it holds the text itself or needs no file.
pub fn named_file(handoff: &RawHandoff) -> Option<&Spanned<String>> {
    match handoff {
        RawHandoff::CloudInit(cloud_init) => {
            cloud_init.user_data.as_ref().filter(|text| !text.value.trim_end().contains('\n'))
        }
        RawHandoff::Script(path) => Some(path),
        RawHandoff::None | RawHandoff::Ansible(_) => None,
    }
}

/// Keys and state can't be named.
fn is_inside(path: &str) -> bool {
    let mut components = Path::new(path).components();
    let folder = components.next();
    let rest: Vec<_> = components.collect();
    matches!(folder, Some(Component::Normal(name)) if name == "files" || name == "scripts")
        && !rest.is_empty()
        && rest.iter().all(|component| matches!(component, Component::Normal(_)))
}

fn similar_file(root: &Path, path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/')?;
    let entries: io::Result<_> = files::list_dir(&root.join(folder));
    let entries = entries.ok()?;
    let found = nearest(name, entries.iter().map(|entry| entry.name.as_str()))?;
    Some(format!("did you mean `{folder}/{found}`?"))
}
