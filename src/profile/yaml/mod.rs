//! YAML 1.2 text → a tree that knows where everything stands.
//!
//! Bounded in size, depth and number of nodes (aliases count each time they are used), so that no text can exhaust memory.
//! Scalars stay texts here; what they mean is decided by the type that reads them. One document a file.

mod build;

pub use build::parse;

use super::source::Span;

/// Largest file in bytes.
pub const MAX_BYTES: u64 = 1 << 20;
const MAX_DEPTH: usize = 32;
const MAX_NODES: u32 = 50_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique in its tree.
    pub id: u32,
    /// Where it stands.
    pub span: Span,
    /// Tagged `!replace`.
    pub replace: bool,
    /// What it is.
    pub data: Data,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Data {
    /// A text, number, truth value or nothing.
    Scalar {
        /// As written, escapes resolved.
        text: Box<str>,
        /// Written without quotes: may be more than a text.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map; no key stands twice.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Node,
}

/// A key of a map.
#[derive(Debug, Clone)]
pub struct Key {
    /// Unique in its tree.
    pub id: u32,
    /// Where it stands.
    pub span: Span,
    /// The text.
    pub text: Box<str>,
}

impl Node {
    /// Nothing was written.
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Takes out the node with this id, or the entry whose key has it. False if it is this node or isn't there.
    pub fn prune(&mut self, id: u32) -> bool {
        match &mut self.data {
            Data::Scalar { .. } => false,
            Data::List(items) => match items.iter().position(|item| item.id == id) {
                Some(at) => {
                    items.remove(at);
                    true
                }
                None => items.iter_mut().any(|item| item.prune(id)),
            },
            Data::Map(entries) => {
                match entries.iter().position(|entry| entry.key.id == id || entry.value.id == id) {
                    Some(at) => {
                        entries.remove(at);
                        true
                    }
                    None => entries.iter_mut().any(|entry| entry.value.prune(id)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
