//! YAML as PyYAML's `safe_load` reads it, which is 1.1: a tree with line numbers.
//!
//! Bounded in depth and number of nodes, aliases counted each time they are used. Where a scalar means one thing in YAML
//! 1.1 and another in 1.2, a finding says so: whoever writes the file, and whoever reads it next, may go by the other.

pub(crate) mod rules;
mod scalar;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::grammar::{Finding, shown};

pub use scalar::plain;
use scalar::{ambiguous, without_value};

const MAX_DEPTH: usize = 48;
const MAX_NODES: usize = 100_000;

/// A value.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins, from 1.
    pub line: usize,
    pub data: Data,
}

#[derive(Debug, Clone)]
pub enum Data {
    Scalar { text: String, plain: bool },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone)]
pub struct Key {
    pub line: usize,
    pub text: String,
}

/// What a value is to a reader of YAML 1.1, by the names of JSON's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YamlType {
    Null,
    Boolean,
    Integer,
    Number,
    Date,
    Text,
    List,
    Map,
}

impl std::fmt::Display for YamlType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "nothing",
            Self::Boolean => "true or false",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Date => "a date",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Map => "a map",
        })
    }
}

impl Node {
    pub fn kind(&self) -> YamlType {
        match &self.data {
            Data::Scalar { text, plain: true } => plain(text),
            Data::Scalar { .. } => YamlType::Text,
            Data::List(_) => YamlType::List,
            Data::Map(_) => YamlType::Map,
        }
    }

    /// The value of a key of a map.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().find(|(key, _)| key.text == name).map(|(_, value)| value)
    }

    /// Keys and values; nothing where this is no map.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Self)> {
        let entries = if let Data::Map(entries) = &self.data { entries.as_slice() } else { &[] };
        entries.iter().map(|(key, value)| (key, value))
    }

    /// The items; nothing where this is no list.
    pub fn items(&self) -> &[Self] {
        if let Data::List(items) = &self.data { items } else { &[] }
    }

    /// The text of a scalar, whatever it means.
    pub fn text(&self) -> Option<&str> {
        if let Data::Scalar { text, .. } = &self.data { Some(text) } else { None }
    }

    /// Whether it is a scalar that YAML 1.1 takes for true.
    pub fn is_true(&self) -> bool {
        self.kind() == YamlType::Boolean
            && self
                .text()
                .is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on"))
    }
}

/// A document.
#[derive(Debug)]
pub struct Document {
    pub root: Node,
    /// What stands in the text and not in the tree, in no order.
    pub asides: Vec<Aside>,
}

/// An entry of a map that is not in the tree as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aside {
    /// Its line, from 1.
    pub line: usize,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The key stands again in this line, which counts.
    Again(usize),
    /// It is `<<`: what it names stands in the tree.
    Merge,
}

/// Reads one document. Findings are what reads on; the error is what doesn't.
pub fn parse(text: &str, found: &mut Vec<Finding>) -> Result<Node, Finding> {
    document(text, found).map(|document| document.root)
}

/// The same, with what is not in the tree.
pub fn document(text: &str, found: &mut Vec<Finding>) -> Result<Document, Finding> {
    let mut builder = Builder {
        found,
        stack: Vec::new(),
        anchors: HashMap::new(),
        count: 0,
        root: None,
        asides: Vec::new(),
    };
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| match error.info() {
            "recursion limit exceeded" => too_deep(error.marker().line()),
            info => Finding::error(&rules::SYNTAX, error.marker().line().max(1), format!("not YAML: {info}")),
        })?;
        if let Event::DocumentStart(_) = event {
            documents += 1;
            if documents > 1 {
                return Err(Finding::error(
                    &rules::SECOND_DOCUMENT,
                    span.start.line(),
                    "a second document: subiquity reads one",
                ));
            }
        }
        builder.event(event, span.start.line().max(1))?;
    }
    let empty = Node { line: 1, data: Data::Scalar { text: String::new(), plain: true } };
    Ok(Document { root: builder.root.unwrap_or(empty), asides: builder.asides })
}

fn too_deep(line: usize) -> Finding {
    Finding::error(&rules::TOO_LARGE, line.max(1), format!("nested more than {MAX_DEPTH} levels deep"))
}

struct Frame {
    line: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<Key>),
}

