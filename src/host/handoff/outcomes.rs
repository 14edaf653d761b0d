//! What a manager's end means: the one table, and the shell function that is made of it.
//!
//! Managers end with success where nothing ran. A manager's script therefore says what it has seen of the output in one word,
//! and the table (`outcomes.txt`) makes a verdict of exit status and word. Don't judge an end anywhere else.

use super::shell::quote;

const TABLE: &str = include_str!("outcomes.txt");

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// The manager, as events name it.
    pub manager: &'static str,
    /// Exit status; `*`: any.
    pub exit: &'static str,
    /// What its script has seen; `*`: anything.
    pub seen: &'static str,
    /// `converged`, `again` or `failed`.
    pub verdict: &'static str,
    /// A sentence for the journal.
    pub why: &'static str,
}

/// All rows, in the order in which they count.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        Row { manager: field(), exit: field(), seen: field(), verdict: field(), why: field() }
    })
}

/// A shell function `judge STATUS SEEN` that sets `verdict` and `why`, for one manager.
pub(super) fn judge(manager: &str) -> String {
    let arms: String = rows()
        .filter(|row| row.manager == manager)
        .map(|row| {
            let Row { exit, seen, verdict, why, .. } = row;
            format!("    {exit}\\ {seen}) verdict={verdict} why={} ;;\n", quote(why))
        })
        .collect();
    format!("judge() {{\n    case \"$1 $2\" in\n{arms}    esac\n}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole_and_every_manager_ends_in_one_that_fits_all() {
        for row in rows() {
            assert!(["converged", "again", "failed"].contains(&row.verdict), "{row:?}");
            assert!(!row.why.is_empty() && (row.exit == "*" || row.exit.parse::<u8>().is_ok()), "{row:?}");
        }
        for manager in ["ansible-pull", "cloud-init", "script"] {
            let last = rows().filter(|row| row.manager == manager).last().unwrap();
            assert_eq!((last.exit, last.seen), ("*", "*"), "{manager}");
        }
    }

    #[test]
    fn a_shell_finds_the_verdict_of_every_row_and_of_what_no_row_names() {
        for manager in ["ansible-pull", "cloud-init", "script"] {
            let ask = |exit: &str, seen: &str| {
                let script =
                    format!("{}\njudge {exit} {seen}; printf '%s' \"$verdict $why\"", judge(manager));
                let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
                String::from_utf8(output.stdout).unwrap()
            };
            for row in rows().filter(|row| row.manager == manager) {
                let any =
                    |word: &str, other: &str| if word == "*" { other.to_owned() } else { word.to_owned() };
                let answer = ask(&any(row.exit, "99"), &any(row.seen, "strange"));
                assert_eq!(answer, format!("{} {}", row.verdict, row.why), "{row:?}");
            }
            assert!(!ask("99", "done").starts_with("converged"), "{manager}");
        }
    }

    #[test]
    fn the_table_is_in_the_documentation() {
        let page = include_str!("../../../docs/handoff.md");
        for Row { manager, exit, seen, verdict, why } in rows() {
            let any = |word: &'static str| if word == "*" { "any" } else { word };
            let line = format!("| {manager} | {} | {} | {verdict} | {why} |", any(exit), any(seen));
            assert!(page.contains(&line), "docs/handoff.md lacks\n{line}");
        }
    }
}
