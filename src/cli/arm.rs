//! `ironstrap arm`: permits to wipe, host by host.

use anyhow::{Result, bail, ensure};

use super::disarm::{out_of_reach, unique};
use super::output;
use crate::check;
use crate::host::LockedHost;
use crate::image::store::Store;
use crate::order::{Past, Summary, question};
use crate::serve::history::History;
use crate::serve::journal;
use crate::site::arming::{self, Armed};
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;
use crate::site::permits::Stub;
use crate::site::{keys, media, revocations};
use crate::spec::order::Permit;
use crate::sys::clock::SystemClock;
use crate::sys::prompt;
use crate::value::{HostName, Timestamp};

/// Permit the next bundle to wipe and install these hosts, once each.
///
/// A permit holds for the image that is locked, and for the machine, the disk and the `wipe` that the profile means now.
/// All of that is shown, with the disk that each host chose last. Where data that isn't ours may be lost, somebody must
/// agree. There is no way to arm all hosts without naming them.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The hosts, by name.
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<HostName>,
    /// Agree beforehand that data which isn't ours is lost.
    #[arg(long)]
    yes: bool,
}

/// Arms hosts: all that were named, or none.
///
/// # Errors
/// A site without its key, an unknown host, one whose image isn't locked or would not work, or one that another installer installs;
/// nobody agreed to what may be lost.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let Args { hosts: named, yes } = args;
    let key = keys::secret(paths)?;
    let context = SiteContext::load(paths)?;
    let hosts: Vec<_> =
        unique(named).into_iter().map(|name| armable(&context, name)).collect::<Result<_>>()?;
    output::note(&check::of_hosts(paths, &hosts)?.require()?);
    let store = Store::open(&paths.store())?;
    let is_there = |host: &&LockedHost| store.blob_path(&host.image.manifest).exists();
    let stored: Vec<_> = hosts.iter().filter(is_there).collect();
    agree(&hosts, *yes, paths)?;
    // whoever was asked may have thought for long; from here on nobody takes an image out
    let _reading = store.reading();
    if let Some(gone) = stored.into_iter().find(|host| !is_there(host)) {
        bail!(
            "{}: its image {} was taken out of the store meanwhile; nothing was armed",
            gone.host.name,
            gone.image.image
        );
    }
    let armed = arming::arm(&context, paths, &hosts, &key, &SystemClock)?;
    let (media, revoked) = (media::read(paths)?, revocations::read(paths)?);
    let mut text = String::new();
    for Armed { permit, replaced } in &armed {
        text.push_str(&line(permit));
        if let Some(old) = replaced {
            text.push_str(&replaces(old, permit.not_before));
            text.push_str(&out_of_reach(&media, &revoked, &permit.host, permit.not_before));
        }
    }
    if json {
        let permits: Vec<_> = armed.iter().map(|armed| &armed.permit).collect();
        text = output::json(&permits)?;
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

fn replaces(old: &Stub, now: Timestamp) -> String {
    let Stub { id, generation, not_after, .. } = old;
    let was = if *not_after < now { "had expired at" } else { "is revoked; it was valid until" };
    format!("  replaces order {id}, generation {generation}, which {was} {not_after}\n")
}

fn line(permit: &Permit) -> String {
    format!(
        "{} armed: order {}, generation {}, image {}, valid {} to {}\n",
        permit.host, permit.id, permit.generation, permit.image, permit.not_before, permit.not_after
    )
}