struct Builder<'f> {
    found: &'f mut Vec<Finding>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, (usize, usize, Node)>,
    count: usize,
    root: Option<Node>,
    asides: Vec<Aside>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), Finding> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                self.count(1, line)?;
                let plain = style == ScalarStyle::Plain;
                if plain {
                    let finding = ambiguous(&text, line);
                    self.found.extend(if self.in_secret() { finding.map(without_value) } else { finding });
                }
                self.add(Node { line, data: Data::Scalar { text: text.into_owned(), plain } }, anchor)
            }
            Event::Alias(anchor) => {
                let Some((nodes, depth, node)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Finding::error(&rules::SYNTAX, line, "an alias within what it names"));
                };
                if depth + self.stack.len() > MAX_DEPTH {
                    return Err(too_deep(line));
                }
                self.count(nodes, line)?;
                self.add(node, 0)
            }
            Event::SequenceStart(anchor, _) => self.open(line, anchor, Items::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.open(line, anchor, Items::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    /// Whether the value of a password comes next.
    fn in_secret(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { items: Items::Map(_, Some(key)), .. }) if key.text.contains("pass"))
    }

    fn count(&mut self, nodes: usize, line: usize) -> Result<(), Finding> {
        self.count = self.count.saturating_add(nodes);
        if self.count > MAX_NODES {
            return Err(Finding::error(
                &rules::TOO_LARGE,
                line,
                format!("more than {MAX_NODES} values, repeated aliases counted"),
            ));
        }
        Ok(())
    }

    fn open(&mut self, line: usize, anchor: usize, items: Items) -> Result<(), Finding> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(line));
        }
        self.count(1, line)?;
        self.stack.push(Frame { line, anchor, items });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Finding> {
        let Some(Frame { line, anchor, items }) = self.stack.pop() else { return Ok(()) };
        let data = match items {
            Items::List(items) => Data::List(items),
            Items::Map(entries, _) => Data::Map(self.merged(entries)),
        };
        self.add(Node { line, data }, anchor)
    }

    /// The last of equal keys counts, and `<<` brings what isn't there.
    fn merged(&mut self, entries: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
        let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| key.text == "<<");
        let mut last: HashMap<String, usize> = HashMap::new();
        for (at, (key, _)) in own.iter().enumerate() {
            if let Some(before) = last.insert(key.text.clone(), at) {
                let message = format!(
                    "`{}` stands in line {} already: this one counts",
                    shown(&key.text),
                    own[before].0.line
                );
                self.found.push(Finding::error(&rules::DUPLICATE_KEY, key.line, message));
            }
        }
        for (at, (key, _)) in own.iter().enumerate() {
            let counts = last.get(&key.text).copied().filter(|counts| *counts != at);
            let again = counts.map(|counts| Why::Again(own[counts].0.line));
            self.asides.extend(again.map(|why| Aside { line: key.line, why }));
        }
        self.asides.extend(merges.iter().map(|(key, _)| Aside { line: key.line, why: Why::Merge }));
        let mut at = 0;
        own.retain(|(key, _)| {
            at += 1;
            last.get(&key.text) == Some(&(at - 1))
        });
        for (_, value) in merges {
            let maps = if let Data::List(items) = value.data { items } else { vec![value] };
            for (key, value) in maps
                .into_iter()
                .flat_map(|map| if let Data::Map(entries) = map.data { entries } else { Vec::new() })
            {
                if !last.contains_key(&key.text) {
                    last.insert(key.text.clone(), own.len());
                    own.push((key, value));
                }
            }
        }
        own
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Finding> {
        if anchor != 0 {
            let (nodes, depth) = size(&node);
            self.count(nodes, node.line)?;
            self.anchors.insert(anchor, (nodes, depth, node.clone()));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.items {
            Items::List(items) => items.push(node),
            Items::Map(entries, slot) => match (slot.take(), node.data) {
                (Some(key), data) => entries.push((key, Node { line: node.line, data })),
                (None, Data::Scalar { text, .. }) => *slot = Some(Key { line: node.line, text }),
                (None, _) => {
                    return Err(Finding::error(&rules::SYNTAX, node.line, "a key must be a single word"));
                }
            },
        }
        Ok(())
    }
}

/// Number of nodes and depth; the depth of what is measured is bounded.
fn size(node: &Node) -> (usize, usize) {
    let within = |children: &mut dyn Iterator<Item = &Node>| {
        children.map(size).fold((1, 1), |(nodes, depth), (more, deep)| (nodes + more, depth.max(deep + 1)))
    };
    match &node.data {
        Data::Scalar { .. } => (1, 1),
        Data::List(items) => within(&mut items.iter()),
        Data::Map(entries) => within(&mut entries.iter().map(|(_, value)| value)),
    }
}
