//! A Kickstart file as its readers split it: commands, sections and what stands between, without judging any of it.
//!
//! Nothing is lost: [`File::text`] gives the file back, byte for byte. Everything borrows from the text, so time and memory
//! are linear in its length, however long a line or however many sections. Lines end where Python's `str.splitlines` ends
//! them (also at U+2028, form feed and the like), because that is what pykickstart and Anaconda do; their numbers count
//! `\n` only, as editors do. What a command's words mean depends on the release: [`super::Arguments`].

use crate::grammar::words::{Unsplit, shlex};

/// Begins a section; also those that only some releases know.
pub(super) const SECTIONS: [&str; 9] = [
    "%packages",
    "%pre",
    "%pre-install",
    "%post",
    "%onerror",
    "%traceback",
    "%addon",
    "%anaconda",
    "%certificate",
];

/// A line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Its bytes with the line end, if it has one.
    pub raw: &'a str,
}

impl<'a> Line<'a> {
    /// Without the line end.
    pub fn text(&self) -> &'a str {
        self.raw.trim_end_matches(breaks_line)
    }
}

/// A line outside of sections that isn't blank or a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command<'a> {
    /// Where it stands.
    pub line: Line<'a>,
    /// Its words without quotes; the first one is its name. Never empty.
    pub words: Vec<String>,
    /// What stands behind a `#`.
    pub comment: Option<&'a str>,
    /// The `#` stood inside a word and cut it.
    pub cut: bool,
}

impl Command<'_> {
    /// The command's name.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

/// `%packages`, `%post` and the like, up to their `%end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// Name and options, read like a command.
    pub header: Command<'a>,
    /// The lines up to the end.
    pub body: Vec<Line<'a>>,
    /// The line with `%end`; none if the file or another section came first.
    pub end: Option<Line<'a>>,
    /// Why the header's words are only what stands between blanks.
    pub unsplit: Option<Unsplit>,
}

impl<'a> Section<'a> {
    /// With its `%`.
    pub fn name(&self) -> &str {
        self.header.name()
    }

    /// Files that its body includes, with their lines; none where the name is missing.
    pub fn includes(&self) -> impl Iterator<Item = (usize, Option<&'a str>)> {
        let including = self.body.iter().filter(|line| first_word(line.raw) == Some("%include"));
        including.map(|line| (line.number, line.raw.split_whitespace().nth(1)))
    }
}

/// A piece of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// An empty line.
    Blank(Line<'a>),
    /// A line that begins with `#`.
    Comment(Line<'a>),
    /// A command.
    Command(Command<'a>),
    /// `%include FILE` or `%ksappend URL` outside of a section.
    Include(Command<'a>),
    /// A section with its body. Its name may be unknown.
    Section(Section<'a>),
    /// A line that has no words.
    Broken(Line<'a>, Unsplit),
}

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File<'a> {
    /// Its pieces, in order.
    pub items: Vec<Item<'a>>,
}

impl<'a> File<'a> {
    /// The text that it was read from.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            match item {
                Item::Blank(line) | Item::Comment(line) | Item::Broken(line, _) => text.push_str(line.raw),
                Item::Command(command) | Item::Include(command) => text.push_str(command.line.raw),
                Item::Section(section) => {
                    text.push_str(section.header.line.raw);
                    text.extend(section.body.iter().chain(&section.end).map(|line| line.raw));
                }
            }
        }
        text
    }

    /// Its commands.
    pub fn commands(&self) -> impl Iterator<Item = &Command<'a>> {
        self.items.iter().filter_map(|item| match item {
            Item::Command(command) => Some(command),
            _ => None,
        })
    }

    /// Its sections.
    pub fn sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.items.iter().filter_map(|item| match item {
            Item::Section(section) => Some(section),
            _ => None,
        })
    }

    /// Whether other files bring commands that aren't seen here.
    pub fn has_includes(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Include(_)))
    }
}

/// Reads a file. There is no text that it can't read: what has no meaning becomes [`Item::Broken`], or a section without end.
pub fn parse(text: &str) -> File<'_> {
    let mut items = Vec::new();
    let mut lines = lines(text).peekable();
    while let Some(line) = lines.next() {
        let item = outside(line);
        let Item::Section(mut section) = item else {
            items.push(item);
            continue;
        };
        while let Some(next) = lines.next_if(|next| !begins_section(next.raw)) {
            if first_word(next.raw) == Some("%end") {
                section.end = Some(next);
                break;
            }
            section.body.push(next);
        }
        items.push(Item::Section(section));
    }
    File { items }
}

