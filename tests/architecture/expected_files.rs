//! Expected files and skips are one piece of code, `tests/support/expect.rs`: what it promises, and that nobody goes around it.

use std::fs;
use std::path::{Path, PathBuf};

use super::expect::Expected;

/// Every Rust file below a folder.
fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nobody_else_blesses_skips_or_asks_whether_it_is_strict() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ["src", "tests"].iter().for_each(|dir| rust_files(&root.join(dir), &mut files));
    let own = ["tests/support/expect.rs", "tests/architecture/expected_files.rs"];
    for path in files.iter().filter(|path| !own.iter().any(|own| path.ends_with(own))) {
        let text = fs::read_to_string(path).unwrap();
        for word in ["\"IRONSTRAP_BLESS\"", "\"IRONSTRAP_STRICT\"", "\"UPDATE\"", "\"SKIPPED"] {
            assert!(
                !text.contains(word),
                "{} has its own {word}: see tests/support/expect.rs",
                path.display()
            );
        }
    }
    assert!(files.len() > 400, "only {} files", files.len());
}

fn compared(bless: bool, dir: &Path, made: &[(&str, &str)]) -> Option<String> {
    let mut expected = Expected::blessing(bless);
    made.iter().for_each(|(name, text)| expected.file(&dir.join(name), text));
    expected.nothing_else_in(dir, &|name| name == "input");
    assert_eq!(expected.count(), made.len());
    expected.complaints()
}

#[test]
fn what_differs_is_shown_by_its_lines_and_what_is_stale_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("deep")).unwrap();
    let long = (1..=20).map(|number| format!("line {number}\n")).collect::<String>();
    fs::write(dir.join("a"), &long).unwrap();
    fs::write(dir.join("deep/b"), "b\n").unwrap();
    fs::write(dir.join("input"), "what a case is made from\n").unwrap();
    assert_eq!(compared(false, dir, &[("a", &long), ("deep/b", "b\n"), ("empty", "")]), None);

    let said = compared(false, dir, &[("a", &long.replace("line 9\n", "line nine\n"))]).unwrap();
    assert!(said.contains("\n-line 9\n+line nine\n") && !said.contains("line 1\n"), "{said}");
    assert!(
        said.contains("deep is stale") && said.ends_with("IRONSTRAP_BLESS=1 writes what is made now"),
        "{said}"
    );
    // a file that isn't there, and one that should be empty
    let said = compared(false, dir, &[("a", ""), ("new", "text\n"), ("deep/b", "b\n")]).unwrap();
    assert!(said.contains("-line 20\n") && said.contains("\n+text\n") && !said.contains("stale"), "{said}");
}

#[test]
fn blessing_writes_what_is_made_and_removes_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, text) in [("a", "old"), ("stale", "x"), ("input", "kept")] {
        fs::write(dir.join(name), text).unwrap();
    }
    fs::create_dir(dir.join("gone")).unwrap();
    let made = [("a", "new\n"), ("deep/b", "b\n"), ("empty", "")];
    assert_eq!(compared(true, dir, &made), None);
    assert_eq!(compared(false, dir, &made), None);
    let mut left: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a", "deep", "input"]);
    assert_eq!(fs::read_to_string(dir.join("a")).unwrap(), "new\n");
}
