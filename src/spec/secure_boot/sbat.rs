//! Generations of loaders (SBAT): shim starts nothing whose component has a lower generation than the level wants.
//!
//! Both texts are lines of fields with commas between them. A loader's has a component and its generation first, and then whose it
//! is; a level's begins with `sbat,1,` and the time at which it was made. Of two levels the later one holds.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::serde_through_text;

/// A loader's components, each with its generation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generations(BTreeMap<String, u32>);

impl Generations {
    /// Reads a loader's section; what isn't a line of it is passed over, and of a component that stands there twice the lower
    /// generation counts.
    pub fn of_section(text: &str) -> Self {
        let mut generations = BTreeMap::new();
        for (component, generation, _) in lines(text) {
            let lowest = generations.entry(component.to_owned()).or_insert(generation);
            *lowest = generation.min(*lowest);
        }
        Self(generations)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first component that a level wants a higher generation of: its name, what it is, what is wanted.
    pub fn below<'a>(&self, level: &'a SbatLevel) -> Option<(&'a str, u32, u32)> {
        level.wanted.iter().find_map(|(component, wanted)| {
            let own = *self.0.get(component)?;
            (own < *wanted).then_some((component.as_str(), own, *wanted))
        })
    }
}

/// Which generations may start. Text form: as the variable has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbatLevel {
    /// When it was made: year, month, day and number of that day, in ten digits.
    made: String,
    wanted: BTreeMap<String, u32>,
}

impl SbatLevel {
    /// When it was made, in ten digits.
    pub fn made(&self) -> &str {
        &self.made
    }

    /// The one of the two that holds.
    pub fn later<'a>(one: Option<&'a Self>, other: Option<&'a Self>) -> Option<&'a Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if other.made > one.made { other } else { one }),
            (one, other) => one.or(other),
        }
    }
}

impl FromStr for SbatLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = lines(text);
        let made = match lines.next() {
            Some(("sbat", _, made)) if made.len() == 10 && made.bytes().all(|it| it.is_ascii_digit()) => made,
            _ => return Err("an SBAT level begins with `sbat,1,` and a time of ten digits".to_owned()),
        };
        let wanted = lines.map(|(component, generation, _)| (component.to_owned(), generation)).collect();
        Ok(Self { made: made.to_owned(), wanted })
    }
}

impl fmt::Display for SbatLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sbat,1,{}", self.made)?;
        self.wanted.iter().try_for_each(|(component, generation)| writeln!(f, "{component},{generation}"))
    }
}

serde_through_text!(SbatLevel);

/// Component, generation, and the field after them.
fn lines(text: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    text.split(['\n', '\0']).filter_map(|line| {
        let mut fields = line.trim().split(',');
        let (component, generation) = (fields.next()?, fields.next()?.trim().parse().ok()?);
        Some((component, generation, fields.next().unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(text: &str) -> SbatLevel {
        text.parse().unwrap()
    }

    #[test]
    fn a_component_below_its_level_is_named_and_one_that_is_not_there_is_not() {
        let grub = Generations::of_section(
            "sbat,1,SBAT Version,sbat,1,https://x\ngrub,3,Free Software Foundation,grub,2.06,https://y\ngrub.debian,4,Debian\n\0\0",
        );
        let raised = level("sbat,1,2024010900\nshim,4\ngrub,4\ngrub.debian,4\n\0");
        assert_eq!(grub.below(&raised), Some(("grub", 3, 4)));
        assert_eq!(grub.below(&level("sbat,1,2024010900\nshim,4\ngrub.debian,4\ngrub,3")), None);
        assert_eq!(Generations::default().below(&raised), None);
        assert!(Generations::of_section("no lines,\nx,-1\n").is_empty());
        assert_eq!(Generations::of_section("grub,3\ngrub,1\n").below(&raised), Some(("grub", 1, 4)));
    }

    #[test]
    fn of_two_levels_the_later_one_holds() {
        let (old, new) = (level("sbat,1,2022111500\nshim,2\n"), level("sbat,1,2025021800\nshim,4\n"));
        assert_eq!(SbatLevel::later(Some(&old), Some(&new)), Some(&new));
        assert_eq!(SbatLevel::later(Some(&new), Some(&old)), Some(&new));
        assert_eq!(SbatLevel::later(None, Some(&old)), Some(&old));
    }

    #[test]
    fn a_level_reads_back_and_nothing_else_is_one() {
        let text = "sbat,1,2025021800\ngrub,5\nshim,4\n";
        let json = serde_json::to_string(&level(text)).unwrap();
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert_eq!(serde_json::from_str::<SbatLevel>(&json).unwrap(), level(text));
        for wrong in ["", "shim,4\n", "sbat,1\n", "sbat,1,20250218zz\n", "sbat,x,2025021800"] {
            assert!(wrong.parse::<SbatLevel>().is_err(), "{wrong}");
        }
    }
}
