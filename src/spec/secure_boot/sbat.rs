//! Generations of loaders (SBAT): shim starts nothing whose component has a lower generation than the level wants.
//!
//! Both texts are lines of fields with commas between them. A loader's has a component and its generation first, and then whose it
//! is; a level's begins with `sbat`, the generation of the format and the time at which it was made. Read as shim 16.1 does
//! (`sbat.c`, `csv.c`): a loader's text that it wouldn't read isn't guessed at here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::serde_through_text;

/// The component whose generation is that of the format, and which begins a level.
const FORMAT: &str = "sbat";
/// Component, generation, four fields of whose it is.
const COLUMNS: usize = 6;
/// Characters that are kept of what isn't a level.
const LONGEST_MALFORMED: usize = 80;

/// What a loader says of its generations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sbat {
    /// Nothing: it has no such section, as those that are older than SBAT.
    Absent,
    /// Its section isn't well-formed: what a shim makes of it isn't known.
    Malformed,
    /// This; an empty section says nothing and passes.
    #[serde(untagged)]
    Says(Generations),
}

impl Sbat {
    /// Reads a section's text.
    pub fn of_section(text: &str) -> Self {
        Generations::of_section(text).map_or(Self::Malformed, Self::Says)
    }
}

/// A loader's components, each with its generation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generations(BTreeMap<String, u32>);

impl Generations {
    /// Reads a loader's section; `None` where one of its lines lacks a field. Of a component that stands there twice the lower
    /// generation counts, and what is no number counts as none.
    fn of_section(text: &str) -> Option<Self> {
        let mut generations = BTreeMap::new();
        for line in lines(text) {
            let columns: Vec<&str> =
                line.split(',').take(COLUMNS).filter(|column| !column.is_empty()).collect();
            let [component, generation, ..] = columns[..] else { return None };
            if columns.len() < COLUMNS {
                return None;
            }
            let generation = number(generation);
            let lowest = generations.entry(component.to_owned()).or_insert(generation);
            *lowest = generation.min(*lowest);
        }
        Some(Self(generations))
    }

    /// The first component that a level wants a higher generation of: its name, what it is, what is wanted.
    pub fn below<'a>(&self, level: &'a SbatLevel) -> Option<(&'a str, u32, u32)> {
        let wanted = level.wanted.iter().map(|(component, wanted)| (component.as_str(), *wanted));
        std::iter::once((FORMAT, level.format)).chain(wanted).find_map(|(component, wanted)| {
            let own = *self.0.get(component)?;
            (own < wanted).then_some((component, own, wanted))
        })
    }
}

/// Which generations may start. Text form: as the variable has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbatLevel {
    /// Generation of the format itself, that component [`FORMAT`] must have.
    format: u32,
    /// When it was made: year, month, day and number of that day, in ten digits.
    made: String,
    /// Of each other component.
    wanted: BTreeMap<String, u32>,
}

impl SbatLevel {
    /// When it was made, in ten digits.
    pub fn made(&self) -> &str {
        &self.made
    }

    /// The one that holds, once a shim that brings a level along has started on a machine that has one.
    pub fn in_force<'a>(machines: Option<&'a Self>, shims: Option<&'a Self>) -> Option<&'a Self> {
        match (machines, shims) {
            (Some(kept), Some(new)) if kept.format > new.format || kept.made >= new.made => Some(kept),
            (kept, new) => new.or(kept),
        }
    }
}

impl FromStr for SbatLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = lines(text).map(|line| line.split(',').map(str::trim));
        let mut head = lines.next().into_iter().flatten();
        let head = (head.next(), head.next().and_then(|it| it.parse().ok()), head.next());
        let (Some(FORMAT), Some(format), Some(made)) = head else {
            return Err(format!("an SBAT level begins with `{FORMAT},1,` and a time of ten digits"));
        };
        if made.len() != 10 || !made.bytes().all(|it| it.is_ascii_digit()) {
            return Err(format!("`{}` is not the time of an SBAT level, ten digits", made.escape_debug()));
        }
        let mut wanted = BTreeMap::new();
        for mut fields in lines {
            let (Some(component), Some(generation)) = (fields.next(), fields.next()) else { continue };
            // the first one of a component counts
            wanted.entry(component.to_owned()).or_insert_with(|| number(generation));
        }
        wanted.remove(FORMAT);
        Ok(Self { format, made: made.to_owned(), wanted })
    }
}

impl fmt::Display for SbatLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FORMAT},{},{}", self.format, self.made)?;
        self.wanted.iter().try_for_each(|(component, generation)| writeln!(f, "{component},{generation}"))
    }
}

serde_through_text!(SbatLevel);

/// What variable `SbatLevelRT` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ShownLevel {
    /// This level.
    Known(SbatLevel),
    /// Something else: its beginning.
    Malformed(String),
}

impl ShownLevel {
    /// Reads the variable's value.
    pub fn of_variable(value: &[u8]) -> Self {
        let text = String::from_utf8_lossy(value);
        text.parse()
            .map_or_else(|_| Self::Malformed(text.chars().take(LONGEST_MALFORMED).collect()), Self::Known)
    }

    /// The level, where it is one.
    pub fn known(&self) -> Option<&SbatLevel> {
        match self {
            Self::Known(level) => Some(level),
            Self::Malformed(_) => None,
        }
    }
}

