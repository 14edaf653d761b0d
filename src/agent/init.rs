//! PID 1. If it ends, the kernel panics; so it mounts, starts, reaps, restarts, and nothing else.
//!
//! It never restarts the machine because something failed: a machine that fails again and again would do so for ever,
//! unseen. It restarts when the worker says that it is done, or when somebody presses Enter.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use super::console::Consoles;
use super::{OBITUARY, WAITER, WORKER};
use crate::sys::linux::machine::{self, ChildEnd};
use crate::sys::linux::mount;

/// The worker is done: restart at once.
pub(super) const DONE: u8 = 0;
/// The worker refused or failed and said so: restart when somebody asks.
pub(super) const SAID_WHY: u8 = 10;

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
    match end {
        Some(ChildEnd::Exited(code)) if code == i32::from(DONE) => {}
        Some(ChildEnd::Exited(code)) if code == i32::from(SAID_WHY) => ask_for_restart(),
        crash => {
            tell(crash, &|line| Consoles::open().line(line), &mut |child| {
                run_child(child);
            });
            ask_for_restart();
        }
    }
    let _ = machine::restart();
    rest_for_ever()
}

/// Kernel messages below "error" would cut our lines in two.
fn quieten_kernel() {
    let _ = std::fs::write("/proc/sys/kernel/printk", "4");
}

/// Tells of a crash: the consoles first, which need nothing; then, in a child, everybody else who heard the worker.
fn tell(crash: Option<ChildEnd>, say: &dyn Fn(&str), run: &mut dyn FnMut(&[&str])) {
    let how = match crash {
        Some(ChildEnd::Exited(code)) => format!("the agent's worker ended with status {code}"),
        Some(ChildEnd::Killed(signal)) => format!("signal {signal} ended the agent's worker"),
        None => "the agent's worker couldn't be started".to_owned(),
    };
    let code = crate::spec::Code::Internal;
    say(&format!("failed {code}: {how}; {}", code.advice()));
    run(&[OBITUARY, &how]);
}

/// Waits, in a child, for Enter on any console. A child that fails is not a reason to restart.
fn ask_for_restart() {
    while run_child(&[WAITER]) != Some(ChildEnd::Exited(0)) {
        std::thread::sleep(Duration::from_secs(5));
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
        });
        assert!(said.borrow().starts_with("failed IS-900: signal 6 ended"), "{said:?}");
        assert_eq!(run, ["agent-obituary signal 6 ended the agent's worker"]);
    }
}
