//! `ironstrap arm` and `ironstrap disarm`: permits to wipe, host by host.

use anyhow::{Context, Result, bail, ensure};

use super::context::SiteContext;
use super::media::{Carried, Medium};
use super::paths::SitePaths;
use super::{keys, media, output, permits, random, revocations};
use crate::host::LockedHost;
use crate::order::{MintRequest, Past, Summary, mint, question};
use crate::serve::history::History;
use crate::serve::journal;
use crate::spec::order::Permit;
use crate::spec::revocation::{Reason, Revocations, Revoked};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::prompt;
use crate::value::{HostName, Timestamp};

/// Permit the next bundle to wipe and install these hosts, once each.
///
/// A permit holds for the image that is locked, and for the machine, the disk and the `wipe` that the profile means now.
/// All of that is shown, with the disk that each host chose last. Where data that isn't ours may be lost, somebody must
/// agree. There is no way to arm all hosts without naming them.
#[derive(Debug, clap::Args)]
pub struct ArmArgs {
    /// The hosts, by name.
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<HostName>,
    /// Agree beforehand that data which isn't ours is lost.
    #[arg(long)]
    yes: bool,
}

/// Take permits back: these hosts aren't to be installed, whatever they boot from.
///
/// Their orders are revoked: a running `serve` of this site refuses them at once, and the next bundle tells copies of the tree. A
/// stick that reaches no server can still install until its order expires; it is named.
#[derive(Debug, clap::Args)]
pub struct DisarmArgs {
    /// The hosts, by name.
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<HostName>,
}

/// Arms hosts: all that were named, or none.
///
/// # Errors
/// A site without its key, an unknown host, one whose image isn't locked, or one that another installer installs; nobody agreed to what may be lost.
pub fn arm(args: &ArmArgs, json: bool, paths: &SitePaths) -> Result<()> {
    let key = keys::secret(paths)?;
    let context = SiteContext::load(paths)?;
    let hosts: Vec<_> =
        unique(&args.hosts).into_iter().map(|name| armable(&context, name)).collect::<Result<_>>()?;
    agree(&hosts, args.yes, paths)?;
    let mut minted = Vec::new();
    for LockedHost { host, image } in &hosts {
        let previous = permits::last_generation(paths, &host.name)?;
        let request = MintRequest {
            host: &host.name,
            image,
            target: &host.target,
            matching: &host.matching,
            wipe: host.wipe,
            now: SystemClock.now(),
            validity: context.site.order_validity,
        };
        minted.push(mint(&request, random::bytes()?, previous));
    }
    let mut replaced = Vec::new();
    for permit in &minted {
        replaced.push(permits::replace(paths, permit, &key)?);
    }
    let (media, revoked) = (media::read(paths)?, revocations::read(paths)?);
    let mut text = String::new();
    for (permit, replaced) in minted.iter().zip(replaced) {
        text.push_str(&line(permit));
        if let Some(old) = replaced {
            text.push_str(&replaces(&old, permit.not_before));
            text.push_str(&out_of_reach(&media, &revoked, &permit.host, permit.not_before));
        }
    }
    if json {
        text = serde_json::to_string_pretty(&minted).context("writing the permits")? + "\n";
    }
    Ok(output::print(&text)?)
}

/// A host that a permit means something for.
fn armable(context: &SiteContext, name: &HostName) -> Result<LockedHost> {
    let host = context.host(name)?;
    if host.agent_start().is_none() {
        bail!(
            "{name}: its installer needs and honours no permit; only ironstrap's agent does (`installer: native`, or \
             `debian-installer` with an `image`)"
        );
    }
    context.locked(host)
}

/// Shows what is going to be armed, and asks where data that isn't ours may be lost.
fn agree(hosts: &[LockedHost], agreed: bool, paths: &SitePaths) -> Result<()> {
    let mut history = History::of(hosts.iter().map(|locked| &locked.host.name));
    journal::each(&paths.events(), |received| history.add(received))?;
    let unheard = Past::default();
    let summaries: Vec<_> = hosts
        .iter()
        .map(|LockedHost { host, image }| Summary {
            host: &host.name,
            target: &host.target,
            wipe: host.wipe,
            image,
            past: history.past(&host.name).unwrap_or(&unheard),
        })
        .collect();
    output::note(&summaries.iter().map(ToString::to_string).collect::<String>());
    let Some(question) = question(&summaries).filter(|_| !agreed) else { return Ok(()) };
    if !prompt::is_reader() {
        bail!("{question} there is no terminal to ask at; `--yes` agrees; nothing was armed");
    }
    ensure!(prompt::consents(&question)?, "nothing was armed: the answer wasn't `yes`");
    Ok(())
}

/// Disarms hosts. One that wasn't armed is no error; nor is one that the site doesn't know any more.
///
/// # Errors
/// When a permit can't be moved.
pub fn disarm(args: &DisarmArgs, paths: &SitePaths) -> Result<()> {
    let now = SystemClock.now();
    let media = media::read(paths)?;
    let mut taken = Vec::new();
    for host in unique(&args.hosts) {
        // on media there may be orders that the permit doesn't show any more
        let orders: Vec<_> = carried(&media, host, now)
            .map(|(_, carried)| Revoked {
                order: carried.order.clone(),
                host: host.clone(),
                time: now,
                until: carried.until,
                reason: Reason::Disarmed,
            })
            .collect();
        let is_carried = !orders.is_empty();
        let disarmed = permits::revoke(paths, host, now)?;
        revocations::add(paths, orders)?;
        taken.push((host, disarmed, is_carried));
    }
    let revoked = revocations::read(paths)?;
    let mut text = String::new();
    for (host, disarmed, is_carried) in taken {
        text.push_str(&match disarmed {
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

/// Media that carry an order of this host which would still hold.
fn carried<'a>(
    media: &'a [Medium],
    host: &'a HostName,
    now: Timestamp,
) -> impl Iterator<Item = (&'a Medium, &'a Carried)> {
    let carrying = media.iter().filter_map(|medium| Some((medium, medium.carries(host)?)));
    carrying.filter(move |(_, carried)| carried.until >= now)
}

/// A line for each medium whose order for this host is revoked, and which may not hear of it.
fn out_of_reach(media: &[Medium], revoked: &Revocations, host: &HostName, now: Timestamp) -> String {
    let lines = carried(media, host, now).filter(|(_, carried)| revoked.find(&carried.order).is_some());
    lines.map(|(medium, carried)| format!("  {}\n", medium.out_of_reach(carried))).collect()
}

fn replaces(old: &permits::Stub, now: Timestamp) -> String {
    let permits::Stub { id, generation, not_after, .. } = old;
    let was = if *not_after < now { "had expired at" } else { "is revoked; it was valid until" };
    format!("  replaces order {id}, generation {generation}, which {was} {not_after}\n")
}

fn line(permit: &Permit) -> String {
    format!(
        "{} armed: order {}, generation {}, image {}, valid {} to {}\n",
        permit.host, permit.id, permit.generation, permit.image, permit.not_before, permit.not_after
    )
}

fn unique(hosts: &[HostName]) -> Vec<&HostName> {
    let mut unique: Vec<_> = hosts.iter().collect();
    unique.sort();
    unique.dedup();
    unique
}
