//! The contexts of a policy, and whose path is whose.
//!
//! Promises: the last line that matches wins, and among those for exact paths too, which win over all patterns; a line for another kind
//! of file isn't asked; `<<none>>` is no label. Substitutions happen first, the administrator's before the distribution's, the last line
//! of a file before earlier ones. No pattern is compiled before a path asks for it.

use std::cell::OnceCell;
use std::collections::HashMap;

use regex_lite::Regex;

use super::pattern;
use crate::image_rules::Incompatible;

/// What a file is, as far as policies tell and the agent makes any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Device, socket, pipe.
    Other,
}

/// What a line says of the paths that it is for.
#[derive(Debug)]
struct Said {
    /// `None`: of any kind.
    kind: Option<Kind>,
    /// `None`: no label.
    label: Option<String>,
}

impl Said {
    fn is_for(&self, kind: Kind) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
    }
}

/// A line with a pattern.
#[derive(Debug)]
struct Line {
    prefix: String,
    pattern: String,
    /// File and line, for errors.
    place: String,
    compiled: OnceCell<Result<Regex, String>>,
    said: Said,
}

impl Line {
    fn regex(&self) -> Result<&Regex, Incompatible> {
        let compiled = self.compiled.get_or_init(|| pattern::compile(&self.pattern));
        compiled.as_ref().map_err(|why| {
            let pattern = self.pattern.escape_debug();
            Incompatible::one(format!("{}: the pattern `{pattern}` can't be used: {why}", self.place))
        })
    }
}

/// All lines of a policy's `file_contexts`.
#[derive(Debug, Default)]
pub struct Contexts {
    lines: Vec<Line>,
    exact: HashMap<String, Vec<Said>>,
    /// Prefixes and what they are taken for, in the order in which they are tried.
    local: Vec<(String, String)>,
    distribution: Vec<(String, String)>,
}

impl Contexts {
    /// Adds the lines of a file, behind those that are there.
    ///
    /// # Errors
    /// A line that libselinux wouldn't take: it would then take none of the policy.
    pub(super) fn add(&mut self, file: &str, text: &str) -> Result<(), Incompatible> {
        for (line, number) in text.lines().zip(1..) {
            let mut words = line.split_ascii_whitespace();
            let Some(pattern) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let place = format!("line {number} of {file} in the image");
            let wrong = |why: &str| {
                Incompatible::one(format!(
                    "{place} {why}; SELinux's tools can't read that policy either, install it anew in the image"
                ))
            };
            let (kind, label) = match (words.next(), words.next()) {
                (Some(kind), Some(label)) => (Some(kind), label),
                (Some(label), None) => (None, label),
                (None, _) => return Err(wrong("has no label")),
            };
            let kind = match kind.map(|kind| (kind, kind.strip_prefix('-'))) {
                None => None,
                Some((_, Some("-"))) => Some(Kind::File),
                Some((_, Some("d"))) => Some(Kind::Directory),
                Some((_, Some("l"))) => Some(Kind::Link),
                Some((_, Some("b" | "c" | "p" | "s"))) => Some(Kind::Other),
                Some((other, _)) => {
                    let other = other.escape_debug();
                    return Err(wrong(&format!("has `{other}` in the place of a kind of file")));
                }
            };
            let said = Said { kind, label: (label != "<<none>>").then(|| label.to_owned()) };
            match pattern::exact(pattern) {
                Some(path) => self.exact.entry(path).or_default().push(said),
                None => self.lines.push(Line {
                    prefix: pattern::prefix(pattern),
                    pattern: pattern.to_owned(),
                    place,
                    compiled: OnceCell::new(),
                    said,
                }),
            }
        }
        Ok(())
    }

    /// Takes the substitutions of `file_contexts.subs` and `file_contexts.subs_dist`.
    pub(super) fn substitute(&mut self, local: &str, distribution: &str) {
        let read = |text: &str| {
            let line = |line: &str| {
                let mut words = line.split_ascii_whitespace();
                let from = words.next().filter(|word| !word.starts_with('#'))?;
                Some((from.to_owned(), words.next()?.to_owned()))
            };
            text.lines().rev().filter_map(line).collect()
        };
        self.local = read(local);
        self.distribution = read(distribution);
    }

    /// The label of a path, which is absolute and without links or slashes too many; `None` where the policy has none.
    ///
    /// # Errors
    /// A pattern that had to be asked and can't be used; [`judge`](super::judge) finds it first.
    pub fn label(&self, path: &str, kind: Kind) -> Result<Option<&str>, Incompatible> {
        let path = self.substituted(path);
        if let Some(exact) = self.exact.get(&path)
            && let Some(said) = exact.iter().rev().find(|said| said.is_for(kind))
        {
            return Ok(said.label.as_deref());
        }
        for line in self.lines.iter().rev() {
            if line.said.is_for(kind) && path.starts_with(&line.prefix) && line.regex()?.is_match(&path) {
                return Ok(line.said.label.as_deref());
            }
        }
        Ok(None)
    }

    /// Compiles every pattern.
    pub(super) fn judge(&self) -> Result<(), Incompatible> {
        self.lines.iter().try_for_each(|line| line.regex().map(|_| ()))
    }

    fn substituted(&self, path: &str) -> String {
        let local = replaced(&self.local, path);
        let path = local.as_deref().unwrap_or(path);
        replaced(&self.distribution, path).unwrap_or_else(|| path.to_owned())
    }
}

/// The path with the first prefix that it has replaced; one that is followed by no slash is none.
fn replaced(substitutions: &[(String, String)], path: &str) -> Option<String> {
    substitutions.iter().find_map(|(from, to)| {
        let rest = path.strip_prefix(from)?;
        match (rest.is_empty() || rest.starts_with('/'), to.as_str()) {
            (false, _) => None,
            (true, "/") if !rest.is_empty() => Some(rest.to_owned()),
            (true, to) => Some(format!("{to}{rest}")),
        }
    })
}
