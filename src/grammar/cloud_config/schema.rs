//! cloud-init's own schema, held against a tree that has line numbers.
//!
//! As much of JSON Schema (draft 4) as cloud-init uses. A message names keys, types and allowed words, and never a value:
//! user-data holds passwords and tokens anywhere.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::Version;
use super::rules;
use crate::grammar::autoinstall::yaml::{Data, Node, YamlType};
use crate::grammar::shown;
use crate::value::nearest;
use crate::value::rule::Rule;

static SCHEMAS: LazyLock<[Json; 2]> = LazyLock::new(|| {
    let read = |text| serde_json::from_str(text).unwrap_or_default();
    [read(include_str!("schema-22.4.json")), read(include_str!("schema-25.1.json"))]
});

/// One thing that doesn't fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub line: usize,
    pub message: String,
    pub help: Option<String>,
    /// It works still.
    pub deprecated: bool,
    /// How deep in the tree.
    depth: usize,
    /// Of these types nothing was found.
    wanted: Vec<String>,
    pub rule: &'static Rule,
}

/// What doesn't fit the schema of a version.
pub(super) fn check(root: &Node, version: Version) -> Vec<Problem> {
    let schema = of(version);
    let mut found = Vec::new();
    Walk { whole: schema }.check(schema, root, &mut Vec::new(), &mut found);
    found.sort();
    found.dedup();
    found
}

fn of(version: Version) -> &'static Json {
    let [old, new] = &*SCHEMAS;
    match version {
        Version::V22_4 => old,
        Version::V25_1 => new,
    }
}

/// Whether the newest version knows a key at the top.
pub(super) fn knows(key: &str) -> bool {
    of(Version::V25_1)["properties"].get(key).is_some()
}

/// Keys that the newest version knows at the top.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    of(Version::V25_1)["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str())
}

struct Walk<'s> {
    whole: &'s Json,
}

type Path = Vec<String>;

impl<'s> Walk<'s> {
    fn check(&self, schema: &'s Json, node: &Node, path: &mut Path, found: &mut Vec<Problem>) {
        if let Some(name) = schema["$ref"].as_str() {
            // draft 4: what stands beside a reference is not read
            let below = name.trim_start_matches("#/").split('/').fold(self.whole, |at, key| &at[key]);
            return self.check(below, node, path, found);
        }
        // of most keys most parts of a schema say nothing
        if !schema.is_object() || super::is_unknown(node) {
            return;
        }
        if schema["deprecated"] == true {
            let since = schema["deprecated_version"].as_str();
            let since = since.map(|version| format!(" since {version}")).unwrap_or_default();
            let problem = Problem {
                deprecated: true,
                ..problem(&rules::DEPRECATED, node, path, format!("is deprecated{since}"))
            };
            found.push(problem);
        }
        let types = texts(&schema["type"]);
        if !types.is_empty() && !types.iter().any(|name| is(node.kind(), name)) {
            found.push(wrong_type(node, path, types));
            return;
        }
        self.combined(schema, node, path, found);
        if schema["enum"].is_array() && !matches!(node.data, Data::Scalar { .. }) {
            // a word of a list of words
            found.push(wrong_type(node, path, vec!["string"]));
            return;
        }
        match &node.data {
            Data::Scalar { text, .. } => scalar(schema, node, text, path, found),
            Data::List(items) => self.list(schema, node, items, path, found),
            Data::Map(_) => self.map(schema, node, path, found),
        }
    }

