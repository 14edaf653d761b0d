//! Commands in answers: one that fails stops the install at a question of critical priority.

use super::rules;
use super::{Answer, Document};
use crate::grammar::Finding;

/// Questions whose answer is a shell command.
const COMMANDS: [&str; 5] = [
    "preseed/early_command",
    "preseed/late_command",
    "preseed/include_command",
    "partman/early_command",
    "preseed/run",
];

/// The answers that d-i runs.
pub fn all<'d>(document: &'d Document<'_>) -> impl Iterator<Item = &'d Answer> {
    document.answers().filter(|answer| COMMANDS.contains(&answer.key.as_str()))
}

/// Warns of commands whose exit code isn't obviously 0. Which commands fail can't be told from the text; whether the last
/// one can is.
pub fn lint(document: &Document<'_>, found: &mut Vec<Finding>) {
    for answer in all(document) {
        // the include command's exit code is ignored, and `run` names files
        if matches!(answer.key.as_str(), "preseed/include_command" | "preseed/run") || answer.value.is_empty()
        {
            continue;
        }
        if let Some(line) = open_quote(answer) {
            found.push(Finding::error(&rules::OPEN_QUOTE, line, format!("an open quote in {}", answer.key)));
        } else if !succeeds(&answer.value) {
            let message =
                format!("{} may end with an exit code that isn't 0, and then the installer asks", answer.key);
            found.push(
                Finding::warning(&rules::COMMAND_FAILS, answer.last, message)
                    .help("end it with `; true`, and report failures another way"),
            );
        }
    }
}

/// Whether the last command is one that can't fail.
fn succeeds(value: &str) -> bool {
    let value = value.trim_end_matches([' ', '\t', ';']);
    let last = value.rsplit([';', '|', '&', '\n']).next().unwrap_or_default().trim();
    // what follows `&&` doesn't run after a failure
    let before = value.get(..value.len() - last.len()).unwrap_or_default().trim_end();
    // without `; true` of its own, a script in quotes or braces is one command
    matches!(last, "true" | ":" | "exit 0" | "/bin/true") && !before.ends_with("&&")
}

/// The line of the last quote, where it is never closed: the shell refuses the whole command.
fn open_quote(answer: &Answer) -> Option<usize> {
    let mut chars = answer.value.char_indices();
    let mut open = None;
    while let Some((at, c)) = chars.next() {
        match (open, c) {
            (None, '\'' | '"') => open = Some((at, c)),
            (None | Some((_, '"')), '\\') => drop(chars.next()),
            (Some((_, quote)), c) if quote == c => open = None,
            (None, '#') if answer.value[..at].ends_with([' ', '\t', ';']) => break, // the rest is a comment
            _ => {}
        }
    }
    open.map(|(at, _)| answer.line_at(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_last_command_that_cannot_fail_will_do() {
        for good in ["apt-install x; true", "a; exit 0", "in-target x || true", "x ; :", "a; true;", "true"] {
            assert!(succeeds(good), "{good}");
        }
        for bad in
            ["apt-install x", "a && true", "in-target sh -c 'a; true' && b", "sh -c \"a; true\"", "a; exit 1"]
        {
            assert!(!succeeds(bad), "{bad}");
        }
    }
}
