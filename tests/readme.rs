//! The README tells the truth: its commands exist, its example is the example.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

const README: &str = include_str!("../README.md");
const IMPORT: &str = include_str!("../docs/import.md");

/// The lines of all blocks of a text that are fenced with this word.
fn blocks(text: &'static str, kind: &str) -> Vec<Vec<&'static str>> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(kind) {
            found.push(lines.by_ref().take_while(|line| *line != "```").collect());
        }
    }
    found
}

#[test]
fn the_host_shown_is_the_example_s() {
    let shown = blocks(README, "yaml");
    let example: Vec<_> = include_str!("../profiles/example/hosts/web01.yaml").lines().collect();
    assert_eq!(shown, [example]);
}

#[test]
fn every_command_shown_is_one_that_ironstrap_has() {
    let mut seen = 0;
    for line in [blocks(README, "console"), blocks(IMPORT, "console")].concat().concat() {
        let Some(command) = line.split("&&").next().unwrap().trim().strip_prefix("$ ironstrap ") else {
            continue;
        };
        let words: Vec<_> = command.split('#').next().unwrap().split_whitespace().collect();
        // with --help, clap looks at the words before it and refuses what it doesn't know
        let known = words.iter().take_while(|word| !word.starts_with('-')).take(if words[0] == "image" {
            2
        } else {
            1
        });
        let help = Command::new(env!("CARGO_BIN_EXE_ironstrap")).args(known).arg("--help").output().unwrap();
        assert!(help.status.success(), "{line}: {}", String::from_utf8_lossy(&help.stderr));
        let text = String::from_utf8_lossy(&help.stdout).into_owned();
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(text.contains(option), "{line}: no option {option}");
        }
        seen += 1;
    }
    assert!(seen > 20, "only {seen} commands were found");
}

#[test]
fn the_import_shown_is_a_golden_one() {
    let case = [
        include_str!("import/cases/kickstart-bare/input.ks"),
        include_str!("import/cases/kickstart-bare/expected/report"),
    ];
    assert_eq!(blocks(IMPORT, "text"), case.map(|text| text.lines().collect::<Vec<_>>()));
}

#[test]
fn both_commands_for_newcomers_are_shown() {
    for command in ["make demo", "make test"] {
        assert!(README.contains(command));
    }
}
