//! Preseed, read as debian-installer's own loader reads it.
//!
//! [`parse`] is lossless: the pieces of a [`Document`], put together, are the text, so that an importer can keep what it
//! doesn't understand. [`lint`] finds what the loader, and the questions behind the keys, would stumble over. The rules are
//! those of the shell script `debconf-set-selections` in the udeb `preseed-common`, which are not the rules of the program
//! of the same name on an installed Debian: don't fit one to the other.
//!
//! The loader, in short: lines that begin with `#` in the first column and blank lines are dropped, also inside a
//! continuation; blanks before a line are dropped; a line that ends in a backslash goes on, joined by one blank; a line that
//! lacks owner, key or type ends the loader, and with it the install.

mod commands;
mod keys;
mod lint;
mod partman;
mod passwords;
pub(crate) mod rules;

use super::Finding;

pub use keys::{Known, known, similar};

/// The installer of a release of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Release {
    /// Debian 12, bookworm.
    #[default]
    Debian12,
    /// Debian 13, trixie.
    Debian13,
}

impl Release {
    /// The number, as people write it.
    pub fn number(self) -> &'static str {
        match self {
            Self::Debian12 => "12",
            Self::Debian13 => "13",
        }
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Debian {}", self.number())
    }
}

/// One answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// The package that the answer is for; d-i takes no notice of it.
    pub owner: String,
    /// The question, `netcfg/get_hostname`.
    pub key: String,
    /// What the file calls the type. d-i takes no notice of it, but for `seen`.
    pub kind: String,
    /// The rest, its lines joined.
    pub value: String,
    /// First line in the file, from 1.
    pub first: usize,
    /// Last line in the file.
    pub last: usize,
    /// Where the lines begin in `value` (in bytes), and which they are.
    starts: Vec<(usize, usize)>,
}

/// An answer may be a password: `Debug` shows where it stands only.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            // what has no slash is no key, and may be anything
            .field("key", &Some(&self.key).filter(|key| key.contains('/')))
            .field("lines", &(self.first..=self.last))
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// The line of the file that a byte of the value comes from.
    pub fn line_at(&self, offset: usize) -> usize {
        let after = self.starts.partition_point(|(start, _)| *start <= offset);
        after.checked_sub(1).and_then(|at| self.starts.get(at)).map_or(self.first, |(_, line)| *line)
    }

    /// The blank-separated words of the value, each with its line.
    pub fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        let base = self.value.as_ptr() as usize;
        self.value
            .split_ascii_whitespace()
            .map(move |word| (self.line_at(word.as_ptr() as usize - base), word))
    }

    /// Whether it only marks a question as seen or unseen.
    pub fn is_flag(&self) -> bool {
        self.kind == "seen"
    }
}

/// Why the loader ends at a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacks {
    /// One word only: no key.
    Key,
    /// Two words only: no type.
    Type,
    /// The text ends while a line goes on: the loader drops it.
    End,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Blank lines and comments.
    Nothing,
    /// An answer.
    Answer(Answer),
    /// What the loader can't read.
    Bad(Lacks),
}

/// Some lines of the text that belong together.
#[derive(Clone, PartialEq, Eq)]
pub struct Piece<'t> {
    /// First line, from 1.
    pub line: usize,
    /// As written, line ends included.
    pub raw: &'t str,
    /// What it says.
    pub content: Content,
}

/// Without the text, which may hold a password.
impl std::fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece")
            .field("line", &self.line)
            .field("content", &self.content)
            .finish_non_exhaustive()
    }
}

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document<'t> {
    /// Its pieces, in order; their `raw` joined is the text.
    pub pieces: Vec<Piece<'t>>,
}

impl Document<'_> {
    /// The answers, in order.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.pieces.iter().filter_map(|piece| match &piece.content {
            Content::Answer(answer) => Some(answer),
            _ => None,
        })
    }

    /// The last answer to a question: the one that counts.
    pub fn last(&self, key: &str) -> Option<&Answer> {
        self.answers().filter(|answer| answer.key == key && !answer.is_flag()).last()
    }
}

