//! The table of formats: the handbook shows what the command prints, and every key of it is one that profiles know.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/expect.rs"]
mod expect;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use ironstrap::answers::table::rows;

const BEGIN: &str = "<!-- made by `ironstrap formats --markdown`; a test compares it -->\n";

fn formats(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ironstrap")).arg("formats").args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_handbook_shows_the_table_as_it_is() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    expect::section(&path, BEGIN, None, &formats(&["--markdown"]));
}

#[test]
fn a_release_is_shown_with_its_reasons() {
    let text = formats(&["debian-12"]);
    let bonds = text.lines().find(|line| line.starts_with("network.bonds")).unwrap();
    assert!(bonds.contains("no") && bonds.contains("netcfg"), "{bonds}");
}

#[test]
fn programs_get_every_cell() {
    let rows: Vec<serde_json::Value> = serde_json::from_str(&formats(&["--json"])).unwrap();
    assert!(rows.len() > 40);
    for row in &rows {
        assert_eq!(row["cells"].as_object().unwrap().len(), 1 + ironstrap::host::Os::ALL.len(), "{row}");
    }
}

#[test]
fn an_unknown_release_is_told_with_the_known_ones() {
    let output = Command::new(env!("CARGO_BIN_EXE_ironstrap")).args(["formats", "el-7"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("el-8") && said.contains("native"), "{said}");
}

/// Keys that say how a profile is put together, not what a machine is.
const ABOUT_PROFILES: [&str; 2] = ["classes", "vars"];

/// Every key of a schema's object, and of those below it, as a path; lists add nothing to it.
fn keys(schema: &serde_json::Value, at: &serde_json::Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = at["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/")) {
        keys(schema, &schema["$defs"][name], path, found);
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        for one in at[several].as_array().into_iter().flatten() {
            keys(schema, one, path, found);
        }
    }
    if at["items"].is_object() {
        keys(schema, &at["items"], path, found);
    }
    for (key, below) in at["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        keys(schema, below, &path, found);
        found.insert(path);
    }
}

#[test]
fn every_key_of_a_host_has_a_row() {
    let schema = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("profiles/example/schema/host.json");
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let mut all = BTreeSet::new();
    keys(&schema, &schema, "", &mut all);
    assert!(all.len() > 100 && all.contains("storage.partitions.size"), "only {} keys", all.len());
    // a row may be about one value of a key, or about keys beside an image: `network.*.ipv4: none`, `packages, proxy with image`
    let rows: Vec<String> = rows()
        .map(|row| row.title())
        .flat_map(|title| {
            let keys = title.split(" with ").next().unwrap_or_default().split(", ");
            keys.map(str::to_owned).collect::<Vec<_>>()
        })
        .map(|key| key.split([':', '[']).next().unwrap_or_default().to_owned())
        .collect();
    let covers = |row: &str, key: &str| {
        let mut steps = key.split('.');
        row.split('.').all(|step| steps.next().is_some_and(|other| step == "*" || step == other))
    };
    assert!(!rows.iter().any(|row| covers(row, "storage.zpools.name")), "the rows would cover anything");
    // of a key with keys below it, those are what needs rows
    let leaf = |key: &&String| !all.iter().any(|other| other.starts_with(&format!("{key}.")));
    let about_machines = |key: &&String| !ABOUT_PROFILES.iter().any(|about| covers(about, key));
    let missing: Vec<_> = all
        .iter()
        .filter(leaf)
        .filter(about_machines)
        .filter(|key| !rows.iter().any(|row| covers(row, key)))
        .collect();
    assert!(missing.is_empty(), "no row of the table covers {missing:?}");
}
