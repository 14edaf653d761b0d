//! Words of a command as options, values and positional arguments, as Python's `argparse` reads them for a release.
//!
//! That reader has habits that cost people their installs: it takes unambiguous beginnings of option names, and it fills
//! positional arguments with the first run of words that fits, so that words behind a later option are left over. This is a
//! model of those habits; problems never show a value, because it may be a password.

use super::rules;
use super::table::{Arity, Opt, Positional, Shape, ValueShape};
use crate::value::nearest;
use crate::value::rule::Rule;

/// An option as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<'a> {
    /// The first of its names, whichever was used: `--fstype` for `--type`.
    pub name: &'static str,
    /// Its value; none for options without one, and for `--reformat` alone.
    pub value: Option<&'a str>,
    /// It was written by a beginning of its name.
    pub abbreviated: bool,
}

/// What a release refuses of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of mistake it is.
    pub rule: &'static Rule,
    /// What it is: lower case, without values.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

/// What a command was given.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Arguments<'a> {
    /// Options in the order in which they stand; an option that stands twice is here twice, and the last one counts.
    pub options: Vec<Given<'a>>,
    /// What each positional argument took.
    pub positionals: Vec<Vec<&'a str>>,
    /// Words that nothing took. Some commands use them, see [`Arguments::words`].
    pub left_over: Vec<&'a str>,
    /// What the release refuses.
    pub problems: Vec<Problem>,
}

/// Only names: values may be secrets.
impl std::fmt::Debug for Arguments<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.options.iter().map(|given| given.name).collect();
        f.debug_struct("Arguments")
            .field("options", &names)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

impl<'a> Arguments<'a> {
    /// Reads the words behind a command's name. A shape without positional arguments of its own takes all words unread.
    pub fn read(shape: &'static Shape, words: &'a [String]) -> Self {
        let mut reader = Reader {
            shape,
            found: Self::default(),
            waiting: shape.positionals.as_deref().unwrap_or_default(),
        };
        if shape.positionals.is_none() && shape.options.is_empty() {
            reader.found.left_over = words.iter().map(String::as_str).collect();
        } else {
            reader.all(words);
            reader.check();
        }
        reader.found
    }

    /// The value that counts: the last one given.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.options.iter().rev().find(|given| given.name == name)?.value
    }

    /// Like [`Arguments::value`], without empty ones, which most commands take for absent.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// A number that isn't 0.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.value(name).and_then(integer).filter(|number| *number != 0)
    }

    /// The entries of a list, without blanks and empty ones.
    pub fn list(&self, name: &str) -> Vec<&'a str> {
        let entries = self.value(name).unwrap_or_default().split(',').map(str::trim);
        entries.filter(|entry| !entry.is_empty()).collect()
    }

    /// Whether an option was given.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|given| given.name == name)
    }

    /// The words without a name, in order: what positional arguments took, then what was left over.
    pub fn words(&self) -> impl Iterator<Item = &'a str> {
        self.positionals.iter().flatten().chain(&self.left_over).copied()
    }

    /// The first word without a name.
    pub fn first(&self) -> Option<&'a str> {
        self.words().next()
    }
}

/// A whole number as Python's `int` reads it; digits beyond its range count as the largest.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let whole =
        digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let plain: String = text.chars().filter(|c| *c != '_' && *c != '+').collect();
    whole.then(|| plain.parse().unwrap_or(i64::MAX))
}

/// An option name as a message may show it: nothing of a value that was glued to it.
pub(super) fn shown(word: &str) -> String {
    word.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(40).collect()
}

/// End of the problem of an option without its value.
const NEEDS_VALUE: &str = "needs a value";

struct Reader<'a> {
    shape: &'static Shape,
    found: Arguments<'a>,
    /// Positional arguments that took nothing yet.
    waiting: &'static [Positional],
}

/// What a word is.
enum Class<'a> {
    Word,
    Option { option: &'static Opt, value: Option<&'a str>, abbreviated: bool },
    Unknown,
    Ambiguous(Vec<&'static str>),
}

impl<'a> Reader<'a> {
    fn wrong(&mut self, rule: &'static Rule, what: impl Into<String>) {
        self.found.problems.push(Problem { rule, what: what.into() });
    }

    fn all(&mut self, words: &'a [String]) {
        let mut at = 0;
        while at < words.len() {
            let run = words[at..].iter().take_while(|word| matches!(self.class(word), Class::Word)).count();
            if run > 0 {
                let run_words = words[at..at + run].iter().map(String::as_str).collect::<Vec<_>>();
                self.positional(&run_words);
                at += run;
                continue;
            }
            let word = &words[at];
            at += 1;
            match self.class(word) {
                Class::Option { option, value, abbreviated } => {
                    let next = words.get(at).filter(|next| matches!(self.class(next), Class::Word));
                    at += self.option(option, value, abbreviated, next.map(String::as_str));
                }
                Class::Ambiguous(names) => {
                    let names = names.join(" and ");
                    self.wrong(&rules::UNKNOWN_OPTION, format!("`{}` begins {names}", shown(word)));
                }
                Class::Unknown | Class::Word => self.unknown(word),
            }
        }
        self.positional(&[]);
    }

