//! Kickstart's commands as words, so that no text can become another word, another line or a variable.
//!
//! A command stands in the file itself, or in a here-document of `%pre` that the installer includes; there a part of a
//! word can be a variable of that script (a disk's kernel name), and all else is escaped for the here-document. The words
//! themselves are escaped by `template::word`, the only owner of that grammar. Don't format commands elsewhere.

use std::fmt::Display;

use anyhow::{Context, Result};
use minijinja::Value;

use super::super::template;
use crate::failure::{Blame, BlameExt};

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(Vec<Vec<Piece>>);

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands for itself.
    Text(String),
    /// A variable of the shell that writes the line: letters, digits and `_`.
    Variable(String),
}

impl Line {
    /// A command without words.
    pub fn new(command: &str) -> Self {
        Self(vec![vec![Piece::Text(command.to_owned())]])
    }

    /// One word.
    #[must_use]
    pub fn word(mut self, word: impl Display) -> Self {
        self.0.push(vec![Piece::Text(word.to_string())]);
        self
    }

    /// `--name=value`.
    #[must_use]
    pub fn option(self, name: &str, value: impl Display) -> Self {
        self.pieces(name, [Piece::Text(value.to_string())])
    }

    /// `--name=a,b`, unless there is nothing to list.
    #[must_use]
    pub fn list(self, name: &str, values: &[impl Display]) -> Self {
        match values {
            [] => self,
            values => self.option(name, join(values)),
        }
    }

    /// `--name=a,b` of pieces.
    #[must_use]
    pub fn pieces(mut self, name: &str, values: impl IntoIterator<Item = Piece>) -> Self {
        let mut word = vec![Piece::Text(format!("--{name}="))];
        for (number, value) in values.into_iter().enumerate() {
            if number > 0 {
                word.push(Piece::Text(",".to_owned()));
            }
            word.push(value);
        }
        self.0.push(word);
        self
    }

    /// As it stands in a here-document whose end isn't quoted.
    fn text(&self) -> Result<String> {
        let mut line = String::new();
        for (number, word) in self.0.iter().enumerate() {
            if number > 0 {
                line.push(' ');
            }
            for piece in word {
                match piece {
                    Piece::Text(text) => line.push_str(&in_here_document(&template::word(text)?)),
                    Piece::Variable(name) => {
                        line.push('$');
                        line.push_str(name);
                    }
                }
            }
        }
        Ok(line)
    }
}

fn in_here_document(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '$' | '`') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// `a,b`.
pub fn join(values: &[impl Display]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// For a template's here-document whose end isn't quoted: lines that need no more escaping.
///
/// # Errors
/// A text that no line can carry.
pub fn in_script(lines: &[Line]) -> Result<Value> {
    let lines = lines.iter().map(|line| line.text().map(Value::from_safe_string));
    lines.collect::<Result<Vec<_>>>().map(Value::from)
}

/// For the Kickstart file itself: lines that need no more escaping.
///
/// # Errors
/// A text that no line can carry, or a variable, which only a script has.
pub fn in_file(lines: &[Line]) -> Result<Value> {
    let word = |word: &Vec<Piece>| -> Result<String> {
        let texts = word.iter().map(|piece| match piece {
            Piece::Text(text) => Ok(template::word(text)?),
            Piece::Variable(name) => {
                Err(anyhow::anyhow!("the variable {name} stands outside a script")).blame(Blame::Bug)
            }
        });
        texts.collect()
    };
    let line = |line: &Line| -> Result<Value> {
        let words = line.0.iter().map(word).collect::<Result<Vec<_>>>().context("composing a command")?;
        Ok(Value::from_safe_string(words.join(" ")))
    };
    lines.iter().map(line).collect::<Result<Vec<_>>>().map(Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words_in_a_file_and_in_a_here_document() {
        let line = Line::new("part").word("/a b").option("label", "$(reboot)`x`\\").list("none", &[0; 0]);
        let in_file = in_file(std::slice::from_ref(&line)).unwrap().get_item_by_index(0).unwrap();
        assert_eq!(in_file.as_str().unwrap(), r"part '/a b' --label='$(reboot)`x`\'");
        assert_eq!(line.text().unwrap(), r"part '/a b' --label='\$(reboot)\`x\`\\'");
    }

    #[test]
    fn only_a_script_has_variables() {
        let disks = [Piece::Variable("found".to_owned()), Piece::Variable("disk_data".to_owned())];
        let line = Line::new("ignoredisk").pieces("only-use", disks);
        assert_eq!(line.text().unwrap(), "ignoredisk --only-use=$found,$disk_data");
        assert!(in_file(&[line]).is_err());
        assert!(Line::new("part").word("a\nreboot").text().is_err());
    }
}
