//! The questions of debian-installer: `keys.txt`, which `tests/generate/preseed_keys.py` makes from the installer's templates.
//!
//! Facts only. What an answer means is judged elsewhere.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Release;
use crate::value::nearest;

/// What is known of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// debconf's type: `string`, `boolean`, `select`, …
    pub kind: &'static str,
    /// The package that asks it.
    pub package: &'static str,
    /// What a select or multiselect may be, as debconf keeps it; empty where the installer makes the list.
    pub choices: Vec<&'static str>,
    releases: [bool; 2],
}

impl Known {
    fn is_in(&self, release: Release) -> bool {
        self.releases[release as usize]
    }
}

static TABLE: LazyLock<HashMap<&'static str, Vec<Known>>> = LazyLock::new(|| read(include_str!("keys.txt")));

fn read(text: &'static str) -> HashMap<&'static str, Vec<Known>> {
    let mut table: HashMap<_, Vec<_>> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        let (key, kind, releases, package, choices) = (field(), field(), field(), field(), field());
        let releases = [Release::Debian12, Release::Debian13]
            .map(|release| releases.split(',').any(|number| number == release.number()));
        let choices = choices.split('|').filter(|choice| !choice.is_empty()).collect();
        table.entry(key).or_default().push(Known { kind, package, choices, releases });
    }
    table
}

/// A question of a release's installer.
pub fn known(key: &str, release: Release) -> Option<&'static Known> {
    TABLE.get(key)?.iter().find(|known| known.is_in(release))
}

/// The other release, if only its installer asks this.
pub fn elsewhere(key: &str, release: Release) -> Option<Release> {
    let other = match release {
        Release::Debian12 => Release::Debian13,
        Release::Debian13 => Release::Debian12,
    };
    known(key, other).map(|_| other)
}

/// Questions that a file can answer, in order: of equally near ones, always the same is meant.
static ASKABLE: LazyLock<Vec<(&'static str, [bool; 2])>> = LazyLock::new(|| {
    let releases = |known: &Vec<Known>| {
        let mut all = [false; 2];
        for known in known.iter().filter(|known| !matches!(known.kind, "text" | "title")) {
            all = [all[0] || known.releases[0], all[1] || known.releases[1]];
        }
        all
    };
    let mut keys: Vec<_> = TABLE.iter().map(|(key, known)| (*key, releases(known))).collect();
    keys.sort_unstable();
    keys
});

/// The question that was probably meant.
pub fn similar(key: &str, release: Release) -> Option<&'static str> {
    nearest(key, ASKABLE.iter().filter(|(_, releases)| releases[release as usize]).map(|(key, _)| *key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_whole() {
        let kinds = [
            "string",
            "boolean",
            "select",
            "multiselect",
            "note",
            "text",
            "password",
            "title",
            "error",
            "entropy",
            "terminal",
        ];
        assert!(TABLE.len() > 1200, "{}", TABLE.len());
        for (key, entries) in TABLE.iter() {
            assert!(key.contains('/'), "{key}");
            for known in entries {
                assert!(kinds.contains(&known.kind), "{key}: {}", known.kind);
                assert!(!known.package.is_empty() && known.releases.contains(&true), "{key}");
            }
            for release in [Release::Debian12, Release::Debian13] {
                let facts = entries.iter().filter(|known| known.is_in(release)).count();
                assert!(facts <= 1, "{key} is told twice of {release}");
            }
        }
    }

    #[test]
    fn a_key_has_the_facts_of_its_release() {
        let keymap = |release| known("keyboard-configuration/xkb-keymap", release).unwrap();
        assert_ne!(keymap(Release::Debian12).choices, keymap(Release::Debian13).choices);
        assert!(keymap(Release::Debian12).choices.contains(&"us"));
        let key = "auto-install/cloak_initrd_preseed";
        assert_eq!(known(key, Release::Debian12), None);
        assert_eq!(elsewhere(key, Release::Debian12), Some(Release::Debian13));
    }
}
