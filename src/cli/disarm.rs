//! `ironstrap disarm`: permits taken back, and what can't be reached any more.

use anyhow::Result;

use super::output;
use crate::site::arming::{self, Disarmed};
use crate::site::media::{self, Medium};
use crate::site::paths::SitePaths;
use crate::site::revocations;
use crate::spec::revocation::Revocations;
use crate::sys::clock::{Clock, SystemClock};
use crate::value::{HostName, Timestamp};

/// Take permits back: these hosts aren't to be installed, whatever they boot from.
///
/// Their orders are revoked: a running `serve` of this site refuses them at once, and the next bundle tells copies of the tree. A
/// stick that reaches no server can still install until its order expires; it is named.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The hosts, by name.
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<HostName>,
}

/// Disarms hosts. One that wasn't armed is no error; nor is one that the site doesn't know any more.
///
/// # Errors
/// When a permit can't be moved.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let Args { hosts } = args;
    let now = SystemClock.now();
    let media = media::read(paths)?;
    let disarm = |host| arming::disarm(paths, host, &media, now);
    let disarmed: Vec<_> = unique(hosts).into_iter().map(disarm).collect::<Result<_>>()?;
    let revoked = revocations::read(paths)?;
    let mut text = String::new();
    for Disarmed { host, permit, is_carried } in disarmed {
        text.push_str(&match permit {
            None if !is_carried => format!("{host} was not armed\n"),
            None => format!("{host} was not armed; the orders that media still carry are revoked\n"),
            Some(permit) if permit.not_after < now => {
                format!("{host} disarmed: its order {} had expired at {}\n", permit.id, permit.not_after)
            }
            Some(permit) => format!(
                "{host} disarmed: its order {}, valid until {}, is revoked\n",
                permit.id, permit.not_after
            ),
        });
        text.push_str(&out_of_reach(&media, &revoked, host, now));
    }
    Ok(output::print(&text)?)
}

/// A line for each medium whose order for this host is revoked, and which may not hear of it.
pub fn out_of_reach(media: &[Medium], revoked: &Revocations, host: &HostName, now: Timestamp) -> String {
    let lines =
        arming::carried(media, host, now).filter(|(_, carried)| revoked.find(&carried.order).is_some());
    lines.map(|(medium, carried)| format!("  {}\n", medium.out_of_reach(carried))).collect()
}

/// Each host once, by name.
pub fn unique(hosts: &[HostName]) -> Vec<&HostName> {
    let mut unique: Vec<_> = hosts.iter().collect();
    unique.sort();
    unique.dedup();
    unique
}
