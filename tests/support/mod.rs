//! What the tests that start virtual machines share with the demo: machines, sites, judges.
//!
//! Nothing here knows the inside of ironstrap: it runs the release binary, boots what that made, and reads serial lines,
//! disks and access logs. Every path is below `target/`, so that a run leaves nothing elsewhere.
#![allow(dead_code, reason = "each target that includes this uses another part of it")]

pub mod boots;
pub mod capture;
pub mod chance;
mod dice;
pub mod disk;
pub mod expect;
mod firmware;
pub mod git;
pub mod image_fixture;
pub mod judges;
pub mod mini;
pub mod monitor;
pub mod qemu;
pub mod running;
pub mod serial;
pub mod server;
pub mod site;
pub mod ssh;
pub mod web;
pub mod wire;
pub mod writes;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

/// The directory that holds everything these tests make; Cargo's, so that `cargo clean` removes it.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}

/// Whether whole machines shall be started. Where not, the test says so and passes: `cargo test` needs no emulator.
pub fn machines_wanted(test: &str) -> bool {
    let wanted = std::env::var_os("IRONSTRAP_VM").is_some_and(|value| value == "1");
    if !wanted {
        say(&format!("skipped: {test} starts virtual machines; `make test` (IRONSTRAP_VM=1) runs it"));
    }
    wanted
}

/// Whether what takes longer than a test should is wanted, too. Where not, the test says so and passes.
pub fn soak_wanted(what: &str) -> bool {
    let wanted = std::env::var_os("IRONSTRAP_SOAK").is_some_and(|value| value == "1");
    if !wanted {
        say(&format!("skipped: {what}; `make soak` (IRONSTRAP_SOAK=1) runs it"));
    }
    wanted
}

/// Runs a test that starts machines, in a directory of its own. What it made goes away when it has passed: the disks of
/// all of them together need more room than a machine that runs tests may have. `IRONSTRAP_KEEP=1` keeps everything.
///
/// # Errors
/// The test's own; then the directory stays, to be looked at.
pub fn with_machines(test: &str, story: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if !machines_wanted(test) {
        return Ok(());
    }
    let dir = scratch(test)?;
    story(&dir)?;
    if std::env::var_os("IRONSTRAP_KEEP").is_none() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
    }
    Ok(())
}

/// An empty directory for one test.
pub fn scratch(test: &str) -> Result<PathBuf> {
    let dir = target_dir().join("vm").join(test);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("emptying {}", dir.display()))?;
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    Ok(dir)
}

/// The ironstrap under test: `IRONSTRAP_BIN` (the release build in `make test`), else the one Cargo built for the tests.
pub fn binary() -> Result<PathBuf> {
    let path = match (std::env::var_os("IRONSTRAP_BIN"), option_env!("CARGO_BIN_EXE_ironstrap")) {
        (Some(path), _) => PathBuf::from(path),
        (None, Some(path)) => PathBuf::from(path),
        (None, None) => bail!("set IRONSTRAP_BIN to the ironstrap that shall be tested"),
    };
    path.canonicalize().with_context(|| format!("finding the ironstrap under test at {}", path.display()))
}

/// Runs ironstrap in a site and returns what it printed; anything but success is an error with all of its output.
pub fn ironstrap<A: AsRef<OsStr>>(site: &Path, args: &[A]) -> Result<String> {
    let mut command = Command::new(binary()?);
    command.arg("--site").arg(site).args(args);
    text(&mut command)
}

/// Runs a command to its end; anything but success is an error with all of its output.
pub fn text(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!(
            "{} ended with {}\n{}{}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command to its end, whatever that is.
pub fn output(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("starting {}", shown(command)))
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// A line on standard output; a closed pipe is no reason to stop.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
