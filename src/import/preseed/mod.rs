//! Preseed → profile.
//!
//! The last answer to a question counts. Questions that a profile's keys answer are taken over; of all others, what
//! ironstrap's own file says in the same words is kept, and the rest refused: no answer is guessed a meaning.

mod accounts;
mod network;
mod parts;
mod software;
mod storage;

use std::collections::HashMap;

use crate::answers::Answers;
use crate::grammar::preseed::{Answer, Content, Document, Release, parse};
use crate::host::Os;

use super::layout::Part;
use super::line_report::Id;
use super::reader::{Reader, RenderedLines, has_words_of};
use super::reading::Reading;
use super::shell;

/// The answers that are taken over, each with its entry.
#[derive(Default)]
struct Given<'d> {
    all: HashMap<&'d str, (Id, &'d Answer)>,
}

impl<'d> Given<'d> {
    /// The answer to a question that says something.
    fn get(&self, key: &str) -> Option<(Id, &'d str)> {
        let (id, answer) = self.all.get(key)?;
        Some((*id, answer.value.as_str())).filter(|(_, value)| !value.is_empty())
    }

    /// Refuses what is answered to any of these questions.
    fn refuse(&self, keys: &[&str], why: &str, reading: &mut Reading<'_>) {
        for (id, _) in keys.iter().filter_map(|key| self.get(key)) {
            reading.report.refuse(id, why);
        }
    }
}

impl Reader for Release {
    fn release(&self, text: &str) -> Option<Os> {
        release(text)
    }

    fn read(&self, text: &str, reading: &mut Reading<'_>) {
        read(text, reading);
    }

    fn rendered_lines(&self, answers: &Answers) -> RenderedLines {
        rendered_lines(answers)
    }

    fn laid_out(&self, answers: &Answers) -> Option<Vec<Part>> {
        laid_out(answers)
    }

    /// The answer to a question.
    fn agrees(&self, claim: &str, line: &str) -> bool {
        let key = claim.split_whitespace().next().unwrap_or_default();
        // d-i's kernel takes one name server, and a script adds the others, which the policy tells
        !key.contains('/') || key == "netcfg/get_nameservers" || has_words_of(claim, line)
    }
}

fn read(text: &str, reading: &mut Reading<'_>) {
    reading.draft.push("classes", reading.os().name(), Id::NOBODY);
    reading.draft.put("installer", "debian-installer", Id::NOBODY);
    let document = parse(text);
    let given = enter(&document, reading);
    let mut all: Vec<_> = given.all.values().collect();
    all.sort_by_key(|(id, _)| *id);
    for (id, answer) in all {
        system(*id, answer, &given, reading);
    }
    accounts::read(&given, reading);
    network::read(&given, reading);
    software::read(&given, reading);
    storage::read(&given, reading);
}

/// An entry for each piece; returns the answers that count.
fn enter<'d>(document: &'d Document<'_>, reading: &mut Reading<'_>) -> Given<'d> {
    let mut given = Given::default();
    for piece in &document.pieces {
        let lines = || (piece.line..).zip(piece.raw.lines());
        match &piece.content {
            Content::Nothing => {
                for (number, line) in lines().filter(|(_, line)| !line.trim().is_empty()) {
                    reading.report.comment(number, line);
                }
            }
            Content::Bad(_) => {
                let last = piece.line + piece.raw.lines().count().saturating_sub(1);
                let id = reading.report.enter(piece.line, last, piece.raw.lines().next().unwrap_or_default());
                reading
                    .report
                    .refuse(id, "owner, question or type is missing: the installer can't read it either");
            }
            Content::Answer(answer) => {
                let first = lines().find(|(number, _)| *number == answer.first).map_or("", |(_, line)| line);
                let id = reading.report.enter(answer.first, answer.last, first);
                let inside = lines().filter(|(number, line)| *number > answer.first && line.starts_with('#'));
                let inside: Vec<_> = inside.map(|(_, line)| line.trim()).collect();
                if !inside.is_empty() {
                    reading.report.remark(id, &inside.join(" "));
                }
                reading.report.keyless(id);
                if answer.is_flag() {
                    reading.report.refuse(id, "a profile doesn't say what was seen");
                    continue;
                }
                reading.report.claim(id, canonical(&answer.key, &answer.value));
                if let Some((before, earlier)) = given.all.insert(&answer.key, (id, answer)) {
                    let why = format!("line {} answers the question again, and counts", answer.first);
                    match earlier.value == answer.value {
                        true => reading.report.note(before, why),
                        false => reading.report.refuse(before, why),
                    }
                }
            }
        }
    }
    given
}

/// Questions whether partman may go on; which of them it asks depends on the layout.
const CONFIRMATIONS: [&str; 6] = [
    "partman-lvm/confirm",
    "partman-lvm/confirm_nooverwrite",
    "partman-lvm/device_remove_lvm",
    "partman-md/confirm",
    "partman-md/confirm_nooverwrite",
    "partman-md/device_remove_md",
];

