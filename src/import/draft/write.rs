//! A draft as YAML that every reader reads alike: block maps and lists, a value a line, texts in quotes where in doubt.

use serde_json::Value;

use super::Node;
use crate::import::ledger::Id;

/// Text so far, and for each of its lines the entry that it came from.
#[derive(Default)]
pub struct Writer {
    pub text: String,
    pub lines: Vec<Id>,
}

impl Writer {
    fn line(&mut self, text: &str, from: Id) {
        self.text.push_str(text);
        self.text.push('\n');
        self.lines.push(from);
    }

    /// A key with its value; `lead` is what stands before it on its first line, such as a list's dash.
    pub fn entry(&mut self, depth: usize, lead: &str, name: &str, node: &Node) {
        let indent = "  ".repeat(depth);
        match node {
            Node::Leaf(value, from) => {
                self.line(&format!("{indent}{lead}{}: {}", key(name), scalar(value)), *from)
            }
            Node::Map(inside) => {
                self.line(&format!("{indent}{lead}{}:", key(name)), Id::NOBODY);
                let depth = depth + 1 + lead.len() / 2;
                inside.nodes.iter().for_each(|(name, node)| self.entry(depth, "", name, node));
            }
            Node::List(items) => {
                self.line(&format!("{indent}{lead}{}:", key(name)), Id::NOBODY);
                let depth = depth + 1 + lead.len() / 2;
                items.nodes.iter().for_each(|(_, node)| self.item(depth, node));
            }
        }
    }

    fn item(&mut self, depth: usize, node: &Node) {
        match node {
            Node::Leaf(value, from) => {
                self.line(&format!("{}- {}", "  ".repeat(depth), scalar(value)), *from)
            }
            Node::Map(inside) | Node::List(inside) => {
                for (at, (name, node)) in inside.nodes.iter().enumerate() {
                    match at {
                        0 => self.entry(depth, "- ", name, node),
                        _ => self.entry(depth + 1, "", name, node),
                    }
                }
            }
        }
    }
}

/// A key: those of a profile need no quotes.
fn key(name: &str) -> String {
    match name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !name.is_empty() {
        true => name.to_owned(),
        false => quoted(name),
    }
}

/// A value on one line. Texts stand in quotes unless nobody could take them for anything else.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(scalar).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), scalar(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_./@+-".contains(c));
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "inf" | "nan"
    );
    if plain && !word {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_texts_for_every_reader() {
        for text in ["", "yes", "0x10", "1e3", "a: b", "#x", "- a", "\u{85}\u{7}\n\"\\", "12:30:00", "~", "ü"]
        {
            let read: String = serde_yaml::from_str(&quoted(text)).unwrap();
            assert_eq!(read, text);
        }
    }
}
