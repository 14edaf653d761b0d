//! What a rendered Kickstart says, with what its scripts write for the installer to include, and whether a line of it says the
//! same as one of the original.

use super::{sections, storage};
use crate::grammar::kickstart::{Arguments, File, Release, Table, canonical, parse};
use crate::import::layout::Part;
use crate::import::reader::RenderedLines;

/// Options of which two values are two things.
const TELLING: [&str; 11] = [
    "--ip",
    "--netmask",
    "--gateway",
    "--mtu",
    "--vlanid",
    "--uid",
    "--gid",
    "--url",
    "--baseurl",
    "--hostname",
    "--metalink",
];

/// Its commands and packages.
pub fn lines(release: Release, text: &str) -> RenderedLines {
    let table = Table::of(release);
    let file = parse(text);
    let mut rendered = RenderedLines::new();
    with_inclusions(&file, |file| {
        for command in file.commands() {
            if let Some(canonical) = canonical(table, &command.words) {
                rendered.insert(canonical, command.line.text().trim().to_owned());
            }
        }
    });
    for section in file.sections().filter(|section| section.name() == "%packages") {
        rendered.insert(sections::package(""), section.header.line.text().to_owned());
        for line in section.body.iter().map(|line| line.text().trim()) {
            rendered.insert(sections::package(line), line.to_owned());
        }
    }
    rendered
}

/// What it lays out on disks.
pub fn layout(release: Release, text: &str) -> Vec<Part> {
    let table = Table::of(release);
    let mut found = Vec::new();
    with_inclusions(&parse(text), |file| {
        for command in file.commands() {
            if let Some(shape) = table.get(command.name()) {
                let arguments = Arguments::read(shape, &command.words[1..]);
                let shown = command.line.text().trim();
                let makes = storage::Makes::of(command.name());
                found.extend(makes.and_then(|makes| storage::parts::of_command(makes, &arguments, shown)));
            }
        }
    });
    found
}

/// A file, and what its scripts write for the installer to include.
fn with_inclusions(file: &File<'_>, mut tell: impl FnMut(&File<'_>)) {
    tell(file);
    for section in file.sections() {
        let included: String = sections::here_documents(section).map(|line| format!("{line}\n")).collect();
        tell(&parse(&included));
    }
}

/// What a command is about, where it names a thing.
pub fn subject(command: &str) -> Option<&str> {
    let mut words = command.split(' ');
    match words.next()? {
        name if storage::Makes::of(name).is_some() => words.find(|word| !word.starts_with("--")),
        "user" | "group" | "repo" => words.find(|word| word.starts_with("--name")),
        "sshkey" => words.find(|word| word.starts_with("--username")),
        "network" => words.find(|word| word.starts_with("--device")),
        _ => None,
    }
}

/// Whether no option has one value here and another there.
pub fn agrees(claim: &str, line: &str) -> bool {
    let value = |text: &str, name: &str| {
        let option = text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        option.map(|value| value.trim_matches(['"', '\'']).trim_end_matches('/').to_owned())
    };
    TELLING.iter().all(|name| match (value(claim, name), value(line, name)) {
        (Some(ours), Some(theirs)) => ours == theirs,
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_value_of_an_option_is_not_the_same_in_other_words() {
        for (claim, line, whole) in [
            ("user --name=a --uid=5", "user --name=a --uid=5 --gid=5", true),
            ("user --name=a --uid=5", "user --name=a --uid=6", false),
            ("url --url=http://a/b", "url --url=\"http://a/b/\"", true),
            ("url --url=http://a/b", "url --url=http://a/c", false),
        ] {
            assert_eq!(agrees(claim, line), whole, "{claim}: {line}");
        }
    }
}
