//! What tests expect: texts that are kept in files, and programs that somebody else wrote.
//!
//! *Files.* A test makes a text, and a file in the repository holds what it should be. [`Expected`] compares any number of
//! them, says where they differ line by line, and finds files that no case makes any more: a stale one would be believed by
//! whoever reads it. `IRONSTRAP_BLESS=1` writes what is made now and removes what is stale; read the difference before you
//! commit it. No other variable does this, and no test compares with a file of its own accord.
//!
//! *Programs.* A judge that is never asked can't object. Where one is missing, a test passes aloud while people build
//! ([`missing`]), and fails with `IRONSTRAP_STRICT=1`: `make test` has installed all of them. What no script can bring,
//! such as material that isn't ours to publish, or root, is [`unavailable`], and never a failure.
//!
//! The library's own tests include this file too (`crate::expect`), so nothing here may use ironstrap.
#![allow(dead_code, reason = "each target that includes this uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says aloud what it skips"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Whether what is missing is a failure.
pub fn strict() -> bool {
    is_set("IRONSTRAP_STRICT")
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| value == "1")
}

/// Expected files, compared one by one and judged together.
#[derive(Debug, Default)]
#[must_use = "`judge` says what differs"]
pub struct Expected {
    seen: BTreeSet<PathBuf>,
    wrong: Vec<String>,
    bless: bool,
}

impl Expected {
    /// None yet; whether they are written, the environment says.
    pub fn new() -> Self {
        Self::blessing(is_set("IRONSTRAP_BLESS"))
    }

    /// None yet, to be written or to be compared.
    pub fn blessing(bless: bool) -> Self {
        Self { bless, ..Self::default() }
    }

    /// This file should hold this text. An empty text has no file.
    pub fn file(&mut self, path: &Path, made: &str) {
        self.seen.insert(path.to_owned());
        if self.bless {
            match made {
                "" => _ = fs::remove_file(path),
                made => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, made).unwrap();
                }
            }
        }
        let kept = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return self.wrong(format!("{}: {error}", path.display())),
        };
        if kept != made {
            self.wrong.push(difference(path, &kept, made));
        }
    }

    /// Something else that is wrong with a case.
    pub fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Below this folder is nothing but what was compared and what is known by its name: what cases are made from.
    pub fn nothing_else_in(&mut self, folder: &Path, known: &dyn Fn(&str) -> bool) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if known(path.file_name().unwrap().to_str().unwrap()) || self.seen.contains(&path) {
                continue;
            }
            if path.is_dir() && self.seen.iter().any(|seen| seen.starts_with(&path)) {
                self.nothing_else_in(&path, known);
            } else if self.bless {
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.unwrap();
            } else {
                self.wrong.push(format!("{} is stale: no case makes it any more", path.display()));
            }
        }
    }

    /// How many files were compared.
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// What differs or is stale.
    pub fn complaints(&self) -> Option<String> {
        let all = self.wrong.join("\n");
        (!all.is_empty()).then(|| format!("{all}\nIRONSTRAP_BLESS=1 writes what is made now"))
    }

    /// The verdict.
    ///
    /// # Panics
    /// With all that differs or is stale.
    pub fn judge(self) {
        if let Some(complaints) = self.complaints() {
            panic!("{complaints}");
        }
    }
}

/// What stands between two marks of a page (the page's end without the second) should be this text.
///
/// # Panics
/// When it isn't, or a mark is lost.
pub fn section(page: &Path, begin: &str, end: Option<&str>, made: &str) {
    let text = fs::read_to_string(page).unwrap();
    let lost = |mark: &str| format!("{} has lost its mark {mark:?}", page.display());
    let (before, rest) = text.split_once(begin).unwrap_or_else(|| panic!("{}", lost(begin)));
    let after = end.map_or("", |end| {
        let at = rest.find(end).unwrap_or_else(|| panic!("{}", lost(end)));
        &rest[at..]
    });
    let mut expected = Expected::new();
    expected.file(page, &format!("{before}{begin}{made}{after}"));
    expected.judge();
}

/// What was kept and what is made now, with three lines around each change.
fn difference(path: &Path, kept: &str, made: &str) -> String {
    let diff = similar::TextDiff::from_lines(kept, made);
    let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display();
    diff.unified_diff().header(&format!("{name} (kept)"), &format!("{name} (made now)")).to_string()
}

/// Says that something is missing which `tests/install-deps.sh` or another script of ours brings, and which.
///
/// # Panics
/// With `IRONSTRAP_STRICT=1`.
pub fn missing(what: &str, brought_by: &str) {
    assert!(!strict(), "{what} is missing ({brought_by}), and IRONSTRAP_STRICT=1 asks for it");
    unavailable(&format!("{what} is missing ({brought_by})"));
}

/// The same of a program that a package of Debian has.
///
/// # Panics
/// With `IRONSTRAP_STRICT=1`.
pub fn missing_program(program: &str, package: &str) {
    missing(program, &format!("tests/install-deps.sh installs {package}"));
}

/// Says that something can't be judged here, and why. No script of ours can bring it.
pub fn unavailable(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// A file or folder that developers share, because it isn't ours to publish: beside the checkout, or in `IRONSTRAP_SHARED`.
///
/// # Panics
/// When the environment names a place where it isn't.
pub fn shared(path: &str) -> Option<PathBuf> {
    let named = std::env::var_os("IRONSTRAP_SHARED").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let place = named.clone().unwrap_or_else(beside).join(path);
    if !place.exists() {
        assert!(named.is_none(), "{} isn't there, and IRONSTRAP_SHARED names its folder", place.display());
        unavailable(&format!("{} isn't there (IRONSTRAP_SHARED names its folder)", place.display()));
        return None;
    }
    Some(place)
}

/// Something that `brought_by` puts below the build's folder; an environment variable can name another place.
///
/// # Panics
/// When the environment names a place where it isn't; with `IRONSTRAP_STRICT=1`, when it isn't there at all.
pub fn built(variable: &str, path: &str, brought_by: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable).map(PathBuf::from) {
        assert!(named.exists(), "{variable} names {}, which isn't there", named.display());
        return Some(named);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let places = [Some(beside), target].into_iter().flatten().map(|dir| dir.join(path));
    let found = places.into_iter().find(|place| place.exists());
    if found.is_none() {
        missing(&format!("target/{path}"), &format!("{brought_by}; {variable} can name it"));
    }
    found
}

/// A Python with pykickstart, PyYAML and validators.
///
/// # Panics
/// As [`built`].
pub fn python() -> Option<PathBuf> {
    built("IRONSTRAP_PYTHON", "venv/bin/python", "tests/install-deps.sh")
}

/// partman-auto's udeb, unpacked.
///
/// # Panics
/// As [`built`].
pub fn partman_auto() -> Option<PathBuf> {
    let script = "tests/fetch-udeb.sh partman-auto target/udebs";
    built("IRONSTRAP_PARTMAN_AUTO", "udebs/partman-auto", script)
}
