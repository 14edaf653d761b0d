//! `ironstrap formats`: which release's installer can say which field of a profile.

use std::fmt::Write;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::output;
use crate::answers::table::{self, Cell, Target};
use crate::host::Os;

/// Print what each release's installer can say of a profile, and why not.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this release, with its reasons; `native` is ironstrap's own agent.
    #[arg(value_name = "RELEASE")]
    release: Option<Column>,
    /// As Markdown, for handbooks.
    #[arg(long)]
    markdown: bool,
}

/// A column of the table, by name.
#[derive(Debug, Clone, Copy)]
struct Column(Target);

impl std::str::FromStr for Column {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "native" => Ok(Self(Target::Native)),
            _ => {
                text.parse::<Os>().map(|os| Self(Target::Os(os))).map_err(|error| format!("{error}, native"))
            }
        }
    }
}

/// Prints the table.
///
/// # Errors
/// When it can't be printed.
pub fn run(args: &Args, json: bool) -> Result<()> {
    let columns: Vec<_> = match args.release {
        Some(Column(target)) => vec![target],
        None => Target::all().collect(),
    };
    let text = match (json, args.markdown) {
        (true, _) => as_json(&columns)?,
        (false, true) => as_markdown(&columns),
        (false, false) => as_text(&columns),
    };
    Ok(output::print(&text)?)
}

fn word(cell: Cell) -> &'static str {
    match cell {
        Cell::Native => "yes",
        Cell::Scripted(_) => "script",
        Cell::Unused(_) => "-",
        Cell::Refused(_) => "no",
    }
}

fn reason(cell: Cell) -> Option<&'static str> {
    match cell {
        Cell::Native => None,
        Cell::Scripted(text) | Cell::Unused(text) | Cell::Refused(text) => Some(text),
    }
}

fn as_text(columns: &[Target]) -> String {
    let mut text = String::new();
    let width = table::rows().map(|row| row.title().len()).max().unwrap_or_default();
    _ = write!(text, "{:width$}", "");
    columns.iter().for_each(|target| _ = write!(text, "  {:^12}", target.name()));
    text.truncate(text.trim_end().len());
    text.push('\n');
    for row in table::rows() {
        let mut line = format!("{:width$}", row.title());
        for target in columns {
            let cell = row.cell(*target);
            match columns {
                [_] => _ = write!(line, "  {:6}  {}", word(cell), reason(cell).unwrap_or_default()),
                _ => _ = write!(line, "  {:^12}", word(cell)),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(
        "\nyes: the installer's own words; script: by a script of ours, with `policy.allow_scripted`; -: not used; no: refused\n\
         A host with `installer: debian-installer` and an `image` is handed over to the agent: for it the column `native` holds.\n",
    );
    text
}

/// The table, and below it every reason once, with the releases and keys it holds for.
fn as_markdown(columns: &[Target]) -> String {
    let mut text = "| field |".to_owned();
    columns.iter().for_each(|target| _ = write!(text, " {} |", target.name()));
    text.push_str("\n|---|");
    columns.iter().for_each(|_| text.push_str(":-:|"));
    text.push('\n');
    let mut reasons: Vec<(String, &str, Vec<&str>)> = Vec::new();
    for row in table::rows() {
        let title = row.title();
        _ = write!(text, "| `{title}` |");
        for target in columns {
            let cell = row.cell(*target);
            _ = write!(text, " {} |", word(cell));
            let Some(why) = reason(cell) else { continue };
            match reasons.iter_mut().find(|(key, known, _)| *key == title && *known == why) {
                Some((.., names)) => names.push(target.name()),
                None => reasons.push((title.clone(), why, vec![target.name()])),
            }
        }
        text.push('\n');
    }
    text.push('\n');
    for (key, why, names) in reasons {
        _ = writeln!(text, "- `{key}`, {}: {why}", names.join(", "));
    }
    text
}

fn as_json(columns: &[Target]) -> Result<String> {
    let rows: Vec<Value> = table::rows()
        .map(|row| {
            let cells: Map<String, Value> = columns
                .iter()
                .map(|target| {
                    let cell = row.cell(*target);
                    let level = match cell {
                        Cell::Native => "native",
                        Cell::Scripted(_) => "scripted",
                        Cell::Unused(_) => "unused",
                        Cell::Refused(_) => "refused",
                    };
                    (target.name().to_owned(), json!({ "level": level, "reason": reason(cell) }))
                })
                .collect();
            json!({ "field": row.title(), "cells": cells })
        })
        .collect();
    output::json(&rows)
}
