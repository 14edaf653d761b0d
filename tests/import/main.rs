//! `ironstrap import` over whole files: golden cases, files that others wrote, and whatever anybody could hand over.
//!
//! A case is a folder: `input.*`, `args` for the command line, and `expected/` with the report and the site's new files.
//! `IRONSTRAP_BLESS=1` writes what comes out; look at the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it skips")]

mod corpora;
mod disks;
#[path = "../support/expect.rs"]
mod expect;
mod golden;
mod judge;
mod keys;
mod layout;
mod meaning;
mod open;
mod words;

use std::path::Path;

use ironstrap::answers::Format;
use ironstrap::host::Os;
use ironstrap::import::{Imported, NamedMachine, Report, Request, Verdict, import};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A machine that no file is about.
fn machine() -> NamedMachine {
    NamedMachine {
        macs: vec!["52:54:00:00:00:01".parse().unwrap()],
        target: Some("DISK1".to_owned()),
        ..NamedMachine::default()
    }
}

fn imported(file: &str, text: &str, os: Os) -> Imported {
    import(&Request { file, text, os, name: None, machine: machine() })
}

fn newest(format: Format) -> Os {
    match format {
        Format::Kickstart => Os::El10,
        Format::Preseed => Os::Debian12,
        Format::Autoinstall => Os::Ubuntu2404,
    }
}

/// Every line that says something is in exactly one entry, and no entry has lines that aren't there.
fn accounts_for_each_line(text: &str, report: &Report) -> Result<(), String> {
    let lines: Vec<_> = text.split('\n').collect();
    let mut seen = vec![0; lines.len()];
    for entry in &report.entries {
        if entry.first == 0 || entry.last < entry.first || entry.last > lines.len() {
            return Err(format!("lines {} to {} of {}", entry.first, entry.last, lines.len()));
        }
        seen[entry.first - 1..entry.last].iter_mut().for_each(|count| *count += 1);
    }
    for (number, (line, count)) in (1..).zip(lines.iter().zip(&seen)) {
        let said = !line.trim().is_empty();
        if said && *count == 0 {
            return Err(format!("line {number} is lost: {line:?}"));
        }
        // characters that only Python takes for line ends make two commands of one line
        let one = !line.contains([
            '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}',
        ]);
        if one && *count > 1 {
            return Err(format!("line {number} is told {count} times: {line:?}"));
        }
    }
    Ok(())
}

fn counts(report: &Report) -> Vec<(Verdict, usize)> {
    Verdict::ALL.map(|verdict| (verdict, report.lines(verdict))).to_vec()
}
