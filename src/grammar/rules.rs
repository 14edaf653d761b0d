//! All rules of all grammars: what `lint` can find, by id.
//!
//! Each grammar has its own, beside what finds them; a new grammar is one line in [`GROUPS`].

use super::detect::Grammar;
use super::{autoinstall, cloud_config, cmdline, grub, kickstart, preseed, recipe};
use crate::value::rule::{Rule, rules};

rules! {
    TOO_MANY_FINDINGS = "lint-too-many" warning,
        "There is more than is told.",
        "Mend what is told first.";
}

/// The rules of a reader.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What the handbook calls it.
    pub title: &'static str,
    /// The grammar of its examples.
    pub grammar: Grammar,
    /// Its rules.
    pub rules: &'static [&'static Rule],
}

/// All of them, in the order of the handbook.
pub const GROUPS: &[Group] = &[
    Group { title: "Kickstart", grammar: Grammar::Kickstart, rules: kickstart::rules::ALL },
    Group { title: "Preseed", grammar: Grammar::Preseed, rules: preseed::rules::ALL },
    Group { title: "Recipes of partman-auto", grammar: Grammar::Recipe, rules: recipe::rules::ALL },
    Group { title: "Autoinstall", grammar: Grammar::Autoinstall, rules: autoinstall::rules::ALL },
    Group { title: "Cloud-init's user-data", grammar: Grammar::CloudConfig, rules: cloud_config::rules::ALL },
    Group { title: "YAML", grammar: Grammar::CloudConfig, rules: autoinstall::yaml::rules::ALL },
    Group { title: "GRUB scripts", grammar: Grammar::Grub, rules: grub::rules::ALL },
    Group { title: "Kernel command lines", grammar: Grammar::Cmdline, rules: cmdline::rules::ALL },
    Group { title: "Any file", grammar: Grammar::Kickstart, rules: ALL },
];

/// All rules.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().flat_map(|group| group.rules).copied()
}

/// The rule with an id.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id() == id)
}
