//! A case is a folder in `tests/kickstart/cases`: `input.ks`, and for each release that it is meant for a file
//! `<release>.findings` with all that is found. A new folder is a new test. `IRONSTRAP_BLESS=1` writes what is found now.

use std::fmt::Write as _;

use ironstrap::grammar::Severity;
use ironstrap::grammar::kickstart::{Release, lint};

#[test]
fn every_case_gives_its_findings() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for case in std::fs::read_dir(super::root().join("tests/kickstart/cases")).unwrap() {
        let case = case.unwrap().path();
        let text = std::fs::read_to_string(case.join("input.ks")).unwrap();
        let mut files: Vec<_> =
            std::fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "findings"));
        assert!(!files.is_empty(), "{}: no release", case.display());
        for path in files {
            let release: Release = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            let found = told(&text, release);
            if std::env::var_os("IRONSTRAP_BLESS").is_some() {
                std::fs::write(&path, &found).unwrap();
            }
            if std::fs::read_to_string(&path).unwrap() != found {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} cases");
    assert!(wrong.is_empty(), "other findings now (IRONSTRAP_BLESS=1 writes them):\n{}", wrong.join("\n"));
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
