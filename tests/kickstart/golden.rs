//! A case is a folder in `tests/kickstart/cases`: `input.ks`, and for each release that it is meant for a file
//! `<release>.findings` with all that is found. A new folder is a new test. `IRONSTRAP_BLESS=1` writes what is found now.

use std::fmt::Write as _;

use ironstrap::grammar::Severity;
use ironstrap::grammar::kickstart::{Release, lint};

use super::expect::Expected;

#[test]
fn every_case_gives_its_findings() {
    let mut expected = Expected::new();
    for case in std::fs::read_dir(super::root().join("tests/kickstart/cases")).unwrap() {
        let case = case.unwrap().path();
        let text = std::fs::read_to_string(case.join("input.ks")).unwrap();
        let mut files: Vec<_> =
            std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "findings"));
        assert!(!files.is_empty(), "{}: no release", case.display());
        for path in files {
            let release: Release = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            expected.file(&path, &told(&text, release));
        }
        expected.nothing_else_in(&case, &|name| name == "input.ks");
    }
    assert!(expected.count() >= 10, "only {} cases", expected.count());
    expected.judge();
}

fn told(text: &str, release: Release) -> String {
    let mut told = String::new();
    for finding in lint(text, release) {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(told, "{severity}: {finding}").unwrap();
    }
    told
}
