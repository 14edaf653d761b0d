//! What holds where nothing is written, by the schemas' own `default` keyword.

use serde_json::Value;

use super::{Document, schema};
use crate::profile::trace::{Node, Path, Step};

/// The defaults of all keys that a file of this kind leaves out, given what it holds. Parts of alternatives and of list
/// items are looked at only where the file has them.
pub fn defaults(kind: Document, values: &[Node]) -> Vec<(Path, String)> {
    let root = schema(kind);
    let mut walk = Walk { root: &root, values, found: Vec::new() };
    walk.schema(&root, &Path::default());
    walk.found
}

struct Walk<'w> {
    root: &'w Value,
    values: &'w [Node],
    found: Vec<(Path, String)>,
}

impl<'w> Walk<'w> {
    fn holds(&self, path: &Path) -> bool {
        self.values.iter().any(|node| node.path.is_within(path))
    }

    /// How many items the list at a path has.
    fn items(&self, path: &Path) -> usize {
        let number = |node: &Node| match node.path.steps().get(path.steps().len()) {
            Some(Step::Item(number)) if node.path.is_within(path) => Some(number + 1),
            _ => None,
        };
        self.values.iter().filter_map(number).max().unwrap_or(0)
    }

    fn schema(&mut self, schema: &'w Value, path: &Path) {
        let schema = self.referred(schema);
        for keyword in ["anyOf", "oneOf"] {
            let Some(Value::Array(alternatives)) = schema.get(keyword) else { continue };
            let alternatives: Vec<_> =
                alternatives.iter().filter(|one| one.get("type").is_none_or(|kind| kind != "null")).collect();
            for alternative in &alternatives {
                if alternatives.len() == 1 || self.is_chosen(alternative, path) {
                    self.schema(alternative, path);
                }
            }
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (key, property) in properties {
                let path = path.key(key);
                match property.get("default") {
                    Some(default) if !self.holds(&path) => self.found.push((path, text(default))),
                    _ => self.schema(property, &path),
                }
            }
        }
        if let Some(items) = schema.get("items") {
            for number in 0..self.items(path) {
                self.schema(items, &path.then(Step::Item(number)));
            }
        }
    }

    /// Whether the file holds what only this alternative can be.
    fn is_chosen(&self, alternative: &'w Value, path: &Path) -> bool {
        let alternative = self.referred(alternative);
        let Some(Value::Object(properties)) = alternative.get("properties") else { return false };
        match alternative.get("required").and_then(Value::as_array) {
            Some(required) => required.iter().filter_map(Value::as_str).all(|key| self.holds(&path.key(key))),
            None => properties.keys().any(|key| self.holds(&path.key(key))),
        }
    }

    fn referred(&self, schema: &'w Value) -> &'w Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
        name.and_then(|name| self.root.get("$defs")?.get(name)).unwrap_or(schema)
    }
}

fn text(default: &Value) -> String {
    default.as_str().map_or_else(|| default.to_string(), str::to_owned)
}
