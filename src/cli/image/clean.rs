//! `ironstrap image rm`, `gc` and `prune`: what goes out of the store, and what never does.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Result, bail};

use super::{mebibytes, print_json};
use crate::cli::output;
use crate::image::store::Store;
use crate::image::store::housekeeping::{Alone, Removed, surplus};
use crate::site::image_users::Users;
use crate::site::paths::SitePaths;
use crate::sys::clock::{Clock as _, SystemClock};
use crate::sys::interrupt;
use crate::value::{Digest, ImageName, ImageRef};

/// Take images out of the store. One that ironstrap.lock pins, that a host is armed with, or that a medium carries stays.
#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    /// Which.
    #[arg(value_name = "NAME@VERSION", required = true)]
    images: Vec<ImageRef>,
    #[command(flatten)]
    how: How,
}

/// Remove files from the store that no image leads to.
#[derive(Debug, clap::Args)]
pub struct CollectArgs {
    #[command(flatten)]
    how: How,
}

/// Take old versions out of the store: of each image, all but the newest and those that somebody needs.
#[derive(Debug, clap::Args)]
pub struct PruneArgs {
    /// Only of these images; of all if none is named.
    #[arg(value_name = "NAME")]
    names: Vec<ImageName>,
    /// How many versions of each image stay, by when they were imported.
    #[arg(long, value_name = "N")]
    keep: usize,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
struct How {
    /// Only tell what would go.
    #[arg(long)]
    dry_run: bool,
}

/// The store, kept for this command alone, and who needs what in it by now.
struct Cleaner<'a> {
    store: &'a Store,
    alone: Alone,
    users: Users,
    json: bool,
    dry: bool,
}

impl<'a> Cleaner<'a> {
    fn new(store: &'a Store, how: &How, json: bool, paths: &SitePaths) -> Result<Self> {
        interrupt::watch()?;
        refuse_borrowed(&paths.store())?;
        let alone = store.alone_with_images(&mut || {
            output::note("waiting for others who read the store (bundle, export, verify, lock)\n");
        })?;
        // who needs what is asked after nobody can pin any more what was seen in the store
        let users = Users::of(paths, SystemClock.now())?;
        Ok(Self { store, alone, users, json, dry: how.dry_run })
    }

    fn remove(&self, images: &[(ImageRef, Digest)]) -> Result<()> {
        let kept: HashSet<_> = self.users.manifests().copied().collect();
        let removed = self.store.remove(&self.alone, images, &kept, self.dry)?;
        let names: Vec<_> = images.iter().map(|(image, _)| image).collect();
        self.tell(&names, &removed)
    }

    fn tell(&self, images: &[&ImageRef], removed: &Removed) -> Result<()> {
        let Removed { files, bytes } = removed;
        if self.json {
            return print_json(&serde_json::json!({
                "version": 1, "dry_run": self.dry, "images": images, "files": files, "bytes": bytes,
            }));
        }
        let (removed, freed) = if self.dry { ("would go", "would be free") } else { ("is gone", "are free") };
        let mut text: String = images.iter().map(|image| format!("{image} {removed}\n")).collect();
        text.push_str(&format!("{} in {files} files {freed}\n", mebibytes(*bytes)));
        Ok(output::print(&text)?)
    }
}

/// Who uses what is known of this site alone.
fn refuse_borrowed(store: &Path) -> Result<()> {
    let borrowed = std::fs::symlink_metadata(store).is_ok_and(|found| found.is_symlink());
    if borrowed {
        let own = std::fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
        bail!(
            "{} is a link to {}: what others need there isn't known here; nothing was removed. Clean it from the site that it belongs to",
            store.display(),
            own.display()
        );
    }
    Ok(())
}

/// Takes the named images out.
///
/// # Errors
/// One that isn't there or that somebody needs: none is then taken out.
pub fn remove(args: &RemoveArgs, json: bool, store: &Store, paths: &SitePaths) -> Result<()> {
    let RemoveArgs { images, how } = args;
    let mut images = images.clone();
    images.sort();
    images.dedup();
    let cleaner = Cleaner::new(store, how, json, paths)?;
    let (mut found, mut needed) = (Vec::new(), Vec::new());
    for image in images {
        let Some(manifest) = store.find(&image)? else {
            bail!("{image} is not in the store; nothing was removed")
        };
        let users: Vec<_> = cleaner.users.of_image(&manifest).iter().map(ToString::to_string).collect();
        if !users.is_empty() {
            needed.push(format!("{image} is needed by {}", users.join(", ")));
        }
        found.push((image, manifest));
    }
    if !needed.is_empty() {
        bail!(
            "{}; nothing was removed. `ironstrap lock --update` pins what hosts name now, `disarm` takes permits back, and media are forgotten when their orders end",
            needed.join("; ")
        );
    }
    cleaner.remove(&found)
}

/// Removes what no image leads to.
///
/// # Errors
/// A manifest that can't be read, or a file that can't be removed.
pub fn collect(args: &CollectArgs, json: bool, store: &Store, paths: &SitePaths) -> Result<()> {
    let CollectArgs { how } = args;
    Cleaner::new(store, how, json, paths)?.remove(&[])
}

/// Takes old versions out.
///
/// # Errors
/// As [`collect`]; an image name that the store doesn't have; `--keep 0`.
pub fn prune(args: &PruneArgs, json: bool, store: &Store, paths: &SitePaths) -> Result<()> {
    let PruneArgs { names, keep, how } = args;
    let cleaner = Cleaner::new(store, how, json, paths)?;
    let mut holdings = store.holdings()?;
    if let Some(missing) = names.iter().find(|name| !holdings.iter().any(|it| it.image.name() == *name)) {
        bail!("no version of {missing} is in the store");
    }
    holdings.retain(|holding| names.is_empty() || names.contains(holding.image.name()));
    let old = surplus(&holdings, *keep)?.into_iter();
    let unneeded = old.filter(|holding| cleaner.users.of_image(&holding.manifest).is_empty());
    let mut images: Vec<_> = unneeded.map(|holding| (holding.image.clone(), holding.manifest)).collect();
    images.sort();
    cleaner.remove(&images)
}
