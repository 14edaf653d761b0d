//! Names of a profile for what a file calls otherwise.

use std::collections::{HashMap, HashSet};

use crate::value::{HostName, StorageId};

/// Longest name, in characters ([`StorageId`]).
const LONGEST: usize = 32;

/// A name that a profile can carry. Two texts can have the same one: see [`Names`].
pub fn identifier(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let id: String = text.chars().take(LONGEST).map(plain).collect();
    match id.parse::<StorageId>() {
        Ok(_) => id,
        Err(_) => format!("n_{id}").chars().take(LONGEST).collect(),
    }
}

/// A host name made of a file's: `web 01.ks` is `web-01`.
pub fn named_after(file: &str) -> HostName {
    let stem = file.rsplit('/').next().unwrap_or(file);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let stem: String = stem.chars().take(63).map(plain).collect();
    let name = stem.trim_matches('-').parse();
    // a name that is all digits, or nothing
    name.unwrap_or_else(|_| fallback())
}

fn fallback() -> HostName {
    #[allow(clippy::expect_used, reason = "a constant that the type's own tests hold")]
    "imported".parse().expect("a host name")
}

/// The names that were given away.
#[derive(Debug, Default)]
pub struct Names {
    used: HashSet<String>,
    /// How often each was asked for.
    asked: HashMap<String, usize>,
}

impl Names {
    /// A name for a text that nothing else has: the text's own, or that with a number.
    pub fn fresh(&mut self, text: &str) -> String {
        let wanted = identifier(text);
        let mut number = self.asked.get(&wanted).copied().unwrap_or_default();
        loop {
            number += 1;
            let tail = if number == 1 { String::new() } else { format!("_{number}") };
            let head: String = wanted.chars().take(LONGEST - tail.len().min(LONGEST)).collect();
            let name = head + &tail;
            if self.used.insert(name.clone()) {
                self.asked.insert(wanted, number);
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_things_have_one_name() {
        let mut names = Names::default();
        let long = "x".repeat(40);
        let asked = ["data", "Data", "data_2", "data", &long, &long, "", "", "7", "ü"];
        let given: Vec<_> = asked.iter().map(|text| names.fresh(text)).collect();
        assert_eq!(given[..4], ["data", "data_2", "data_2_2", "data_3"]);
        assert_eq!(given.iter().collect::<HashSet<_>>().len(), asked.len());
        assert!(given.iter().all(|name| name.parse::<StorageId>().is_ok()), "{given:?}");
    }
}
