//! cloud-init's part, with its comments, as a file of the site.
//!
//! A key that cloud-init's schema refuses stays behind: for it subiquity ends the install, so what it was meant to do was never
//! done. What means less on a host that hands over to ironstrap's frame is told beside its key. No value is shown.

use super::Given;
use crate::grammar::autoinstall::{self, Release, yaml};
use crate::grammar::{Finding, Severity, cloud_config};
use crate::import::Reading;
use crate::import::line_report::Id;

/// A key of it: its entry and its lines in the file.
struct Part {
    id: Id,
    first: usize,
    last: usize,
    refused: bool,
}

/// Reads it.
pub fn read(release: Release, text: &str, given: &Given<'_>, reading: &mut Reading<'_>) {
    let Some(node) = given.get("user-data").filter(|node| node.entries().next().is_some()) else { return };
    let head = given.id("user-data");
    let Some(begin) = reading.report.entries.get(head.0).map(|entry| entry.first) else { return };
    let mut parts = Vec::new();
    for (key, value) in node.entries() {
        let id = given.id(&format!("user-data.{}", key.text));
        let Some(entry) = reading.report.entries.get(id.0).filter(|entry| entry.first == key.line) else {
            parts.clear();
            break;
        };
        let (first, last) = (entry.first, entry.last);
        let alone = yaml::Node { line: key.line, data: yaml::Data::Map(vec![(key.clone(), value.clone())]) };
        parts.push(Part { id, first, last, refused: judge(release, &alone, id, reading) });
    }
    parts.sort_by_key(|part| part.first);
    let Some(last) =
        parts.last().map(|part| part.last).filter(|_| parts.iter().all(|part| part.first > begin))
    else {
        // on one line, or written elsewhere
        let why = "write it over several lines, or into a file that `handoff: { cloud_init: … }` names";
        return reading.report.refuse(head, why);
    };
    let Some(from) = parts.iter().find(|part| !part.refused).map(|part| part.id) else {
        return reading.report.refuse(head, "cloud-init takes nothing of it");
    };
    let is_refused =
        |number: &usize| parts.iter().any(|part| part.refused && (part.first..=part.last).contains(number));
    let numbered = (1..).zip(text.lines()).skip(begin).take(last - begin);
    let lines: Vec<_> = numbered.filter(|(number, _)| !is_refused(number)).map(|(_, line)| line).collect();
    let indents =
        lines.iter().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
    let indent = indents.min().unwrap_or_default();
    let body: String =
        lines.iter().map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
    let path = reading.file("user-data.yaml", format!("#cloud-config\n{body}"));
    reading.draft.put("handoff.cloud_init.user_data", path.clone(), from);
    for id in parts.iter().filter(|part| !part.refused).map(|part| part.id).chain([head]) {
        reading.report.file(id, &path);
        reading.report.opaque(id);
    }
}

/// Says of a key what cloud-init makes of it, and whether that is nothing.
fn judge(release: Release, alone: &yaml::Node, id: Id, reading: &mut Reading<'_>) -> bool {
    let mut refused = false;
    let told = cloud_config::told(alone).into_iter();
    for finding in autoinstall::user_data(alone, release).into_iter().chain(told) {
        let Finding { line, severity, message, help, .. } = finding;
        let help = help.map(|help| format!("; {help}")).unwrap_or_default();
        let said = format!("line {line}: {message}{help}");
        match severity {
            Severity::Error => {
                reading.report.refuse(id, said);
                refused = true;
            }
            Severity::Warning => reading.report.note(id, said),
        }
    }
    refused
}
