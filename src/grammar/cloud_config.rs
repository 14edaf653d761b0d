//! User-data: what cloud-init reads at the first boot, and what it lets pass.
//!
//! cloud-init logs what it can't read, goes on without it, and ends as `done`. [`lint`] takes user-data apart as cloud-init does
//! (MIME archives, `#cloud-config-archive`, jinja), and holds each cloud-config against the schema of the image's version; keys
//! are held against the newest, since 22.4's schema takes any. Templates are judged with their expressions as unknown values,
//! and what an `#include` fetches isn't seen. [`lint_map`] is for cloud-config that stands within another file. No value is ever
//! in a finding.

mod parts;
pub(crate) mod rules;
mod schema;

use super::autoinstall::yaml::{self, Data, Node};
use super::{Finding, Severity, shown};
use crate::value::nearest;
use parts::{Form, Part};
use schema::Problem;

/// A version of cloud-init.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// 22.4, of Debian 12.
    V22_4,
    /// 25.1, of Debian 13: the newest that is known.
    V25_1,
}

impl Version {
    /// The one that a release of an operating system brings, by the words of its `os-release`.
    pub fn of(os: &str, version: &str) -> Option<Self> {
        match (os, version) {
            ("debian", "12") => Some(Self::V22_4),
            ("debian", "13") => Some(Self::V25_1),
            _ => None,
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V22_4 => "22.4",
            Self::V25_1 => "25.1",
        })
    }
}

const MAX_DEPTH: usize = 4;
/// Stands for what a template will say. No schema has such a word.
const UNKNOWN: &str = "ironstrap0unknown0value";

