//! YAML that every reader takes for the same thing: the one owner of its escaping.
//!
//! Consumers of cloud-config and netplan read YAML 1.1, where `yes`, `0644`, `12:30` and `~` aren't texts. So every text is
//! double-quoted, in keys as in values, unless it is a plain word that neither version reads as anything else. Control
//! characters, and what YAML calls not printable, are escaped (YAML 1.1, section 5.7; 1.2, section 5.7).

use serde_json::Value;

/// Words that YAML 1.1 reads as truth or nothing, in lower case.
const NOT_TEXTS: [&str; 9] = ["y", "yes", "n", "no", "on", "off", "true", "false", "null"];

/// A value as a block, every line indented by so many blanks.
pub fn block(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    write(&mut out, value, indent);
    out
}

/// One text as it can stand anywhere in a line.
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
    if plain && !NOT_TEXTS.contains(&word) { word.to_owned() } else { text(word) }
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
            prop_assert_eq!(read, value, "{}", written);
        }
    }
}