/// Lines with something in them, up to the first NUL.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.split('\0').next().unwrap_or_default().trim_start_matches('\u{feff}');
    text.split(['\r', '\n']).filter(|line| !line.is_empty())
}

/// The digits that a text begins with; 0 where it begins with none.
fn number(text: &str) -> u32 {
    let text = text.trim_start();
    let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(text: &str) -> SbatLevel {
        text.parse().unwrap()
    }

    /// A section of these components and generations, as distributions write it.
    fn section(rows: &str) -> String {
        rows.split(' ').map(|row| format!("{row},Somebody,package,1.0,https://x\n")).collect()
    }

    fn says(rows: &str) -> Generations {
        match Sbat::of_section(&section(rows)) {
            Sbat::Says(generations) => generations,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_component_below_its_level_is_named_and_one_that_is_not_there_is_not() {
        let grub = says("sbat,1 grub,3 grub.debian,4");
        let raised = level("sbat,1,2024010900\nshim,4\ngrub,4\ngrub.debian,4\n\0");
        assert_eq!(grub.below(&raised), Some(("grub", 3, 4)));
        assert_eq!(grub.below(&level("sbat,1,2024010900\nshim,4\ngrub.debian,4\ngrub,3")), None);
        assert_eq!(Generations::default().below(&raised), None);
        assert_eq!(says("grub,4 grub,1").below(&raised), Some(("grub", 1, 4)));
        assert_eq!(says("grub,x").below(&raised), Some(("grub", 0, 4)));
        // the format is a component like any other
        assert_eq!(grub.below(&level("sbat,2,2024010900\n")), Some(("sbat", 1, 2)));
        // of a level's lines the first one counts
        assert_eq!(grub.below(&level("sbat,1,2024010900\ngrub,3\ngrub,4")), None);
    }

    #[test]
    fn a_section_is_read_whole_or_not_at_all_and_an_empty_one_says_nothing() {
        let good = section("sbat,1 grub,3");
        for same in [format!("\u{feff}{good}"), good.replace('\n', "\r\n\r\n"), format!("{good}\0\0x,1\n")] {
            assert_eq!(Sbat::of_section(&same), Sbat::of_section(&good), "{same:?}");
        }
        for empty in ["", "\n", "\0\0\0"] {
            assert_eq!(Sbat::of_section(empty), Sbat::Says(Generations::default()), "{empty:?}");
        }
        for wrong in ["shim,4\n", "shim,4,a,b,c\n", "shim,4,a,,c,d\n", "shim,4,a,b,c,\n", ",4,a,b,c,d\n"] {
            assert_eq!(Sbat::of_section(&format!("{good}{wrong}")), Sbat::Malformed, "{wrong:?}");
        }
    }

    #[test]
    fn what_a_loader_says_reads_back_and_so_does_what_earlier_orders_have() {
        for (json, says) in [
            (r#"{"grub":3,"sbat":1}"#, Sbat::of_section(&section("sbat,1 grub,3"))),
            ("{}", Sbat::of_section("")),
            (r#""absent""#, Sbat::Absent),
            (r#""malformed""#, Sbat::Malformed),
        ] {
            assert_eq!(serde_json::to_string(&says).unwrap(), json);
            assert_eq!(serde_json::from_str::<Sbat>(json).unwrap(), says);
        }
    }

    #[test]
    fn the_machines_level_stays_unless_the_shims_is_later() {
        let (old, new) = (level("sbat,1,2022111500\nshim,2\n"), level("sbat,1,2025021800\nshim,4\n"));
        for (machines, shims, holds) in [
            (Some(&old), Some(&new), Some(&new)),
            (Some(&new), Some(&old), Some(&new)),
            (None, Some(&old), Some(&old)),
            (Some(&old), None, Some(&old)),
            (None, None, None),
        ] {
            assert_eq!(SbatLevel::in_force(machines, shims), holds);
        }
        // a higher format stays whatever its time
        let format = level("sbat,10,2021010100\nshim,2\n");
        assert_eq!(SbatLevel::in_force(Some(&format), Some(&new)), Some(&format));
    }

    #[test]
    fn a_level_reads_back_and_nothing_else_is_one() {
        for text in ["sbat,1,2025021800\ngrub,5\nshim,4\n", "sbat,2,2025021800\nshim,4\n"] {
            let json = serde_json::to_string(&level(text)).unwrap();
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            assert_eq!(serde_json::from_str::<ShownLevel>(&json).unwrap(), ShownLevel::Known(level(text)));
            assert_eq!(ShownLevel::of_variable(text.as_bytes()), ShownLevel::Known(level(text)));
        }
        for wrong in ["", "shim,4\n", "sbat,1\n", "sbat,1,20250218zz\n", "sbat,x,2025021800"] {
            assert!(wrong.parse::<SbatLevel>().is_err(), "{wrong}");
            let shown = ShownLevel::of_variable(wrong.as_bytes());
            assert_eq!(shown, ShownLevel::Malformed(wrong.to_owned()));
            let json = serde_json::to_string(&shown).unwrap();
            assert_eq!(serde_json::from_str::<ShownLevel>(&json).unwrap(), shown);
        }
    }
}
