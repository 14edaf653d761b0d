//! What is wrong with single lines and answers; [`super::commands`], [`super::passwords`] and [`super::partman`] judge what
//! certain keys hold, and how answers go together.

use std::collections::HashMap;

use super::rules;
use super::{
    Answer, BLANKS, Content, Document, Lacks, Release, cleaned, commands, is_dropped, keys, parse, partman,
    passwords,
};
use crate::grammar::{Finding, MAX_FINDINGS, shown};
use crate::value::nearest;

/// debconf's own types, and the flag that a file may set.
const TYPES: [&str; 10] =
    ["string", "boolean", "select", "multiselect", "note", "text", "password", "title", "error", "seen"];

pub fn lint(text: &str, release: Release) -> Vec<Finding> {
    let document = parse(text);
    let mut found = Vec::new();
    lines(&document, &mut found);
    for answer in document.answers() {
        if found.len() >= MAX_FINDINGS {
            break;
        }
        if let Some(finding) = shape(answer) {
            found.push(finding);
            continue;
        }
        if !answer.is_flag() {
            // to search for what was meant takes time, and two dozen times tell the pattern
            let search = if found.len() < 24 { Search::Near } else { Search::None };
            found.extend(question(answer, release, search));
        }
    }
    duplicates(&document, &mut found);
    network(&document, &mut found);
    commands::lint(&document, &mut found);
    passwords::lint(&document, &mut found);
    partman::lint(&document, &mut found);
    found.sort();
    found.dedup();
    found
}

/// Lines that the loader reads otherwise than people do.
fn lines(document: &Document<'_>, found: &mut Vec<Finding>) {
    for piece in &document.pieces {
        if found.len() >= MAX_FINDINGS {
            return;
        }
        let mut inside = false;
        for (number, raw) in (piece.line..).zip(piece.raw.split_inclusive('\n')) {
            let line = cleaned(raw);
            if is_dropped(&line) {
                continue;
            }
            if line.trim_end_matches(BLANKS).ends_with('\\') && !line.ends_with('\\') {
                let message = "a blank after the backslash: the line doesn't go on";
                found.push(
                    Finding::error(&rules::CONTINUATION, number, message)
                        .help("end the line with the backslash"),
                );
            }
            if line.trim_start_matches(BLANKS).starts_with('#') {
                found.push(indented_comment(number, inside));
            }
            inside = line.ends_with('\\');
        }
        if let Content::Bad(lacks) = piece.content {
            found.push(bad(piece.line, lacks));
        }
    }
}

fn indented_comment(line: usize, inside: bool) -> Finding {
    let message = if inside {
        "an indented `#` inside a continued line is no comment: it becomes part of the value"
    } else {
        "an indented `#` is no comment: d-i reads the line as an answer"
    };
    Finding::error(&rules::INDENTED_COMMENT, line, message).help("a comment begins in the first column")
}

fn bad(line: usize, lacks: Lacks) -> Finding {
    match lacks {
        Lacks::Key => Finding::error(
            &rules::SHORT_LINE,
            line,
            "d-i stops loading here: a line of fewer than three words",
        )
        .help("write `d-i KEY TYPE VALUE`"),
        Lacks::Type => {
            Finding::error(&rules::SHORT_LINE, line, "d-i stops loading here: the type is missing")
                .help("write `d-i KEY TYPE VALUE`")
        }
        Lacks::End => Finding::error(
            &rules::UNFINISHED,
            line,
            "the file ends where the line goes on: d-i drops this answer",
        )
        .help("take the last backslash out"),
    }
}

/// A line that has three words which aren't owner, key and type. What stands there may be a password: it isn't shown.
fn shape(answer: &Answer) -> Option<Finding> {
    if answer.owner.starts_with('#') {
        return None; // told as a comment
    }
    if !TYPES.contains(&answer.kind.as_str()) {
        let message = if known_anywhere(&answer.key) {
            format!("the type of {} is missing: what stands in its place is no type", answer.key)
        } else {
            "no answer: the third word is no type of debconf".to_owned()
        };
        return Some(
            Finding::error(&rules::NO_ANSWER, answer.first, message).help("write `d-i KEY TYPE VALUE`"),
        );
    }
    let message = "no answer: the second word is no question, it has no `/`";
    (!answer.key.contains('/') && answer.owner != "d-i")
        .then(|| Finding::error(&rules::NO_ANSWER, answer.first, message))
}

fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}

fn known_anywhere(key: &str) -> bool {
    [Release::Debian12, Release::Debian13].iter().any(|release| keys::known(key, *release).is_some())
}

