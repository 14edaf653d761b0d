//! The profile as a file, and the report that goes with it.

use std::borrow::Cow;
use std::collections::HashSet;

use super::draft::Draft;
use super::line_report::{Entry, EntryState, Id, LineState, Report, Verdict};
use super::proof::Proven;
use super::reading::Settled;
use super::{Imported, Request, secret};
use crate::value::HostName;

/// Closes the books.
pub fn write(request: &Request<'_>, proven: Proven) -> Imported {
    let Settled { name, draft, report, mut scripts, to_do: mut open, .. } = proven.into_settled();
    if !draft.has("match") {
        open.push(
            "nothing says which machine this is: add `match: { mac: [\"…\"] }`, or import with --mac"
                .to_owned(),
        );
    }
    if !draft.has("storage.target") {
        open.push(
            "nothing says which disk may be overwritten: add `storage: { target: { serial: … } }`, or import with --disk"
                .to_owned(),
        );
    }
    let mut keys = draft.keys_by_entry();
    let entries =
        (0..).zip(report.entries).map(|(number, line)| entry(keys.remove(&Id(number)), line)).collect();
    let report = Report { entries, open };
    let used: HashSet<&str> = report.entries.iter().filter_map(|entry| entry.file.as_deref()).collect();
    scripts.retain(|script| used.contains(script.path.as_str()));
    let profile = text(request, &name, &draft, &report);
    Imported { name, profile, scripts, report }
}

fn entry(keys: Option<Vec<String>>, line: LineState) -> Entry {
    let LineState { first, last, text, cut, state, mut notes, more, claims, file, remark, .. } = line;
    let verdict = match state {
        EntryState::Comment => Verdict::Comment,
        EntryState::Refused | EntryState::Keyless => Verdict::Refused,
        EntryState::Script => Verdict::Script,
        EntryState::Partly => Verdict::Partly,
        EntryState::Taken if notes.is_empty() && !claims.is_empty() => Verdict::Kept,
        EntryState::Taken => Verdict::Changed,
    };
    if more > 0 {
        notes.push(format!("and {more} more"));
    }
    Entry { first, last, text, cut, verdict, keys: keys.unwrap_or_default(), file, remark, notes }
}

fn text(request: &Request<'_>, name: &HostName, draft: &Draft, report: &Report) -> String {
    let file: String = request.file.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let lines: Vec<_> = request.text.split('\n').collect();
    let mut out = String::from("# yaml-language-server: $schema=../schema/host.json\n");
    out.push_str(&format!(
        "# {name}, imported from {file}. What that file says and this one doesn't stands below.\n"
    ));
    for open in &report.open {
        comment(&mut out, "# to do: ", open);
    }
    out.push_str(&draft.yaml().0);
    let lost = |entry: &&Entry| matches!(entry.verdict, Verdict::Refused | Verdict::Partly);
    section(&mut out, "not taken over, or not all of it", report.entries.iter().filter(lost), &lines);
    comments(&mut out, &report.entries, &lines);
    out
}

/// All that an entry's lines say, without secrets: a report shows the first, and not all of an endless one.
fn whole<'e>(entry: &'e Entry, lines: &[&str]) -> Cow<'e, str> {
    // where a script's file holds it, it needn't stand here as well
    match lines.get(entry.first.saturating_sub(1)..entry.last) {
        Some(lines) if entry.cut || lines.len() > 1 && entry.file.is_none() => {
            secret::masked(&lines.join("\n")).into()
        }
        _ => entry.text.as_str().into(),
    }
}

/// What people wrote for each other.
fn comments(out: &mut String, entries: &[Entry], lines: &[&str]) {
    let said = |entry: &Entry| match (entry.verdict, &entry.remark) {
        (Verdict::Comment, _) => Some((entry.first, whole(entry, lines).trim().to_owned())),
        (_, remark) => remark
            .as_ref()
            .map(|remark| (entry.first, format!("# {}", remark.trim_start_matches(['#', ' '])))),
    };
    let said: Vec<_> = entries.iter().filter_map(said).collect();
    if !said.is_empty() {
        out.push_str("\n# --- comments\n");
    }
    for (line, text) in said {
        comment(out, &format!("# {line}: "), &text);
    }
}

fn section<'e>(out: &mut String, title: &str, entries: impl Iterator<Item = &'e Entry>, lines: &[&str]) {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return;
    }
    out.push_str(&format!("\n# --- {title}\n"));
    for entry in entries {
        for (line, text) in (entry.first..).zip(whole(entry, lines).split('\n')) {
            comment(out, &format!("# {line}: "), text);
        }
        let file = entry.file.iter().map(|file| format!("it is in {file}"));
        file.chain(entry.notes.iter().cloned()).for_each(|note| comment(out, "#     ", &note));
    }
}

/// A comment, whatever the text holds.
fn comment(out: &mut String, lead: &str, text: &str) {
    out.push_str(lead);
    let ends_line = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    out.extend(text.chars().map(|c| if ends_line(c) { ' ' } else { c }));
    out.push('\n');
}