/// What a version of cloud-init would stumble over, in the order of lines.
///
/// Without a version, an error is what neither of the known ones takes, and a warning what one of them doesn't.
pub fn lint(text: &str, version: Option<Version>) -> Vec<Finding> {
    let mut found = Vec::new();
    for part in parts_of(text, &mut found) {
        judge(&part, version, MAX_DEPTH, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn parts_of(text: &str, found: &mut Vec<Finding>) -> Vec<Part> {
    if parts::is_mime(text) {
        return parts::mime(text, 0, MAX_DEPTH, found);
    }
    let Some(form) = parts::by_mark(text) else {
        let message = "the first line is none that cloud-init knows: it ignores the whole file";
        found.push(
            Finding::error(&rules::NO_HEADER, 1, message)
                .help("begin with `#cloud-config`, or `#!` and an interpreter"),
        );
        return Vec::new();
    };
    vec![Part { form, text: text.to_owned(), before: 0, exact: true }]
}

fn judge(part: &Part, version: Option<Version>, depth: usize, found: &mut Vec<Finding>) {
    let mut own = Vec::new();
    match part.form {
        Form::Config => config(&part.text, version, &mut own),
        Form::Jinja => template(&part.text, version, depth, &mut own),
        Form::Archive => archive(&part.text, version, depth, &mut own),
        Form::Patch => {
            let tree = tree(&part.text, &mut own);
            if let Some(node) = tree.filter(|node| !matches!(node.data, Data::List(_))) {
                own.push(Finding::error(
                    &rules::TYPE,
                    node.line,
                    format!("a JSON patch is a list, found {}", node.kind()),
                ));
            }
        }
        Form::Include => include(&part.text, &mut own),
        Form::Program => {}
    }
    found.extend(own.into_iter().map(|finding| Finding {
        line: if part.exact { finding.line + part.before } else { part.before.max(1) },
        ..finding
    }));
}

/// The tree of a text; findings never hold a value.
fn tree(text: &str, found: &mut Vec<Finding>) -> Option<Node> {
    let mut told = Vec::new();
    let tree = yaml::parse(text, &mut told);
    found.extend(told.into_iter().map(|finding| match finding.rule == &yaml::rules::DUPLICATE_KEY {
        true => Finding { message: finding.message.replace(UNKNOWN, "…"), ..finding },
        false => {
            let message =
                "a value means something else to readers of YAML 1.1, such as cloud-init, than it seems to";
            Finding::warning(&yaml::rules::AMBIGUOUS, finding.line, message).help("quote it if it is a text")
        }
    }));
    match tree {
        Ok(node) => Some(node),
        Err(finding) => {
            let message = match finding.rule == &yaml::rules::SECOND_DOCUMENT {
                true => "a second document: cloud-init reads one".to_owned(),
                false => finding.message,
            };
            found.push(Finding { message, ..finding });
            None
        }
    }
}

fn config(text: &str, version: Option<Version>, found: &mut Vec<Finding>) {
    let Some(root) = tree(text, found) else { return };
    let Data::Map(_) = &root.data else {
        found.push(match root.kind() {
            yaml::YamlType::Null => Finding::warning(&rules::EMPTY, 1, "cloud-config that says nothing"),
            kind => Finding::error(
                &rules::TYPE,
                root.line,
                format!("cloud-config is a map, found {kind}: cloud-init ignores it"),
            ),
        });
        return;
    };
    found.extend(lint_map(&root, version));
    found.extend(told(&root));
}

/// What a version of cloud-init, or any, would stumble over in a map that it is given as cloud-config.
pub(crate) fn lint_map(root: &Node, version: Option<Version>) -> Vec<Finding> {
    let problems = |of| match version {
        Some(asked) if asked != of => Vec::new(),
        _ => schema::check(root, of),
    };
    let mut found = merge(&problems(Version::V22_4), &problems(Version::V25_1), version);
    for (key, _) in root.entries() {
        let known = schema::knows(&key.text) || key.text.contains(UNKNOWN);
        // told already by a schema that takes no others
        let told =
            found.iter().any(|finding| finding.line == key.line && finding.rule == &rules::UNKNOWN_KEY);
        if !known && !told {
            let near = nearest(&key.text, schema::keys()).map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{}` is no key that cloud-init reads", shown(&key.text));
            found.push(Finding { help: near, ..Finding::error(&rules::UNKNOWN_KEY, key.line, message) });
        }
    }
    found
}

/// Keys that mean less on a host that ironstrap installs than they seem to.
pub(crate) fn told(root: &Node) -> Vec<Finding> {
    let why = |name: &str| {
        let told = include_str!("cloud_config/told.txt").lines().filter(|line| !line.starts_with('#'));
        told.filter_map(|line| line.split_once('\t')).find(|(known, _)| *known == name)
    };
    let known = root.entries().filter_map(|(key, _)| Some((key.line, why(&key.text)?)));
    known
        .map(|(line, (name, why))| Finding::warning(&rules::INSTALLED_HOST, line, format!("`{name}`: {why}")))
        .collect()
}

/// Problems of two versions as findings for one version, or for any.
fn merge(old: &[Problem], new: &[Problem], version: Option<Version>) -> Vec<Finding> {
    let finding = |problem: &Problem, severity| Finding {
        line: problem.line,
        severity: if problem.deprecated { Severity::Warning } else { severity },
        message: problem.message.clone(),
        help: problem.help.clone(),
        only: None,
        rule: problem.rule,
    };
    match version {
        Some(Version::V25_1) => new.iter().map(|problem| finding(problem, Severity::Error)).collect(),
        Some(Version::V22_4) => old.iter().map(|problem| finding(problem, Severity::Error)).collect(),
        None => {
            // the versions word a place differently where their schemas differ: a line that both refuse is wrong
            let wrong_in = |problems: &[Problem], line| {
                problems.iter().any(|problem| problem.line == line && !problem.deprecated)
            };
            let only = |problem: &Problem, version| {
                let finding = finding(problem, Severity::Warning);
                let message = format!("{} (to cloud-init {version})", finding.message);
                Finding { message, only: Some(version), ..finding }
            };
            let newest = new.iter().map(|problem| {
                // 22.4 takes any key, and reads no more of them than 25.1
                if wrong_in(old, problem.line) || problem.deprecated || problem.rule == &rules::UNKNOWN_KEY {
                    finding(problem, Severity::Error)
                } else {
                    only(problem, Version::V25_1)
                }
            });
            let older = old
                .iter()
                .filter(|problem| !problem.deprecated && !wrong_in(new, problem.line))
                .map(|problem| only(problem, Version::V22_4));
            newest.chain(older).collect()
        }
    }
}

fn archive(text: &str, version: Option<Version>, depth: usize, found: &mut Vec<Finding>) {
    let Some(root) = tree(text, found) else { return };
    if !matches!(root.data, Data::List(_)) {
        let message = format!("an archive is a list of parts, found {}: cloud-init ignores it", root.kind());
        found.push(Finding::error(&rules::TYPE, root.line, message));
        return;
    }
    for item in root.items() {
        let content = if item.text().is_some() { Some(item) } else { item.get("content") };
        let Some(text) = content.and_then(Node::text) else {
            found.push(Finding::error(&rules::PART, item.line, "a part without `content`"));
            continue;
        };
        let kind = item.get("type").and_then(Node::text);
        match parts::typed(kind, text) {
            Err(message) => found.push(Finding::error(&rules::PART, item.line, message)),
            Ok(_) if depth == 0 => {
                found.push(Finding::error(&rules::PART, item.line, "archives nested too deep"))
            }
            Ok(form) => {
                let part = Part { form, text: text.to_owned(), before: item.line, exact: false };
                judge(&part, version, depth - 1, found);
            }
        }
    }
}

fn include(text: &str, found: &mut Vec<Finding>) {
    for (number, line) in (1..).zip(text.lines()) {
        let line = ["#include-once", "#include"]
            .iter()
            .find_map(|mark| line.strip_prefix(mark))
            .unwrap_or(line)
            .trim();
        let known = ["http://", "https://", "file://"].iter().any(|scheme| line.starts_with(scheme));
        if !line.is_empty() && !line.starts_with('#') && !known {
            found.push(Finding::error(
                &rules::INCLUDE,
                number,
                "no URL that cloud-init can fetch (http, https, file)",
            ));
        }
    }
}

/// A jinja template, with what it will say unknown.
fn template(text: &str, version: Option<Version>, depth: usize, found: &mut Vec<Finding>) {
    let below = text.split_once('\n').map_or("", |(_, rest)| rest);
    let (plain, statements) = match without_jinja(below) {
        Ok(plain) => plain,
        Err(line) => {
            found.push(Finding::error(
                &rules::JINJA,
                line + 1,
                "a jinja tag that isn't closed: cloud-init can't render it",
            ));
            return;
        }
    };
    let Some(form) = parts::by_mark(&plain).filter(|form| *form != Form::Jinja) else {
        found.push(Finding::error(
            &rules::NO_HEADER,
            2,
            "the line after `## template: jinja` is none that cloud-init knows",
        ));
        return;
    };
    if depth == 0 {
        return;
    }
    let mut own = Vec::new();
    judge(&Part { form, text: plain, before: 1, exact: true }, version, depth - 1, &mut own);
    // with branches and loops, what stands in the file isn't what is read
    if statements {
        let structural =
            |finding: &Finding| [&yaml::rules::SYNTAX, &yaml::rules::DUPLICATE_KEY].contains(&finding.rule);
        own.retain(|finding| !structural(finding));
    }
    found.extend(own);
}

/// The text with tags gone and lines kept, and whether it has statements; the line of a tag that isn't closed.
fn without_jinja(text: &str) -> Result<(String, bool), usize> {
    let (mut plain, mut statements, mut rest) = (String::new(), false, text);
    while let Some(at) = rest.find('{') {
        let close = match rest.get(at..at + 2) {
            Some("{{") => "}}",
            Some("{%") => "%}",
            Some("{#") => "#}",
            _ => {
                plain.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
                continue;
            }
        };
        plain.push_str(&rest[..at]);
        let line = plain.matches('\n').count() + 1;
        let end = rest[at..].find(close).ok_or(line)?;
        let tag = &rest[at..at + end + 2];
        statements |= close == "%}";
        if close == "}}" {
            plain.push_str(UNKNOWN);
        }
        // a tag over several lines must not move what follows it
        plain.push_str(&"\n".repeat(tag.matches('\n').count()));
        rest = &rest[at + end + 2..];
    }
    plain.push_str(rest);
    Ok((plain, statements))
}

/// Whether nothing can be said about a value.
fn is_unknown(node: &Node) -> bool {
    node.text().is_some_and(holds_unknown)
}

fn holds_unknown(text: &str) -> bool {
    text.contains(UNKNOWN)
}

#[cfg(test)]
mod tests;
