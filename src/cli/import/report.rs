//! What became of each line of a file that was imported.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::cli::output;
use crate::import::{Entry, Imported, Report, Verdict};

/// For people.
///
/// # Errors
/// When it can't be printed.
pub fn print(file: &str, imported: &Imported, written: &[String]) -> Result<()> {
    let Imported { report, name, .. } = imported;
    let mut out: String = report.entries.iter().map(|entry| line(file, entry)).collect();
    let counts = Verdict::ALL.map(|verdict| format!("{} {}", report.lines(verdict), verdict.name()));
    out.push_str(&format!("{} → {name}: lines: {}\n", plain(file), counts.join(", ")));
    report.open.iter().for_each(|open| out.push_str(&format!("to do: {}\n", plain(open))));
    written.iter().for_each(|path| out.push_str(&format!("written: {path}\n")));
    Ok(output::print(&out)?)
}

fn line(file: &str, entry: &Entry) -> String {
    let Entry { first, last, text, verdict, keys, file: script, notes, .. } = entry;
    let lines = if first == last { first.to_string() } else { format!("{first}-{last}") };
    let place = script.iter().chain(keys).map(String::as_str).collect::<Vec<_>>().join(", ");
    let what = match verdict {
        Verdict::Comment => text.trim().to_owned(),
        _ if place.is_empty() => text.trim().to_owned(),
        _ => format!("{} → {place}", text.trim()),
    };
    let notes: String = notes.iter().map(|note| format!("    {}\n", plain(note))).collect();
    format!("{}:{lines}: {}: {}\n{notes}", plain(file), verdict.name(), plain(&what))
}

/// On one line of a terminal, whatever a file says.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// For programs.
///
/// # Errors
/// When it can't be printed.
pub fn print_json(file: &str, imported: &Imported, written: &[String]) -> Result<()> {
    let Imported { report, name, .. } = imported;
    let Report { entries, open } = report;
    let lines = Verdict::ALL.map(|verdict| (verdict.name(), report.lines(verdict)));
    let lines: BTreeMap<_, _> = lines.into_iter().collect();
    let answer = serde_json::json!({
        "version": 1, "file": file, "host": name.to_string(), "lines": lines, "entries": entries, "open": open, "written": written,
    });
    Ok(output::print(&output::json(&answer)?)?)
}