    fn combined(&self, schema: &'s Json, node: &Node, path: &mut Path, found: &mut Vec<Problem>) {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.check(part, node, path, found);
        }
        for word in ["oneOf", "anyOf"] {
            let Some(branches) = schema[word].as_array() else { continue };
            let tried: Vec<_> = branches
                .iter()
                .map(|branch| {
                    let mut found = Vec::new();
                    self.check(branch, node, path, &mut found);
                    found
                })
                .collect();
            let good = |found: &&Vec<Problem>| found.iter().all(|problem| problem.deprecated);
            let fitting = tried.iter().filter(good).count();
            if let Some(first) = tried.iter().find(good) {
                found.extend(first.iter().cloned());
                if word == "oneOf" && fitting > 1 {
                    found.push(problem(&rules::VALUE, node, path, "could be read in several ways"));
                }
            } else {
                found.extend(likeliest(tried, node, path));
            }
        }
    }

    fn list(&self, schema: &'s Json, node: &Node, items: &[Node], path: &mut Path, found: &mut Vec<Problem>) {
        let count = items.len() as u64;
        if schema["minItems"].as_u64().is_some_and(|least| count < least) {
            let least = &schema["minItems"];
            let plural = if *least == 1 { "" } else { "s" };
            found.push(problem(&rules::ITEMS, node, path, format!("needs at least {least} item{plural}")));
        }
        if schema["maxItems"].as_u64().is_some_and(|most| count > most) {
            found.push(problem(
                &rules::ITEMS,
                node,
                path,
                format!("takes at most {} items", schema["maxItems"]),
            ));
        }
        if schema["uniqueItems"] == true {
            let mut seen = std::collections::BTreeSet::new();
            let twice = items
                .iter()
                .filter(|item| item.text().is_some_and(|text| !seen.insert((text, item.kind() as u8))));
            found.extend(twice.map(|item| problem(&rules::ITEMS, item, path, "holds an item twice")));
        }
        for (at, item) in items.iter().enumerate() {
            let below = match &schema["items"] {
                Json::Array(each) => each.get(at).unwrap_or(&schema["additionalItems"]),
                all => all,
            };
            path.push(format!("item {}", at + 1));
            self.check(below, item, path, found);
            path.pop();
        }
    }

    fn map(&self, schema: &'s Json, node: &Node, path: &mut Path, found: &mut Vec<Problem>) {
        for name in texts(&schema["required"]) {
            if node.get(name).is_none() {
                found.push(problem(&rules::MISSING_KEY, node, path, format!("lacks `{name}`")));
            }
        }
        let count = node.entries().count() as u64;
        if schema["minProperties"].as_u64().is_some_and(|least| count < least) {
            found.push(problem(&rules::ITEMS, node, path, "is empty"));
        }
        let named = schema["properties"].as_object();
        let patterns = schema["patternProperties"].as_object();
        let takes_others = matches!(schema["additionalProperties"], Json::Null | Json::Bool(true));
        for (key, value) in node.entries() {
            if takes_others && patterns.is_none() && named.is_none_or(|named| !named.contains_key(&key.text))
            {
                continue;
            }
            path.push(format!("`{}`", shown(&key.text)));
            // of a template, a key may become any
            let mut known = super::holds_unknown(&key.text);
            if let Some(below) = named.and_then(|named| named.get(&key.text)) {
                known = true;
                self.check(below, value, path, found);
            }
            for (pattern, below) in patterns.into_iter().flatten() {
                if matches(pattern, &key.text) {
                    known = true;
                    self.check(below, value, path, found);
                }
            }
            match &schema["additionalProperties"] {
                _ if known => {}
                Json::Bool(false) => {
                    let known = named.into_iter().flatten().map(|(name, _)| name.as_str());
                    let near = nearest(&key.text, known).map(|near| format!("did you mean `{near}`?"));
                    let at = Node { line: key.line, data: value.data.clone() };
                    found.push(Problem {
                        help: near,
                        ..problem(&rules::UNKNOWN_KEY, &at, path, "is no key that cloud-init reads")
                    });
                }
                below => self.check(below, value, path, found),
            }
            path.pop();
        }
    }
}

/// Of forms that all don't fit, what is wrong with the one that was meant.
fn likeliest(tried: Vec<Vec<Problem>>, node: &Node, path: &Path) -> Vec<Problem> {
    let shallow = |found: &Vec<Problem>| {
        found.iter().any(|problem| !problem.wanted.is_empty() && problem.depth == path.len())
    };
    let (other, same): (Vec<_>, Vec<_>) = tried.into_iter().partition(shallow);
    if let Some(best) =
        same.into_iter().min_by_key(|found| (found.len(), found.iter().map(|p| usize::MAX - p.depth).max()))
    {
        return best;
    }
    let mut wanted: Vec<_> = other.into_iter().flatten().flat_map(|problem| problem.wanted).collect();
    wanted.sort();
    wanted.dedup();
    vec![wrong_type(node, path, wanted.iter().map(String::as_str).collect())]
}

