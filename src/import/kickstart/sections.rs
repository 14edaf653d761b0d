//! Packages and scripts.

use super::enter;
use crate::grammar::kickstart::{Arguments, Release, Section, Table};
use crate::import::line_report::Id;
use crate::import::{Reading, shell};

/// Any section.
pub fn read(release: Release, section: &Section<'_>, reading: &mut Reading<'_>) {
    match section.name() {
        "%packages" => packages(release, section, reading),
        "%pre" => script(release, "pre", section, reading),
        "%post" if option(release, section, "--nochroot") => {
            script(release, "post_outside", section, reading)
        }
        "%post" => script(release, "post", section, reading),
        "%onerror" => script(release, "on_error", section, reading),
        name => {
            let name: String = name.chars().take(40).collect();
            let id = whole(section, reading);
            match section.body.iter().all(|line| line.text().trim().is_empty()) {
                true => reading.report.refuse(id, format!("a profile has no key for {name}")),
                false => {
                    let why = format!("a profile has no key for {name}: its text is kept aside");
                    reading.keep_aside("section", body(section), id, why);
                }
            }
        }
    }
}

/// One entry for all lines of a section.
fn whole(section: &Section<'_>, reading: &mut Reading<'_>) -> Id {
    let first = section.header.line.number;
    let last = section.end.iter().chain(section.body.last()).map(|line| line.number).max().unwrap_or(first);
    let id = reading.report.enter(first, last, section.header.line.text());
    if let Some(comment) = section.header.comment.map(str::trim).filter(|comment| !comment.is_empty()) {
        reading.report.remark(id, comment);
    }
    id
}

fn body(section: &Section<'_>) -> String {
    section.body.iter().map(|line| format!("{}\n", line.text())).collect()
}

fn arguments<'s>(release: Release, section: &'s Section<'_>) -> Option<Arguments<'s>> {
    let table = Table::of(release);
    let shape = table.get(section.name())?;
    let arguments = Arguments::read(shape, &section.header.words[1..]);
    arguments.problems.is_empty().then_some(arguments)
}

fn option(release: Release, section: &Section<'_>, name: &str) -> bool {
    arguments(release, section).is_some_and(|arguments| arguments.has(name))
}

fn script(release: Release, kind: &str, section: &Section<'_>, reading: &mut Reading<'_>) {
    let id = whole(section, reading);
    let Some(arguments) = arguments(release, section) else {
        let why = "the installer would stop at its options: its text is kept aside";
        return reading.keep_aside(kind, body(section), id, why);
    };
    if section.end.is_none() {
        reading.report.note(id, "it has no %end");
    }
    if let Some((_, Some(file))) = section.includes().next() {
        let why = format!("it includes `{}`, which isn't here: its text is kept aside", file.escape_debug());
        return reading.keep_aside(kind, body(section), id, why);
    }
    if matches!(kind, "pre" | "on_error")
        && let Some(tool) = shell::disk_tool(&body(section))
    {
        return reading.keep_aside(kind, body(section), id, shell::why_aside(tool));
    }
    let interpreter = arguments.text("--interpreter").unwrap_or("/bin/sh");
    if !interpreter.starts_with('/') || interpreter.chars().any(char::is_control) {
        let why = "its interpreter is no path: its text is kept aside";
        return reading.keep_aside(kind, body(section), id, why);
    }
    let mut text = format!("#!{interpreter}\n");
    let is_shell =
        ["sh", "bash", "dash", "ksh"].contains(&interpreter.rsplit('/').next().unwrap_or_default());
    if !arguments.has("--erroronfail") && kind != "on_error" {
        match is_shell {
            true => text.push_str("# the original went on when this failed\ntrap 'exit 0' EXIT\n"),
            false => reading
                .report
                .note(id, "without --erroronfail the install went on when it failed; now it stops"),
        }
    }
    text.push_str(&body(section));
    if arguments.has("--log") || arguments.has("--logfile") {
        reading.report.note(id, "ironstrap logs it in a place of its own");
    }
    reading.script(kind, text, id);
    reading.report.opaque(id);
}

fn packages(release: Release, section: &Section<'_>, reading: &mut Reading<'_>) {
    let id = enter(&section.header, reading);
    match arguments(release, section) {
        None => reading.report.lose(id, "the installer would stop at its options"),
        Some(arguments) => {
            for option in &arguments.options {
                reading.report.lose(id, format!("{} has no key in a profile", option.name));
            }
        }
    }
    if arguments(release, section).is_some_and(|arguments| arguments.options.is_empty()) {
        reading.report.claim(id, HEADER.to_owned());
    }
    for line in &section.body {
        let text = line.text().trim();
        if text.is_empty() {
            continue;
        }
        if text.starts_with('#') {
            reading.report.comment(line.number, line.text());
            continue;
        }
        let id = reading.report.enter(line.number, line.number, line.text());
        let (text, comment) =
            text.split_once('#').map_or((text, ""), |(text, comment)| (text.trim(), comment.trim()));
        if !comment.is_empty() {
            reading.report.remark(id, comment);
        }
        if text.starts_with("%include") {
            reading.report.refuse(id, "what it includes isn't here: write it into the profile");
            continue;
        }
        reading.report.claim(id, package(text));
        let many: Vec<_> = match text.starts_with('@') {
            // a group's name may have spaces; its options come behind it
            true => {
                let (name, options) = text.split_once(" --").unwrap_or((text, ""));
                if !options.is_empty() {
                    reading.report.lose(id, "options of a group have no key in a profile");
                }
                vec![name.trim()]
            }
            false => text.split_whitespace().collect(),
        };
        for word in many {
            match word.strip_prefix('-') {
                Some(name) => reading.draft.push("remove_packages", name, id),
                None => reading.draft.push("packages", word, id),
            }
        }
    }
    if let Some(end) = section.end {
        let id = reading.report.enter(end.number, end.number, end.text());
        reading.report.claim(id, HEADER.to_owned());
    }
}

/// Stands for the section itself.
const HEADER: &str = "%packages";

/// The canonical form of a line of `%packages`.
pub fn package(line: &str) -> String {
    match line.is_empty() {
        true => HEADER.to_owned(),
        false => format!("{HEADER} {}", line.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// The lines that a script writes for the installer, out of its here-documents.
pub fn here_documents<'s>(section: &'s Section<'_>) -> impl Iterator<Item = &'s str> {
    let mut end: Option<&str> = None;
    section.body.iter().filter_map(move |line| {
        let text = line.text();
        match end {
            Some(mark) if text == mark => {
                end = None;
                None
            }
            Some(_) => Some(text),
            None => {
                let (before, mark) = text.split_once("<<")?;
                if before.contains(".ks") {
                    end = Some(mark.trim().trim_matches('\''));
                }
                None
            }
        }
    })
}
