//! Nodes → typed layers: a serde deserialiser that names places, and goes on after a mistake.
//!
//! serde stops at the first error. So the innermost node that an error belongs to is cut off, and the rest is read again,
//! until it succeeds. Types that are read this way have only optional fields, which makes every rest readable; they use
//! neither flatten, untagged nor internally tagged forms, which lose places.

mod access;
mod error;

use serde::Deserialize;
use serde::de::{self, Visitor};

use super::diag::Diagnostic;
use super::spanned;
use super::yaml::{Data, Node};
use access::{EnumAccess, ListAccess, MapAccess, SpannedAccess};
use error::Error;

/// After so many mistakes in one file the rest isn't looked at: it isn't a profile.
const MAX_MISTAKES: usize = 100;

/// Reads a whole file; a part with a mistake is as if it weren't there.
pub fn decode<T: Default + for<'de> Deserialize<'de>>(
    mut root: Node,
    diagnostics: &mut Vec<Diagnostic>,
) -> T {
    for _ in 0..MAX_MISTAKES {
        let error = match T::deserialize(Deserializer::new(&root)) {
            Ok(value) => return value,
            Err(error) => error.at(root.id, root.span),
        };
        let id = error.id();
        diagnostics.push(error.into_diagnostic(root.span));
        if !id.is_some_and(|id| root.prune(id)) {
            return T::default();
        }
    }
    diagnostics.push(
        Diagnostic::new(root.span, format!("more than {MAX_MISTAKES} mistakes; the rest isn't looked at"))
            .help("is this file a profile?"),
    );
    T::default()
}

/// Reads one node.
#[derive(Clone, Copy)]
struct Deserializer<'n> {
    node: &'n Node,
    /// Somebody up there knows what `!replace` means here.
    replace_allowed: bool,
}

impl<'n> Deserializer<'n> {
    fn new(node: &'n Node) -> Self {
        Self { node, replace_allowed: false }
    }

    fn inside(node: &'n Node) -> Self {
        Self { node, replace_allowed: true }
    }

    fn check_tag(&self) -> Result<(), Error> {
        if self.node.replace && !self.replace_allowed {
            return Err(<Error as de::Error>::custom("`!replace` has no meaning here")
                .help("it can stand at lists and maps that classes add to"));
        }
        Ok(())
    }

    fn unexpected(&self) -> de::Unexpected<'n> {
        match &self.node.data {
            Data::Scalar { .. } if self.node.is_null() => de::Unexpected::Unit,
            Data::Scalar { text, .. } => de::Unexpected::Str(text),
            Data::List(_) => de::Unexpected::Seq,
            Data::Map(_) => de::Unexpected::Map,
        }
    }

    /// A whole number by YAML's core schema.
    fn integer(&self) -> Option<i128> {
        let Data::Scalar { text, plain: true } = &self.node.data else { return None };
        match text.get(..2) {
            Some("0x") => i128::from_str_radix(&text[2..], 16).ok(),
            Some("0o") => i128::from_str_radix(&text[2..], 8).ok(),
            _ => text.parse().ok(),
        }
    }

    fn float(&self) -> Option<f64> {
        match &self.node.data {
            Data::Scalar { text, plain: true }
                if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) =>
            {
                text.parse().ok()
            }
            _ => None,
        }
    }

    fn boolean(&self) -> Option<bool> {
        match &self.node.data {
            Data::Scalar { text, plain: true } => match &**text {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

macro_rules! number {
    ($($method:ident $visit:ident $read:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.$read().and_then(|number| <$type>::try_from(number).ok()) {
                Some(number) => visitor.$visit(number),
                None => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Deserializer<'_> {
    type Error = Error;

    number! {
        deserialize_i8 visit_i8 integer i8;
        deserialize_i16 visit_i16 integer i16;
        deserialize_i32 visit_i32 integer i32;
        deserialize_i64 visit_i64 integer i64;
        deserialize_u8 visit_u8 integer u8;
        deserialize_u16 visit_u16 integer u16;
        deserialize_u32 visit_u32 integer u32;
        deserialize_u64 visit_u64 integer u64;
        deserialize_f64 visit_f64 float f64;
        deserialize_bool visit_bool boolean bool;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.data {
            Data::List(_) => self.deserialize_seq(visitor),
            Data::Map(_) => self.deserialize_map(visitor),
            Data::Scalar { text, .. } => {
                if self.node.is_null() {
                    visitor.visit_unit()
                } else if let Some(value) = self.boolean() {
                    visitor.visit_bool(value)
                } else if let Some(value) = self.integer().and_then(|value| i64::try_from(value).ok()) {
                    visitor.visit_i64(value)
                } else if let Some(value) = self.float() {
                    visitor.visit_f64(value)
                } else {
                    visitor.visit_str(text)
                }
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.data {
            // `serial: 0123` and `version: 1.10` are texts, as they were written
            Data::Scalar { text, .. } if !self.node.is_null() => visitor.visit_str(text),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == spanned::MAGIC {
            visitor.visit_seq(SpannedAccess::new(self.node))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.check_tag()?;
        match &self.node.data {
            Data::List(items) => visitor.visit_seq(ListAccess::new(items)),
            _ if self.node.is_null() => visitor.visit_seq(ListAccess::new(&[])),
            Data::Scalar { .. } => {
                let error: Error = de::Error::invalid_type(self.unexpected(), &visitor);
                Err(error.help("put it between `[` and `]`"))
            }
            Data::Map(_) => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.check_tag()?;
        match &self.node.data {
            Data::Map(entries) => visitor.visit_map(MapAccess::new(entries)),
            _ if self.node.is_null() => visitor.visit_map(MapAccess::new(&[])),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.check_tag()?;
        visitor.visit_enum(EnumAccess::new(self.node, variants)?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

#[cfg(test)]
mod tests;
