//! The files that hand-offs and scripts name → texts, each read once.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::files::read_text;
use super::{Layer, shown};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::{RawHandoff, RawScripts};
use crate::profile::source::{SourceId, Sources};
use crate::profile::spanned::Spanned;
use crate::sys::files;
use crate::value::nearest_of_all;

/// What was read of them so far.
#[derive(Debug)]
pub(super) struct Texts {
    root: PathBuf,
    known: BTreeMap<String, SourceId>,
}

impl Texts {
    /// Of the site in this directory: none yet.
    pub(super) fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), known: BTreeMap::new() }
    }

    /// The texts that these layers name, by path within the site. A missing file is told at each place that names it.
    pub(super) fn named<'l>(
        &mut self,
        layers: impl Iterator<Item = &'l Layer>,
        sources: &mut Sources,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> BTreeMap<String, SourceId> {
        let mut found = BTreeMap::new();
        for Spanned { value: path, span } in layers.flat_map(names) {
            if found.contains_key(path) {
                continue;
            }
            let source = match self.known.get(path) {
                Some(source) => *source,
                None => match self.check(path) {
                    Ok(full) => {
                        let source = sources.add(shown(&full), String::new());
                        let text = read_text(&full, source, diagnostics);
                        sources.set_text(source, text);
                        self.known.insert(path.clone(), source);
                        source
                    }
                    Err(Refusal { message, help }) => {
                        // what doesn't look like a path may be the text itself, with secrets in it
                        let place = if is_inside(path) { *span } else { span.begin() };
                        diagnostics.push(Diagnostic::new(place, message).maybe_help(help));
                        continue;
                    }
                },
            };
            found.insert(path.clone(), source);
        }
        found
    }

    /// Where a file is that may be read.
    fn check(&self, path: &str) -> Result<PathBuf, Refusal> {
        if !is_inside(path) {
            let message = "not the path of a file under `files/` or `scripts/`".to_owned();
            return Err(Refusal { message, help: Some("paths start at the site's directory".to_owned()) });
        }
        let full = self.root.join(path);
        if !full.exists() {
            let message = format!("there is no file `{}`", path.escape_debug());
            return Err(Refusal { message, help: similar_file(&self.root, path) });
        }
        Ok(full)
    }
}

/// Why a file isn't read.
struct Refusal {
    message: String,
    help: Option<String>,
}

/// The files that a layer names.
fn names(layer: &Layer) -> impl Iterator<Item = &Spanned<String>> {
    let RawScripts { pre, post, post_outside, first_boot, on_error } = &layer.raw.scripts.value;
    let scripts = [pre, post, post_outside, first_boot, on_error].into_iter().flat_map(|list| &list.items);
    layer.raw.handoff.value.as_ref().and_then(RawHandoff::named_file).into_iter().chain(scripts)
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
    let found = nearest_of_all(name, entries.iter().map(|entry| entry.name.as_str()))?;
    Some(format!("did you mean `{folder}/{found}`?"))
}
