//! `ironstrap image import`: an image that somebody made.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{mebibytes, print_json, told};
use crate::cli::output;
use crate::cli::progress::Bytes;
use crate::image::import::{self, Imported, Step};
use crate::image::source;
use crate::image::store::Store;
use crate::image::system::NET_GRUB;
use crate::site::keys;
use crate::site::paths::SitePaths;
use crate::sys::interrupt;
use crate::trust::SiteKey;
use crate::value::ImageRef;

/// Take a whole-disk image into the store.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image file, raw or qcow2, also compressed by zstd, xz, gzip or bzip2: a GPT, an EFI system partition, and a root of ext4 or XFS
    /// at its end.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to call it, like debian-12-base@1.3.0.
    #[arg(value_name = "NAME@VERSION")]
    image: ImageRef,
    /// Give the name to this image even if another one has it.
    #[arg(long)]
    replace: bool,
}

/// Runs the command.
///
/// # Errors
/// An image that no host could boot, a name that is taken, no space, an interruption.
pub fn run(args: &Args, json: bool, store: &Store, paths: &SitePaths) -> Result<()> {
    let Args { file, image, replace } = args;
    interrupt::watch()?;
    report(&take(store, file, image, *replace, &keys::secret(paths)?)?, json)
}

/// Takes an image into the store, with a bar.
///
/// # Errors
/// As [`run`].
pub fn take(store: &Store, file: &Path, image: &ImageRef, replace: bool, key: &SiteKey) -> Result<Imported> {
    let mut bar = Bytes::default();
    let mut progress = |step, done, total| {
        show(&mut bar, step, done, total);
        interrupt::check()
    };
    let imported = source::open(file, store.root(), &mut progress)
        .and_then(|device| import::import(store, &device, image, key, replace, &mut progress));
    drop(bar);
    // whatever it looks like to a reader of the image: it was an interruption
    let imported = imported.or_else(|error| interrupt::check().and(Err(error)));
    imported.with_context(|| format!("importing {}", file.display()))
}

fn show(bar: &mut Bytes, step: Step, done: u64, total: u64) {
    let name = match step {
        Step::Unpack => "unpacking",
        Step::Recall => "checking earlier versions",
        Step::Pack => "packing",
        Step::Verify => "verifying",
    };
    bar.show(name, done, total);
}

/// Tells what came of it.
///
/// # Errors
/// When it can't be printed.
pub fn report(imported: &Imported, json: bool) -> Result<()> {
    if json {
        return print_json(&imported.manifest);
    }
    let manifest = &imported.manifest;
    output::print(&format!(
        "{} is in the store: {} of data in an image of {}, {} new in packs\nmanifest {}\n",
        manifest.image,
        mebibytes(manifest.data.as_bytes()),
        mebibytes(manifest.size.as_bytes()),
        mebibytes(imported.added),
        imported.digest
    ))?;
    output::note(&told(&imported.identity));
    if !imported.net_boot {
        output::note(&format!(
            "note: it has no {NET_GRUB}, so that sticks can be made of it, but no PXE trees; the package grub-efi-amd64-signed has it\n"
        ));
    }
    Ok(())
}
