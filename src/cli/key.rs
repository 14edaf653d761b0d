//! `ironstrap key`: the site's keys, shown and exchanged.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::paths::SitePaths;
use super::rotation::{self, Rotation};
use super::stands::{OnKey, Stands, list};
use super::{keys, output};
use crate::failure::{Blame, BlameExt};
use crate::sys::clock::{Clock, SystemClock};
use crate::trust::{KeyRing, Record};
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
        Command::Show => show(paths, json, now)?,
        Command::Rotate { lost } => rotate(paths, *lost, now)?,
        Command::Retire { key, yes } => retire(paths, *key, *yes, now)?,
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

/// What `--json` says of a key.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: KeyId,
    state: &'static str,
    #[serde(flatten)]
    record: &'a Record,
    secret: bool,
    #[serde(flatten)]
    on: OnKey,
}

fn show(paths: &SitePaths, json: bool, now: Timestamp) -> Result<String> {
    let ring = keys::ring(paths)?;
    let stands = Stands::read(paths, ring.clone(), now)?;
    let unfinished = paths.next_secret_key().exists() && keys::unfinished(paths, &ring)?.is_some();
    let mut records: Vec<_> = ring.records().collect();
    // the one that signs first
    records.reverse();
    records.sort_by_key(|record| record.key != *ring.current());
    let shown = records.into_iter().map(|record| {
        let id = record.key.id();
        let (state, secret) = match record {
            Record { key, .. } if key == ring.current() => {
                ("current", if unfinished { paths.next_secret_key() } else { paths.secret_key() })
            }
            Record { retired: Some(_), .. } => ("retired", paths.former_secret_key(id)),
            _ => ("former", paths.former_secret_key(id)),
        };
        Shown { id, state, record, secret: secret.exists(), on: stands.on(&record.key) }
    });
    let shown: Vec<_> = shown.collect();
    if json {
        let json = serde_json::json!({ "version": 1, "unfinished_rotation": unfinished, "keys": shown });
        return Ok(serde_json::to_string_pretty(&json).context("encoding the keys").blame(Blame::Bug)? + "\n");
    }
    let mut text = ring.current().to_text();
    for key in &shown {
        text.push_str(&format!("\n{}", words(key, &paths.secret_key())));
    }
    if unfinished {
        text.push_str("\nthe last rotation was cut off; `ironstrap key rotate` finishes it\n");
    }
    Ok(text)
}

fn words(shown: &Shown<'_>, secret: &Path) -> String {
    let Shown { id, state, record: Record { key, since, until, retired }, secret: has_secret, on } = shown;
    let dates = [("signed since", since), ("until", until), ("retired", retired)];
    let dates = dates.iter().filter_map(|(word, time)| Some(format!(", {word} {}", time.as_ref()?)));
    let mut text = format!("{id}: {state}{}\n  public half {key}\n", dates.collect::<String>());
    if *state == "current" && !has_secret {
        text.push_str(&format!("  its secret half isn't here ({} doesn't exist)\n", secret.display()));
    }
    text.push_str(&on.lines(*state == "current"));
    if *state == "former" && !on.is_needed() {
        text.push_str(&format!(
            "  no medium, permit or image needs it any more: `ironstrap key retire {id}`\n"
        ));
    }
    text
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

fn retire(paths: &SitePaths, asked: Option<KeyId>, yes: bool, now: Timestamp) -> Result<String> {
    let ring = keys::ring(paths)?;
    let id = match asked {
        Some(id) => id,
        None => only_former(&ring)?,
    };
    let on = ring
        .retire(id, now)
        .map(|(_, record)| Stands::read(paths, ring.clone(), now).map(|it| it.on(&record.key)));
    // a key that can't be retired has its own error
    let on = on.unwrap_or_else(|_| Ok(OnKey::default()))?;
    if on.is_needed() && !yes {
        bail!("{id} is still needed, and nothing was changed:\n{}{}", on.lines(false), way_out(&on, id));
    }
    rotation::retire(paths, id, now)?;
    let mut text =
        format!("{id} is retired: nothing that it signed counts any more, and its secret half is deleted\n");
    text.push_str(&consequences(&on));
    text.push_str("next: put ironstrap.keys under version control and wherever `serve` runs; build media anew with `ironstrap bundle`\n");
    Ok(text)
}

/// The key that is meant where none is named.
fn only_former(ring: &KeyRing) -> Result<KeyId> {
    let former: Vec<_> = ring.former().map(|record| record.key.id()).collect();
    match former[..] {
        [id] => Ok(id),
        [] => bail!(
            "the site has no former key; `ironstrap key rotate` makes another one than {}, which becomes one",
            ring.current().id()
        ),
        _ => bail!("which one? former keys are {}", list(&former)),
    }
}

fn way_out(on: &OnKey, id: KeyId) -> String {
    let mut ways = Vec::new();
    if !on.armed.is_empty() || !on.sealed.is_empty() {
        ways.push("`ironstrap bundle` makes media of the current key for armed hosts, `ironstrap disarm` gives them up".to_owned());
    }
    if !on.media.is_empty() {
        ways.push("media end with their orders".to_owned());
    }
    if !on.images.is_empty() {
        ways.push("images of other stores are to be built or imported again".to_owned());
    }
    ways.push(format!("`ironstrap key retire {id} --yes` retires it all the same"));
    ways.join("; ")
}

/// What doesn't work any more without a key.
fn consequences(on: &OnKey) -> String {
    let mut text = on.lines(false);
    if !on.media.is_empty() {
        text.push_str(
            "trees among them are refused by `serve`, a running one, too; a stick carries its key itself and can install until its orders \
             end where it reaches no server: `ironstrap arm` anew, or `disarm`, revokes them\n",
        );
    }
    if !on.sealed.is_empty() {
        text.push_str("these hosts are to be armed anew\n");
    }
    if !on.images.is_empty() {
        text.push_str("these images are to be built or imported again\n");
    }
    if !on.installed.is_empty() {
        text.push_str(
            "the disks of these hosts count as somebody's data from the next bundle on: to install one again takes `wipe: foreign` or an \
             erased disk\n",
        );
    }
    text
}