/// Language, clock, commands, and how it ends.
fn system(id: Id, answer: &Answer, given: &Given<'_>, reading: &mut Reading<'_>) {
    let value = answer.value.as_str();
    let put = |path: &str, value: &str, reading: &mut Reading<'_>| {
        if !value.is_empty() {
            reading.put(path, value, id);
        }
    };
    match answer.key.as_str() {
        "debian-installer/locale" => put("locale.lang", value, reading),
        "keyboard-configuration/xkb-keymap" => put("locale.keyboard", value, reading),
        "time/zone" => put("locale.timezone", value, reading),
        "clock-setup/ntp-server" if !value.is_empty() => {
            reading.push("locale.ntp", value, id);
        }
        "debian-installer/add-kernel-opts" => {
            value.split_whitespace().for_each(|argument| reading.kernel_argument(argument, id));
            reading.report.taken(id);
        }
        "debian-installer/exit/poweroff" | "debian-installer/exit/halt" if value == "true" => {
            put("finish", "poweroff", reading);
        }
        "preseed/early_command" | "partman/early_command" => {
            if let Some(tool) = shell::disk_tool(value) {
                return reading.keep_aside("pre", script(answer), id, shell::why_aside(tool));
            }
            reading.report.note(id, "it runs when the network is up, before a disk is chosen");
            reading.script("pre", script(answer), id);
            reading.report.opaque(id);
        }
        "preseed/late_command" => {
            reading.script("post_outside", script(answer), id);
            reading.report.opaque(id);
        }
        "preseed/include" | "preseed/include_command" | "preseed/run" => {
            reading.report.refuse(id, "what it includes isn't here: import that file as well");
        }
        key if CONFIRMATIONS.contains(&key) && value == "true" => {
            reading
                .report
                .moot(id, "ironstrap's file agrees to all that the installer asks about its layout");
        }
        "keymap" | "console-setup/ask_detect" if given.get("keyboard-configuration/xkb-keymap").is_some() => {
            reading.report.taken(id);
            reading.report.note(id, "the keymap is answered by keyboard-configuration/xkb-keymap");
        }
        _ => {}
    }
}

/// A command as a script: d-i runs it by `sh -c`, and goes on when it fails.
fn script(answer: &Answer) -> String {
    format!("#!/bin/sh\n# {} of the original\n{}\n", answer.key, answer.value)
}

fn canonical(key: &str, value: &str) -> String {
    std::iter::once(key).chain(value.split_whitespace()).collect::<Vec<_>>().join(" ")
}

/// What a rendered file says, and the kernel's command line that goes with it.
fn rendered_lines(answers: &Answers) -> RenderedLines {
    let document = parse(&answers.text);
    let line = |answer: &Answer| format!("{} {} {} {}", answer.owner, answer.key, answer.kind, answer.value);
    let mut rendered: RenderedLines =
        document.answers().map(|answer| (canonical(&answer.key, &answer.value), line(answer))).collect();
    for argument in &answers.kernel_args {
        let Some((key, value)) = argument.split_once('=') else { continue };
        // the names that d-i takes for others on its command line (`preseed-aliases`)
        let key = match key {
            "hostname" => "netcfg/get_hostname",
            "domain" => "netcfg/get_domain",
            "interface" => "netcfg/choose_interface",
            "locale" => "debian-installer/locale",
            key => key,
        };
        rendered.entry(canonical(key, value)).or_insert_with(|| argument.clone());
    }
    rendered
}

/// What a rendered file lays out on disks; nothing where ironstrap's own agent does it.
fn laid_out(answers: &Answers) -> Option<Vec<Part>> {
    let document = parse(&answers.text);
    let recipe = document.last("partman-auto/expert_recipe")?;
    let lvm = document.last("partman-auto/method").is_some_and(|method| method.value == "lvm");
    let decoded = storage::decoded(recipe);
    let shown = format!("{} {} {} {}", recipe.owner, recipe.key, recipe.kind, recipe.value);
    Some(parts::of_recipe(&decoded.partitions, lvm, &shown))
}

/// The release that a file was written for, as far as it says so.
fn release(text: &str) -> Option<Os> {
    let document = parse(text);
    let suites = ["mirror/suite", "mirror/codename", "mirror/udeb/suite"];
    let mut named = suites.iter().filter_map(|key| document.last(key)).map(|answer| answer.value.as_str());
    named.find_map(|suite| match suite {
        "bookworm" | "oldstable" => Some(Os::Debian12),
        "trixie" | "stable" => Some(Os::Debian13),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_answer_is_not_the_same_in_other_words() {
        for (claim, line, whole) in [
            ("pkgsel/include vim", "d-i pkgsel/include string cups vim", true),
            ("time/zone Europe/Berlin", "d-i time/zone string Etc/UTC", false),
            ("netcfg/get_nameservers 10.0.0.1 10.0.0.2", "netcfg/get_nameservers=10.0.0.1", true),
        ] {
            assert_eq!(Release::Debian12.agrees(claim, line), whole, "{claim}: {line}");
        }
    }
}
