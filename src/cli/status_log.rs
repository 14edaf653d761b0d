//! `ironstrap status HOST --log`: what was heard of one host, event by event, as it came to the server.
//!
//! What is proven and what isn't stand side by side in the order of the server's clock, and what isn't says so: a machine that can't
//! prove what it says may be the one that is looked for.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use anyhow::{Result, ensure};
use serde::Serialize;
use serde_json::json;

use super::output;
use crate::serve::journal;
use crate::serve::state::{Received, Trust};
use crate::site::paths::SitePaths;
use crate::spec::event::{Event, plain};
use crate::value::{HostName, Timestamp};

/// Longest text of one event that is shown.
const LONGEST: usize = 2000;
/// Letters of a run's name that tell it from others in a log.
const RUN: usize = 8;

/// One event.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// When it came, by the server's clock.
    received: Timestamp,
    /// From where.
    client: IpAddr,
    /// What stands behind it.
    trust: Trust,
    /// What was said.
    event: Event,
}

/// All events of a host, and those of its runs from before they knew which host they are.
///
/// # Errors
/// Files of events that can't be read; nothing was heard of it.
pub(super) fn of(host: &HostName, paths: &SitePaths) -> Result<Vec<Entry>> {
    let (mut runs, mut entries) = (BTreeSet::new(), Vec::new());
    let mut add = |received: &Received| {
        let named = received.event.host.as_ref();
        if named == Some(host) {
            runs.insert(received.event.run.clone());
        }
        if named.is_none_or(|named| named == host) {
            let Received { time, client, trust, event } = received.clone();
            entries.push(Entry { received: time, client, trust, event });
        }
    };
    journal::each(&paths.events(), &mut add)?;
    journal::each_unproven(&paths.events(), &mut add)?;
    ensure!(!runs.is_empty(), "nothing was heard of {host} yet");
    entries.retain(|entry| runs.contains(&entry.event.run));
    // stable: in one second they stand as they came
    entries.sort_by_key(|entry| entry.received);
    Ok(entries)
}

/// What `--json` prints.
///
/// # Errors
/// A value that JSON can't say is a bug.
pub(super) fn as_json(host: &HostName, entries: &[Entry]) -> Result<String> {
    output::json(&json!({ "version": 1, "host": host, "events": entries }))
}

/// A line an event, a head line for each run.
pub(super) fn as_text(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut last = None;
    for Entry { received, client, trust, event } in entries {
        let doubt = if trust.is_proven() { "" } else { " (unproven)" };
        if last != Some(&event.run) {
            let order = event.order.as_ref().map(|order| format!(" of order {order}")).unwrap_or_default();
            _ = writeln!(text, "run {}{order}, from {client}{doubt}", plain(&event.run, RUN));
            last = Some(&event.run);
        }
        _ = writeln!(text, "  {received}  {}{doubt}", plain(&event.what.in_record(), LONGEST));
    }
    text
}
