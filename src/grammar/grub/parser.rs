//! GRUB's grammar: `grub-core/script/parser.y`, by recursive descent with a bound on depth.

use super::lexer::{Placed, Token, Word, is_name, tokens};
use super::rules;
use crate::grammar::{Finding, shown};

/// Deepest nesting that is read; a menu of anybody's has five.
const MAX_DEPTH: usize = 64;

const RESERVED: [&str; 14] = [
    "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then",
    "until",
];

/// What ended a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A newline, a brace, or the end.
    Line,
    /// `;`
    Semicolon {
        /// Right behind a word.
        glued: bool,
    },
}

/// A command with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Where it begins.
    pub line: usize,
    /// Where it ends.
    pub last_line: usize,
    /// Its name and arguments.
    pub words: Vec<Word>,
    /// What stands in its braces.
    pub block: Vec<Statement>,
    /// What ended it.
    pub end: End,
}

impl Command {
    /// Its first word.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", |word| &word.text)
    }
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A command.
    Command(Command),
    /// `if`, `for`, `while`, `until`: the lists of statements in it.
    Compound(Vec<Vec<Statement>>),
    /// `function NAME { … }`
    Function {
        /// Its name.
        name: String,
        /// What it does.
        body: Vec<Statement>,
    },
}

impl Statement {
    /// Where it begins; 0 for one that is nothing but lists.
    pub fn line(&self) -> usize {
        match self {
            Self::Command(command) => command.line,
            Self::Function { body, .. } => body.first().map_or(0, Self::line),
            Self::Compound(bodies) => bodies.iter().flatten().next().map_or(0, Self::line),
        }
    }
}

