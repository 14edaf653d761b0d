//! The machine as a whole: modules, children, restart.

use std::io;

pub use rustix::process::Pid;
use rustix::process::{WaitOptions, WaitStatus};
use rustix::system::RebootCommand;

/// Release of the running kernel, as in `/lib/modules`.
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Loads a module from its uncompressed bytes. One that is loaded already is no error.
///
/// # Errors
/// The kernel's refusal: bad signature, missing symbols, no such device.
pub fn load_module(bytes: &[u8]) -> io::Result<()> {
    match rustix::system::init_module(bytes, c"") {
        Err(rustix::io::Errno::EXIST) => Ok(()),
        other => Ok(other?),
    }
}

/// Whether this process may do what only root may.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// It returned this status.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
}

/// Waits for any child, those that were inherited too; `None` when there is no child left.
///
/// # Errors
/// What the kernel says, apart from interruptions.
pub fn reap() -> io::Result<Option<(Pid, ChildEnd)>> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                if let Some(end) = child_end(status) {
                    return Ok(Some((pid, end)));
                }
            }
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(None),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn child_end(status: WaitStatus) -> Option<ChildEnd> {
    let exited = status.exit_status().map(ChildEnd::Exited);
    exited.or_else(|| status.terminating_signal().map(ChildEnd::Killed))
}

/// Restarts the machine after all caches are on disk. Returns only when the kernel refuses.
///
/// # Errors
/// Not privileged.
pub fn restart() -> io::Result<()> {
    rustix::fs::sync();
    Ok(rustix::system::reboot(RebootCommand::Restart)?)
}

/// Largest resident set that this process had, in KiB (`VmHWM` of `/proc/self/status`); 0 when it isn't known.
pub fn peak_rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peak_of_this_process_is_known() {
        assert!(super::peak_rss_kib() > 100);
    }
}
