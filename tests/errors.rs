//! What users see when a site or a recipe is wrong: each folder of `tests/errors/` is a site (`site/`) and all that `ironstrap
//! check` prints about it (`stderr`), or a recipe (`recipe.yaml`) and what `ironstrap image build` says. A new folder is a new
//! test. `IRONSTRAP_BLESS=1` writes what is printed now; read it before you commit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/expect.rs"]
mod expect;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect::Expected;
use ironstrap::host::{self, Resolved, Resolver};
use ironstrap::profile::diag::Report;
use ironstrap::profile::load::{self, Batch};

fn cases() -> Vec<PathBuf> {
    folders_with("site")
}

/// The folders that hold this.
fn folders_with(name: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
    let mut cases: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.join(name).exists());
    cases.sort();
    cases
}

fn check(case: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ironstrap"))
        .arg("check")
        .current_dir(case.join("site"))
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{}: standard output isn't for mistakes", case.display());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Asks for an image of a recipe, which isn't made: its mistakes come first.
fn build(case: &Path) -> (Option<i32>, String) {
    let store = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ironstrap"))
        .args(["image", "build", "recipe.yaml", "--site"])
        .arg(store.path())
        .current_dir(case)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{}: standard output isn't for mistakes", case.display());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_wrong_site_is_told_what_is_wrong_with_it() {
    let cases = cases();
    assert!(cases.len() >= 15, "only {} cases", cases.len());
    compare(cases, check);
}

#[test]
fn every_wrong_recipe_is_told_what_is_wrong_with_it() {
    let cases = folders_with("recipe.yaml");
    assert!(cases.len() >= 3, "only {} cases", cases.len());
    for case in &cases {
        let (_, printed) = build(case);
        assert!(printed.contains("--> recipe.yaml:"), "no place is named:\n{printed}");
        assert!(!printed.contains("canary7"), "a secret is shown:\n{printed}");
    }
    compare(cases, build);
}

/// Holds what is printed of each case against its `stderr`.
fn compare(cases: Vec<PathBuf>, run: fn(&Path) -> (Option<i32>, String)) {
    let mut expected = Expected::new();
    for case in cases {
        let (code, printed) = run(&case);
        if code != Some(1) {
            expected.wrong(format!("{}: exit code {code:?}", case.display()));
        }
        expected.file(&case.join("stderr"), &printed);
        expected.nothing_else_in(&case, &|name| ["site", "recipe.yaml"].contains(&name));
    }
    expected.judge();
}

/// The same mistakes for programs: every one has a place, and there are as many as were printed.
#[test]
fn json_tells_the_same_mistakes() {
    for case in cases() {
        let output = Command::new(env!("CARGO_BIN_EXE_ironstrap"))
            .args(["check", "--json"])
            .current_dir(case.join("site"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", case.display());
        if output.stdout.is_empty() {
            continue; // there is no site at all
        }
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = answer["diagnostics"].as_array().unwrap();
        let mistakes: Vec<_> = found.iter().filter(|found| found["severity"] == "error").collect();
        let (_, printed) = check(&case);
        let lines: Vec<_> = printed.lines().collect();
        let is_caret =
            |pair: &[&str]| pair[0].starts_with("error") && pair[1].trim_start().starts_with("--> ");
        let carets = lines.windows(2).filter(|pair| is_caret(pair)).count();
        assert_eq!(mistakes.len(), carets, "{}", case.display());
        for mistake in mistakes {
            assert!(mistake["line"].as_u64().unwrap() >= 1 && mistake["column"].as_u64().unwrap() >= 1);
        }
    }
}

/// Large sites are read by and by; that must show in nothing but memory.
#[test]
fn hosts_read_one_by_one_are_told_the_same_as_all_at_once() {
    let mut compared = 0;
    for case in cases() {
        let site = case.join("site");
        let Ok(tree) = load::load(&site) else { continue };
        let whole = host::resolve(&tree);

        let (shared, mut files) = load::open(&site).unwrap();
        let mut resolver = Resolver::new(&shared);
        while !files.is_empty() {
            let Batch { hosts, texts } = files.read(&shared, 1);
            assert!(hosts.len() == 1);
            resolver.add(hosts, &texts, files.sources());
        }
        let (sources, found) = files.finish();
        let parts = resolver.finish(found);

        let shown = |sources, Resolved { site, hosts, diagnostics, .. }| {
            (site, hosts, Report::new(sources, diagnostics).render(false))
        };
        assert_eq!(shown(tree.sources, whole), shown(sources, parts), "{}", case.display());
        compared += 1;
    }
    assert!(compared >= 15, "only {compared} sites");
}
