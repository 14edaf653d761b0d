//! Files that nobody wrote by hand: one sentence, within a second and 256 MiB; three seconds without optimisation, as tests are built.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the linter with 256 MiB of address space and three seconds of a processor; more of either kills it. Not the wall clock:
/// a busy machine is no failure. `prlimit` is of util-linux.
fn judged(file: &Path, kind: &str) -> Output {
    Command::new("prlimit")
        .args(["--as=268435456", "--cpu=3", env!("CARGO_BIN_EXE_ironstrap"), "lint", "--as", kind])
        .arg(file)
        .output()
        .unwrap()
}

const KINDS: [&str; 6] = ["kickstart", "preseed", "autoinstall", "grub", "cmdline", "recipe"];

fn refused(file: &Path, says: &str) {
    for kind in KINDS {
        let output = judged(file, kind);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{kind}: {told}");
        assert_eq!(told.lines().count(), 1, "{kind}: {told}");
        assert!(told.contains(says), "{kind}: {told}");
    }
}

#[test]
fn files_that_are_no_text_end_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    File::create(path("large")).unwrap().set_len(1 << 30).unwrap();
    refused(&path("large"), "more than 1048576 bytes");
    std::fs::write(path("binary"), b"\x7fELF\x02\x01\x00\x00").unwrap();
    refused(&path("binary"), "a binary file");
    std::fs::write(path("latin"), b"# caf\xc3\xa9\n# caf\xe9\n").unwrap();
    refused(&path("latin"), "not UTF-8 in line 2");
    refused(dir.path(), "not a regular file");
    refused(&path("missing"), "No such file");
}

#[test]
fn endless_nesting_and_repetition_end_in_time() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("brackets", "["),
        ("braces", "a: {"),
        ("blocks", "a {\n"),
        ("ifs", "if a; then\n"),
        ("words", "a "),
        ("lines", "a b c\n"),
        ("answers", "d-i netcfg/get_hostnamm string x\n"),
        ("continued", "a \\\n"),
        ("anchors", "- &a b\n"),
        ("list", "- a\n"),
        ("dots", ". "),
        ("quotes", "\""),
        ("dollars", "${a}"),
    ] {
        let path = dir.path().join(name);
        let mut file = File::create(&path).unwrap();
        file.write_all(text.repeat((1 << 20) / text.len()).as_bytes()).unwrap();
        for kind in KINDS.iter().filter(|kind| **kind != "kickstart") {
            let output = judged(&path, kind);
            let code = output.status.code();
            assert!(
                matches!(code, Some(0 | 1)),
                "{name} as {kind}: {code:?} {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}