/// POSIX blanks but the newline; the loader runs in the C locale.
const BLANKS: [char; 5] = [' ', '\t', '\u{b}', '\u{c}', '\r'];

/// A line as the loader sees it: carriage returns are dropped wherever they stand.
fn cleaned(raw: &str) -> std::borrow::Cow<'_, str> {
    let line = raw.strip_suffix('\n').unwrap_or(raw);
    if line.contains('\r') { line.replace('\r', "").into() } else { line.into() }
}

fn is_dropped(line: &str) -> bool {
    line.starts_with('#') || line.trim_start_matches(BLANKS).is_empty()
}

/// Reads a file. Nothing is refused: what the loader can't read is a piece of its own.
pub fn parse(text: &str) -> Document<'_> {
    let mut document = Document::default();
    let mut gathered = Gathered::default();
    let (mut start, mut at, mut first) = (0, 0, 1);
    for (line, raw) in (1..).zip(text.split_inclusive('\n')) {
        at += raw.len();
        let cleaned = cleaned(raw);
        let content = if is_dropped(&cleaned) {
            if gathered.is_open() {
                continue;
            }
            Content::Nothing
        } else if gathered.add(cleaned.trim_start_matches(BLANKS), line) {
            continue;
        } else {
            std::mem::take(&mut gathered).finish()
        };
        document.pieces.push(Piece { line: first, raw: &text[start..at], content });
        (start, first) = (at, line + 1);
    }
    if start < at {
        document.pieces.push(Piece { line: first, raw: &text[start..at], content: Content::Bad(Lacks::End) });
    }
    document
}

/// The lines of one answer.
#[derive(Default)]
struct Gathered {
    whole: String,
    starts: Vec<(usize, usize)>,
    goes_on: bool,
}

impl Gathered {
    fn is_open(&self) -> bool {
        self.goes_on
    }

    /// Takes a line; true if another one follows.
    fn add(&mut self, line: &str, number: usize) -> bool {
        self.goes_on = line.ends_with('\\');
        let line = match line.strip_suffix('\\') {
            Some(line) => line.trim_end_matches(BLANKS),
            None => line,
        };
        if !self.whole.is_empty() {
            self.whole.push(' ');
        }
        self.starts.push((self.whole.len(), number));
        self.whole.push_str(line);
        self.goes_on
    }

    fn finish(self) -> Content {
        let first_field = |text: &str| text.find(BLANKS);
        let after = |from: usize| {
            let rest = self.whole.get(from..).unwrap_or_default();
            self.whole.len() - rest.trim_start_matches(BLANKS).len()
        };
        let Some(owner) = first_field(&self.whole) else { return Content::Bad(Lacks::Key) };
        let key_at = after(owner);
        let Some(key) = first_field(&self.whole[key_at..]) else { return Content::Bad(Lacks::Key) };
        let kind_at = after(key_at + key);
        if kind_at == self.whole.len() {
            return Content::Bad(Lacks::Type);
        }
        let kind = first_field(&self.whole[kind_at..]).unwrap_or(self.whole.len() - kind_at);
        let value_at = after(kind_at + kind);
        let line = |(_, number): &(usize, usize)| *number;
        Content::Answer(Answer {
            owner: self.whole[..owner].to_owned(),
            key: self.whole[key_at..key_at + key].to_owned(),
            kind: self.whole[kind_at..kind_at + kind].to_owned(),
            // debconf strips what follows
            value: self.whole[value_at..].trim_end_matches(BLANKS).to_owned(),
            first: self.starts.first().map_or(1, line),
            last: self.starts.last().map_or(1, line),
            starts: self.starts.iter().map(|(at, line)| (at.saturating_sub(value_at), *line)).collect(),
        })
    }
}

/// Whether an installer heeds this question: it has a template, or is made or read by name while it runs.
pub fn is_askable(key: &str, release: Release) -> bool {
    known(key, release).is_some() || lint::is_made_at_run_time(key)
}

/// What the installer of a release would stumble over, in the order of lines. No value of a password is in it.
pub fn lint(text: &str, release: Release) -> Vec<Finding> {
    lint::lint(text, release)
}

#[cfg(test)]
mod tests;
