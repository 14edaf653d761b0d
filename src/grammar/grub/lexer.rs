//! GRUB's tokens: `grub-core/script/yylex.l`.
//!
//! Variables aren't expanded; a word knows whether it has one.

use super::rules;
use crate::grammar::{Finding, shown};

/// A word, quotes removed, variables as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it begins.
    pub line: usize,
    /// What it is.
    pub text: String,
    /// Written without quotes, escapes and variables.
    pub bare: bool,
    /// Has a variable.
    pub variable: bool,
}

/// What the parser sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A word, quotes removed.
    Word(Word),
    /// The end of a line.
    Newline,
    /// `;`, and whether a word stood right before it.
    Semicolon { glued: bool },
    /// `{`
    Open,
    /// `}`
    Close,
}

/// A token and the line that it ends in.
pub type Placed = (usize, Token);

/// Whether a text can name a variable or function.
pub fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Splits a script. Errors are those of GRUB's lexer, with the line where the trouble begins.
pub fn tokens(text: &str) -> Result<Vec<Placed>, Finding> {
    let mut lexer = Lexer { rest: text, line: 1 };
    let mut found: Vec<Placed> = Vec::new();
    let mut glued = false;
    while let Some(c) = lexer.peek() {
        let line = lexer.line;
        let token = match c {
            ' ' | '\t' | '\r' => {
                lexer.bump();
                glued = false;
                continue;
            }
            '#' => {
                lexer.rest = lexer.rest.find('\n').map_or("", |at| &lexer.rest[at..]);
                continue;
            }
            '\n' => {
                lexer.bump();
                Token::Newline
            }
            ';' => {
                lexer.bump();
                if lexer.peek() == Some(';') {
                    return Err(Finding::error(&rules::SYNTAX, line, "`;;` means nothing to GRUB"));
                }
                Token::Semicolon { glued }
            }
            '{' => {
                lexer.bump();
                Token::Open
            }
            '}' => {
                lexer.bump();
                Token::Close
            }
            '|' | '&' | '<' | '>' => {
                return Err(Finding::error(&rules::SYNTAX, line, format!("GRUB's shell has no `{c}`"))
                    .help("quote it if it is meant"));
            }
            _ => Token::Word(lexer.word()?),
        };
        glued = matches!(token, Token::Word(_));
        found.push((line, token));
    }
    Ok(found)
}

struct Lexer<'t> {
    rest: &'t str,
    line: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn word(&mut self) -> Result<Word, Finding> {
        let mut word = Word { line: self.line, text: String::new(), bare: true, variable: false };
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '{' | '}' | '|' | '&' | '<' | '>' => break,
                '\\' => {
                    word.bare = false;
                    self.bump();
                    match self.bump() {
                        // the lines are one; at the end there is nothing to go on with
                        Some('\n') if self.rest.is_empty() => {
                            return Err(self.open("a backslash at the end", word.line));
                        }
                        // a word of its own, if nothing follows: GRUB's quirk
                        Some('\n') => {}
                        Some(c) => word.text.push(c),
                        None => return Err(self.open("a backslash at the end", word.line)),
                    }
                }
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut word)?,
                // a text to translate
                '$' if self.rest.starts_with("$\"") => drop(self.bump()),
                '$' => self.variable(&mut word)?,
                c => {
                    word.text.push(c);
                    self.bump();
                }
            }
        }
        if word.bare && matches!(word.text.as_str(), "[[" | "]]") {
            return Err(Finding::error(
                &rules::SYNTAX,
                word.line,
                format!("GRUB's shell has no `{}`", word.text),
            ));
        }
        Ok(word)
    }

    fn open(&self, what: &str, line: usize) -> Finding {
        Finding::error(&rules::SYNTAX, line, format!("{what}: GRUB finds no end of the script"))
    }

    fn single(&mut self, word: &mut Word) -> Result<(), Finding> {
        let line = self.line;
        word.bare = false;
        self.bump();
        loop {
            match self.bump() {
                Some('\'') => return Ok(()),
                Some(c) => word.text.push(c),
                None => return Err(self.open("an open single quote", line)),
            }
        }
    }

    fn double(&mut self, word: &mut Word) -> Result<(), Finding> {
        let line = self.line;
        word.bare = false;
        self.bump();
        loop {
            match self.peek() {
                Some('"') => {
                    self.bump();
                    return Ok(());
                }
                Some('\\') => {
                    self.bump();
                    match self.bump() {
                        Some('\n') => {}
                        Some(c @ ('"' | '\\' | '$')) => word.text.push(c),
                        Some(c) => word.text.extend(['\\', c]),
                        None => return Err(self.open("an open double quote", line)),
                    }
                }
                Some('$') => self.variable(word)?,
                Some(c) => {
                    word.text.push(c);
                    self.bump();
                }
                None => return Err(self.open("an open double quote", line)),
            }
        }
    }

    /// `$name`, `${name}`, `$1`, `$?`: kept as it is written.
    fn variable(&mut self, word: &mut Word) -> Result<(), Finding> {
        let line = self.line;
        word.bare = false;
        word.variable = true;
        let length = variable_length(self.rest).ok_or_else(|| {
            let near: String = self.rest.chars().take(10).take_while(|c| *c != '\n').collect();
            Finding::error(&rules::SYNTAX, line, format!("`{}` is no variable", shown(&near)))
                .help("write `\\$` for a dollar sign")
        })?;
        word.text.push_str(&self.rest[..length]);
        self.rest = &self.rest[length..];
        Ok(())
    }
}

/// Bytes of the variable that a text begins with.
fn variable_length(text: &str) -> Option<usize> {
    let text = text.strip_prefix('$')?;
    match text.strip_prefix('{') {
        Some(inside) => {
            let length = name_length(inside)?;
            inside[length..].starts_with('}').then_some(length + 3)
        }
        None => Some(name_length(text)? + 1),
    }
}

fn name_length(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let run = |good: fn(char) -> bool| text.find(|c| !good(c)).unwrap_or(text.len());
    match first {
        '?' | '#' | '*' | '@' => Some(1),
        '0'..='9' => Some(run(|c| c.is_ascii_digit())),
        'a'..='z' | 'A'..='Z' | '_' => Some(run(|c| c.is_ascii_alphanumeric() || c == '_')),
        _ => None,
    }
}
