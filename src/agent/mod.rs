//! The agent: this binary as `/init` on the target, or in the place of debian-installer's further questions.
//!
//! [`main`] is PID 1 (or a process that debian-installer waits for), which does next to nothing and so can't fail: it mounts
//! the kernel's file systems, starts `worker` as a child and reaps. The worker tells the story from modules and facts to the
//! commit; `worker.rs` reads aloud. What is decided ([`crate::plan`], from what [`crate::probe`] found) is pure; what is done goes
//! through `sys`.
//!
//! Nothing here sees a profile: the order says everything.
//!
//! # Rooms
//!
//! ```text
//! init             PID 1: starts the worker, reaps, restarts
//!  └─► worker      one run:
//!       │ devices      waits for them, loads their drivers
//!       │ probe        facts, disks and what is on them (crate::probe)
//!       │ orders       which order is for this machine, and whether it still stands
//!       │ net          a network, where something needs one
//!       │ payload      where the image's bytes come from: the medium, a server
//!       │ plan         what is to be done, or why nothing is (crate::plan)
//!       │ disk         claim → blocks → read back → commit
//!       │ personalise  the image becomes this host
//!       │ report       consoles, recorder and server hear of it
//!       ▼
//!      ends        what the machine does next; after a crash `crash_report` comes here, too
//! ```
//!
//! Between rooms, imports point one way; `tests/architecture.rs` holds the table:
//! `report ← payload ← disk ← {personalise, orders}`, and `ends` knows what it needs of `report`. Only `worker` and
//! `crash_report` know all of them. Nobody outside knows more than [`main`] and [`is_agent`], but benches and
//! tests, which run `write_trial` and `filesystem_trial`.

use std::ffi::OsStr;
use std::process::ExitCode;

mod backoff;
mod crash_report;
mod devices;
mod disk;
mod efi;
mod ends;
mod failure;
pub(crate) mod filesystem_trial;
#[cfg(test)]
pub(crate) mod fixture;
mod init;
mod net;
mod orders;
mod payload;
mod personalise;
mod report;
#[cfg(test)]
mod rotation_tests;
mod time;
mod worker;
pub(crate) mod write_trial;

use failure::Failure;

use crate::spec::boot::StartedFrom;
use crate::spec::installer::TAKE_OVER;

/// Hidden route of the worker, a child of PID 1 or of the process that another installer handed the machine to.
const WORKER: &str = "agent-worker";
/// Hidden route of the process that waits for a key before a restart.
const WAITER: &str = "agent-waiter";
/// Hidden route of the process that tells of a worker's crash and goes on from there; how it ended is its argument.
const CRASH_REPORT: &str = "agent-crash-report";

/// Whether this process is the agent and not the operator's command: the kernel of a target started it as `/init`, or
/// it is asked to be a child of that. PID 1 of a container is neither.
pub fn is_agent() -> bool {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let route = args.next().unwrap_or_default();
    [WORKER, WAITER, CRASH_REPORT, TAKE_OVER].iter().any(|known| route == *known)
        || (is_init(std::process::id(), &name) && started_from().is_some())
}

/// The agent's process: PID 1, one that debian-installer handed the machine to, or a child of either.
pub fn main() -> ExitCode {
    let route = std::env::args_os().nth(1).unwrap_or_default();
    // typed on an operator's machine, none of the routes may do anything
    if started_from().is_none() {
        return ExitCode::from(2);
    }
    if std::process::id() == 1 {
        return init::run();
    }
    if route == TAKE_OVER {
        return init::take_over();
    }
    if !is_child_of_agent() {
        return ExitCode::from(2);
    }
    if route == WORKER {
        worker::main()
    } else if route == CRASH_REPORT {
        crash_report::main(&std::env::args_os().nth(2).unwrap_or_default().to_string_lossy())
    } else if route == WAITER {
        match report::console::Consoles::open().wait_for_enter(init::UNTOLD) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    } else {
        ExitCode::from(2)
    }
}

/// Whether the process that started this one is this program, too.
fn is_child_of_agent() -> bool {
    let program = |process: &str| std::fs::read_link(format!("/proc/{process}/exe")).ok();
    let parent = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().to_string());
    program("self").is_some_and(|own| parent.and_then(|parent| program(&parent)) == Some(own))
}

/// Whether a kernel starts its first process so. The entry point of a container may be PID 1 too, and even be called so:
/// hence the look at the command line besides.
fn is_init(pid: u32, name: &OsStr) -> bool {
    pid == 1 && name.as_encoded_bytes().ends_with(b"/init")
}

/// How the kernel was booted for an install, if it was.
fn started_from() -> Option<StartedFrom> {
    init::make_sure_of_proc();
    StartedFrom::in_command_line(&std::fs::read_to_string("/proc/cmdline").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_kernel_starts_as_init_is_an_installer() {
        assert!(is_init(1, OsStr::new("/init")));
        assert!(!is_init(1, OsStr::new("ironstrap")), "a container's entry point");
        assert!(!is_init(7, OsStr::new("/init")));
    }

    #[test]
    fn this_test_is_not_an_installer() {
        assert!(!is_agent());
    }
}
