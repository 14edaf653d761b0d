//! Words of a line, for the grammars that borrow a shell's quotes: as a POSIX shell splits them, and as Python's `shlex`
//! does, which is what Kickstart's readers use. The two differ where values get lost, so pick by who reads the line.
//!
//! Nothing is expanded. Every function is linear in the length of its line.

/// Splits a line like a POSIX shell, without expansions; `None` for an open quote.
pub fn words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut chars) = (Vec::new(), None::<String>, line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '#' if word.is_none() => break,
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// A line as `shlex.split(line, comments=True)` of Python splits it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shlex<'a> {
    /// The words, without their quotes.
    pub words: Vec<String>,
    /// What stands behind the `#` that ended the words.
    pub comment: Option<&'a str>,
    /// That `#` stood inside a word. A shell would have kept it; `shlex` cuts the word there.
    pub cut: bool,
}

/// Why a line has no words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsplit {
    /// A quote is open at the end of the line.
    OpenQuote,
    /// A backslash stands at the very end.
    OpenEscape,
}

impl std::fmt::Display for Unsplit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OpenQuote => "an open quote",
            Self::OpenEscape => "a backslash at the end",
        })
    }
}

/// Splits a line like Python's `shlex`: `#` begins a comment even inside a word, a backslash between double quotes escapes
/// only `"` and itself, and only blank, tab and line ends separate. Give it the line with its line end, as a file reader does.
///
/// # Errors
/// An open quote, or nothing behind a backslash.
pub fn shlex(line: &str) -> Result<Shlex<'_>, Unsplit> {
    let (mut split, mut word) = (Shlex::default(), None::<String>);
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => split.words.extend(word.take()),
            '#' => {
                split.comment = line.get(at + 1..);
                split.cut = word.is_some();
                break;
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(Unsplit::OpenQuote)?.1 {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(chars.next().ok_or(Unsplit::OpenEscape)?.1),
            c => word.get_or_insert_default().push(c),
        }
    }
    split.words.extend(word);
    Ok(split)
}

fn quoted(chars: &mut std::str::CharIndices<'_>, word: &mut String) -> Result<(), Unsplit> {
    loop {
        match chars.next().ok_or(Unsplit::OpenQuote)?.1 {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or(Unsplit::OpenEscape)?.1 {
                c @ ('"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        shlex(line).unwrap().words
    }

    #[test]
    fn shlex_cuts_a_word_at_a_hash_and_a_shell_does_not() {
        let line = "rootpw --plaintext abc#def";
        assert_eq!(split(line), ["rootpw", "--plaintext", "abc"]);
        assert!(shlex(line).unwrap().cut);
        assert_eq!(words(line).unwrap(), ["rootpw", "--plaintext", "abc#def"]);
        assert!(!shlex("text # as you see").unwrap().cut);
        assert_eq!(shlex("text # as you see").unwrap().comment, Some(" as you see"));
        assert_eq!(split("a 'b#c' \"d#e\" f\\#g"), ["a", "b#c", "d#e", "f#g"]);
    }

    #[test]
    fn shlex_keeps_backslashes_between_double_quotes() {
        assert_eq!(split(r#"a "\$x \" \\ \n""#), ["a", r#"\$x " \ \n"#]);
        assert_eq!(words(r#"a "\$x""#).unwrap(), ["a", "$x"]);
        assert_eq!(split("''"), [""]);
        assert_eq!(split("a\u{a0}b\u{b}c"), ["a\u{a0}b\u{b}c"]);
    }

    #[test]
    fn shlex_refuses_what_stays_open() {
        for open in ["a 'b", "a \"b", "a \"b\\\""] {
            assert_eq!(shlex(open), Err(Unsplit::OpenQuote), "{open}");
        }
        for open in ["a \\", "a \"\\"] {
            assert_eq!(shlex(open), Err(Unsplit::OpenEscape), "{open}");
        }
        assert_eq!(split("a \\\n"), ["a", "\n"]);
    }
}
