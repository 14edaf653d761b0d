//! A serialiser that makes nothing but a list of values with their places.

use std::fmt;

use serde::ser::{self, Serialize};

use super::{Path, Step};
use crate::profile::source::{SourceId, Span};
use crate::profile::spanned;
use crate::value::SECRET;

/// A value, or a list or map that was written as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The way to it.
    pub path: Path,
    /// Where it stands: its own place, or that of what it is a part of.
    pub span: Option<Span>,
    /// Tagged `!replace`.
    pub replace: bool,
    /// What may be shown of it; `None` for a list or map that has something in it.
    pub text: Option<String>,
}

/// All values of a layer or a stack, in the order of the types' fields.
pub fn trace(layer: &impl Serialize) -> Vec<Node> {
    let mut collector = Collector::default();
    // an error could only come from a type that refuses to be serialised; what came before it is still true
    let _ = layer.serialize(&mut collector);
    collector.nodes
}

type Done = Result<(), fmt::Error>;

#[derive(Default)]
struct Collector {
    nodes: Vec<Node>,
    path: Vec<Step>,
    span: Option<Span>,
    /// The next list, map or value stands at a place of its own; whether it is tagged.
    placed: Option<bool>,
    /// The next tuple is a place and a value.
    parts: bool,
    /// The next text is a secret.
    secret: bool,
}

impl Collector {
    fn push(&mut self, replace: bool, text: Option<String>) {
        let path = self.path.iter().cloned().collect();
        self.nodes.push(Node { path, span: self.span, replace, text });
    }

    fn leaf(&mut self, text: &str) -> Done {
        let replace = self.placed.take().unwrap_or(false);
        let text =
            if std::mem::take(&mut self.secret) { "<hash>".to_owned() } else { shown(&self.path, text) };
        self.push(replace, Some(text));
        Ok(())
    }

    /// Begins a list or map. It is a value of its own if it was written as one, and not just a part of a type.
    fn open(&mut self, kind: CompoundKind) -> Compound<'_> {
        let node = self.placed.take().map(|replace| {
            self.push(replace, None);
            self.nodes.len() - 1
        });
        Compound { kind, node, at: 0, key: String::new(), span: self.span, collector: self }
    }

    fn within(&mut self, step: Step, value: &(impl Serialize + ?Sized)) -> Done {
        self.path.push(step);
        value.serialize(&mut *self)?;
        self.path.pop();
        Ok(())
    }
}

/// What may be shown of a text.
fn shown(path: &[Step], text: &str) -> String {
    const SUSPECT: [&str; 3] = ["pass", "secret", "token"];
    let suspect = |text: &str| SUSPECT.iter().filter_map(|word| text.to_ascii_lowercase().find(word)).min();
    if path.iter().any(|step| matches!(step, Step::Key(key) if suspect(key).is_some())) {
        return "<hidden>".to_owned();
    }
    let lines = text.trim_end().lines().count();
    if lines > 1 {
        return format!("<{lines} lines of text>");
    }
    let end = suspect(text).and_then(|word| Some(word + text[word..].find([':', '='])? + 1));
    match end {
        Some(end) => format!("{}<hidden>", &text[..end]),
        None if text.is_empty() || text != text.trim() || text.contains(char::is_control) => {
            format!("{text:?}")
        }
        None => text.to_owned(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CompoundKind {
    /// A place and a value.
    Parts,
    List,
    Map,
}

/// A list or map that is being read.
struct Compound<'c> {
    collector: &'c mut Collector,
    kind: CompoundKind,
    /// Its own node.
    node: Option<usize>,
    /// So many items were read.
    at: usize,
    key: String,
    /// The place around it.
    span: Option<Span>,
}

impl Compound<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let at = self.at;
        self.at += 1;
        match (self.kind, at) {
            (CompoundKind::Parts, 0) => {
                let place =
                    serde_json::to_value(value).ok().and_then(|place| serde_json::from_value(place).ok());
                let Some((source, start, end, replace)) = place else { return Ok(()) };
                self.collector.span = Some(Span { source: SourceId(source), start, end });
                self.collector.placed = Some(replace);
                Ok(())
            }
            (CompoundKind::Parts, _) => value.serialize(&mut *self.collector),
            _ => self.collector.within(Step::Item(at), value),
        }
    }

    fn entry<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Done {
        self.collector.within(Step::Key(key.to_owned()), value)
    }

    fn close(self) -> Done {
        self.collector.span = self.span;
        self.collector.placed = None;
        let last = self.collector.nodes.len().checked_sub(1);
        if let Some(node) = self.node.filter(|node| Some(*node) == last) {
            let empty = if self.kind == CompoundKind::List { "[]" } else { "{}" };
            self.collector.nodes[node].text = Some(empty.to_owned());
        }
        Ok(())
    }
}

macro_rules! texts {
    ($($method:ident $type:ty),* $(,)?) => {$(
        fn $method(self, value: $type) -> Done {
            self.leaf(&value.to_string())
        }
    )*};
}

impl<'c> ser::Serializer for &'c mut Collector {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Compound<'c>;
    type SerializeTuple = Compound<'c>;
    type SerializeTupleStruct = Compound<'c>;
    type SerializeTupleVariant = Compound<'c>;
    type SerializeMap = Compound<'c>;
    type SerializeStruct = Compound<'c>;
    type SerializeStructVariant = Compound<'c>;

    texts! {
        serialize_bool bool, serialize_char char, serialize_str &str,
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_u128 u128,
        serialize_f32 f32, serialize_f64 f64,
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.leaf(&format!("<{} bytes>", value.len()))
    }

    fn serialize_none(self) -> Done {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.leaf("null")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Done {
        self.leaf(name)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.leaf(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Done {
        match name {
            spanned::MAGIC => self.parts = true,
            SECRET => self.secret = true,
            _ => {}
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let mut map = self.open(CompoundKind::Map);
        map.entry(variant, value)?;
        map.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'c>, fmt::Error> {
        Ok(self.open(CompoundKind::List))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'c>, fmt::Error> {
        if std::mem::take(&mut self.parts) {
            return Ok(Compound {
                kind: CompoundKind::Parts,
                node: None,
                at: 0,
                key: String::new(),
                span: self.span,
                collector: self,
            });
        }
        Ok(self.open(CompoundKind::List))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'c>, fmt::Error> {
        Ok(self.open(CompoundKind::List))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Compound<'c>, fmt::Error> {
        Ok(self.open(CompoundKind::List))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'c>, fmt::Error> {
        Ok(self.open(CompoundKind::Map))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'c>, fmt::Error> {
        Ok(self.open(CompoundKind::Map))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Compound<'c>, fmt::Error> {
        Ok(self.open(CompoundKind::Map))
    }
}

macro_rules! items {
    ($($of:ident $method:ident),*) => {$(
        impl ser::$of for Compound<'_> {
            type Ok = ();
            type Error = fmt::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.item(value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )*};
}

items! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
}

macro_rules! entries {
    ($($of:ident),*) => {$(
        impl ser::$of for Compound<'_> {
            type Ok = ();
            type Error = fmt::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
                self.entry(key, value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )*};
}

entries! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let key = serde_json::to_value(key).map_err(|_| fmt::Error)?;
        self.key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let key = std::mem::take(&mut self.key);
        self.entry(&key, value)
    }

    fn end(self) -> Done {
        self.close()
    }
}
