//! `ironstrap explain ks-vg-empty`, and the handbook of `lint`'s rules: both from the tables beside what finds them.

use std::fmt::Write;

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::output;
use crate::grammar::rules::{self, Group};
use crate::profile::rule::{self, Rule};
use crate::site::paths::SitePaths;
use crate::value::HostName;

/// The rule that is meant by a name, where it isn't a host's.
pub(super) fn of(name: &HostName, paths: &SitePaths) -> Option<&'static Rule> {
    let rule = rule::find(name.as_str())?;
    (!paths.root().join(format!("hosts/{name}.yaml")).is_file()).then_some(rule)
}

/// All of `lint`.
pub(super) fn all() -> Vec<&'static Rule> {
    rules::all().collect()
}

/// What the handbook says of one rule, for a terminal.
pub(super) fn as_text(rule: &Rule) -> String {
    let example = example(rule).map(|text| format!("\n  example:\n\n{text}")).unwrap_or_default();
    let waived = if rule.can_be_waived() { "" } else { "; can't be waived" };
    format!(
        "{} ({}{waived}): {}\n\n  what to do  {}\n{example}",
        rule.id(),
        severities(rule),
        rule.means(),
        rule.advice()
    )
}

/// The same for programs.
///
/// # Errors
/// When it can't be encoded.
pub(super) fn as_json(rules: &[&Rule]) -> Result<String> {
    let entry = |rule: &&Rule| {
        json!({
            "rule": rule.id(), "severity": rule.severities(), "meaning": rule.means(), "advice": rule.advice(),
            "can_be_waived": rule.can_be_waived(), "example": rule.example().map(|example| example.text),
        })
    };
    let all: Vec<Value> = rules.iter().map(entry).collect();
    output::json(&json!({ "version": 1, "rules": all }))
}

/// All rules of `lint`, as Markdown.
pub(super) fn handbook() -> String {
    let mut text = String::new();
    for Group { title, grammar, rules } in rules::GROUPS {
        _ = writeln!(text, "{}## {title}\n", if text.is_empty() { "" } else { "\n" });
        for (at, rule) in rules.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n" };
            _ = writeln!(
                text,
                "{gap}### {}\n\n{}{}: {}\n\n- What to do: {}",
                rule.id(),
                capital(severities(rule)),
                if rule.can_be_waived() { "" } else { ", can't be waived" },
                rule.means(),
                rule.advice()
            );
            if let Some(shown) = example(rule) {
                let release = rule.example().and_then(|example| example.release);
                let release = release.map(|release| format!(" --release {release}")).unwrap_or_default();
                _ = write!(
                    text,
                    "- Found by `ironstrap lint --as {}{release}` in:\n\n{shown}",
                    grammar.name()
                );
            }
        }
    }
    text
}

fn severities(rule: &Rule) -> &'static str {
    match rule.severities() {
        [one] => one.name(),
        _ => "error or warning",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// The example, indented as Markdown wants it; characters that nobody sees by their numbers.
fn example(rule: &Rule) -> Option<String> {
    let line = |line: &str| {
        let plain = |c: char| c == ' ' || !(c.is_control() || c.is_whitespace());
        let shown: String = line
            .chars()
            .map(|c| if plain(c) { c.to_string() } else { c.escape_unicode().to_string() })
            .collect();
        format!("    {shown}\n")
    };
    Some(rule.example()?.text.split_terminator('\n').map(line).collect())
}
