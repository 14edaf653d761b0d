//! YAML that every reader takes for the same thing: the one owner of its escaping, for answer files and for profiles that
//! import drafts.
//!
//! Consumers of cloud-config and netplan read YAML 1.1, where `yes`, `0644`, `12:30` and `~` aren't texts. So a text is
//! double-quoted unless it is a plain word that neither version reads as anything else. Control characters, and what YAML calls
//! not printable, are escaped (YAML 1.1, section 5.7; 1.2, section 5.7).
//!
//! What programs read is a [`block`], in which every value that is a text stands in quotes; what people go on writing has
//! [`word`]s and [`flow`]s. No other module may put quotes around a text for YAML.

use serde_json::Value;

/// Words that a reader takes for truth, nothing or no number, in lower case.
const NOT_TEXTS: [&str; 11] = ["y", "yes", "n", "no", "on", "off", "true", "false", "null", "inf", "nan"];

/// A value as a block, every line indented by so many blanks.
pub fn block(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    write(&mut out, value, indent);
    out
}

/// A text as people write it: as it is where nobody could take it for anything else, else in quotes.
pub fn word(word: &str) -> String {
    let plain = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "_./@+-".contains(c));
    if plain && !is_other(word) { word.to_owned() } else { text(word) }
}

/// A value on one line, with texts as people write them.
pub fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", word(key), flow(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// A text in quotes, as it can stand anywhere in a line.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => match u32::from(c) {
                code @ ..=0xff => out.push_str(&format!("\\x{code:02x}")),
                code @ ..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
        }
    }
    out.push('"');
    out
}

/// What may stand in a file as it is; line breaks that only one version knows are left out.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

fn key(word: &str) -> String {
    let plain = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if plain && !is_other(word) { word.to_owned() } else { text(word) }
}

/// Whether a word is something else than a text to some reader.
fn is_other(word: &str) -> bool {
    NOT_TEXTS.contains(&word.to_ascii_lowercase().as_str())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(string) => Some(text(string)),
        Value::Array(items) if items.is_empty() => Some("[]".to_owned()),
        Value::Object(entries) if entries.is_empty() => Some("{}".to_owned()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn write(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                out.push_str(&pad);
                out.push_str(&key(name));
                entry(out, value, indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                match scalar(item) {
                    Some(scalar) => out.push_str(&format!("{pad}- {scalar}\n")),
                    None => {
                        // the first line of the item stands behind the dash
                        let inner = block(item, indent + 2);
                        out.push_str(&format!("{pad}- {}", &inner[indent + 2..]));
                    }
                }
            }
        }
        other => out.push_str(&format!("{pad}{}\n", scalar(other).unwrap_or_default())),
    }
}

fn entry(out: &mut String, value: &Value, indent: usize) {
    match scalar(value) {
        Some(scalar) => out.push_str(&format!(": {scalar}\n")),
        None => {
            out.push_str(":\n");
            write(out, value, indent + 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_yaml_1_1_takes_for_something_else_is_quoted() {
        let value = json!({ "mode": "0644", "time": "12:30", "answer": "no", "n": 1, "on": true, "none": null, "list": [["~"], {}, "a"] });
        let written = block(&value, 2);
        for line in [
            "  mode: \"0644\"\n",
            "  time: \"12:30\"\n",
            "  answer: \"no\"\n",
            "  \"on\": true\n",
            "  n: 1\n",
            "  none: null\n",
        ] {
            let quoted_key = line.replace("  n: 1", "  \"n\": 1");
            assert!(written.contains(&quoted_key), "{line} is not in\n{written}");
        }
        assert!(
            written.ends_with("  time: \"12:30\"\n")
                || written.contains("  list:\n    - - \"~\"\n    - {}\n    - \"a\"\n"),
            "{written}"
        );
    }

    #[test]
    fn words_of_people_are_plain_where_no_reader_could_take_them_for_anything_else() {
        for plain in ["web01", "/dev/disk", "en_US.UTF-8", "a@1.0"] {
            assert_eq!(word(plain), plain);
        }
        let texts = [
            "",
            "yes",
            "No",
            "0x10",
            "1e3",
            "a: b",
            "#x",
            "- a",
            "\u{85}\u{7}\n\"\\",
            "12:30:00",
            "~",
            "ü",
            "NaN",
        ];
        for text in texts {
            assert!(word(text).starts_with('"'), "{text}");
            assert_eq!(serde_yaml::from_str::<String>(&word(text)).unwrap(), text);
        }
        let value = json!([{ "on": "off" }, { "b-c": [1, "x y"] }, {}, null]);
        assert_eq!(flow(&value), "[{ \"on\": \"off\" }, { b-c: [1, \"x y\"] }, {  }, null]");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a-z0-9:~ -]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_read_back_as_it_was(value in any_value()) {
            let written = block(&value, 0);
            let read: Value = serde_yaml::from_str(&written).unwrap();
            prop_assert_eq!(&read, &value, "{}", written);
            let written = flow(&value);
            let read: Value = serde_yaml::from_str(&written).unwrap();
            prop_assert_eq!(read, value, "{}", written);
        }
    }
}
