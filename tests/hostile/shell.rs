//! A reader of shell scripts that knows words from operators, and what a shell would expand from what stands for itself.
//!
//! It is not the product's: it was written against POSIX (Shell Command Language, sections 2.2, 2.3, 2.7.4) to judge it. What is
//! active (`$x`, `*`, …) is marked by [`ACTIVE`] before it, which no hostile string holds. Every word that is inert is also kept as
//! it was written, for a real shell to judge.

use serde_json::{Value, json};

/// Stands before a character that a shell doesn't take for itself.
pub const ACTIVE: char = '\u{e000}';

/// A word as it was written, and what we think it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    pub raw: String,
    pub value: String,
}

/// What reference readers shall confirm.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Words of shells.
    pub literals: Vec<Literal>,
    /// Lines of Kickstart files, with their words.
    pub lines: Vec<(String, Vec<String>)>,
}

/// Reads a script into a tree of words, operators, comments and here-documents.
pub fn read(text: &str, evidence: &mut Evidence) -> Result<Value, String> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0, waiting: Vec::new(), evidence };
    let tokens = reader.tokens(false)?;
    Ok(Value::Array(tokens))
}

struct Reader<'l> {
    chars: Vec<char>,
    at: usize,
    /// Here-documents whose text begins at the next line: delimiter, and whether it was quoted.
    waiting: Vec<(String, bool)>,
    evidence: &'l mut Evidence,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Up to the end, or to the `)` that closes a substitution.
    fn tokens(&mut self, inside: bool) -> Result<Vec<Value>, String> {
        let mut tokens = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' => self.at += 1,
                '\\' if self.chars.get(self.at + 1) == Some(&'\n') => self.at += 2,
                '\n' => {
                    self.at += 1;
                    tokens.push(json!("o:\n"));
                    self.here_documents(&mut tokens)?;
                }
                '#' => {
                    let rest: String = self.chars[self.at..].iter().take_while(|c| **c != '\n').collect();
                    self.at += rest.chars().count();
                    tokens.push(json!(format!("#:{rest}")));
                }
                ')' if inside => {
                    self.at += 1;
                    return Ok(tokens);
                }
                ';' | '&' | '|' | '<' | '>' | '(' | ')' => self.operator(&mut tokens)?,
                _ => tokens.push(self.word()?),
            }
        }
        match inside {
            true => Err("an open $(".to_owned()),
            false if self.waiting.is_empty() => Ok(tokens),
            false => Err("a here-document without its text".to_owned()),
        }
    }

    fn operator(&mut self, tokens: &mut Vec<Value>) -> Result<(), String> {
        let two: String = self.chars[self.at..].iter().take(2).collect();
        let operator = match two.as_str() {
            ";;" | "&&" | "||" | ">>" | "<<" | ">&" | "<&" => two,
            _ => two.chars().take(1).collect(),
        };
        self.at += operator.chars().count();
        tokens.push(json!(format!("o:{operator}")));
        if operator == "<<" {
            let from = self.at;
            let word = self.word()?;
            let quoted = self.chars[from..self.at].contains(&'\'');
            let delimiter =
                word.as_str().and_then(|word| word.strip_prefix("w:")).ok_or("an odd delimiter")?;
            self.waiting.push((delimiter.to_owned(), quoted));
            tokens.push(word);
        }
        Ok(())
    }

    fn here_documents(&mut self, tokens: &mut Vec<Value>) -> Result<(), String> {
        for (delimiter, quoted) in std::mem::take(&mut self.waiting) {
            let mut body = String::new();
            loop {
                if self.at >= self.chars.len() {
                    return Err(format!("the here-document {delimiter} never ends"));
                }
                let line: String = self.chars[self.at..].iter().take_while(|c| **c != '\n').collect();
                self.at = (self.at + line.chars().count() + 1).min(self.chars.len());
                if line == delimiter {
                    break;
                }
                body.push_str(&line);
                body.push('\n');
            }
            let text = if quoted { body } else { expanded(&body) };
            let text = text.trim_end_matches('\n');
            tokens.push(match quoted {
                true => json!({ "text": text }),
                false => {
                    let words = |line| kickstart_words(line, self.evidence);
                    json!({ "lines": text.lines().map(words).collect::<Result<Vec<_>, _>>()? })
                }
            });
        }
        Ok(())
    }

    fn word(&mut self) -> Result<Value, String> {
        let from = self.at;
        let (mut parts, mut text, mut active) = (Vec::new(), String::new(), false);
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' => {
                    self.at += 1;
                    loop {
                        match self.next().ok_or("an open quote")? {
                            '\'' => break,
                            c => text.push(c),
                        }
                    }
                }
                '"' => {
                    self.at += 1;
                    active |= self.double_quotes(&mut text, &mut parts)?;
                }
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        Some('\n') => {}
                        c => text.push(c.ok_or("a backslash at the end")?),
                    }
                }
                '$' => {
                    active = true;
                    self.dollar(&mut text, &mut parts)?;
                }
                '`' | '*' | '?' | '[' | ']' | '~' | '{' | '}' | '!' => {
                    active = true;
                    self.at += 1;
                    text.extend([ACTIVE, c]);
                }
                c => {
                    self.at += 1;
                    text.push(c);
                }
            }
        }
        if !active {
            let raw = self.chars[from..self.at].iter().collect();
            self.evidence.literals.push(Literal { raw, value: text.clone() });
        }
        let last = json!(format!("w:{text}"));
        if parts.is_empty() {
            return Ok(last);
        }
        parts.push(last);
        Ok(Value::Array(parts))
    }

    /// Whether something in them is active.
    fn double_quotes(&mut self, text: &mut String, parts: &mut Vec<Value>) -> Result<bool, String> {
        let mut active = false;
        loop {
            match self.next().ok_or("an open double quote")? {
                '"' => return Ok(active),
                '\\' => match self.next().ok_or("a backslash at the end")? {
                    '\n' => {}
                    c @ ('"' | '\\' | '$' | '`') => text.push(c),
                    c => text.extend(['\\', c]),
                },
                '$' => {
                    active = true;
                    self.at -= 1;
                    self.dollar(text, parts)?;
                }
                '`' => {
                    active = true;
                    text.extend([ACTIVE, '`']);
                }
                c => text.push(c),
            }
        }
    }

    fn dollar(&mut self, text: &mut String, parts: &mut Vec<Value>) -> Result<(), String> {
        self.at += 1;
        text.extend([ACTIVE, '$']);
        if self.peek() != Some('(') {
            return Ok(());
        }
        self.at += 1;
        parts.push(json!(format!("w:{}", std::mem::take(text))));
        parts.push(json!({ "substituted": self.tokens(true)? }));
        // `$(( … ))` is read as two of them
        Ok(())
    }
}

/// A here-document whose delimiter isn't quoted, as the shell hands it on: only `\$`, `` \` `` and `\\` lose their backslash.
fn expanded(body: &str) -> String {
    let mut out = String::new();
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.peek() {
                Some('$' | '`' | '\\') => out.extend(chars.next()),
                Some('\n') => _ = chars.next(),
                _ => out.push(c),
            },
            '$' | '`' => out.extend([ACTIVE, c]),
            c => out.push(c),
        }
    }
    out
}

/// A line of a Kickstart file: words as the installer's `shlex` splits them.
pub fn kickstart_words(line: &str, evidence: &mut Evidence) -> Result<Value, String> {
    let words = ironstrap::grammar::words::words(line).ok_or_else(|| format!("an open quote in `{line}`"))?;
    evidence.lines.push((line.to_owned(), words.clone()));
    Ok(words.into())
}
