//! Kickstart, as Anaconda of a release reads it: a parser that loses nothing, and a linter that knows more than the stock
//! validator.
//!
//! ```text
//! text ─► file::parse ─► File ─► Arguments (per release, from table) ─► rules ─► findings
//! ```
//!
//! - [`parse`] needs no release and takes any text; an importer works on its [`File`].
//! - [`Arguments::read`] says what a command's words mean in a [`Release`], by [`Table`], which is generated from pykickstart.
//! - [`lint`] says what pykickstart would say, and what it doesn't see: names that nothing defines, a gateway nobody can
//!   reach, an image that Anaconda would try to mount.
//!
//! An error means that the installer stops, asks, or does something else than the file says, and that we know it from
//! pykickstart or from Anaconda's source; whatever depends on the machine (an existing volume group, a partition that is
//! there already) is a warning. No message ever shows a password or a word that could be one. A file that includes others is
//! never blamed for what it lacks.

mod accounts;
mod arguments;
mod canonical;
mod complete;
mod devices;
mod disks;
mod file;
mod network;
mod options;
mod release;
pub(crate) mod rules;
mod sections;
mod source;
mod storage;
mod syntax;
mod table;

pub use arguments::{Arguments, Given, Problem};
pub use canonical::canonical;
pub use devices::is_member;
pub use file::{Command, File, Item, Line, Section, parse};
pub use release::Release;
pub use table::{Arity, Opt, Positional, Shape, State, Table, ValueShape};

use super::Finding;

/// What the installer of a release would stumble over, by line.
pub fn lint(text: &str, release: Release) -> Vec<Finding> {
    let file = parse(text);
    let reading = Reading::of(&file, release);
    let mut found = Vec::new();
    for rule in [
        syntax::check,
        options::check,
        sections::check,
        devices::check,
        storage::check,
        disks::check,
        network::check,
        source::check,
        accounts::check,
        complete::check,
    ] {
        rule(&reading, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// A word of the file as a message may show it: on one line, and not endless. Never give it what could be a password.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let start: String = text.chars().take(LONGEST).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", start.escape_debug())
}

/// A file as a release reads it: what the rules look at.
struct Reading<'a> {
    file: &'a File<'a>,
    release: Release,
    table: &'static Table,
    commands: Vec<Read<'a>>,
    /// No other file brings commands.
    complete: bool,
}

/// A command with its arguments.
struct Read<'a> {
    line: usize,
    /// `part` for `partition`.
    name: &'a str,
    arguments: Arguments<'a>,
    /// None if the release doesn't know it.
    shape: Option<&'static Shape>,
}

impl<'a> Reading<'a> {
    fn of(file: &'a File<'a>, release: Release) -> Self {
        let table = Table::of(release);
        let read = |command: &'a Command<'a>| {
            let shape = table.get(command.name()).filter(|_| !command.name().starts_with('%'));
            let arguments = match shape {
                Some(shape) if shape.state == State::Known => Arguments::read(shape, &command.words[1..]),
                _ => Arguments::default(),
            };
            let name = if command.name() == "partition" { "part" } else { command.name() };
            Read { line: command.line.number, name, arguments, shape }
        };
        let commands = file.commands().map(read).collect();
        Self { file, release, table, commands, complete: !file.has_includes() }
    }

    /// Commands that do something in this release.
    fn working(&self) -> impl Iterator<Item = &Read<'a>> {
        self.commands.iter().filter(|read| read.shape.is_some_and(|shape| shape.state == State::Known))
    }

    /// Those of a name.
    fn all(&self, name: &str) -> impl Iterator<Item = &Read<'a>> {
        self.working().filter(move |read| read.name == name)
    }

    /// The first of a name.
    fn first(&self, name: &str) -> Option<&Read<'a>> {
        self.all(name).next()
    }

    /// The last line, for what is missing at the end.
    fn last_line(&self) -> usize {
        let last = self.file.items.last().map(|item| match item {
            Item::Blank(line) | Item::Comment(line) | Item::Broken(line, _) => line.number,
            Item::Command(command) | Item::Include(command) => command.line.number,
            Item::Section(section) => {
                let end = section.end.as_ref().or(section.body.last());
                end.map_or(section.header.line.number, |line| line.number)
            }
        });
        last.unwrap_or(1)
    }
}

#[cfg(test)]
mod tests;
