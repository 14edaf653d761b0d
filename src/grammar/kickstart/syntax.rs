//! What no release can read, and what this one can't: lines without words, sections without end, commands and options that
//! it doesn't know. pykickstart says the same; where it stops at the first, all are told here.

use std::collections::BTreeMap;

use super::arguments::shown;
use super::file::SECTIONS;
use super::rules;
use super::table::{Shape, State};
use super::{Command, Item, Read, Reading, Release, Table};
use crate::grammar::Finding;
use crate::grammar::words::{Unsplit, shlex};
use crate::value::nearest;

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    lines(reading, found);
    for (read, command) in reading.commands.iter().zip(reading.file.commands()) {
        match read.shape {
            Some(shape) => known(reading, read, command.name(), shape, found),
            None => found.push(unknown(reading, command)),
        }
        let problems = read.arguments.problems.iter();
        found.extend(problems.map(|problem| {
            Finding::error(problem.rule, read.line, format!("{}: {problem}", command.name()))
        }));
        for given in read.arguments.options.iter().filter(|given| given.abbreviated) {
            let what = format!("{}: only a beginning of {} is written", command.name(), given.name);
            found.push(
                Finding::warning(&rules::ABBREVIATED_OPTION, read.line, what)
                    .help("write it out: the next release may know two that begin so"),
            );
        }
        surplus(read, found);
        if command.name() == "realm" && command.comment.is_some() {
            found.push(Finding::error(
                &rules::REALM,
                read.line,
                "realm: it takes a comment behind it for words of its own",
            ));
        }
    }
    conflicts(reading, found);
}

fn lines(reading: &Reading, found: &mut Vec<Finding>) {
    let mut sense = false;
    for item in &reading.file.items {
        sense |= !matches!(item, Item::Blank(_) | Item::Comment(_));
        match item {
            Item::Blank(_) | Item::Comment(_) => {}
            Item::Broken(line, why) => found.push(broken(line.number, *why)),
            Item::Command(command) => whole(command, found),
            Item::Include(command) => {
                if command.words.get(1).is_none_or(String::is_empty) {
                    let what = format!("{} names no file", command.name());
                    found.push(Finding::error(&rules::INCLUDE_WITHOUT_FILE, command.line.number, what));
                }
            }
            Item::Section(section) => {
                let line = section.header.line.number;
                found.extend(section.unsplit.map(|why| broken(line, why)));
                let name = section.name();
                if !SECTIONS.contains(&name) {
                    found.push(Finding::error(
                        &rules::UNKNOWN_SECTION,
                        line,
                        format!("`{}` begins no section", shown_section(name)),
                    ));
                }
                match section.end {
                    None if SECTIONS.contains(&name) => {
                        found.push(Finding::error(
                            &rules::UNENDED_SECTION,
                            line,
                            format!("{name} has no %end"),
                        ));
                    }
                    None => {}
                    Some(end) => found.extend(shlex(end.raw).err().map(|why| broken(end.number, why))),
                }
            }
        }
    }
    if !sense {
        found.push(Finding::error(&rules::EMPTY, 1, "there is no command in it"));
    }
}

fn shown_section(name: &str) -> String {
    format!("%{}", shown(name.trim_start_matches('%')))
}

fn broken(line: usize, why: Unsplit) -> Finding {
    let finding =
        Finding::error(&rules::UNREADABLE_LINE, line, format!("{why}: the installer stops reading here"));
    match why {
        Unsplit::OpenQuote => finding,
        Unsplit::OpenEscape => finding.help("Kickstart has no lines that go on; write it in one"),
    }
}

/// Line ends and comments that take something away from a command.
fn whole(command: &Command, found: &mut Vec<Finding>) {
    let line = command.line.number;
    if command.words.last().is_some_and(|word| word.ends_with('\n')) {
        found.push(broken(line, Unsplit::OpenEscape));
    }
    if command.cut {
        let what =
            format!("{}: a # inside a word begins a comment: the rest of the word is lost", command.name());
        found.push(
            Finding::warning(&rules::CUT_WORD, line, what)
                .help("quote the word, or set a blank before the comment"),
        );
    }
    let raw = command.line.raw;
    if raw.len() > command.line.text().len() && !raw.ends_with(['\n', '\r']) {
        let end = raw.chars().next_back().map(|c| c.escape_unicode().to_string()).unwrap_or_default();
        found.push(Finding::warning(
            &rules::LINE_END,
            line,
            format!("the character {end} ends the line here, as a line end does"),
        ));
    }
}

fn known(reading: &Reading, read: &Read, name: &str, shape: &Shape, found: &mut Vec<Finding>) {
    let (line, release) = (read.line, reading.release);
    match shape.state {
        State::Known => {
            for option in shape.options.iter().filter(|option| option.deprecated) {
                if option.names.first().is_some_and(|name| read.arguments.has(name)) {
                    let what =
                        format!("{name}: {} has no effect in {release} any more", option.names.join(" or "));
                    found.push(Finding::warning(&rules::DEPRECATED, line, what));
                }
            }
        }
        State::Deprecated => {
            found.push(
                Finding::warning(
                    &rules::DEPRECATED,
                    line,
                    format!("{name} has no effect in {release} any more"),
                )
                .help("remove it"),
            );
        }
        State::Removed => found.push(
            Finding::error(&rules::REMOVED, line, format!("{release} has no `{name}` any more"))
                .help("remove it"),
        ),
    }
}

fn unknown(reading: &Reading, command: &Command) -> Finding {
    let (line, name, release) = (command.line.number, command.name(), reading.release);
    if name == "%end" {
        return Finding::error(&rules::STRAY_END, line, "%end without a section");
    }
    let working =
        |release: &&Release| Table::of(**release).get(name).is_some_and(|shape| shape.state == State::Known);
    let others: Vec<_> = Release::ALL.iter().filter(working).map(|release| release.name()).collect();
    let finding = Finding::error(
        &rules::UNKNOWN_COMMAND,
        line,
        format!("`{}` is no command of {release}", shown(name).escape_debug()),
    );
    if !others.is_empty() {
        return finding.help(format!("it is one of {}", others.join(", ")));
    }
    match nearest(&shown(name), reading.table.commands()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding,
    }
}

/// Words that nothing takes. `volgroup`, `raid` and `btrfs` have their own way with them, see [`super::devices`].
fn surplus(read: &Read, found: &mut Vec<Finding>) {
    let free = matches!(read.name, "volgroup" | "raid" | "btrfs" | "stratispool");
    let reads_words = read.shape.is_some_and(|shape| shape.positionals.is_some());
    if reads_words && !free && !read.arguments.left_over.is_empty() {
        // the words themselves aren't shown: of rootpw they would be a password
        let count = read.arguments.left_over.len();
        let what = format!("{}: {count} {} too much", read.name, if count == 1 { "word" } else { "words" });
        found.push(
            Finding::error(&rules::SURPLUS_WORDS, read.line, what).help("quote a value that has blanks"),
        );
    }
}

/// Commands that can't stand beside each other, at the later one.
fn conflicts(reading: &Reading, found: &mut Vec<Finding>) {
    let mut first = BTreeMap::new();
    for read in reading.working() {
        let Some(shape) = read.shape else { continue };
        for other in &shape.conflicts {
            let other = if *other == "partition" { "part" } else { other };
            if let Some(line) = first.get(other) {
                let what = format!("{} can't stand beside {other} of line {line}", read.name);
                found.push(Finding::error(&rules::COMMAND_CONFLICT, read.line, what));
            }
        }
        first.entry(read.name).or_insert(read.line);
    }
}
