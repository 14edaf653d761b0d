//! What each release knows: commands, sections, options and their shapes, out of `commands.tsv`.
//!
//! The file is generated (`tests/generate/kickstart.py`) from pykickstart's tables and compared with them in a test. A row is
//! `command NAME RELEASES STATE POSITIONALS`, `section NAME RELEASES POSITIONALS`, `option OWNER RELEASES NAMES ARITY KIND
//! FLAGS` or `conflict NAME RELEASES OTHER`, with tabs between; `all` stands for every release. Add no facts by hand: rules
//! that the tables don't hold belong in code.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Release;

const FACTS: &str = include_str!("commands.tsv");

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It works.
    Known,
    /// It is read and has no effect.
    Deprecated,
    /// It ends the install.
    Removed,
}

/// How many words something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// None: an option that stands for itself.
    Zero,
    /// Exactly one.
    One,
    /// One or none.
    Optional,
    /// Any number.
    Any,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueShape {
    /// Anything.
    Text,
    /// A whole number.
    Int,
    /// `on`, `yes`, `true`, `1` or their opposites.
    Bool,
    /// Words with commas between.
    List,
    /// One of these.
    Choice(Vec<&'static str>),
    /// One of these, in any case.
    Word(Vec<&'static str>),
}

/// An option of a command or section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opt {
    /// Its names with their dashes; the first one is what [`super::Arguments`] calls it.
    pub names: Vec<&'static str>,
    /// How many words it takes.
    pub arity: Arity,
    /// What they must be.
    pub kind: ValueShape,
    /// It must be given.
    pub required: bool,
    /// It is read and has no effect.
    pub deprecated: bool,
}

/// An argument without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positional {
    /// How many words it takes.
    pub arity: Arity,
    /// What it must be one of; empty for anything.
    pub choices: Vec<&'static str>,
}

/// What a command or section takes in a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// What became of it.
    pub state: State,
    /// Its arguments without a name, in order; `None` if it reads its line in a way of its own.
    pub positionals: Option<Vec<Positional>>,
    /// Its options.
    pub options: Vec<Opt>,
    /// Commands that can't stand in the same file.
    pub conflicts: Vec<&'static str>,
}

/// The commands and sections of a release, by name; sections with their `%`.
#[derive(Debug, Default)]
pub struct Table(HashMap<&'static str, Shape>);

impl Table {
    /// The table of a release.
    pub fn of(release: Release) -> &'static Self {
        static TABLES: LazyLock<[Table; Release::ALL.len()]> =
            LazyLock::new(|| Release::ALL.map(Table::read));
        let place = Release::ALL.iter().position(|known| *known == release);
        &TABLES[place.unwrap_or_default()]
    }

    /// What the release knows under a name.
    pub fn get(&self, name: &str) -> Option<&Shape> {
        self.0.get(name)
    }

    /// All commands that do something, for "did you mean".
    pub fn commands(&self) -> impl Iterator<Item = &'static str> {
        let usable =
            self.0.iter().filter(|(name, shape)| shape.state == State::Known && !name.starts_with('%'));
        usable.map(|(name, _)| *name)
    }

    fn read(release: Release) -> Self {
        let mut table = HashMap::new();
        // rows of a name stand together, but not in the order that their reader needs
        for pass in [Pass::Owners, Pass::Parts] {
            for line in FACTS.lines() {
                let fields: Vec<_> = line.split('\t').collect();
                let holds = |releases: &str| {
                    releases == "all" || releases.split(',').any(|name| name == release.name())
                };
                if fields.get(2).is_some_and(|releases| holds(releases)) {
                    row(&mut table, pass, &fields);
                }
            }
        }
        Self(table)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Owners,
    Parts,
}