fn outside(line: Line<'_>) -> Item<'_> {
    match line.raw.trim_start().chars().next() {
        None => return Item::Blank(line),
        Some('#') => return Item::Comment(line),
        Some(_) => {}
    }
    let split = match shlex(line.raw) {
        Ok(split) => split,
        Err(why) if begins_section(line.raw) => {
            let words = line.raw.split_whitespace().map(str::to_owned).collect();
            let header = Command { line, words, comment: None, cut: false };
            return Item::Section(Section { header, body: Vec::new(), end: None, unsplit: Some(why) });
        }
        Err(why) => return Item::Broken(line, why),
    };
    let command = Command { line, words: split.words, comment: split.comment, cut: split.cut };
    match command.words.first().map(String::as_str) {
        None => Item::Blank(line),
        Some("%include" | "%ksappend") => Item::Include(command),
        // An unknown name with a % begins a section as well: what follows is a script, not commands. A lone %end doesn't.
        Some(name) if name.starts_with('%') && name != "%end" => {
            Item::Section(Section { header: command, body: Vec::new(), end: None, unsplit: None })
        }
        Some(_) => Item::Command(command),
    }
}

/// The lines, ended as Python's `str.splitlines` ends them.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let (mut rest, mut number) = (text, 1);
    std::iter::from_fn(move || {
        let end = match rest.char_indices().find(|(_, c)| breaks_line(*c)) {
            Some((at, '\r')) if rest[at + 1..].starts_with('\n') => at + 2,
            Some((at, c)) => at + c.len_utf8(),
            None if rest.is_empty() => return None,
            None => rest.len(),
        };
        let (raw, after) = rest.split_at(end);
        rest = after;
        let line = Line { number, raw };
        number += usize::from(raw.ends_with('\n'));
        Some(line)
    })
}

/// Characters that end a line for Python.
fn breaks_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn first_word(line: &str) -> Option<&str> {
    line.split_whitespace().next()
}

fn begins_section(line: &str) -> bool {
    first_word(line).is_some_and(|word| SECTIONS.contains(&word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_commands_sections_and_what_stands_between() {
        let text = "# head\n\nlang en_US # say\n%include /tmp/x\n%post --log=/x\necho '\n%end of it\nbad 'quote\n%pre\nnever";
        let file = parse(text);
        assert!(matches!(
            file.items.as_slice(),
            [
                Item::Comment(_),
                Item::Blank(_),
                Item::Command(_),
                Item::Include(_),
                Item::Section(_),
                Item::Broken(_, Unsplit::OpenQuote),
                Item::Section(_)
            ]
        ));
        let lang = file.commands().next().unwrap();
        assert_eq!((lang.name(), lang.line.number, lang.comment), ("lang", 3, Some(" say\n")));
        let [post, pre] = file.sections().collect::<Vec<_>>()[..] else { panic!("{file:?}") };
        assert_eq!((post.name(), post.body[0].text(), post.end.unwrap().number), ("%post", "echo '", 7));
        assert_eq!((pre.body.len(), pre.end), (1, None));
        assert_eq!(file.text(), text);
    }

    #[test]
    fn another_section_ends_one_that_is_open_and_other_percents_do_not() {
        let file = parse("%post\n%d\n%include /tmp/x\n%packages\nvim\n%end\n");
        let sections: Vec<_> = file.sections().collect();
        assert_eq!(sections[0].body.len(), 2);
        assert_eq!(sections[0].includes().collect::<Vec<_>>(), [(3, Some("/tmp/x"))]);
        assert_eq!((sections[0].end, sections[1].name()), (None, "%packages"));
    }

    #[test]
    fn lines_end_where_python_ends_them_and_are_counted_as_editors_count() {
        let file = parse("lang a\u{2028}rootpw b\r\ntext\rreboot\n");
        let at: Vec<_> = file.commands().map(|c| (c.name().to_owned(), c.line.number)).collect();
        let wanted = [("lang", 1), ("rootpw", 1), ("text", 2), ("reboot", 2)];
        assert_eq!(at, wanted.map(|(name, line)| (name.to_owned(), line)));
    }

    /// Quadratic reading would take hours here.
    #[test]
    fn a_million_sections_and_an_endless_line_are_read_at_once() {
        let sections = "%post\n%end\n".repeat(1_000_000);
        assert_eq!(parse(&sections).sections().count(), 1_000_000);
        let line = "part ".repeat(2_000_000);
        assert_eq!(parse(&line).commands().next().unwrap().words.len(), 2_000_000);
        assert_eq!(parse(&"%post\n".repeat(1_000_000)).sections().count(), 1_000_000);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([%a-z#'\"\\\\ \\n\r\u{2028}]|%end\n|%post |%packages\n|\\PC){0,200}") {
            prop_assert_eq!(parse(&text).text(), text);
        }
    }
}
