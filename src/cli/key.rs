//! `ironstrap key`: the site's keys, shown and exchanged.

mod retire;
mod show;

use anyhow::{Result, ensure};

use super::output;
use crate::serve::key_use::{Stands, list};
use crate::site::paths::SitePaths;
use crate::site::rotation::{self, Rotation};
use crate::sys::clock::{Clock, SystemClock};
use crate::value::{KeyId, Timestamp};

/// The site's keys: one that signs, and former ones that are trusted until they are retired.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make the first key of a site that has none.
    New,
    /// Print the public key as minisign reads it; then all keys, with the media and hosts that stand on each.
    Show,
    /// Make another key, which signs from now on.
    ///
    /// The one before it becomes a former key: its media go on installing, `serve` goes on serving its trees, and disks that
    /// were claimed under it go on being the site's, until it is retired. Permits and images get the signature of the new one.
    Rotate {
        /// The secret half of the present key is lost for good.
        #[arg(long)]
        lost: bool,
    },
    /// End the trust in a former key.
    ///
    /// Its trees and images are refused from then on, and disks that were claimed under it count as somebody's data for media
    /// that are built afterwards.
    Retire {
        /// Its id, as `key show` prints it; not needed where there is one former key only.
        #[arg(value_name = "ID")]
        key: Option<KeyId>,
        /// Agree that what still stands on it stops working.
        #[arg(long)]
        yes: bool,
    },
}

impl Args {
    /// Whether it heeds `--json`.
    pub fn speaks_json(&self) -> bool {
        matches!(self.command, Command::Show)
    }
}

/// Runs a subcommand.
///
/// # Errors
/// What it says.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let now = SystemClock.now();
    let text = match &args.command {
        Command::New => new(paths, now)?,
        Command::Show => show::show(paths, json, now)?,
        Command::Rotate { lost } => rotate(paths, *lost, now)?,
        Command::Retire { key, yes } => retire::retire(paths, *key, *yes, now)?,
    };
    Ok(output::print(&text)?)
}

fn new(paths: &SitePaths, now: Timestamp) -> Result<String> {
    let root = paths.root().display();
    ensure!(
        paths.site_file().is_file(),
        "{root} is no site (it has no site.yaml); `ironstrap init` makes one with a key"
    );
    let ring = rotation::first(paths, now)?;
    Ok(format!(
        "{root} has the key {}; its secret half is {}: keep it, and keep it secret\n\
         next: put ironstrap.pub and ironstrap.keys under version control\n",
        ring.current().id(),
        paths.secret_key().display()
    ))
}

fn rotate(paths: &SitePaths, lost: bool, now: Timestamp) -> Result<String> {
    let Rotation { ring, resumed, permits, images, left } = rotation::rotate(paths, lost, now)?;
    let id = ring.current().id();
    let mut text = match resumed {
        true => format!("the rotation to {id} that was cut off is finished; no other key was made\n"),
        false => format!(
            "the site's key is {id} from now on; its secret half is {}\n",
            paths.secret_key().display()
        ),
    };
    if !permits.hosts.is_empty() {
        text.push_str(&format!("permits sealed anew: {}\n", list(&permits.hosts)));
    }
    if !images.is_empty() {
        text.push_str(&format!("images signed anew: {}\n", list(&images)));
    }
    for left in permits.left.iter().chain(&left) {
        text.push_str(&format!("left as it is: {left}\n"));
    }
    let stands = Stands::read(paths, ring.clone(), now)?;
    for record in ring.former() {
        let (id, on) = (record.key.id(), stands.on(&record.key));
        text.push_str(&format!("{id} is a former key, trusted until `ironstrap key retire {id}`\n"));
        text.push_str(&on.lines(false));
    }
    text.push_str(
        "next: put ironstrap.pub and ironstrap.keys under version control and wherever `serve` runs; `ironstrap bundle` makes media of \
         the new key; where a key may have been copied, arm hosts anew and retire it at once\n",
    );
    Ok(text)
}
