//! PID 1. If it ends, the kernel panics; so it mounts, starts, reaps, restarts, and nothing else.
//!
//! It never restarts the machine because something failed: the worker decides what comes after its end, and waits for it. After
//! a crash of the worker another child does that (`crash_report`), again and again where it crashes, too: a machine that restarts
//! without having counted why would wipe a disk for ever.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use super::report::console::Consoles;
use super::{CRASH_REPORT, WAITER, WORKER};
use crate::sys::linux::machine::{self, ChildEnd};
use crate::sys::linux::mount;

/// The end was told, what comes next is decided and waited for: restart at once.
pub(super) const DONE: u8 = 0;
/// How long somebody may press Enter before a child that crashed is tried again.
pub(super) const UNTOLD: Duration = Duration::from_secs(600);

/// Time between two tries where every child crashes.
const BREATH: Duration = Duration::from_secs(5);

const MOUNTS: [(&str, &str, &str); 4] = [
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("devtmpfs", "/dev", "devtmpfs"),
    ("tmpfs", "/run", "tmpfs"),
];

/// A kernel starts its first process without `/proc`; everywhere else it is there.
pub(super) fn make_sure_of_proc() {
    if std::process::id() == 1 && !Path::new("/proc/self").exists() {
        let _ = mount::mount("proc", Path::new("/proc"), "proc", "");
    }
}

/// Runs as PID 1. Returns only if the machine can't be restarted.
pub(super) fn run() -> ExitCode {
    for (source, target, kind) in MOUNTS {
        // what is missing shows in the facts
        let _ = mount::mount(source, Path::new(target), kind, "");
    }
    take_over()
}

/// Runs where the kernel's file systems are mounted: as PID 1, or in debian-installer, which waits for this process for ever.
/// Returns only if the machine can't be restarted.
pub(super) fn take_over() -> ExitCode {
    quieten_kernel();
    let end = run_child(&[WORKER]);
    if !is_done(end) {
        tell(end, &|line| Consoles::open().line(line), &mut run_child);
    }
    let _ = machine::restart();
    rest_for_ever()
}

/// Kernel messages below "error" would cut our lines in two.
fn quieten_kernel() {
    let _ = std::fs::write("/proc/sys/kernel/printk", "4");
}

fn is_done(end: Option<ChildEnd>) -> bool {
    end == Some(ChildEnd::Exited(i32::from(DONE)))
}

/// Tells of a crash: the consoles first, which need nothing; then, in a child, everybody else who heard the worker. That child
/// decides what comes next. Returns when it is done, or when somebody presses Enter.
fn tell(crash: Option<ChildEnd>, say: &dyn Fn(&str), run: &mut dyn FnMut(&[&str]) -> Option<ChildEnd>) {
    let how = match crash {
        Some(ChildEnd::Exited(code)) => format!("the agent's worker ended with status {code}"),
        Some(ChildEnd::Killed(signal)) => format!("signal {signal} ended the agent's worker"),
        None => "the agent's worker couldn't be started".to_owned(),
    };
    let code = crate::spec::Code::Internal;
    say(&format!("failed {code}: {how}; {}", code.advice()));
    while !is_done(run(&[CRASH_REPORT, &how])) {
        match run(&[WAITER]) {
            Some(ChildEnd::Exited(0)) => return,
            Some(ChildEnd::Exited(1)) => {}
            // a waiter that crashes, too, must not make this spin
            _ => std::thread::sleep(BREATH),
        }
    }
}

/// Runs this program on a hidden route and waits for its end.
fn run_child(arguments: &[&str]) -> Option<ChildEnd> {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    // a panic's text goes to the kernel's console
    if let Ok(console) = std::fs::OpenOptions::new().write(true).open("/dev/console") {
        command.stderr(console);
    }
    let child = command.spawn().ok()?;
    while let Ok(Some((pid, end))) = machine::reap() {
        if pid.as_raw_nonzero().get().unsigned_abs() == child.id() {
            return Some(end);
        }
    }
    None
}

fn rest_for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_has_a_name_on_the_machine_and_off_it() {
        let (said, mut run) = (std::cell::RefCell::new(String::new()), Vec::new());
        tell(Some(ChildEnd::Killed(6)), &|line| said.borrow_mut().push_str(line), &mut |child| {
            run.push(child.join(" "));
            Some(ChildEnd::Exited(0))
        });
        assert!(said.borrow().starts_with("failed IS-900: signal 6 ended"), "{said:?}");
        assert_eq!(run, ["agent-crash-report signal 6 ended the agent's worker"]);
    }

    #[test]
    fn nothing_restarts_the_machine_before_a_crash_was_told_but_enter() {
        let run_with = |ends: &[Option<ChildEnd>]| {
            let (mut ends, mut run) = (ends.iter(), Vec::new());
            tell(None, &|_| (), &mut |child| {
                run.push(child[0].to_owned());
                *ends.next().unwrap()
            });
            run
        };
        let (done, crashed) = (Some(ChildEnd::Exited(0)), Some(ChildEnd::Killed(11)));
        assert_eq!(run_with(&[crashed, done]), [CRASH_REPORT, WAITER]);
        assert_eq!(
            run_with(&[crashed, Some(ChildEnd::Exited(1)), done]),
            [CRASH_REPORT, WAITER, CRASH_REPORT]
        );
    }
}
