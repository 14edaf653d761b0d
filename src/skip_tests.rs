//! Tests that lack a program which somebody else wrote.
//!
//! Such a test passes aloud where people build, and fails in `make test` (`IRONSTRAP_STRICT=1`), which has installed the
//! program: a judge that is never asked can't object.

/// Says that a judge is missing.
///
/// # Panics
/// With `IRONSTRAP_STRICT=1`.
pub(crate) fn missing(program: &str, package: &str) {
    let strict = std::env::var_os("IRONSTRAP_STRICT").is_some_and(|value| value == "1");
    assert!(!strict, "{program} (package {package}) is not installed, and IRONSTRAP_STRICT=1 asks for it");
    eprintln!("SKIPPED: {program} (package {package}) is not installed");
}