    /// A word that looks like an option and is none. It may be a password that begins with a dash: of a command whose word
    /// is one, or behind an option that wants a value.
    fn unknown(&mut self, word: &str) {
        let wants = |problem: &Problem| problem.what.ends_with(NEEDS_VALUE);
        let of_password = self.shape.options.iter().any(|option| option.names.contains(&"--iscrypted"))
            && self.shape.positionals.as_ref().is_some_and(|positionals| !positionals.is_empty());
        if of_password || self.found.problems.last().is_some_and(wants) {
            self.wrong(
                &rules::UNKNOWN_OPTION,
                "an option that it doesn't know (not shown: it may be a password)",
            );
            return;
        }
        let name = shown(word);
        let known = self.shape.options.iter().flat_map(|option| &option.names);
        let hint = match nearest(&name, known.copied()) {
            Some(near) => format!("; did you mean {near}?"),
            None => String::new(),
        };
        self.wrong(&rules::UNKNOWN_OPTION, format!("unknown option `{name}`{hint}"));
    }

    /// How a word is taken for an option: by name, by name and value, by beginning; a number or a word with a blank isn't.
    fn class(&self, word: &'a str) -> Class<'a> {
        if !word.starts_with('-') || word.len() == 1 {
            return Class::Word;
        }
        // what Python does with it differs from version to version, and nobody means it
        if word == "--" {
            return Class::Unknown;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let mut begins = Vec::new();
        for option in &self.shape.options {
            for known in &option.names {
                if *known == name {
                    return Class::Option { option, value, abbreviated: false };
                }
                if name.starts_with("--") && known.starts_with(name) {
                    begins.push((option, *known));
                }
            }
        }
        match begins.as_slice() {
            [(option, _)] => Class::Option { option, value, abbreviated: true },
            [] if is_negative(word) || word.contains(' ') => Class::Word,
            [] => Class::Unknown,
            several => Class::Ambiguous(several.iter().map(|(_, name)| *name).collect()),
        }
    }

    /// Takes an option; returns how many of the words that follow belong to it.
    fn option(
        &mut self,
        option: &'static Opt,
        value: Option<&'a str>,
        abbreviated: bool,
        next: Option<&'a str>,
    ) -> usize {
        let name = option.names.first().copied().unwrap_or_default();
        let (value, taken) = match (option.arity, value, next) {
            (Arity::Zero, Some(_), _) => {
                self.wrong(&rules::OPTION_VALUE, format!("{name} takes no value"));
                return 0;
            }
            (Arity::Zero, None, _) => (None, 0),
            (_, Some(value), _) => (Some(value), 0),
            (_, None, Some(next)) => (Some(next), 1),
            (Arity::One, None, None) => {
                self.wrong(&rules::OPTION_VALUE, format!("{name} {NEEDS_VALUE}"));
                return 0;
            }
            (_, None, None) => (None, 0),
        };
        if let Some(why) = value.and_then(|value| why_not(&option.kind, value)) {
            self.wrong(&rules::OPTION_VALUE, format!("{name} {why}"));
        }
        self.found.options.push(Given { name, value, abbreviated });
        taken
    }

    /// Lets the waiting arguments take from a run of words: as many of them as the run has enough words for, each as
    /// many words as it can get.
    fn positional(&mut self, run: &[&'a str]) {
        let least = |arity| usize::from(arity == Arity::One);
        let mut fit = self.waiting.len();
        while self.waiting[..fit].iter().map(|one| least(one.arity)).sum::<usize>() > run.len() {
            fit -= 1;
        }
        let (taking, waiting) = self.waiting.split_at(fit);
        self.waiting = waiting;
        let mut rest = run;
        for (at, one) in taking.iter().enumerate() {
            let reserved: usize = taking[at + 1..].iter().map(|one| least(one.arity)).sum();
            let count = match one.arity {
                Arity::Zero => 0,
                Arity::One => 1,
                Arity::Optional => (rest.len() - reserved).min(1),
                Arity::Any => rest.len() - reserved,
            };
            let (mine, after) = rest.split_at(count);
            if !one.choices.is_empty() && mine.iter().any(|word| !one.choices.contains(word)) {
                self.wrong(
                    &rules::OPTION_VALUE,
                    format!("the first word must be {}", one.choices.join(" or ")),
                );
            }
            self.found.positionals.push(mine.to_vec());
            rest = after;
        }
        self.found.left_over.extend(rest);
    }

    fn check(&mut self) {
        for option in self.shape.options.iter().filter(|option| option.required) {
            let name = option.names.first().copied().unwrap_or_default();
            let mentioned =
                self.found.problems.iter().any(|problem| problem.what.starts_with(&format!("{name} ")));
            if !self.found.has(name) && !mentioned {
                self.wrong(&rules::MISSING_ARGUMENT, format!("{name} is missing"));
            }
        }
        if self.waiting.iter().any(|one| one.arity == Arity::One) {
            self.wrong(&rules::MISSING_ARGUMENT, "an argument is missing");
        }
    }
}

fn is_negative(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let (whole, fraction) = digits.split_once('.').unwrap_or(("", digits));
    [whole, fraction].concat().bytes().all(|byte| byte.is_ascii_digit()) && !fraction.is_empty()
}

/// Why a value isn't of a kind.
fn why_not(kind: &ValueShape, value: &str) -> Option<String> {
    let word = value.to_lowercase();
    match kind {
        ValueShape::Text | ValueShape::List => None,
        ValueShape::Int => integer(value).is_none().then(|| "must be a whole number".to_owned()),
        ValueShape::Bool => {
            let known = ["on", "yes", "true", "1", "off", "no", "false", "0"].contains(&word.as_str());
            (!known).then(|| "must be yes or no".to_owned())
        }
        ValueShape::Choice(known) => {
            (!known.contains(&value)).then(|| format!("must be one of {}", known.join(", ")))
        }
        ValueShape::Word(known) => {
            (!known.contains(&word.as_str())).then(|| format!("must be one of {}", known.join(", ")))
        }
    }
}
