//! The table of formats: the handbook shows what the command prints, and every key of it is one that profiles know.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::Command;

const BEGIN: &str = "<!-- made by `ironstrap formats --markdown`; a test compares it -->\n";

fn formats(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ironstrap")).arg("formats").args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_handbook_shows_the_table_as_it_is() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once(BEGIN).unwrap();
    let wanted = format!("{before}{BEGIN}{}", formats(&["--markdown"]));
    if std::env::var_os("IRONSTRAP_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == wanted,
        "IRONSTRAP_BLESS=1 writes docs/formats.md anew"
    );
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
        assert_eq!(row["cells"].as_object().unwrap().len(), 10, "{row}");
    }
}

#[test]
fn an_unknown_release_is_told_with_the_known_ones() {
    let output = Command::new(env!("CARGO_BIN_EXE_ironstrap")).args(["formats", "el-7"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("el-8") && said.contains("native"), "{said}");
}
