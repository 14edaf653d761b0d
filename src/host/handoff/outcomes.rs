//! What a manager's end means: rows of one table, and the shell function that is made of them.
//!
//! Managers end with success where nothing ran. A manager's script therefore says what it has seen of the output in one word,
//! and its rows make a verdict of exit status and word. Don't judge an end anywhere else.

use super::shell::quote;

/// A row: how a manager ended, and what that means. The first that fits counts, and the last of a manager fits all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Exit status; `*`: any.
    pub exit: &'static str,
    /// What its script has seen; `*`: anything.
    pub seen: &'static str,
    /// What it means.
    pub verdict: Verdict,
    /// A sentence for the journal.
    pub why: &'static str,
}

/// What an end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The host is done.
    Converged,
    /// It is tried again, and is [`Self::Failed`] after the last attempt.
    Again,
    /// It isn't, and trying again won't help.
    Failed,
}

impl Verdict {
    /// As scripts and people say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Again => "again",
            Self::Failed => "failed",
        }
    }
}

impl Outcome {
    /// A row.
    pub const fn new(exit: &'static str, seen: &'static str, verdict: Verdict, why: &'static str) -> Self {
        Self { exit, seen, verdict, why }
    }
}

/// A shell function `judge STATUS SEEN` that sets `verdict` and `why`, for the rows of one manager.
pub fn judge(outcomes: &[Outcome]) -> String {
    let arm = |Outcome { exit, seen, verdict, why }: &Outcome| {
        format!("    {exit}\\ {seen}) verdict={} why={} ;;\n", verdict.name(), quote(why))
    };
    let arms: String = outcomes.iter().map(arm).collect();
    format!("judge() {{\n    case \"$1 $2\" in\n{arms}    esac\n}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::handoff::OUTCOMES;

    #[test]
    fn every_row_is_whole_and_every_manager_ends_in_one_that_fits_all() {
        for (manager, outcomes) in OUTCOMES {
            for row in *outcomes {
                assert!(
                    !row.why.is_empty() && (row.exit == "*" || row.exit.parse::<u8>().is_ok()),
                    "{row:?}"
                );
            }
            let last = outcomes.last().unwrap();
            assert_eq!((last.exit, last.seen), ("*", "*"), "{manager}");
        }
    }

    #[test]
    fn a_shell_finds_the_verdict_of_every_row_and_of_what_no_row_names() {
        for (manager, outcomes) in OUTCOMES {
            let ask = |exit: &str, seen: &str| {
                let script =
                    format!("{}\njudge {exit} {seen}; printf '%s' \"$verdict $why\"", judge(outcomes));
                let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
                String::from_utf8(output.stdout).unwrap()
            };
            for row in *outcomes {
                let any =
                    |word: &str, other: &str| if word == "*" { other.to_owned() } else { word.to_owned() };
                let answer = ask(&any(row.exit, "99"), &any(row.seen, "strange"));
                assert_eq!(answer, format!("{} {}", row.verdict.name(), row.why), "{row:?}");
            }
            assert!(!ask("99", "done").starts_with("converged"), "{manager}");
        }
    }

    #[test]
    fn the_table_is_in_the_documentation() {
        let page = include_str!("../../../docs/handoff.md");
        for (manager, outcomes) in OUTCOMES {
            for Outcome { exit, seen, verdict, why } in *outcomes {
                let any = |word: &'static str| if word == "*" { "any" } else { word };
                let verdict = verdict.name();
                let line = format!("| {manager} | {} | {} | {verdict} | {why} |", any(exit), any(seen));
                assert!(page.contains(&line), "docs/handoff.md lacks\n{line}");
            }
        }
    }
}
