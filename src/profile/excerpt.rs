//! What a diagnostic may show of the text that it is about: the one place that decides it.
//!
//! A line of a profile, template or file can hold a secret anywhere: behind a misspelt `pasword:`, in a comment, as a word of
//! a script. So an excerpt shows the marked token where that is a single word or value, the keys of profiles that stand beside
//! it, and nothing else; who marks a place that could itself be a secret marks an empty one, see [`Span::begin`].

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use super::schema;

/// Stands for what isn't shown.
const HIDDEN: &str = "…";

/// Keys whose values no message quotes and no excerpt marks: what is wrong with them is told at the key.
const SECRET: [&str; 9] =
    ["password", "ssh_keys", "vars", "user_data", "kernel_args", "url", "proxy", "mirror", "server"];

/// Whether the value of this key could be, or be taken for, a secret.
pub fn is_secret(key: &str) -> bool {
    SECRET.contains(&key)
}

/// A line as an excerpt shows it, and where what is marked stands in that.
pub fn shown(line: &str, marked: Range<usize>) -> (String, Range<usize>) {
    let (before, rest) = line.split_at(marked.start);
    let token = &rest[..marked.end - marked.start];
    // a quoted text in a map is marked with the blank behind it
    let bare = token.trim_end();
    let (token, after) = (bare, &line[marked.start + bare.len()..]);
    let indent = before.len() - before.trim_start().len();
    let mut out = before[..indent].to_owned();
    let item = before[indent..].strip_prefix("- ").map_or("", |_| "- ");
    out.push_str(item);
    out.push_str(&masked(&before[indent + item.len()..]));
    // the column is told anyway: the token keeps it
    let width = |text: &str| text.chars().count();
    if width(&out) > width(before) {
        out.clear();
    }
    out.push_str(&" ".repeat(width(before) - width(&out)));
    let start = out.len();
    match is_one_word(token) {
        true => out.push_str(&without_user(token)),
        false => out.push_str(&masked(token)),
    }
    let end = out.len();
    out.push_str(&masked(after));
    (out, start..end)
}

/// Only keys of profiles, each with its colon.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut hidden = false;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
        let behind = rest[word.len()..].strip_prefix(':');
        let is_key =
            behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(' ')) && KEYS.contains(word);
        if is_key {
            out.push_str(word);
            out.push(':');
            rest = &rest[word.len() + 1..];
            hidden = false;
            if rest.starts_with(' ') {
                out.push(' ');
            }
            continue;
        }
        let step = word.len().max(next.len_utf8());
        if !rest[..step].trim().is_empty() && !hidden {
            out.push_str(HIDDEN);
            hidden = true;
        }
        rest = &rest[step..];
        // a key stands by itself
        if hidden && rest.starts_with(is_word) && rest_begins_with_key(rest) && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out
}

fn rest_begins_with_key(rest: &str) -> bool {
    rest.split_once(':').is_some_and(|(word, _)| KEYS.contains(word))
}

/// Whether a token is a single scalar: what has the form of a list, a map or a block of text holds more.
fn is_one_word(token: &str) -> bool {
    let inner = ['"', '\''].iter().find_map(|quote| token.strip_prefix(*quote)?.strip_suffix(*quote));
    match inner {
        Some(inner) => !inner.contains(['"', '\'']),
        None => {
            !token.starts_with(['{', '[', '|', '>', '"', '\'', '-'])
                && ![": ", " #", ", ", "=\"", "='"].iter().any(|mark| token.contains(mark))
                && !token.ends_with(':')
        }
    }
}

/// Without what stands before `@` in an address.
fn without_user(token: &str) -> String {
    let start = token.find("://").map(|at| at + 3);
    match start.and_then(|start| Some((start, start + token[start..].rfind('@')?))) {
        Some((start, at)) => format!("{}{HIDDEN}{}", &token[..start], &token[at..]),
        None => token.to_owned(),
    }
}

/// Every key that a profile or `site.yaml` can have.
static KEYS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let mut keys = HashSet::new();
    schema::Document::ALL.iter().for_each(|kind| collect(&schema::schema(*kind), &mut keys));
    keys
});

fn collect(schema: &serde_json::Value, keys: &mut HashSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(|value| value.as_object()) {
        keys.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(map) => map.values().for_each(|value| collect(value, keys)),
        serde_json::Value::Array(items) => items.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(line: &str, token: &str) -> String {
        let at = line.find(token).unwrap();
        let (shown, range) = shown(line, at..at + token.len());
        format!("{}<{}>{}", &shown[..range.start], &shown[range.clone()], &shown[range.end..])
    }

    #[test]
    fn an_excerpt_shows_the_marked_token_and_keys_and_nothing_else() {
        for (line, token, expected) in [
            ("pasword: hunter2", "pasword", "<pasword>…"),
            ("  - { name: web, pasword: hunter2, uid: 7 }", "pasword", "  - … name: …    <pasword>… uid: …"),
            ("match: { mac: [\"a\", \"b\"] } # hunter2", "\"b\"", "match: … mac: …     <\"b\">…"),
            ("timezone: Europe/Berln", "Europe/Berln", "timezone: <Europe/Berln>"),
            ("mirror: http://a:hunter2@b/", "http://a:hunter2@b/", "mirror: <http://…@b/>"),
            ("users: [{ pasword: hunter2 }]", "{ pasword: hunter2 }", "users: …<…>…"),
            ("é: hunter2", "é", "<é>…"),
        ] {
            assert_eq!(marked(line, token), expected, "{line}");
        }
        assert_eq!(shown("hunter2", 0..0).0, "…");
    }
}
