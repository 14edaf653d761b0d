//! `ironstrap lock`: pins images by content in `ironstrap.lock`.

use anyhow::{Context, Result};

use super::paths::SitePaths;
use super::{keys, output};
use crate::image::store::Store;
use crate::spec::lock::LockFile;
use crate::sys::files;

/// Longest lock file that is read.
const MAX_LOCK: u64 = 16 << 20;

/// Pin the images of the store in ironstrap.lock.
///
/// What is pinned stays pinned until --update: a bundle is built from the lock, not from what a name means today.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pin what the names mean now, also where they are pinned already.
    #[arg(long)]
    update: bool,
}

/// Reads the lock file; an empty one where there is none.
///
/// # Errors
/// When it is there and can't be read.
pub fn read(paths: &SitePaths) -> Result<LockFile> {
    let path = paths.lock_file();
    if !path.exists() {
        return Ok(LockFile::default());
    }
    let text = files::read_text(&path, MAX_LOCK)?;
    serde_yaml::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// Runs the command.
///
/// # Errors
/// A manifest that the site's key didn't sign, or a lock file that can't be read or written.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let store = Store::open(&paths.store())?;
    let key = keys::public(paths)?;
    let mut lock = read(paths)?;
    let before = lock.clone();
    let mut notes = String::new();
    for (image, digest) in store.list()? {
        match lock.images.get(&image) {
            Some(pinned) if *pinned == digest => continue,
            Some(pinned) if !args.update => {
                notes.push_str(&format!(
                    "{image} stays pinned to {pinned}; the store has {digest} now (--update pins that)\n"
                ));
                continue;
            }
            _ => {}
        }
        store.manifest(&digest, &key).with_context(|| format!("pinning {image}"))?;
        notes.push_str(&format!("{image} pinned to {digest}\n"));
        lock.images.insert(image, digest);
    }
    if lock != before || !paths.lock_file().exists() {
        let text = serde_yaml::to_string(&lock).context("writing the lock file")?;
        files::write_whole(&paths.lock_file(), 0o644, text.as_bytes())?;
    }
    if notes.is_empty() {
        notes = format!("{} images are pinned; nothing changed\n", lock.images.len());
    }
    output::print(&notes)?;
    Ok(())
}
