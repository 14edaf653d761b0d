//! The handbook of codes is what the command prints, and the command answers for each code alone.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/expect.rs"]
mod expect;

use std::path::PathBuf;
use std::process::{Command, Output};

use ironstrap::spec::Code;

const BEGIN: &str = "<!-- made by `ironstrap explain --codes`; a test compares it -->\n";

fn explain(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironstrap")).arg("explain").args(args).output().unwrap()
}

fn said(args: &[&str]) -> String {
    let output = explain(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_handbook_has_every_code_as_the_command_prints_it() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/codes.md");
    let made = said(&["--codes"]);
    expect::section(&path, BEGIN, None, &format!("\n{made}"));
    for code in Code::ALL {
        let entry = said(&[code.name()]);
        for part in [code.name(), code.meaning(), code.cause(), code.advice()] {
            assert!(entry.contains(part), "{code}: {entry}");
        }
        assert!(made.contains(&format!("### {code}\n")) && made.contains(code.cause()), "{code}");
    }
}

#[test]
fn programs_get_one_code_or_all() {
    let one: serde_json::Value = serde_json::from_str(&said(&["IS-203", "--json"])).unwrap();
    assert_eq!(one["code"], "IS-203");
    assert!(one["advice"].as_str().unwrap().contains("wipe: foreign"));
    let all: Vec<serde_json::Value> = serde_json::from_str(&said(&["--codes", "--json"])).unwrap();
    assert_eq!(all.len(), Code::ALL.len());
}

#[test]
fn an_unknown_code_is_told_with_the_way_to_all() {
    for (name, expected) in
        [("IS-999", "explain --codes"), ("IS-2O3", "did you mean `IS-203`"), ("IS-", "no code `IS-`")]
    {
        let output = explain(&[name]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{name}: {said}");
    }
    assert_eq!(explain(&[]).status.code(), Some(2));
    assert_eq!(explain(&["web01", "--codes"]).status.code(), Some(2));
}