/// Reads a script.
///
/// # Errors
/// What GRUB refuses: the first mistake, with its line.
pub fn parse(text: &str) -> Result<Vec<Statement>, Finding> {
    let tokens = tokens(text)?;
    let last = text.lines().count().max(1);
    let mut parser = Parser { tokens, at: 0, last };
    let script = parser.script()?;
    if script.iter().all(|statement| matches!(statement, Statement::Function { .. })) {
        return Err(Finding::error(&rules::EMPTY, 1, "a script without a command"));
    }
    Ok(script)
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    last: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(self.last, |(line, _)| *line)
    }

    /// The reserved word that comes next.
    fn reserved(&self) -> Option<&str> {
        match self.peek() {
            Some(Token::Word(word)) if word.bare => {
                RESERVED.iter().chain(&["while"]).find(|reserved| **reserved == word.text).copied()
            }
            _ => None,
        }
    }

    fn newlines(&mut self) {
        while self.peek() == Some(&Token::Newline) {
            self.at += 1;
        }
    }

    fn stop<T>(&self, wanted: &str) -> Result<T, Finding> {
        let found = match self.peek() {
            None => "the end of the script".to_owned(),
            Some(Token::Word(word)) => format!("`{}`", shown(&word.text)),
            Some(Token::Newline) => "the end of the line".to_owned(),
            Some(Token::Semicolon { .. }) => "`;`".to_owned(),
            Some(Token::Open) => "`{`".to_owned(),
            Some(Token::Close) => "`}`".to_owned(),
        };
        Err(Finding::error(&rules::SYNTAX, self.line(), format!("expected {wanted}, found {found}")))
    }

    /// One delimiter and the newlines after it; `None` if none is there.
    fn delimiter(&mut self) -> Option<End> {
        let end = match self.peek()? {
            Token::Newline => End::Line,
            Token::Semicolon { glued } => End::Semicolon { glued: *glued },
            _ => return None,
        };
        self.at += 1;
        self.newlines();
        Some(end)
    }

    fn script(&mut self) -> Result<Vec<Statement>, Finding> {
        let mut found = Vec::new();
        self.newlines();
        while self.peek().is_some() {
            let function = self.reserved() == Some("function");
            found.push(if function { self.function()? } else { self.command(0)? });
            match (self.delimiter(), self.peek()) {
                (Some(end), _) => ended_by(found.last_mut(), end),
                (None, None) => {}
                (None, Some(_)) => return self.stop("`;` or the end of the line"),
            }
        }
        Ok(found)
    }

    /// `commands1 delimiters`: at least one command. `strict` wants a delimiter after the last one.
    fn commands(&mut self, depth: usize, strict: bool, ends: &[&str]) -> Result<Vec<Statement>, Finding> {
        let mut found = Vec::new();
        self.newlines();
        loop {
            found.push(self.command(depth)?);
            let delimiter = self.delimiter();
            if let Some(end) = delimiter {
                ended_by(found.last_mut(), end);
            }
            let ended = match self.peek() {
                Some(Token::Close) => ends.contains(&"}"),
                _ => self.reserved().is_some_and(|word| ends.contains(&word)),
            };
            match (ended, delimiter) {
                (true, Some(_)) => return Ok(found),
                (true, None) if !strict => return Ok(found),
                (false, Some(_)) if self.peek().is_some() => {}
                _ => return self.stop(&wanted(ends, delimiter.is_some())),
            }
        }
    }

    fn function(&mut self) -> Result<Statement, Finding> {
        self.at += 1;
        let name = self.name("the function's name")?;
        self.newlines();
        self.expect_open()?;
        let body = self.commands(1, true, &["}"])?;
        self.at += 1;
        Ok(Statement::Function { name, body })
    }

    fn expect_open(&mut self) -> Result<(), Finding> {
        if self.peek() != Some(&Token::Open) {
            return self.stop("`{`");
        }
        self.at += 1;
        Ok(())
    }

    fn name(&mut self, what: &str) -> Result<String, Finding> {
        match self.peek() {
            Some(Token::Word(word)) if word.bare && is_name(&word.text) && self.reserved().is_none() => {
                let name = word.text.clone();
                self.at += 1;
                Ok(name)
            }
            _ => self.stop(what),
        }
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), Finding> {
        if self.reserved() != Some(keyword) {
            return self.stop(&format!("`{keyword}`"));
        }
        self.at += 1;
        Ok(())
    }

    fn command(&mut self, depth: usize) -> Result<Statement, Finding> {
        if depth > MAX_DEPTH {
            return Err(Finding::error(
                &rules::NESTING,
                self.line(),
                format!("nested more than {MAX_DEPTH} levels deep"),
            ));
        }
        match self.reserved() {
            None if matches!(self.peek(), Some(Token::Word(_))) => self.simple(depth),
            Some("if") => self.branches(depth),
            Some("while" | "until") => {
                self.at += 1;
                let condition = self.commands(depth + 1, true, &["do"])?;
                Ok(Statement::Compound(vec![condition, self.repeated(depth)?]))
            }
            Some("for") => {
                self.at += 1;
                self.name("the name of a variable")?;
                self.keyword("in")?;
                while let Some(Token::Word(_)) = self.peek() {
                    self.at += 1;
                }
                if self.delimiter().is_none() {
                    return self.stop("`;` before `do`");
                }
                Ok(Statement::Compound(vec![self.repeated(depth)?]))
            }
            _ => self.stop("a command"),
        }
    }

    fn repeated(&mut self, depth: usize) -> Result<Vec<Statement>, Finding> {
        self.keyword("do")?;
        let body = self.commands(depth + 1, true, &["done"])?;
        self.at += 1;
        Ok(body)
    }

    fn branches(&mut self, depth: usize) -> Result<Statement, Finding> {
        let mut bodies = Vec::new();
        loop {
            self.at += 1; // if, elif
            bodies.push(self.commands(depth + 1, true, &["then"])?);
            self.at += 1;
            bodies.push(self.commands(depth + 1, true, &["elif", "else", "fi"])?);
            match self.reserved() {
                Some("elif") => continue,
                Some("else") => {
                    self.at += 1;
                    bodies.push(self.commands(depth + 1, true, &["fi"])?);
                }
                _ => {}
            }
            self.at += 1; // fi
            return Ok(Statement::Compound(bodies));
        }
    }

    /// A name, and then words of any kind and at most one block.
    fn simple(&mut self, depth: usize) -> Result<Statement, Finding> {
        let line = self.line();
        let mut command =
            Command { line, last_line: line, words: Vec::new(), block: Vec::new(), end: End::Line };
        let mut has_block = false;
        loop {
            let last_line = self.line();
            match self.peek() {
                Some(Token::Word(word)) => {
                    command.words.push(word.clone());
                    self.at += 1;
                }
                Some(Token::Open) if !has_block => {
                    has_block = true;
                    self.at += 1;
                    command.block = self.commands(depth + 1, false, &["}"])?;
                    self.at += 1;
                }
                Some(Token::Open) => return self.stop("one block only"),
                _ => return Ok(Statement::Command(command)),
            }
            command.last_line = last_line;
        }
    }
}

fn ended_by(statement: Option<&mut Statement>, end: End) {
    if let Some(Statement::Command(command)) = statement {
        command.end = end;
    }
}

fn wanted(ends: &[&str], delimited: bool) -> String {
    let ends: Vec<_> = ends.iter().map(|end| format!("`{end}`")).collect();
    let ends = ends.join(" or ");
    if delimited {
        format!("a command or {ends}")
    } else {
        format!("`;` or the end of the line before {ends}")
    }
}
