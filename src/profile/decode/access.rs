//! The insides of lists, maps and alternatives; this is where errors get their places.

use serde::de::value::{BoolDeserializer, U32Deserializer};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::Deserializer;
use super::error::Error;
use crate::profile::excerpt;
use crate::profile::yaml::{Data, Entry, Node};

/// Items of a list.
pub struct ListAccess<'n>(std::slice::Iter<'n, Node>);

impl<'n> ListAccess<'n> {
    /// From the first on.
    pub fn new(items: &'n [Node]) -> Self {
        Self(items.iter())
    }
}

impl<'de> de::SeqAccess<'de> for ListAccess<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(Deserializer::new(node)).map(Some).map_err(|error| {
            let place = if error.is_of_a_text() { node.span.begin() } else { node.span };
            error.at(node.id, place)
        })
    }
}

/// Entries of a map.
pub struct MapAccess<'n> {
    entries: std::slice::Iter<'n, Entry>,
    current: Option<&'n Entry>,
}

impl<'n> MapAccess<'n> {
    /// From the first on.
    pub fn new(entries: &'n [Entry]) -> Self {
        Self { entries: entries.iter(), current: None }
    }
}

impl<'de> de::MapAccess<'de> for MapAccess<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.entries.next();
        let Some(Entry { key, .. }) = self.current else { return Ok(None) };
        let text: de::value::StrDeserializer<'_, Error> = (&*key.text).into_deserializer();
        seed.deserialize(text).map(Some).map_err(|error| {
            let place = if error.is_of_a_text() { key.span.begin() } else { key.span };
            error.at(key.id, place)
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some(Entry { key, value }) = self.current.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        let is_secret = excerpt::is_secret(&key.text);
        seed.deserialize(Deserializer::new(value)).map_err(|error| {
            let place = if error.is_of_a_text() { key.span } else { value.span };
            let error = error.at(value.id, place);
            if is_secret { error.over(key.span) } else { error }
        })
    }
}

/// Place, tag and value of a node, for the types in `spanned`.
pub struct SpannedAccess<'n> {
    node: &'n Node,
    step: u8,
}

impl<'n> SpannedAccess<'n> {
    /// Of this node.
    pub fn new(node: &'n Node) -> Self {
        Self { node, step: 0 }
    }
}

impl<'de> de::SeqAccess<'de> for SpannedAccess<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let number = |number: u32| -> U32Deserializer<Error> { number.into_deserializer() };
        let truth = |truth: bool| -> BoolDeserializer<Error> { truth.into_deserializer() };
        let span = self.node.span;
        self.step += 1;
        match self.step {
            1 => seed.deserialize(number(span.source.0)),
            2 => seed.deserialize(number(span.start)),
            3 => seed.deserialize(number(span.end)),
            4 => seed.deserialize(truth(self.node.replace)),
            5 => seed.deserialize(Deserializer::inside(self.node)),
            _ => return Ok(None),
        }
        .map(Some)
    }
}

/// One of several: a word, or a map with one entry.
pub struct EnumAccess<'n> {
    name: &'n str,
    /// What goes if it is unknown, and the place of the name.
    at: (u32, crate::profile::source::Span),
    value: Option<&'n Node>,
}

impl<'n> EnumAccess<'n> {
    /// Of this node.
    pub fn new(node: &'n Node, variants: &[&str]) -> Result<Self, Error> {
        let one_of = || format!("one of: {}", variants.join(", "));
        match &node.data {
            Data::Scalar { text, .. } if !node.is_null() => {
                Ok(Self { name: text, at: (node.id, node.span), value: None })
            }
            Data::Map(entries) => match &**entries {
                [Entry { key, value }] => {
                    // an unknown alternative leaves nothing to read: the whole map goes, not only its key
                    Ok(Self { name: &key.text, at: (node.id, key.span), value: Some(value) })
                }
                [] => Err(<Error as de::Error>::custom(format!("expected {}", one_of()))),
                [_, second, ..] => {
                    let message = format!("expected only {}", one_of());
                    Err(<Error as de::Error>::custom(message).at(second.key.id, second.key.span))
                }
            },
            _ => Err(<Error as de::Error>::custom(format!("expected {}", one_of()))),
        }
    }
}

impl<'de, 'n> de::EnumAccess<'de> for EnumAccess<'n> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: de::value::StrDeserializer<'_, Error> = self.name.into_deserializer();
        let value = seed.deserialize(name).map_err(|error| error.at(self.at.0, self.at.1))?;
        Ok((value, self))
    }
}

impl<'de> de::VariantAccess<'de> for EnumAccess<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.value {
            None => Ok(()),
            Some(value) if value.is_null() => Ok(()),
            Some(value) => {
                let message = format!("`{}` takes no values", self.name);
                Err(<Error as de::Error>::custom(message).at(value.id, value.span))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        match self.value {
            Some(value) => {
                seed.deserialize(Deserializer::new(value)).map_err(|error| error.at(value.id, value.span))
            }
            None => Err(<Error as de::Error>::custom(format!("`{}` needs a value", self.name))
                .help(format!("write `{}: …` below", self.name))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        Err(de::Error::invalid_type(de::Unexpected::TupleVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Err(de::Error::invalid_type(de::Unexpected::StructVariant, &visitor))
    }
}
