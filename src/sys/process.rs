//! Programs that somebody else wrote. No shell: a program and its arguments.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::interrupt;

/// How often a running program's owner looks whether it was interrupted.
const POLL: Duration = Duration::from_millis(50);
/// How long a program may take to clean up after it was asked to end; then it is killed.
const PATIENCE: Duration = Duration::from_secs(30);

use crate::failure::{Blame, BlameExt};

/// Runs programs.
pub trait Runner {
    /// Runs a program to its end and returns what it printed and its exit status.
    ///
    /// # Errors
    /// When it can't be started.
    fn run(&self, program: &str, args: &[OsString]) -> io::Result<Output>;
}

/// Starts real processes and, when this one is asked to end (see [`interrupt`]), asks them and all that they started to
/// end, and waits until they did.
#[derive(Debug, Clone, Copy, Default)]
pub struct InterruptibleRunner;

impl Runner for InterruptibleRunner {
    fn run(&self, program: &str, args: &[OsString]) -> io::Result<Output> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // a group of its own: some tools don't heed the signal themselves and leave that to their children
        let mut child = command.process_group(0).spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            let stdout = scope.spawn(move || read_all(stdout));
            let stderr = scope.spawn(move || read_all(stderr));
            let group = Pid::from_child(&child);
            let waited = wait_for_end(group, || stdout.is_finished() && stderr.is_finished());
            let status = child.wait()?;
            waited?;
            let whole = |reader: std::thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>| {
                reader.join().unwrap_or_else(|_| Err(io::Error::other("reading what it printed failed")))
            };
            Ok(Output { status, stdout: whole(stdout)?, stderr: whole(stderr)? })
        })
    }
}

fn read_all(pipe: Option<impl io::Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Waits until the group's leader has ended and nobody holds its output. The leader isn't reaped here: while it is there,
/// its number can't mean another group.
fn wait_for_end(group: Pid, silent: impl Fn() -> bool) -> io::Result<()> {
    let ended = || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(group), options).map(|status| status.is_some())
    };
    let mut asked: Option<Instant> = None;
    while !(ended()? && silent()) {
        match asked {
            None if interrupt::check().is_err() => {
                // all of it may have ended: that is fine
                let _ = kill_process_group(group, Signal::TERM);
                asked = Some(Instant::now());
            }
            Some(since) if since.elapsed() >= PATIENCE => {
                let _ = kill_process_group(group, Signal::KILL);
            }
            _ => {}
        }
        std::thread::sleep(POLL);
    }
    Ok(())
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
