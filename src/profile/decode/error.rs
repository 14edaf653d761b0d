//! What serde complains about, in our words and at its place.

use serde::de::{self, Expected, Unexpected};

use crate::profile::diag::{Diagnostic, suggestion};
use crate::profile::source::Span;

/// An error that may already know its place. Boxed: the way without errors is the common one.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    message: String,
    help: Option<String>,
    is_of_a_text: bool,
    at: Option<(u32, Span)>,
}

impl Error {
    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Gives it a place; the first and innermost one stays.
    pub fn at(mut self, id: u32, span: Span) -> Self {
        self.0.at.get_or_insert((id, span));
        self
    }

    /// Moves it to the key of a value that could be a secret.
    pub fn over(mut self, key: Span) -> Self {
        self.0.at = self.0.at.map(|(id, _)| (id, key));
        self
    }

    /// Whether what was found is a text that nobody asked for: it could be anything, also a secret.
    pub fn is_of_a_text(&self) -> bool {
        self.0.is_of_a_text
    }

    /// The node it belongs to.
    pub fn id(&self) -> Option<u32> {
        self.0.at.map(|(id, _)| id)
    }

    /// For the reader.
    pub fn into_diagnostic(self, root: Span) -> Diagnostic {
        let span = self.0.at.map_or(root, |(_, span)| span);
        Diagnostic::new(span, self.0.message).maybe_help(self.0.help)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// What can be shown of a name that nobody knows.
fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.chars().all(|c| c.is_alphanumeric() || "_-.<".contains(c))
}

fn found(unexpected: Unexpected<'_>) -> String {
    match unexpected {
        Unexpected::Str(_) => "a text".to_owned(),
        Unexpected::Unit => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// Rust's and serde's words → YAML's.
fn wanted(expected: &dyn Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "a sequence" => "a list".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "u8" | "u16" | "u32" | "u64" => "a whole number, not negative".to_owned(),
        "a string" => "a text".to_owned(),
        text if text.starts_with("struct ") => "a map".to_owned(),
        text => text.to_owned(),
    }
}

impl de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        let message = match message.to_string() {
            // the standard library's words say neither what was expected nor how it looks
            text if text == "invalid IP address syntax" => "not an IP address (like 10.0.0.1)".to_owned(),
            text if text == "invalid IPv4 address syntax" => "not an IPv4 address (like 10.0.0.1)".to_owned(),
            text => text,
        };
        Self(Box::new(Inner { message, help: None, is_of_a_text: false, at: None }))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let mut error = Self::custom(format!("expected {}, found {}", wanted(expected), found(unexpected)));
        error.0.is_of_a_text = matches!(unexpected, Unexpected::Str(_));
        error
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let help = match field {
            "<<" => "merge keys are not YAML 1.2; put what is common into a class".to_owned(),
            _ if !is_word(field) => {
                // `pasword:hunter2` is a key with the secret in it
                let mut error = Self::custom("a key is one word, and a colon and a blank behind it");
                error.0.is_of_a_text = true;
                return error;
            }
            _ => suggestion(field, expected),
        };
        Self::custom(format!("unknown key `{}`", field.escape_debug())).help(help)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let message = match is_word(variant) {
            true => format!("`{variant}` is not known here"),
            false => "this is not known here".to_owned(),
        };
        Self::custom(message).help(suggestion(variant, expected))
    }
}
