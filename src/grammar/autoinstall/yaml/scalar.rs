//! What a scalar without quotes means: to readers of YAML 1.1, such as PyYAML, and where 1.2 makes something else of it.

use super::{YamlType, rules};
use crate::grammar::Finding;

/// What a scalar without quotes is in YAML 1.1.
pub fn plain(text: &str) -> YamlType {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return YamlType::Null,
        _ if is_boolean(text, &["true", "false", "yes", "no", "on", "off"]) => return YamlType::Boolean,
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if is_integer(unsigned) || is_base_60(unsigned) {
        YamlType::Integer
    } else if is_float(unsigned) {
        YamlType::Number
    } else if is_date(text) {
        YamlType::Date
    } else {
        YamlType::Text
    }
}

/// All small, all capital, or with a capital first: nothing else is a truth value.
fn is_boolean(text: &str, words: &[&str]) -> bool {
    let small = text.to_ascii_lowercase();
    let rest = text.get(1..).unwrap_or_default();
    words.contains(&small.as_str())
        && (text == small || text == text.to_ascii_uppercase() || rest == rest.to_ascii_lowercase())
}

fn all(text: &str, good: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(good)
}

fn is_integer(text: &str) -> bool {
    let digits = |text: &str| all(text, |byte| byte.is_ascii_digit() || byte == b'_');
    match text.as_bytes() {
        [b'0'] => true,
        [b'0', b'b', ..] => all(&text[2..], |byte| matches!(byte, b'0' | b'1' | b'_')),
        [b'0', b'x', ..] => all(&text[2..], |byte| byte.is_ascii_hexdigit() || byte == b'_'),
        [b'0', ..] => all(&text[1..], |byte| matches!(byte, b'0'..=b'7' | b'_')),
        [b'1'..=b'9', ..] => digits(text),
        _ => false,
    }
}

/// `12:30` is 750, and so is an address of Ethernet whose parts are all below 60.
fn is_base_60(text: &str) -> bool {
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let head = first.starts_with(|c: char| ('1'..='9').contains(&c))
        && all(first, |byte| byte.is_ascii_digit() || byte == b'_');
    let part = |part: &str| {
        all(part, |byte| byte.is_ascii_digit())
            && part.len() <= 2
            && part.parse::<u8>().is_ok_and(|number| number < 60)
    };
    let rest: Vec<_> = parts.collect();
    head && !rest.is_empty() && rest.into_iter().all(part)
}

fn is_float(text: &str) -> bool {
    if matches!(text, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (text, None),
    };
    let Some((whole, fraction)) = number.split_once('.') else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let good = digits(whole) && digits(fraction) && (starts(whole) || whole.is_empty() && starts(fraction));
    // 1.1 wants a sign in the exponent
    good && exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['-', '+']).is_some_and(|digits| all(digits, |byte| byte.is_ascii_digit()))
    })
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = |at: usize, byte: u8| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    bytes.len() == 10 && bytes.iter().enumerate().all(|(at, byte)| shape(at, *byte))
}

/// A word of what 1.2 makes something else of. Words that mean true or false are shown, numbers aren't: a password or a PIN may
/// be one, whatever its key is called.
pub fn ambiguous(text: &str, line: usize) -> Option<Finding> {
    let quote = "quote it if it is a text";
    if is_boolean(text, &["yes", "no", "on", "off"]) {
        let meant = if matches!(text.to_ascii_lowercase().as_str(), "yes" | "on") { "true" } else { "false" };
        let message = format!("`{text}` is {meant} to readers of YAML 1.1 and a text to others");
        return Some(
            Finding::warning(&rules::AMBIGUOUS, line, message).help(format!("write {meant}, or {quote}")),
        );
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if is_base_60(unsigned) {
        return Some(
            Finding::error(&rules::AMBIGUOUS, line, "YAML 1.1 reads a number to the base 60 here")
                .help("quote it"),
        );
    }
    let octal = unsigned.len() > 1
        && unsigned.starts_with('0')
        && is_integer(unsigned)
        && !unsigned.starts_with("0x");
    let underscores = unsigned.contains('_') && is_integer(unsigned);
    if octal || underscores {
        let message = "a number is another one to readers of YAML 1.1 than to others";
        return Some(Finding::warning(&rules::AMBIGUOUS, line, message).help(quote));
    }
    None
}

pub fn without_value(finding: Finding) -> Finding {
    let message = "YAML 1.1 reads this password as something else than a text";
    Finding { message: message.to_owned(), help: Some("quote it".to_owned()), ..finding }
}
