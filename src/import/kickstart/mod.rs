//! Kickstart → profile.
//!
//! A command's handler takes the options that it names and puts them into the draft; all others are told as lost. What has
//! no key in a profile is refused with a way out, never guessed. The canonical form of each command is claimed as it stands,
//! so that only what comes out the same counts as kept.

mod accounts;
mod links;
mod rendered;
mod sections;
mod software;
mod storage;
mod system;

use crate::answers::{Answers, Dialect};
use crate::grammar::kickstart::{Arguments, Command, Item, Release, State, Table, canonical, parse};
use crate::host::{Installer, Os};

use super::layout::Part;
use super::line_report::Id;
use super::reader::{Reader, RenderedLines};
use super::reading::Reading;

/// A command that is taken over.
struct Given<'c> {
    id: Id,
    arguments: Arguments<'c>,
}

impl Given<'_> {
    /// Says which options have no place in a profile: all but those in `known`.
    fn rest(&self, known: &[&str], reading: &mut Reading<'_>) {
        for option in &self.arguments.options {
            if !known.contains(&option.name) {
                reading.report.lose(self.id, format!("{} has no key in a profile", option.name));
            }
        }
    }

    /// Says what stands for the options that were given of these.
    fn explain(&self, options: &[(&str, &str)], reading: &mut Reading<'_>) {
        for (option, note) in options.iter().filter(|(option, _)| self.arguments.has(option)) {
            reading.report.note(self.id, format!("{option}: {note}"));
        }
    }
}

impl Reader for Release {
    fn release(&self, text: &str) -> Option<Os> {
        release(text)
    }

    fn read(&self, text: &str, reading: &mut Reading<'_>) {
        read(*self, text, reading);
    }

    fn rendered_lines(&self, answers: &Answers) -> RenderedLines {
        rendered::lines(*self, &answers.text)
    }

    fn laid_out(&self, answers: &Answers) -> Option<Vec<Part>> {
        Some(rendered::layout(*self, &answers.text))
    }

    fn agrees(&self, claim: &str, line: &str) -> bool {
        rendered::agrees(claim, line)
    }

    fn subject<'l>(&self, line: &'l str) -> Option<&'l str> {
        rendered::subject(line)
    }
}

fn read(release: Release, text: &str, reading: &mut Reading<'_>) {
    let class = reading.os().name();
    reading.draft.push("classes", class, Id::NOBODY);
    let file = parse(text);
    let mut layout = storage::Storage::default();
    let mut links = links::Links::default();
    for item in &file.items {
        match item {
            Item::Blank(_) => {}
            Item::Comment(line) => reading.report.comment(line.number, line.text()),
            Item::Broken(line, _) => {
                let id = reading.report.enter(line.number, line.number, line.text());
                reading.report.refuse(id, "a quote is open: the installer can't read it either");
            }
            Item::Include(include) => {
                let id = enter(include, reading);
                let why = "what it includes isn't here: import that file as well, or write into the profile what it holds";
                reading.report.refuse(id, why);
            }
            Item::Command(given) => command(release, given, &mut layout, &mut links, reading),
            Item::Section(section) => sections::read(release, section, reading),
        }
    }
    links.finish(reading);
    layout.finish(reading);
}

fn enter(command: &Command<'_>, reading: &mut Reading<'_>) -> Id {
    let id = reading.report.enter(command.line.number, command.line.number, command.line.text());
    if let Some(comment) = command.comment.map(str::trim).filter(|comment| !comment.is_empty()) {
        reading.report.remark(id, comment);
    }
    id
}

fn command<'f>(
    release: Release,
    command: &'f Command<'f>,
    layout: &mut storage::Storage<'f>,
    links: &mut links::Links<'f>,
    reading: &mut Reading<'_>,
) {
    let id = enter(command, reading);
    let table = Table::of(release);
    let Some(shape) = table.get(command.name()).filter(|_| !command.name().starts_with('%')) else {
        let name: String = command.name().chars().take(40).collect();
        reading.report.refuse(id, format!("{release} knows no command `{name}`"));
        return;
    };
    match shape.state {
        State::Known => {}
        State::Deprecated => {
            reading.report.refuse(id, format!("{release} reads it and does nothing: it isn't needed"));
            return;
        }
        State::Removed => {
            reading.report.refuse(id, format!("{release} has it no longer, and would stop here"));
            return;
        }
    }
    let arguments = Arguments::read(shape, &command.words[1..]);
    if let Some(problem) = arguments.problems.first() {
        reading.report.refuse(id, format!("{release} would stop here: {problem}"));
        return;
    }
    if let Some(canonical) = canonical(table, &command.words) {
        reading.report.claim(id, canonical);
    }
    let given = Given { id, arguments };
    match command.name() {
        "rootpw" => accounts::root(&given, reading),
        "user" => accounts::user(&given, reading),
        "sshkey" => accounts::ssh_key(&given, reading),
        "url" => software::url(&given, reading),
        "repo" => software::repository(&given, reading),
        "ostreecontainer" => software::container(&given, reading),
        "network" => links.add(given, reading),
        name => {
            if let Some(other) = layout.add(name, given, reading) {
                system::read(name, &other, reading);
            }
        }
    }
}

/// The release that a file was written for, as far as it says so.
fn release(text: &str) -> Option<Os> {
    let find = |fits: &dyn Fn(Os) -> bool| {
        Os::ALL.into_iter().find(|os| os.installer() == Installer::Anaconda && fits(*os))
    };
    if let Some(release) = Release::detect(text) {
        return find(&|os| Dialect::of(os) == Dialect::Kickstart(release));
    }
    // addresses of trees: …/almalinux/9/BaseOS/…, …/fedora/linux/releases/43/…
    let trees =
        text.lines().map(str::trim).filter(|line| line.starts_with("url ") || line.starts_with("repo "));
    let parts =
        trees.flat_map(|line| line.split(['/', '=', ' ', '"'])).map(|part| part.split(['.', '-']).next());
    parts.flatten().find_map(|number| find(&|os| os.name().rsplit('-').next() == Some(number)))
}
