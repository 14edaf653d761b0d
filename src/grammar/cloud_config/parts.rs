//! User-data taken apart: what kind each part is, and where it stands.
//!
//! By cloud-init's rules: a MIME archive where `MIME-Version:` stands in its head, else by the first line. A part of an archive
//! whose type says nothing is told by its first line too.

use base64::Engine;

use super::rules;
use crate::grammar::{Finding, shown};

/// What a part is to cloud-init.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Config,
    Archive,
    Patch,
    Jinja,
    Include,
    /// A script, a boothook, a part handler: not data.
    Program,
}

/// A part of user-data.
#[derive(Debug)]
pub(super) struct Part {
    pub form: Form,
    pub text: String,
    /// Lines of the file before it.
    pub before: usize,
    /// Its lines are those of the file.
    pub exact: bool,
}

/// By the first line, longest mark first.
const MARKS: [(&str, Form); 10] = [
    ("#cloud-config-archive", Form::Archive),
    ("#cloud-config-jsonp", Form::Patch),
    ("## template: jinja", Form::Jinja),
    ("#cloud-boothook", Form::Program),
    ("#include-once", Form::Include),
    ("#part-handler", Form::Program),
    ("#cloud-config", Form::Config),
    ("#upstart-job", Form::Program),
    ("#include", Form::Include),
    ("#!", Form::Program),
];

/// By the type that a MIME part or an item of an archive names.
fn by_type(name: &str) -> Option<Form> {
    Some(match name {
        "text/cloud-config" => Form::Config,
        "text/cloud-config-archive" => Form::Archive,
        "text/cloud-config-jsonp" => Form::Patch,
        "text/jinja2" => Form::Jinja,
        "text/x-include-url" | "text/x-include-once-url" => Form::Include,
        "text/x-shellscript"
        | "text/x-shellscript-per-boot"
        | "text/x-shellscript-per-instance"
        | "text/x-shellscript-per-once"
        | "text/cloud-boothook"
        | "text/part-handler"
        | "text/upstart-job" => Form::Program,
        _ => return None,
    })
}

pub(super) fn by_mark(text: &str) -> Option<Form> {
    let text = text.trim_start();
    MARKS.iter().find(|(mark, _)| starts_with(text, mark)).map(|(_, form)| *form)
}

fn starts_with(text: &str, mark: &str) -> bool {
    text.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark))
}

/// A part by its type, or by its first line where the type says nothing.
pub(super) fn typed(kind: Option<&str>, text: &str) -> Result<Form, String> {
    let kind = kind.unwrap_or("text/plain");
    by_type(kind).or_else(|| by_mark(text)).ok_or_else(|| {
        format!("a part of type `{}` whose first line says nothing: cloud-init ignores it", shown(kind))
    })
}

/// Whether it is a MIME archive.
pub(super) fn is_mime(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    ["mime-version:", "content-type:"].iter().any(|mark| starts_with(first, mark))
}

/// Names and values of a head, its number of lines with the empty one.
fn head(lines: &[&str]) -> (Vec<(String, String)>, usize) {
    let mut fields: Vec<(String, String)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            return (fields, at + 1);
        }
        match (line.starts_with([' ', '\t']), fields.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => value.push_str(line),
            (false, _, Some((name, value))) => {
                fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            _ => return (fields, at),
        }
    }
    (fields, lines.len())
}

fn field<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The parts of a MIME archive; archives in archives too, down to a depth.
pub(super) fn mime(text: &str, before: usize, depth: usize, found: &mut Vec<Finding>) -> Vec<Part> {
    let lines: Vec<_> = text.split('\n').collect();
    let (fields, body) = head(&lines);
    let kind = field(&fields, "content-type").unwrap_or("text/plain");
    let name = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !name.starts_with("multipart/") {
        let rest = &lines[body.min(lines.len())..];
        return single(&fields, &name, rest, before + body, found).into_iter().collect();
    }
    let boundary = kind.split(';').skip(1).find_map(|option| {
        let (name, value) = option.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    let Some(boundary) = boundary.filter(|boundary| !boundary.is_empty()) else {
        found.push(Finding::error(
            &rules::MIME,
            before + 1,
            "a MIME archive without a `boundary`: cloud-init finds no part in it",
        ));
        return Vec::new();
    };
    if depth == 0 {
        found.push(Finding::error(&rules::PART, before + 1, "archives nested too deep"));
        return Vec::new();
    }
    let (open, close) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mark = |line: &str| match line.trim_end() {
        line if line == open => Some(false),
        line if line == close => Some(true),
        _ => None,
    };
    let marks: Vec<_> = lines.iter().enumerate().filter_map(|(at, line)| Some((at, mark(line)?))).collect();
    if marks.is_empty() {
        let message = "a MIME archive without a part: cloud-init has nothing to do";
        found.push(Finding::warning(&rules::MIME, before + 1, message));
    } else if !marks.iter().any(|(_, last)| *last) {
        found.push(Finding::warning(
            &rules::MIME,
            before + lines.len(),
            "the MIME archive isn't closed: it may be cut off",
        ));
    }
    let mut parts = Vec::new();
    for (at, (start, _)) in marks.iter().enumerate().filter(|(_, (_, last))| !last) {
        let end = marks.get(at + 1).map_or(lines.len(), |(end, _)| *end);
        let part = lines[start + 1..end].join("\n");
        parts.extend(mime(&part, before + start + 1, depth - 1, found));
    }
    parts
}

fn single(
    fields: &[(String, String)],
    kind: &str,
    lines: &[&str],
    before: usize,
    found: &mut Vec<Finding>,
) -> Option<Part> {
    let encoding = field(fields, "content-transfer-encoding").unwrap_or("7bit").to_ascii_lowercase();
    let (text, exact) = match encoding.as_str() {
        "7bit" | "8bit" | "binary" => (lines.join("\n"), true),
        "base64" => {
            let packed: String = lines.concat().split_ascii_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(packed).ok();
            let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else {
                found.push(Finding::error(&rules::PART, before + 1, "a part that is no text in base64"));
                return None;
            };
            (text, false)
        }
        other => {
            let message = format!("a part in `{}` isn't looked into here", shown(other));
            found.push(Finding::warning(&rules::PART_UNREAD, before + 1, message));
            return None;
        }
    };
    match typed(Some(kind), &text) {
        Ok(form) => Some(Part { form, text, before, exact }),
        Err(message) => {
            found.push(Finding::error(&rules::PART, before + 1, message));
            None
        }
    }
}
