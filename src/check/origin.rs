//! Which values of a profile stand in a line that an installer would stumble over.
//!
//! A rendered line doesn't remember what it was made of, and a site's own template may do with values what it likes. So this
//! looks the other way: of all values of the host, those that stand in the line as whole words. Values that the site hides
//! (hashes, texts of several lines) aren't looked for.

use std::collections::HashSet;

use anyhow::{Error, anyhow};

use crate::answers::Unreadable;
use crate::host::{self, Explanation};
use crate::profile::load::{self, Tree};
use crate::profile::trace::Node;
use crate::site::paths::SitePaths;

/// Most values that are named for a line.
const MOST: usize = 3;
/// Shorter values stand everywhere.
const SHORTEST: usize = 2;

/// Adds to an error about an unreadable file where the values in its lines come from; leaves any other as it is.
pub fn explain(error: Error, paths: &SitePaths) -> Error {
    match hosts_of(std::slice::from_ref(&error), paths) {
        Some(tree) => told(error, &tree),
        None => error,
    }
}

/// The same for many, with one look at the site.
pub fn explain_all(errors: Vec<Error>, paths: &SitePaths) -> Vec<Error> {
    match hosts_of(&errors, paths) {
        Some(tree) => errors.into_iter().map(|error| told(error, &tree)).collect(),
        None => errors,
    }
}

/// The hosts whose files are unreadable, as they were written. Of a large site the others needn't be in memory.
fn hosts_of(errors: &[Error], paths: &SitePaths) -> Option<Tree> {
    let unreadable = errors.iter().filter_map(|error| error.downcast_ref::<Unreadable>());
    let names: HashSet<_> = unreadable.map(|error| error.host.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    // the site was read before, so it can be again; if not, the errors themselves are what counts
    load::load_hosts(paths.root(), |name| names.contains(name)).ok()
}

fn told(error: Error, tree: &Tree) -> Error {
    let Some(unreadable) = error.downcast_ref::<Unreadable>() else { return error };
    let Some(explanation) = host::explain(tree, unreadable.host.as_str()) else { return error };
    let mut told = format!("{error:#}");
    for (finding, line) in &unreadable.found {
        let nodes = within(line, &explanation);
        let places: Vec<_> = nodes.into_iter().filter_map(|node| place(tree, node)).collect();
        if !places.is_empty() {
            told.push_str(&format!("\nin line {}: {}", finding.line, places.join(", ")));
        }
    }
    anyhow!("{told}")
}

/// The values that stand in a line, longest first.
fn within<'e>(line: &str, explanation: &'e Explanation<'_>) -> Vec<&'e Node> {
    let values = explanation.provenance.values.iter().chain(&explanation.site);
    let mut found: Vec<_> = values
        .filter_map(|node| Some((node.text.as_deref()?, node)))
        .filter(|(text, _)| text.len() >= SHORTEST && !text.starts_with('<') && is_word_of(bare(text), line))
        .collect();
    found.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    found.into_iter().map(|(_, node)| node).take(MOST).collect()
}

/// An address without its prefix length: answer files give it apart.
fn bare(text: &str) -> &str {
    let address = text.parse::<ipnet::IpNet>().is_ok().then(|| text.split('/').next());
    address.flatten().unwrap_or(text)
}

/// Whether a text stands in a line, and not inside a longer word or number.
fn is_word_of(text: &str, line: &str) -> bool {
    line.match_indices(text).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + text.len()..]);
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}

fn place(tree: &Tree, node: &Node) -> Option<String> {
    let span = node.span?;
    let (line, _) = tree.sources.position(span);
    Some(format!("{} ({}:{line})", node.path, tree.sources.get(span.source).path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_as_a_word_and_not_within_one() {
        assert!(is_word_of("sda", "part / --ondisk=sda --size=1"));
        assert!(is_word_of("10.0.0.1", "network --gateway=10.0.0.1"));
        assert!(!is_word_of("10.0.0.1", "network --gateway=10.0.0.12"));
        assert!(!is_word_of("sda", "part /usda"));
    }
}
