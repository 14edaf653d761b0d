//! `ironstrap explain IS-203`, and the handbook of all codes: both from the one table in `spec::code`.

use std::fmt::Write;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cli::output;
use crate::spec::Code;
use crate::value::nearest;

/// Whether somebody who wrote this means a code. Names of hosts are lower case.
pub(super) fn is_meant(text: &str) -> bool {
    text.starts_with("IS-")
}

/// The code with this name.
///
/// # Errors
/// There is none; with the nearest one, and where all of them are.
pub(super) fn find(name: &str) -> Result<Code> {
    let known = Code::ALL.iter().find(|code| code.name() == name).copied();
    known.with_context(|| {
        let name = name.escape_debug();
        let hint = nearest(&name.to_string(), Code::ALL.iter().map(|code| code.name()))
            .map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        format!("this ironstrap knows no code `{name}`; {hint}`ironstrap explain --codes` shows all; codes of newer versions are in their manual")
    })
}

/// What the handbook says of one code, for a terminal.
pub(super) fn as_text(code: Code) -> String {
    format!(
        "{code}: {}\n\n  why         {}\n  what to do  {}\n\n{}\n",
        code.meaning(),
        code.cause(),
        code.advice(),
        group(code)
    )
}

/// The same for programs.
///
/// # Errors
/// When it can't be encoded.
pub(super) fn as_json(codes: &[Code]) -> Result<String> {
    let all: Vec<Value> = codes
        .iter()
        .map(|code| json!({ "code": code.name(), "meaning": code.meaning(), "cause": code.cause(), "advice": code.advice() }))
        .collect();
    let value = match all.as_slice() {
        [one] => {
            let mut one = one.clone();
            one["version"] = 1.into();
            one
        }
        _ => Value::Array(all),
    };
    output::json(&value)
}

/// All codes, as Markdown.
pub(super) fn handbook() -> String {
    let mut text = String::new();
    let mut last = "";
    for code in Code::ALL {
        if group(*code) != last {
            last = group(*code);
            _ = write!(
                text,
                "{}## {}\n\n{last}\n\n",
                if text.is_empty() { "" } else { "\n" },
                heading(*code)
            );
        } else {
            text.push('\n');
        }
        let Some((first, rest)) = code.advice().split_at_checked(1) else { continue };
        let advice = if first == "`" { code.advice().to_owned() } else { first.to_uppercase() + rest };
        _ = write!(
            text,
            "### {code}\n\n{}\n\n- Why: {}\n- What to do: {advice}.\n",
            code.meaning(),
            code.cause()
        );
    }
    text
}

/// Codes are grouped by their first digit.
fn digit(code: Code) -> char {
    code.name().chars().nth("IS-".len()).unwrap_or_default()
}

fn heading(code: Code) -> &'static str {
    match digit(code) {
        '1' => "Orders",
        '2' => "Disks and images",
        '3' => "Network and payload",
        '4' => "Writing",
        _ => "Others",
    }
}

/// What holds for the disk whenever a code of this group is told.
fn group(code: Code) -> &'static str {
    match digit(code) {
        '1' => {
            "Codes from IS-101 are about the order. They come before the first write, so the disk is as it was; but IS-111 comes after runs that had begun, and IS-112 told as `failed` after the claim: the disk isn't bootable then."
        }
        '2' => {
            "Codes from IS-201 are about the disk or the image. They come before the first write: the disk is as it was."
        }
        '3' => {
            "Codes from IS-301 are about the network and the bytes. Told as `refused`, the disk is as it was; told as `failed`, it isn't bootable and the order can be used again."
        }
        '4' => {
            "Codes from IS-401 are about writing. Told as `refused` (IS-401: the disk couldn't be opened or read), the disk is as it was; told as `failed`, it isn't bootable and the order can be used again."
        }
        _ => {
            "Told as `refused`, the disk is as it was; told as `failed`, it isn't bootable and the order can be used again."
        }
    }
}
