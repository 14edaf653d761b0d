//! `ironstrap simulate`: what the agent would do for a host on a machine whose facts were recorded.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::output;
use crate::bundle::images::Images;
use crate::failure::{Blame, BlameExt};
use crate::image::store::Store;
use crate::order::BuildError;
use crate::plan;
use crate::simulate::{DiskFate, Fate, Question, Rehearsal, rehearse};
use crate::site::context::SiteContext;
use crate::site::facts::{self, Recorded};
use crate::site::paths::SitePaths;
use crate::site::{keys, permits};
use crate::spec::facts::Machine;
use crate::sys::clock::{Clock as _, SystemClock};
use crate::value::HostName;

/// Say what the agent would do for a host on its machine: which disk is wiped, which ones are kept, and what decides that; or
/// why it would refuse.
///
/// The machine is a file of facts, as `ironstrap facts` records one. Nothing is armed and no disk is touched. Exits with 1 where the
/// agent would refuse.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The host.
    host: HostName,
    /// The facts of its machine; else those in the site's `facts/` that the host's `match` recognises.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
}

/// Rehearses and tells.
///
/// # Errors
/// The refusal; a host that the agent doesn't install or whose image isn't pinned and in the store; no facts of its machine.
pub fn run(args: &Args, in_json: bool, paths: &SitePaths) -> Result<()> {
    let Args { host: name, facts } = args;
    let context = SiteContext::load(paths)?;
    let host = context.host(name)?;
    if host.agent_start().is_none() {
        bail!(
            "{name}: its installer is not ironstrap's agent, so there is nothing to rehearse; `render` shows its answer file"
        );
    }
    let locked = context.locked(host)?;
    let Recorded { path, facts } = match facts {
        Some(path) => facts::read(path)?,
        None => facts::of_machine(paths, &host.matching).with_context(|| name.to_string())?,
    };
    let trusted = keys::trusted(paths)?;
    let permit = permits::proven(paths, name, &trusted)?;
    let mut images = Images::of(Store::open(&paths.store())?, trusted);
    let image = images.open(&locked.image)?;
    let rehearsal = rehearse(&Question {
        host: &locked,
        site: &context.site,
        manifest: &image.manifest,
        loaders: image.loaders()?,
        permit: permit.as_ref(),
        generation: permits::last_generation(paths, name)?,
        facts: &facts,
        now: SystemClock.now(),
    })
    .context("making the order")
    .blame(Blame::Bug)?;
    let shown = path.display().to_string();
    output::print(&match in_json {
        true => as_json(name, &shown, &rehearsal)?,
        false => as_text(name, &shown, &facts.machine, &rehearsal),
    })?;
    match &rehearsal.outcome {
        Ok(_) => Ok(()),
        Err(refusal) => bail!("{name}: on this machine the agent would refuse ({})", refusal.code),
    }
}

fn as_json(name: &HostName, file: &str, rehearsal: &Rehearsal) -> Result<String> {
    let Rehearsal { order, generation, armed, outcome, doubt, disks } = rehearsal;
    let disks = disks.iter().map(|DiskFate { disk, fate, because }| {
        json!({ "name": disk.name, "serial": disk.serial, "wwn": disk.wwn, "size": disk.size, "fate": fate, "because": because })
    });
    let refused = armed.as_ref().err().and_then(Option::as_ref).map(BuildError::reason);
    output::json(&json!({
        "version": 1, "host": name, "facts": file,
        "order": { "id": order, "generation": generation, "armed": armed.is_ok(), "permit_refused": refused },
        "plan": outcome.as_ref().ok(),
        "refusal": outcome.as_ref().err(),
        "doubt": doubt,
        "disks": disks.collect::<Vec<_>>(),
    }))
}

fn as_text(name: &HostName, file: &str, machine: &Machine, rehearsal: &Rehearsal) -> String {
    let Rehearsal { order, generation, armed, outcome, doubt, disks } = rehearsal;
    let mut text = format!("{name} on {file}: {}\n", machine.in_words());
    _ = match armed {
        Ok(()) => writeln!(text, "order {order}, generation {generation}, as it is armed"),
        Err(None) => {
            writeln!(text, "not armed; rehearsed as generation {generation}, which `arm` would give it")
        }
        Err(Some(error)) => writeln!(text, "{}; rehearsed as generation {generation}", error.reason()),
    };
    _ = match outcome {
        Ok(plan) => writeln!(text, "would install, on {}:", plan.disk.name),
        Err(refusal) => writeln!(text, "would refuse:\n  {}", refusal.to_string().replace('\n', "\n  ")),
    };
    if let Some(doubt) = doubt {
        _ = writeln!(text, "note: {doubt}");
    }
    for DiskFate { disk, fate, because } in disks {
        let word = match fate {
            Fate::Kept => "kept",
            Fate::Wiped => "WIPED",
            Fate::Tables => "tables",
        };
        _ = writeln!(text, "  {word:6} {}\n         {because}", plan::describe(disk));
    }
    text
}
