//! Values that remember their place, and how layers of them are stacked.
//!
//! A single value: the later one wins. A list: the later one is appended. A map: key by key. `!replace` at a list or map: the
//! later one alone. Stacking is associative, so classes can be stacked in any grouping as long as the order stays.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::source::{SourceId, Span};

/// Name by which these types ask our deserialiser for place and tag, and show them to `trace`'s serialiser; no other
/// deserialiser can read them.
pub(super) const MAGIC: &str = "$ironstrap::Spanned";

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// A list that later layers add to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T> {
    /// The items, earlier layers first.
    pub items: Vec<Spanned<T>>,
    /// Tagged `!replace`.
    pub replace: bool,
    /// Where it was written last.
    pub span: Option<Span>,
}

/// A map with known keys that later layers add to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section<T> {
    /// The keys.
    pub value: T,
    /// Tagged `!replace`.
    pub replace: bool,
    /// Where it was written last.
    pub span: Option<Span>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), replace: false, span: None }
    }
}

/// Stacks two layers.
pub trait Merge {
    /// This layer with a later one on top.
    #[must_use]
    fn merge(self, later: Self) -> Self;
}

impl<T> Merge for Option<Spanned<T>> {
    fn merge(self, later: Self) -> Self {
        later.or(self)
    }
}

impl<T> Merge for List<T> {
    fn merge(mut self, later: Self) -> Self {
        if later.replace {
            return later;
        }
        self.items.extend(later.items);
        Self { span: later.span.or(self.span), ..self }
    }
}

impl<T: Merge> Merge for Section<T> {
    fn merge(self, later: Self) -> Self {
        if later.replace {
            return later;
        }
        Self { value: self.value.merge(later.value), replace: self.replace, span: later.span.or(self.span) }
    }
}

impl<K: Ord, T> Merge for BTreeMap<K, Spanned<T>> {
    fn merge(mut self, later: Self) -> Self {
        self.extend(later);
        self
    }
}

/// What our deserialiser gives for [`MAGIC`].
struct Parts<T> {
    span: Span,
    replace: bool,
    value: T,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Parts<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartsVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for PartsVisitor<T> {
            type Value = Parts<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with a place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Parts<T>, A::Error> {
                let short = || de::Error::custom("a value without a place");
                let source = SourceId(parts.next_element()?.ok_or_else(short)?);
                let start = parts.next_element()?.ok_or_else(short)?;
                let end = parts.next_element()?.ok_or_else(short)?;
                let replace = parts.next_element()?.ok_or_else(short)?;
                let value = parts.next_element()?.ok_or_else(short)?;
                Ok(Parts { span: Span { source, start, end }, replace, value })
            }
        }

        deserializer.deserialize_newtype_struct(MAGIC, PartsVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { span, replace, value } = Parts::deserialize(deserializer)?;
        if replace {
            return Err(de::Error::custom("`!replace` has no meaning here"));
        }
        Ok(Self { value, span })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { span, replace, value } = Parts::deserialize(deserializer)?;
        Ok(Self { items: value, replace, span: Some(span) })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { span, replace, value } = Parts::deserialize(deserializer)?;
        Ok(Self { value, replace, span: Some(span) })
    }
}

/// What our serialiser gets for [`MAGIC`]: source, start and end of the place, whether it is tagged; then the value.
fn serialize_parts<S: Serializer>(
    serializer: S,
    span: Span,
    replace: bool,
    value: &impl Serialize,
) -> Result<S::Ok, S::Error> {
    let Span { source, start, end } = span;
    serializer.serialize_newtype_struct(MAGIC, &((source.0, start, end, replace), value))
}

impl<T: Serialize> Serialize for Spanned<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_parts(serializer, self.span, false, &self.value)
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.span {
            Some(span) => serialize_parts(serializer, span, self.replace, &self.items),
            None => serializer.serialize_none(),
        }
    }
}

impl<T: Serialize> Serialize for Section<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.span {
            Some(span) => serialize_parts(serializer, span, self.replace, &self.value),
            None => serializer.serialize_none(),
        }
    }
}

/// In a schema these types are what they hold; nothing (`users:` alone) is an empty list or map.
macro_rules! transparent_schema {
    ($($type:ident<T> as $shown:ty;)*) => {$(
        impl<T: JsonSchema> JsonSchema for $type<T> {
            fn schema_name() -> Cow<'static, str> {
                <$shown>::schema_name()
            }

            fn schema_id() -> Cow<'static, str> {
                <$shown>::schema_id()
            }

            fn inline_schema() -> bool {
                <$shown>::inline_schema()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$shown>::json_schema(generator)
            }
        }
    )*};
}

transparent_schema! {
    Spanned<T> as T;
    List<T> as Option<Vec<T>>;
    Section<T> as Option<T>;
}
