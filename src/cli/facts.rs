//! `ironstrap facts`: this machine as the agent would see it.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::output;
use crate::probe::facts::{gather, modaliases};
use crate::probe::live::live_disks;
use crate::probe::{disks, mask};
use crate::site::keys;
use crate::site::paths::SitePaths;
use crate::spec::facts::{Disk, DiskContent, Facts};
use crate::sys::clock::{Clock as _, SystemClock};
use crate::sys::linux::machine;
use crate::sys::{files, random};
use crate::trust::{SiteKey, TrustedKeys};

/// Record this machine as the agent would see it, as JSON: who it is, its disks and what they hold, its devices.
///
/// Run it as root on the machine itself, and keep what it prints in the site as facts/NAME.json: `simulate` then says what the agent
/// would do there, and `check` holds hosts against it. Disks are read, never written. Claims of ironstrap on them count where the
/// site's public key is in the directory that -C names; without it they are data that isn't ours.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Into this file, not to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// With made-up MAC addresses, serial numbers, UUID, world-wide names and names of hosts.
    #[arg(long)]
    mask: bool,
}

/// Prints the facts.
///
/// # Errors
/// Without root, which disks ask for; a file that can't be written; nothing is written then.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let Args { out, mask } = args;
    ensure!(machine::is_root(), "reading the disks of this machine takes root: run it with sudo");
    let (keys, note) = claims_of(paths)?;
    output::note(note);
    let disks = live_disks(&keys, &disks::may_be_a_target);
    let mut facts = gather(Path::new("/"), SystemClock.now(), Vec::new(), disks);
    facts.machine.modaliases = modaliases(Path::new("/sys"));
    if *mask {
        facts = mask::mask(facts);
    }
    output::note(&unreadable(&facts));
    let text = output::json(&facts)?;
    match out {
        Some(path) => files::write_whole(path, 0o644, text.as_bytes()),
        None => Ok(output::print(&text)?),
    }
}

/// Disks of which a rehearsal will say nothing.
fn unreadable(facts: &Facts) -> String {
    let note = |disk: &Disk| match &disk.content {
        DiskContent::Unreadable { error } => Some(format!("note: {} can't be read: {error}\n", disk.name)),
        _ => None,
    };
    facts.disks.iter().filter_map(note).collect()
}

/// The keys that claims are judged by, and what to know of that.
fn claims_of(paths: &SitePaths) -> Result<(TrustedKeys, &'static str)> {
    if paths.public_key().exists() {
        return Ok((keys::trusted(paths)?, ""));
    }
    // a key that sealed nothing
    Ok((
        SiteKey::from_random(random::bytes()?).alone(),
        "note: no ironstrap.pub here: disks that ironstrap installed count as somebody else's (-C names the site's directory)\n",
    ))
}
