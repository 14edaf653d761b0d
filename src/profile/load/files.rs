//! The YAML files of a site's folders → layers: listed, read and decoded, in parallel.
//!
//! What comes out doesn't depend on how many threads there are. A file that can't be read is a diagnostic.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Layer;
use crate::profile::decode::decode;
use crate::profile::diag::Diagnostic;
use crate::profile::raw::RawProfile;
use crate::profile::source::{SourceId, Sources, Span};
use crate::profile::yaml;
use crate::sys::files;

/// A file that is to be read.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) source: SourceId,
}

/// A file that was read.
pub(super) struct Read<T> {
    pub(super) value: T,
    pub(super) text: String,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The YAML files of a directory. What looks as if it were meant to be read and isn't, is told.
pub(super) fn list(
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
                let source = sources.add(super::shown(&path), String::new());
                jobs.push(Job { name: name.to_owned(), path, source });
            }
            None if !entry.is_dir && !entry.name.ends_with(".yml") => {}
            _ => {
                let source = sources.add(super::shown(&path), String::new());
                let help = format!("only `{folder}/NAME.yaml` counts; rename or move it");
                diagnostics.push(Diagnostic::new(Span::file(source), "this isn't read").help(help));
            }
        }
    }
    Ok(jobs)
}

/// Reads these files; their texts and mistakes go where the others are.
pub(super) fn read_layers(
    jobs: &[Job],
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Layer> {
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

/// Reads one file.
pub(super) fn read<T: Default + for<'de> Deserialize<'de>>(job: &Job) -> Read<T> {
    let mut diagnostics = Vec::new();
    let text = read_text(&job.path, job.source, &mut diagnostics);
    let value = match diagnostics.is_empty() {
        true => parse(job.source, &text, &mut diagnostics),
        false => T::default(),
    };
    Read { value, text, diagnostics }
}

/// Decodes a text.
pub(super) fn parse<T: Default + for<'de> Deserialize<'de>>(
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
pub(super) fn read_text(path: &Path, source: SourceId, diagnostics: &mut Vec<Diagnostic>) -> String {
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
