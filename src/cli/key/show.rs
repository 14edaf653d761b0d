//! `ironstrap key show`: all keys, with the media and hosts that stand on each.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::cli::output;
use crate::serve::key_use::{OnKey, Stands};
use crate::site::keys;
use crate::site::paths::SitePaths;
use crate::trust::Record;
use crate::value::{KeyId, Timestamp};

/// What `--json` says of a key.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: KeyId,
    state: &'static str,
    #[serde(flatten)]
    record: &'a Record,
    secret: bool,
    #[serde(flatten)]
    on: OnKey,
}

/// What it prints.
///
/// # Errors
/// Keys, or a state of the site, that can't be read.
pub fn show(paths: &SitePaths, json: bool, now: Timestamp) -> Result<String> {
    let ring = keys::ring(paths)?;
    let stands = Stands::read(paths, ring.clone(), now)?;
    let unfinished = paths.next_secret_key().exists() && keys::unfinished(paths, &ring)?.is_some();
    let mut records: Vec<_> = ring.records().collect();
    // the one that signs first
    records.reverse();
    records.sort_by_key(|record| record.key != *ring.current());
    let shown = records.into_iter().map(|record| {
        let id = record.key.id();
        let (state, secret) = match record {
            Record { key, .. } if key == ring.current() => {
                ("current", if unfinished { paths.next_secret_key() } else { paths.secret_key() })
            }
            Record { retired: Some(_), .. } => ("retired", paths.former_secret_key(id)),
            _ => ("former", paths.former_secret_key(id)),
        };
        Shown { id, state, record, secret: secret.exists(), on: stands.on(&record.key) }
    });
    let shown: Vec<_> = shown.collect();
    if json {
        let json = serde_json::json!({ "version": 1, "unfinished_rotation": unfinished, "keys": shown });
        return output::json(&json);
    }
    let mut text = ring.current().to_text();
    for key in &shown {
        text.push_str(&format!("\n{}", words(key, &paths.secret_key())));
    }
    if unfinished {
        text.push_str("\nthe last rotation was cut off; `ironstrap key rotate` finishes it\n");
    }
    Ok(text)
}

fn words(shown: &Shown<'_>, secret: &Path) -> String {
    let Shown { id, state, record: Record { key, since, until, retired }, secret: has_secret, on } = shown;
    let dates = [("signed since", since), ("until", until), ("retired", retired)];
    let dates = dates.iter().filter_map(|(word, time)| Some(format!(", {word} {}", time.as_ref()?)));
    let mut text = format!("{id}: {state}{}\n  public half {key}\n", dates.collect::<String>());
    if *state == "current" && !has_secret {
        text.push_str(&format!("  its secret half isn't here ({} doesn't exist)\n", secret.display()));
    }
    text.push_str(&on.lines(*state == "current"));
    if *state == "former" && !on.is_needed() {
        text.push_str(&format!(
            "  no medium, permit or image needs it any more: `ironstrap key retire {id}`\n"
        ));
    }
    text
}
