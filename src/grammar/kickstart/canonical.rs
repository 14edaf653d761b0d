//! What a command says, in one spelling: two commands that mean the same to the installer read the same here.

use std::collections::BTreeMap;

use super::{Arguments, State, Table};

/// A command's canonical form: its name, its words without a name, then each option once, by its first name, in order. The last
/// value of an option counts. `None` where the release knows no such command, or
/// refuses what it is given.
pub fn canonical(table: &'static Table, words: &[String]) -> Option<String> {
    let (name, rest) = words.split_first()?;
    let shape = table.get(name).filter(|shape| shape.state == State::Known && !name.starts_with('%'))?;
    let arguments = Arguments::read(shape, rest);
    if !arguments.problems.is_empty() {
        return None;
    }
    let mut options: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for given in &arguments.options {
        // two names of one thing that the tables keep apart, since one of them is going away
        let name = if given.name == "--isUtc" { "--utc" } else { given.name };
        options.insert(name, given.value);
    }
    let name = if name == "partition" { "part" } else { name };
    let words = arguments.words().map(|word| format!(" {word:?}"));
    let options = options.into_iter().map(|(name, value)| match value {
        Some(value) => format!(" {name}={value:?}"),
        None => format!(" {name}"),
    });
    Some(std::iter::once(name.to_owned()).chain(words).chain(options).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::kickstart::Release;

    #[test]
    fn spellings_of_one_command_are_one() {
        let of = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            canonical(Table::of(Release::Rhel9), &words)
        };
        assert_eq!(of("part / --size 100 --grow"), of("partition / --grow --size=100"));
        assert_eq!(of("part / --type=xfs --size=1 --size=2"), of("part / --fstype=xfs --size=2"));
        assert_ne!(of("part / --size=100"), of("part / --size=101"));
        assert_eq!(of("part / --siz"), None);
        assert_eq!(of("frobnicate"), None);
        assert_eq!(of("timezone UTC --isUtc"), of("timezone --utc UTC"));
    }
}
