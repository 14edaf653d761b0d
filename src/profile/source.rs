//! The texts that a site is made of, and places in them.
//!
//! A place is three small numbers; line and column are counted only when somebody has to read them.

/// A text, by its number in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub(crate) u32);

/// A range of bytes of one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// Byte after the last one.
    pub end: u32,
}

impl Span {
    /// The beginning of a text: where something is missed that could stand anywhere in it.
    pub fn file(source: SourceId) -> Self {
        Self { source, start: 0, end: 0 }
    }

    /// Its beginning: where what it holds could be a secret, so that nobody shows it.
    #[must_use]
    pub fn begin(self) -> Self {
        Self { end: self.start, ..self }
    }
}

/// One text.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path as a user would type it.
    pub path: String,
    /// What it says; empty where it couldn't be read.
    pub text: String,
}

/// All texts that were read.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        self.0.push(Source { path: path.into(), text: text.into() });
        id
    }

    /// Fills in a text whose name was added before it was read.
    pub(crate) fn set_text(&mut self, id: SourceId, text: String) {
        if let Some(source) = self.0.get_mut(id.0 as usize) {
            source.text = text;
        }
    }

    /// The YAML files of a folder, by their names without `.yaml`.
    pub fn in_folder(&self, folder: &str) -> impl Iterator<Item = (&str, SourceId)> {
        (0..).zip(&self.0).filter_map(move |(number, source)| {
            let (path, name) = source.path.strip_suffix(".yaml")?.rsplit_once('/')?;
            let is_there = path.rsplit('/').next() == Some(folder);
            is_there.then_some((name, SourceId(number)))
        })
    }

    /// One text; an unknown number names an empty one.
    pub fn get(&self, id: SourceId) -> &Source {
        static NOTHING: Source = Source { path: String::new(), text: String::new() };
        self.0.get(id.0 as usize).unwrap_or(&NOTHING)
    }

    /// Line and column of a span's start, both from 1, the column in characters.
    pub fn position(&self, span: Span) -> (usize, usize) {
        let text = &self.get(span.source).text;
        let before = &text.as_bytes()[..(span.start as usize).min(text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        // continuation bytes of UTF-8 are no characters of their own
        let column = before[line_start..].iter().filter(|byte| (**byte & 0xc0) != 0x80).count() + 1;
        (line, column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let mut sources = Sources::default();
        let source = sources.add("a.yaml", "x: 1\nä: ö, b");
        assert_eq!(sources.position(Span { source, start: 13, end: 14 }), (2, 7));
        assert_eq!(sources.position(Span { source, start: 999, end: 999 }), (2, 8));
    }
}
