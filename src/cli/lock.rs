//! `ironstrap lock`: pins the images that hosts use by content, in `ironstrap.lock`.

use anyhow::Result;

use super::image::export;
use super::output;
use crate::bundle::pinning::{self, Pinned, Request};
use crate::image::export::Progress;
use crate::image::store::Store;
use crate::site::context::SiteContext;
use crate::site::paths::SitePaths;
use crate::site::{keys, lock_file};

/// Pin the images that hosts use in ironstrap.lock, and the installers that start the agent.
///
/// What is pinned stays pinned until --update: a bundle is built from the lock, not from what a name means today.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pin what the names mean now, also where they are pinned already, and drop images that no host uses.
    #[arg(long)]
    update: bool,
}

/// Runs the command.
///
/// # Errors
/// A site with mistakes, an image that isn't in the store or that the site's key didn't sign, a lock file that can't be
/// written. The lock file is then unchanged.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let &Args { update } = args;
    let (store, keys) = (&Store::open(&paths.store())?, &keys::trusted(paths)?);
    // before it is read what is pinned: nobody takes that out meanwhile
    let _reading = store.reading();
    let context = &SiteContext::load(paths)?;
    let progress = |length| -> Progress { Box::new(export::progress("pinning", length)) };
    let Pinned { lock, notes } = pinning::pin(Request { context, paths, store, keys, update }, &progress)?;
    if lock != *context.lock() || !paths.lock_file().exists() {
        lock_file::write(paths, &lock)?;
    }
    let nothing = || format!("nothing to pin: {} images are in ironstrap.lock\n", lock.images.len());
    Ok(output::print(&if notes.is_empty() { nothing() } else { notes })?)
}
