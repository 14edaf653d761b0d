//! Preseed: owner, key, type and value of each answer, and how lines go on.

use std::collections::BTreeMap;

use super::Finding;

const TYPES: [&str; 8] = ["string", "boolean", "select", "multiselect", "note", "text", "password", "title"];

/// One answer: owner, key, type, value.
pub type Answer = (String, String, String, String);

/// The answers of a preseed file, with the number of their first line, or what is wrong with a line.
pub fn answers(text: &str) -> Vec<(usize, Result<Answer, String>)> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut whole = line.to_owned();
        while let Some(start) = whole.strip_suffix('\\') {
            let Some((_, next)) = lines.next() else { break };
            whole = format!("{start}{next}");
        }
        found.push((number, answer(&whole)));
    }
    found
}

fn answer(line: &str) -> Result<Answer, String> {
    let mut rest = line.trim_start();
    let mut field = || {
        let (field, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        rest = after.trim_start();
        field.to_owned()
    };
    let (owner, key, kind) = (field(), field(), field());
    if !key.contains('/') {
        return Err(format!("`{}` is no question", key.escape_debug()));
    }
    if !TYPES.contains(&kind.as_str()) {
        return Err(format!("`{}` is no type of {key}", kind.escape_debug()));
    }
    if kind == "boolean" && !matches!(rest, "true" | "false") {
        return Err(format!("{key} must be true or false"));
    }
    Ok((owner, key, kind, rest.trim_end().to_owned()))
}

/// What d-i would stumble over.
pub fn lint(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut seen = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_end() != line && line.trim_end().ends_with('\\') {
            found.push(Finding::error(number, "a blank after the backslash: the line doesn't go on"));
        }
    }
    for (number, answer) in answers(text) {
        match answer {
            Err(why) => found.push(Finding::error(number, why)),
            Ok((owner, key, ..)) => {
                if let Some(first) = seen.insert((owner, key.clone()), number) {
                    found.push(Finding::error(number, format!("{key} was answered in line {first} already")));
                }
            }
        }
    }
    found
}