/// Adds a row. One that isn't understood is left out; a test holds that there is none.
fn row(table: &mut HashMap<&'static str, Shape>, pass: Pass, fields: &[&'static str]) -> Option<()> {
    match (pass, fields) {
        (Pass::Owners, ["command", name, _, state, arguments]) => {
            table.insert(name, shape(state_of(state)?, arguments));
        }
        (Pass::Owners, ["section", name, _, arguments]) => {
            table.insert(name, shape(State::Known, arguments));
        }
        (Pass::Parts, ["conflict", name, _, other]) => table.get_mut(name)?.conflicts.push(other),
        (Pass::Parts, ["option", owner, _, names, count, kind, flags]) => {
            let option = Opt {
                names: names.split(' ').collect(),
                arity: arity(count)?,
                kind: kind_of(kind)?,
                required: flags.split(' ').any(|flag| flag == "required"),
                deprecated: flags.split(' ').any(|flag| flag == "deprecated"),
            };
            table.get_mut(owner)?.options.push(option);
        }
        _ => return None,
    }
    Some(())
}

fn shape(state: State, arguments: &'static str) -> Shape {
    let positional = |spec: &'static str| {
        let (count, choices) = spec.split_once(':').unwrap_or((spec, ""));
        let choices = choices.split(',').filter(|choice| !choice.is_empty()).collect();
        Some(Positional { arity: arity(count)?, choices })
    };
    let positionals = match arguments {
        "any" => None,
        "-" => Some(Vec::new()),
        specs => specs.split(' ').map(positional).collect(),
    };
    Shape { state, positionals, options: Vec::new(), conflicts: Vec::new() }
}

fn state_of(text: &str) -> Option<State> {
    Some(match text {
        "known" => State::Known,
        "deprecated" => State::Deprecated,
        "removed" => State::Removed,
        _ => return None,
    })
}

fn arity(text: &str) -> Option<Arity> {
    Some(match text {
        "0" => Arity::Zero,
        "1" => Arity::One,
        "?" => Arity::Optional,
        "*" => Arity::Any,
        _ => return None,
    })
}

fn kind_of(text: &'static str) -> Option<ValueShape> {
    Some(match text.split_once(':').unwrap_or((text, "")) {
        ("text", _) => ValueShape::Text,
        ("int", _) => ValueShape::Int,
        ("bool", _) => ValueShape::Bool,
        ("list", _) => ValueShape::List,
        ("choice", words) => ValueShape::Choice(words.split(',').collect()),
        ("word", words) => ValueShape::Word(words.split(',').collect()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_file_is_understood() {
        let mut table = HashMap::new();
        let rows: Vec<Vec<_>> = FACTS.lines().skip(1).map(|line| line.split('\t').collect()).collect();
        assert!(rows.len() > 500, "only {} rows", rows.len());
        for fields in &rows {
            let understood = row(&mut table, Pass::Owners, fields).or_else(|| {
                // an owner may have other rows in other releases, but never none
                table.entry(fields[1]).or_insert_with(|| shape(State::Known, "any"));
                row(&mut table, Pass::Parts, fields)
            });
            assert!(understood.is_some(), "{fields:?}");
            let known = |name: &str| name == "all" || name.parse::<Release>().is_ok();
            assert!(fields[2].split(',').all(known), "{fields:?}");
        }
    }

    #[test]
    fn releases_differ_as_their_notes_say() {
        let state = |release, name| Table::of(release).get(name).map(|shape| shape.state);
        assert_eq!(state(Release::Rhel8, "timesource"), None);
        assert_eq!(state(Release::Rhel9, "timesource"), Some(State::Known));
        assert_eq!(state(Release::Rhel9, "install"), Some(State::Removed));
        assert_eq!(state(Release::Rhel8, "install"), Some(State::Deprecated));
        assert_eq!(state(Release::Rhel10, "nvdimm"), Some(State::Removed));
        assert_eq!(state(Release::Rhel10, "bootc"), Some(State::Known));
        assert_eq!(state(Release::Fedora43, "vnc"), Some(State::Deprecated));
        let part = Table::of(Release::Rhel9).get("part").unwrap();
        assert!(part.conflicts.contains(&"autopart"));
        assert_eq!(part.positionals.as_ref().unwrap().len(), 1);
    }
}
