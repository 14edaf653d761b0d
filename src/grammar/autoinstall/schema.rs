//! subiquity's schema: types, required keys, values, and keys that nothing reads.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Release;
use super::rules;
use super::yaml::{Data, Node, YamlType};
use crate::grammar::{Finding, shown};
use crate::value::nearest;

/// What is known of a path in one release.
#[derive(Debug)]
struct Fact {
    types: Vec<&'static str>,
    releases: Vec<&'static str>,
    closed: bool,
    required: Vec<&'static str>,
    values: Vec<&'static str>,
}

type Table = BTreeMap<&'static str, Vec<Fact>>;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::new();
    for line in include_str!("schema.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        let (path, types, releases, options) = (field(), field(), field(), field());
        let option = |name: &str| options.split(' ').find_map(|option| option.strip_prefix(name));
        let split = |text: Option<&'static str>, by: char| {
            text.map(|text| text.split(by).collect()).unwrap_or_default()
        };
        table.entry(path).or_default().push(Fact {
            types: types.split(',').filter(|kind| !kind.is_empty()).collect(),
            releases: releases.split(',').collect(),
            closed: options.split(' ').any(|option| option == "closed"),
            required: split(option("required="), ','),
            values: split(option("values="), '|'),
        });
    }
    table
});

/// Sections that the schema of a release doesn't list and that its installer reads all the same.
const READ_ANYWAY: [&str; 1] = ["interactive-sections"];

fn fact(path: &str, release: Release) -> Option<&'static Fact> {
    TABLE.get(path)?.iter().find(|fact| fact.releases.contains(&release.number()))
}

/// Keys right below a path, of any release.
fn keys(path: &str) -> impl Iterator<Item = &'static str> {
    let prefix = format!("{}/", path.trim_end_matches('/'));
    TABLE.keys().filter_map(move |known| {
        let rest = known.strip_prefix(prefix.as_str())?;
        (!rest.is_empty() && !rest.contains('/') && !matches!(rest, "[]" | "*")).then_some(rest)
    })
}

/// Whether this is a section of an autoinstall file.
pub fn is_section(name: &str, release: Release) -> bool {
    READ_ANYWAY.contains(&name) || fact(&format!("/{name}"), release).is_some()
}

/// Holds the whole file against the schema.
pub fn check(config: &Node, release: Release, found: &mut Vec<Finding>) {
    walk("", config, release, found);
}

fn walk(path: &str, node: &Node, release: Release, found: &mut Vec<Finding>) {
    let Some(fact) = fact(if path.is_empty() { "/" } else { path }, release) else { return };
    if !fits(node.kind(), &fact.types) {
        found.push(wrong_type(path, node, fact));
        return;
    }
    match &node.data {
        Data::Scalar { text, .. } => {
            let is_text = node.kind() == YamlType::Text;
            if is_text && !fact.values.is_empty() && !fact.values.contains(&text.as_str()) {
                found.push(wrong_value(path, node.line, text, &fact.values));
            }
            if path == "/version" && text != "1" {
                found.push(Finding::error(
                    &rules::VALUE,
                    node.line,
                    format!("version `{}` isn't 1", shown(text)),
                ));
            }
        }
        Data::List(items) => items.iter().for_each(|item| walk(&format!("{path}/[]"), item, release, found)),
        Data::Map(_) => map(path, node, fact, release, found),
    }
}

fn map(path: &str, node: &Node, fact: &Fact, release: Release, found: &mut Vec<Finding>) {
    for name in &fact.required {
        if node.get(name).is_none() {
            let message = if path.is_empty() && *name == "version" {
                "`version: 1` is missing".to_owned()
            } else {
                format!("`{name}` is missing in `{}`", place(path))
            };
            found.push(Finding::error(&rules::MISSING_KEY, node.line, message));
        }
    }
    let any = format!("{path}/*");
    for (key, value) in node.entries() {
        let below = format!("{path}/{}", key.text);
        if self::fact(&below, release).is_some() {
            walk(&below, value, release, found);
        } else if self::fact(&any, release).is_some() {
            walk(&any, value, release, found);
        } else {
            found.extend(unknown(path, &key.text, key.line, fact, release));
        }
    }
}