fn scalar(schema: &Json, node: &Node, text: &str, path: &Path, found: &mut Vec<Problem>) {
    if let Some(allowed) = schema["enum"].as_array() {
        let same = |word: &Json| match word {
            Json::String(word) => node.kind() == YamlType::Text && word == text,
            Json::Bool(word) => node.kind() == YamlType::Boolean && *word == node.is_true(),
            Json::Null => node.kind() == YamlType::Null,
            other => matches!(node.kind(), YamlType::Integer | YamlType::Number) && *other == *text,
        };
        if !allowed.iter().any(same) {
            let words: Vec<_> =
                allowed.iter().map(|word| format!("`{}`", word.to_string().trim_matches('"'))).collect();
            found.push(problem(&rules::VALUE, node, path, format!("is none of {}", words.join(", "))));
        }
    }
    if let (Some(least), Ok(number)) = (schema["minimum"].as_f64(), text.parse::<f64>())
        && matches!(node.kind(), YamlType::Integer | YamlType::Number)
        && number < least
    {
        found.push(problem(&rules::VALUE, node, path, format!("is less than {least}")));
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && node.kind() == YamlType::Text
        && !matches(pattern, text)
    {
        found.push(problem(&rules::VALUE, node, path, format!("doesn't fit `{pattern}`")));
    }
}

/// The patterns of the schemas, each by hand: a whole engine for nine of them would be too much.
fn matches(pattern: &str, text: &str) -> bool {
    let word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    match pattern {
        "^.+$" => !text.is_empty(),
        "^[0-9a-zA-Z_]+$" => word(text, "_"),
        // ` -_` is a range
        "^[0-9a-zA-Z -_]+$" => {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || (' '..='_').contains(&c))
        }
        "^[-_0-9a-zA-Z]+(,[-_0-9a-zA-Z]+)*$" => text.split(',').all(|part| word(part, "-_")),
        "^.+:.+$" => text.get(1..).is_some_and(|rest| rest.find(':').is_some_and(|at| at + 1 < rest.len())),
        "^\\+?[0-9]+$" => {
            let digits = text.strip_prefix('+').unwrap_or(text);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        "^([0-9]+)?\\.?[0-9]+[BKMGT]$" => {
            let number = text.strip_suffix(['B', 'K', 'M', 'G', 'T']).unwrap_or_default();
            let (whole, part) = number.split_once('.').unwrap_or(("", number));
            !part.is_empty() && [whole, part].concat().bytes().all(|byte| byte.is_ascii_digit())
        }
        _ if pattern.ends_with("_(public|private|certificate)$") => {
            let kinds = pattern.split(['(', ')']).nth(1).unwrap_or_default();
            text.split_once('_').is_some_and(|(kind, what)| {
                kinds.split('|').any(|known| known == kind)
                    && ["public", "private", "certificate"].contains(&what)
            })
        }
        _ => true,
    }
}

fn wrong_type(node: &Node, path: &Path, types: Vec<&str>) -> Problem {
    let names: Vec<_> = types.iter().map(|name| in_words(name)).collect();
    let message = format!("is {}, expected {}", node.kind(), names.join(" or "));
    Problem {
        wanted: types.into_iter().map(str::to_owned).collect(),
        ..problem(&rules::TYPE, node, path, message)
    }
}

fn problem(rule: &'static Rule, node: &Node, path: &Path, message: impl AsRef<str>) -> Problem {
    let place = if path.is_empty() { "user-data".to_owned() } else { path.join(", ") };
    Problem {
        line: node.line,
        message: format!("{place} {}", message.as_ref()),
        help: None,
        deprecated: false,
        depth: path.len(),
        wanted: Vec::new(),
        rule,
    }
}

fn texts(value: &Json) -> Vec<&str> {
    match value {
        Json::String(text) => vec![text],
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is(kind: YamlType, name: &str) -> bool {
    match name {
        "null" => kind == YamlType::Null,
        "boolean" => kind == YamlType::Boolean,
        "integer" => kind == YamlType::Integer,
        "number" => matches!(kind, YamlType::Integer | YamlType::Number),
        "string" => kind == YamlType::Text,
        "array" => kind == YamlType::List,
        "object" => kind == YamlType::Map,
        _ => false,
    }
}

fn in_words(name: &str) -> String {
    let kind = match name {
        "null" => YamlType::Null,
        "boolean" => YamlType::Boolean,
        "integer" => YamlType::Integer,
        "number" => YamlType::Number,
        "string" => YamlType::Text,
        "array" => YamlType::List,
        _ => YamlType::Map,
    };
    kind.to_string()
}
