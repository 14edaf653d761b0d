//! `ironstrap lint` from outside: golden cases, other people's files, the real readers, and files that want to hurt.
//!
//! Each folder `tests/lint/KIND/CASE/` holds one file to judge, `expected` (what is printed, and the exit code), and, where
//! the case needs them, more arguments in `args`. A new folder is a new test; `IRONSTRAP_BLESS=1` writes what is printed now.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod corpora;
#[path = "../support/expect.rs"]
mod expect;
mod hostile;
mod judges;
mod rules;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect::Expected;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint")
}

fn lint(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironstrap"))
        .arg("lint")
        .args(args)
        .current_dir(dir)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

#[test]
fn every_file_is_told_what_is_wrong_with_it() {
    let mut expected = Expected::new();
    let cases: Vec<_> = folders(&here()).iter().flat_map(|kind| folders(kind)).collect();
    assert!(cases.len() >= 12, "only {} cases", cases.len());
    for case in cases {
        let mut names: Vec<_> =
            std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.retain(|name| name != "expected" && name != "args");
        assert_eq!(names.len(), 1, "{}: one file to judge", case.display());
        let more = std::fs::read_to_string(case.join("args")).unwrap_or_default();
        let mut args = vec![names[0].to_str().unwrap()];
        args.extend(more.split_whitespace());
        let output = lint(&case, &args);
        let printed = format!(
            "{}{}exit code {}\n",
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
            output.status.code().unwrap()
        );
        expected.file(&case.join("expected"), &printed);
    }
    expected.judge();
}

#[test]
fn json_tells_the_same_findings() {
    for case in folders(&here()).iter().flat_map(|kind| folders(kind)) {
        let name = std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().file_name());
        let name = name.into_iter().find(|name| name != "expected" && name != "args").unwrap();
        let more = std::fs::read_to_string(case.join("args")).unwrap_or_default();
        let mut args = vec![name.to_str().unwrap(), "--json"];
        args.extend(more.split_whitespace());
        let output = lint(&case, &args);
        if output.stdout.is_empty() {
            continue; // a refusal
        }
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected = std::fs::read_to_string(case.join("expected")).unwrap();
        let told = answer["findings"].as_array().unwrap();
        let lines: Vec<_> = expected
            .lines()
            .filter(|line| line.contains(": error[") || line.contains(": warning["))
            .collect();
        assert_eq!(told.len(), lines.len(), "{}", case.display());
        for (finding, line) in told.iter().zip(lines) {
            let start = format!(
                "{}:{}: {}[{}]: ",
                answer["file"].as_str().unwrap(),
                finding["line"],
                finding["severity"].as_str().unwrap(),
                finding["rule"].as_str().unwrap()
            );
            assert!(line.starts_with(&start), "{line}: {start}");
        }
    }
}

#[test]
fn standard_input_is_a_file_too() {
    use std::io::Write as _;
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironstrap"))
        .args(["lint", "-", "--as", "cmdline"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"quiet\nsplash\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "-:2: error[cmdline-second-line]: a second line: a boot loader takes one line only\n"
    );
}
