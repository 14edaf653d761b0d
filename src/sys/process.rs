//! Programs that somebody else wrote. No shell: a program and its arguments.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use rustix::process::{PidfdFlags, Signal, pidfd_send_signal};

use super::interrupt;

/// How often a running program's owner looks whether it was interrupted.
const POLL: Duration = Duration::from_millis(100);

use crate::failure::{Blame, BlameExt};

/// Runs programs.
pub trait Runner {
    /// Runs a program to its end and returns what it printed and its exit status.
    ///
    /// # Errors
    /// When it can't be started.
    fn run(&self, program: &str, args: &[OsString]) -> io::Result<Output>;
}

/// Starts real processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostRunner;

impl Runner for HostRunner {
    fn run(&self, program: &str, args: &[OsString]) -> io::Result<Output> {
        Command::new(program).args(args).stdin(Stdio::null()).output()
    }
}

/// Starts real processes and, when this one is asked to end (see [`interrupt`]), asks them to end and waits until they did.
#[derive(Debug, Clone, Copy, Default)]
pub struct InterruptibleRunner;

impl Runner for InterruptibleRunner {
    fn run(&self, program: &str, args: &[OsString]) -> io::Result<Output> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn()?;
        // a descriptor, which can't mean another process later
        let process =
            rustix::process::pidfd_open(rustix::process::Pid::from_child(&child), PidfdFlags::empty());
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Acquire) {
                    if interrupt::check().is_err() {
                        // it may have got the terminal's signal too, or have ended: both are fine
                        let _ = process.map(|process| pidfd_send_signal(process, Signal::TERM));
                        return;
                    }
                    std::thread::sleep(POLL);
                }
            });
            let output = child.wait_with_output();
            ended.store(true, Ordering::Release);
            output
        })
    }
}

/// Runs a program that must succeed; a missing one is reported with the Debian package that has it.
///
/// # Errors
/// Not installed, not startable, or a failing exit status, with the end of what it printed.
pub fn run_tool(runner: &dyn Runner, program: &str, package: &str, args: &[OsString]) -> Result<Output> {
    run_to_success(runner, program, package, args).blame(Blame::Environment)
}

fn run_to_success(runner: &dyn Runner, program: &str, package: &str, args: &[OsString]) -> Result<Output> {
    let output = match runner.run(program, args) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("`{program}` is not installed; it is in Debian's package `{package}`")
        }
        other => other.with_context(|| format!("starting {program}"))?,
    };
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = printed.lines().rev().take(12).collect();
        let tail: Vec<_> = lines.into_iter().rev().collect();
        bail!("{program} failed ({}):\n{}", output.status, tail.join("\n"));
    }
    Ok(output)
}

/// Whether a program is on the `PATH`.
pub fn is_installed(program: &str, path: &OsStr) -> bool {
    std::env::split_paths(path).any(|dir| Path::new(&dir).join(program).is_file())
}
