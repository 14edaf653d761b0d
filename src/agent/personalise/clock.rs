//! A time that the new system's clock is not before: its battery may be dead, and the agent knows better.
//!
//! systemd(1), "System clock epoch": at its start, systemd sets a clock forward that is before the time at which
//! `/usr/lib/clock-epoch` was changed (since 247), and systemd-timesyncd(8) one that is before that of its `clock`. chronyd and
//! ntpd have nothing like it in their units; the hand-off sets the clock where systemd is older.

use anyhow::Result;

use crate::sys::rooted::{Attributes, EntryKind, RootedDir};
use crate::value::Timestamp;

const EPOCH: &str = "/usr/lib/clock-epoch";
const SYNCED: &str = "/var/lib/systemd/timesync";
const SYNC_USER: &str = "systemd-timesync";

pub(super) fn apply(root: &RootedDir, time: Timestamp) -> Result<()> {
    root.make_dirs("/usr/lib", Attributes::root(0o755))?;
    leave(root, EPOCH, Attributes::root(0o644), time)?;
    // without that user, the image's systemd-timesyncd isn't there, or makes one at each start
    let Some((uid, gid)) = ids(&root.read_text("/etc/passwd")?.unwrap_or_default()) else { return Ok(()) };
    if root.kind(SYNCED)? == Some(EntryKind::Link) {
        return Ok(());
    }
    root.make_dirs("/var/lib/systemd", Attributes::root(0o755))?;
    root.make_dirs(SYNCED, Attributes { mode: 0o755, uid, gid })?;
    leave(root, &format!("{SYNCED}/clock"), Attributes { mode: 0o644, uid, gid }, time)
}

/// An empty file of this time; one that is newer stays.
fn leave(root: &RootedDir, path: &str, attributes: Attributes, time: Timestamp) -> Result<()> {
    if root.modified(path)?.is_some_and(|there| there >= time) {
        return Ok(());
    }
    root.write(path, attributes, b"")?;
    root.set_modified(path, time)
}

/// User and group that systemd-timesyncd runs as.
fn ids(passwd: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        (name == SYNC_USER).then_some((uid, gid))
    })
}
