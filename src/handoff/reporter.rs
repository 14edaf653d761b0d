//! The frame of every hand-off: a unit that runs the manager once and tells how it ended.
//!
//! The script is a constant; what differs between hosts stands in a file of quoted assignments and in two events that
//! are complete but for run, time and exit status. The unit holds constants only, so that nothing has to be escaped for
//! systemd. It runs after `multi-user.target`, as cloud-init's last stage does: a unit that the target waits for would
//! wait for cloud-init for ever. `time-sync.target` isn't waited for: without systemd-time-wait-sync it means nothing, and with it
//! the wait has no end; the script waits by itself. A failure is reported and never keeps the host from booting.

use anyhow::{Context, Result};

use crate::host::handoff::file;
use crate::host::handoff::shell::quote;
use crate::spec::FormatVersion;
use crate::spec::event::{Event, What};
use crate::spec::system::{Outcome, SystemFile, TOKEN};
use crate::value::{HostName, HttpUrl, OrderId, Timestamp};

/// The unit.
pub(super) const UNIT: &str = "ironstrap-handoff.service";
/// Where a manager's command stands.
pub(super) const COMMAND: &str = "/usr/lib/ironstrap/handoff-run";
/// Programs that can post an event, in the order in which the script tries them.
pub(super) const CLIENTS: [&str; 3] = ["curl", "wget", "python3"];
const DIRECTORY: &str = "/usr/lib/ironstrap";
/// Where the frame stands in a system whose `/usr` can't be written.
const BELOW_VAR: &str = "/var/lib/ironstrap/lib";
/// How long a manager's first run may take, in seconds. Less than `TimeoutStartSec` of the unit, so that it is the script
/// that ends it and can still report.
const LIMIT: u32 = 3600;

/// Files of the frame: unit, script, and this host's values.
pub(super) fn files(
    host: &HostName,
    order: Option<&OrderId>,
    by: &str,
    command: Option<&str>,
    events: Option<&HttpUrl>,
) -> Result<Vec<SystemFile>> {
    let url = events.map(ToString::to_string).unwrap_or_default();
    let values = format!(
        "by={}\ncommand={}\nlimit={LIMIT}\nurl={}\n",
        quote(by),
        quote(command.unwrap_or("true")),
        quote(&url)
    );
    let converged = event(host, order, Outcome::Converged, What::Converged { by: by.to_owned() })?;
    let message =
        format!("exit status @STATUS@ (124: over {LIMIT} s); see `journalctl -u {UNIT}` on the host");
    let failed = event(host, order, Outcome::Failed, What::HandoffFailed { by: by.to_owned(), message })?;
    Ok(vec![
        file(&format!("/etc/systemd/system/{UNIT}"), 0o644, include_str!("handoff.service")),
        file(&format!("{DIRECTORY}/handoff"), 0o755, include_str!("handoff.sh")),
        file(&format!("{DIRECTORY}/handoff.conf"), 0o644, values),
        converged,
        failed,
    ])
}

/// Moves the frame out of `/usr`, for systems that are made of a container image. The unit then starts a shell, since SELinux
/// lets systemd execute nothing that is labelled as state; what the shell runs is that of the site, and stays as it is.
pub(super) fn move_below_var(files: &mut [SystemFile]) {
    for file in files {
        let Some(name) = file.path.strip_prefix(DIRECTORY) else {
            if file.path.ends_with(UNIT) {
                let (from, to) = (format!("={DIRECTORY}/"), format!("=/bin/sh {BELOW_VAR}/"));
                file.content = file.content.replace(&from, &to);
            }
            continue;
        };
        if matches!(name, "/handoff" | "/handoff.conf") {
            file.content = file.content.replace(DIRECTORY, BELOW_VAR);
        }
        file.path = format!("{BELOW_VAR}{name}");
    }
}

/// The file of an event as JSON, with placeholders that the script fills with what can't break it: hexadecimal digits, a time, a
/// number. Under an order, the target's token proves it, which only root may read; without one, nothing could.
fn event(host: &HostName, order: Option<&OrderId>, outcome: Outcome, what: What) -> Result<SystemFile> {
    let event = Event {
        version: FormatVersion,
        run: "@RUN@".to_owned(),
        seq: 0,
        time: Timestamp::from_unix(0),
        host: Some(host.clone()),
        order: order.cloned(),
        what,
        token: None,
    };
    let mut json = serde_json::to_value(&event).context("rendering the hand-off's event")?;
    json["time"] = "@TIME@".into();
    let name = match outcome {
        Outcome::Converged => "converged",
        Outcome::Failed => "failed",
    };
    let path = format!("{DIRECTORY}/{name}.json");
    if order.is_none() {
        return Ok(file(&path, 0o644, format!("{json}\n")));
    }
    json["token"] = TOKEN.into();
    Ok(SystemFile { token: Some(outcome), ..file(&path, 0o600, format!("{json}\n")) })
}