/// Keys that no template has and that d-i heeds all the same: made while it runs, or read by name.
pub fn is_made_at_run_time(key: &str) -> bool {
    let local = || {
        let rest = key.strip_prefix("apt-setup/local")?;
        let (number, field) = rest.split_once('/')?;
        Some(!field.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    // choose-mirror asks for `mirror/PROTOCOL/…`, and has templates of http only
    let mirror =
        || matches!(key.strip_prefix("mirror/https/"), Some("hostname" | "directory" | "proxy" | "mirror"));
    matches!(key, "mirror/udeb/suite" | "partman-lvm/confirm_nooverwrite" | "partman-auto-raid/recipe")
        || mirror()
        || local() == Some(true)
}

/// Whether to look for what was meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    Near,
    None,
}

/// An answer held against the question.
fn question(answer: &Answer, release: Release, search: Search) -> Vec<Finding> {
    let line = answer.first;
    let Some(known) = keys::known(&answer.key, release) else {
        let bad = answer.kind == "boolean" && !matches!(answer.value.as_str(), "true" | "false");
        let mut found: Vec<_> = unknown(answer, release, search).into_iter().collect();
        found.extend(bad.then(|| not_boolean(answer, false)));
        return found;
    };
    let mut found = Vec::new();
    let is_text = |kind: &str| matches!(kind, "string" | "select");
    if answer.kind != known.kind && !(is_text(&answer.kind) && is_text(known.kind)) {
        let message = format!("{} is of type {}, not {}", answer.key, known.kind, answer.kind);
        found.push(Finding::warning(&rules::TYPE, line, message).help(format!("write {}", known.kind)));
    }
    match known.kind {
        "boolean" if !matches!(answer.value.as_str(), "true" | "false") => {
            found.push(not_boolean(answer, true))
        }
        "select" if !answer.value.is_empty() => {
            found.extend(choice(answer, &answer.value, &known.choices));
        }
        "multiselect" => {
            let values = answer.value.split(',').map(str::trim).filter(|value| !value.is_empty());
            found.extend(values.filter_map(|value| choice(answer, value, &known.choices)));
        }
        _ => {}
    }
    found
}

fn unknown(answer: &Answer, release: Release, search: Search) -> Option<Finding> {
    if answer.owner != "d-i" || is_made_at_run_time(&answer.key) {
        return None;
    }
    let (line, key) = (answer.first, &answer.key);
    if let Some(other) = keys::elsewhere(key, release) {
        let message = format!("{} is a question of {other}'s installer, not of {release}'s", shown(key));
        return Some(Finding::warning(&rules::OTHER_RELEASE, line, message));
    }
    let finding = Finding::error(
        &rules::UNKNOWN_QUESTION,
        line,
        format!("{} is no question of {release}'s installer", quoted(key)),
    );
    let near = if search == Search::Near { keys::similar(key, release) } else { None };
    Some(match near {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help("take it out: nothing reads it, and what it was to answer is asked"),
    })
}

/// What stands behind a key that nobody knows may be a secret.
fn not_boolean(answer: &Answer, known: bool) -> Finding {
    let value = if known { format!(", found {}", quoted(&answer.value)) } else { String::new() };
    Finding::error(&rules::BOOLEAN, answer.first, format!("{} must be true or false{value}", answer.key))
}

fn choice(answer: &Answer, value: &str, choices: &[&'static str]) -> Option<Finding> {
    const SHOWN: usize = 8;
    if choices.is_empty() || choices.contains(&value) {
        return None;
    }
    let finding =
        Finding::error(&rules::CHOICE, answer.first, format!("{} can't be {}", answer.key, quoted(value)));
    Some(match nearest(value, choices.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None if choices.len() <= SHOWN => finding.help(format!("one of {}", choices.join(", "))),
        None => finding.help(format!(
            "one of {}, and {} more",
            choices[..SHOWN].join(", "),
            choices.len() - SHOWN
        )),
    })
}

/// The last answer counts, whatever the owners.
fn duplicates(document: &Document<'_>, found: &mut Vec<Finding>) {
    let mut seen: HashMap<&str, &Answer> = HashMap::new();
    // what has no slash is no key, and may be anything
    for answer in document.answers().filter(|answer| !answer.is_flag() && answer.key.contains('/')) {
        if found.len() >= 2 * MAX_FINDINGS {
            return;
        }
        let Some(before) = seen.insert(&answer.key, answer) else { continue };
        let message = format!("{} was answered in line {} already", shown(&answer.key), before.first);
        found.push(if before.value == answer.value {
            Finding::warning(&rules::DUPLICATE, answer.first, message)
        } else {
            Finding::error(&rules::DUPLICATE, answer.first, message)
                .help("this one counts; take one of them out")
        });
    }
}

/// Questions of the network, which is up before a file that comes by it.
const BEFORE_THE_FILE: [&str; 9] = [
    "netcfg/get_hostname",
    "netcfg/hostname",
    "netcfg/get_domain",
    "netcfg/get_ipaddress",
    "netcfg/get_netmask",
    "netcfg/get_gateway",
    "netcfg/get_nameservers",
    "netcfg/disable_autoconfig",
    "netcfg/confirm_static",
];

fn network(document: &Document<'_>, found: &mut Vec<Finding>) {
    // a script that runs netcfg again makes the file count
    if commands::all(document).any(|answer| answer.value.contains("netcfg")) {
        return;
    }
    for answer in document.answers().filter(|answer| !answer.is_flag() && !answer.value.is_empty()) {
        if !BEFORE_THE_FILE.contains(&answer.key.as_str()) {
            continue;
        }
        let message = format!("{} comes too late when this file is fetched by url", answer.key);
        let help = match answer.key.as_str() {
            "netcfg/get_hostname" | "netcfg/hostname" => "give hostname= on the kernel command line too",
            "netcfg/get_domain" => "give domain= on the kernel command line too",
            _ => "give it on the kernel command line too",
        };
        found.push(Finding::warning(&rules::TOO_LATE, answer.first, message).help(help));
    }
}