fn unknown(path: &str, key: &str, line: usize, fact: &Fact, release: Release) -> Option<Finding> {
    let top = path.is_empty();
    if top && READ_ANYWAY.contains(&key) {
        return None;
    }
    let place = place(path);
    if TABLE.contains_key(format!("{path}/{key}").as_str()) {
        let message = format!("`{key}` in `{place}` is of a later release than {release}");
        let finding = if fact.closed {
            Finding::error(&rules::LATER_RELEASE, line, message)
        } else {
            Finding::warning(&rules::LATER_RELEASE, line, message)
        };
        return Some(finding);
    }
    let near = nearest(key, keys(path).chain(if top { READ_ANYWAY.as_slice() } else { &[] }.iter().copied()));
    // where any key may stand, a short one is rather another word than a slip
    let near = near.filter(|_| top || fact.closed || key.len() > 3);
    let known = keys(path).next().is_some();
    let message = format!("`{}` in `{place}` is no key that subiquity reads", shown(key));
    match near {
        Some(near) => {
            Some(Finding::error(&rules::UNKNOWN_KEY, line, message).help(format!("did you mean `{near}`?")))
        }
        None if top || fact.closed => Some(Finding::error(&rules::UNKNOWN_KEY, line, message)),
        // an open map that the schema lists no keys of takes any
        None if known && !matches!(path, "/network" | "/network/network" | "/apt" | "/source") => {
            Some(Finding::warning(&rules::UNKNOWN_KEY, line, message))
        }
        None => None,
    }
}

fn fits(kind: YamlType, types: &[&str]) -> bool {
    let name = match kind {
        YamlType::Null => "null",
        YamlType::Boolean => "boolean",
        YamlType::Integer => "integer",
        YamlType::Number => "number",
        YamlType::Text => "string",
        YamlType::List => "array",
        YamlType::Map => "object",
        YamlType::Date => "",
    };
    types.is_empty() || types.contains(&name)
}

/// A path as it may stand in a sentence.
fn place(path: &str) -> String {
    if path.is_empty() { "autoinstall".to_owned() } else { path.trim_start_matches('/').replace("/[]", "[]") }
}

fn wrong_type(path: &str, node: &Node, fact: &Fact) -> Finding {
    let wanted = fact.types.iter().map(|name| match *name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a map",
        _ => "nothing",
    });
    let wanted: Vec<_> = wanted.into_iter().collect();
    let place = place(path);
    let message = format!("`{place}` must be {}, found {}", wanted.join(" or "), node.kind());
    let finding = Finding::error(&rules::TYPE, node.line, message);
    let is_scalar = matches!(node.data, Data::Scalar { .. }) && node.kind() != YamlType::Null;
    if is_scalar && fact.types.contains(&"string") { finding.help("quote it") } else { finding }
}

fn wrong_value(path: &str, line: usize, text: &str, values: &[&'static str]) -> Finding {
    let finding =
        Finding::error(&rules::VALUE, line, format!("`{}` can't be `{}`", place(path), shown(text)));
    match nearest(text, values.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("one of {}", values.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_parents_and_known_types() {
        let types = ["object", "array", "string", "boolean", "integer", "number", "null"];
        assert!(TABLE.len() > 80);
        for (path, facts) in TABLE.iter() {
            let parent =
                path.rsplit_once('/').map_or("/", |(parent, _)| if parent.is_empty() { "/" } else { parent });
            assert!(TABLE.contains_key(parent), "{path}");
            for fact in facts {
                assert!(fact.types.iter().all(|kind| types.contains(kind)), "{path}");
                assert!(!fact.releases.is_empty(), "{path}");
            }
        }
    }
}
