//! A draft as YAML that people go on with: block maps and lists, a value a line, texts in quotes where in doubt. What needs quotes
//! is known to [`yaml`].

use super::Node;
use crate::import::line_report::Id;
use crate::value::yaml;

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
                self.line(&format!("{indent}{lead}{}: {}", key(name), yaml::flow(value)), *from)
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
                self.line(&format!("{}- {}", "  ".repeat(depth), yaml::flow(value)), *from)
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
        false => yaml::word(name),
    }
}
