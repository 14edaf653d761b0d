//! The Kickstart model against what it models: golden findings, pykickstart's own judgement and tables, and real files.
//!
//! Tests that need pykickstart (`tests/install-deps.sh` puts it into `target/venv`; `IRONSTRAP_PYTHON` names another Python)
//! or the shared corpora (`IRONSTRAP_SHARED`, or `shared` beside the checkout) say aloud when they are skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod corpus;
mod differential;
#[path = "../support/expect.rs"]
mod expect;
mod golden;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ironstrap::grammar::kickstart::Release;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What pykickstart refuses, and why: one answer a file.
fn judge(python: &Path, files: &[(Release, String)]) -> Vec<Option<String>> {
    let pairs: Vec<_> = files.iter().map(|(release, text)| (release.stock_name(), text)).collect();
    let mut child = Command::new(python)
        .arg(root().join("tests/kickstart/judge.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&pairs).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<_> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), files.len());
    answers
}

#[test]
fn the_tables_are_what_pykickstart_says() {
    let Some(python) = expect::python() else { return };
    let output = Command::new(python).arg(root().join("tests/generate/kickstart.py")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let made = String::from_utf8(output.stdout).unwrap();
    let kept = std::fs::read_to_string(root().join("src/grammar/kickstart/commands.tsv")).unwrap();
    let version = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    if version(&made) != version(&kept) {
        return expect::missing(&version(&kept), &format!("here is {}", version(&made)));
    }
    assert!(made == kept, "tests/generate/kickstart.py prints other tables than commands.tsv holds");
}
