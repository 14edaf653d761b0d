//! `ironstrap image`: golden images into the store, and what is there.

mod build;
mod clean;
pub(super) mod export;
mod import;
mod inspect;
mod lint;
mod list;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use super::output;
use super::progress::Bytes;
use crate::image::import as importing;
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::site::paths::SitePaths;
use crate::site::{keys, lock_file};
use crate::spec::image::ImageManifest;
use crate::sys::interrupt;
use crate::trust::Verified;
use crate::value::ImageRef;

/// Build, import and check golden images.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

impl Args {
    /// Whether the subcommand has machine-readable output.
    pub fn speaks_json(&self) -> bool {
        !matches!(self.command, Command::Verify { .. })
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Args),
    Import(import::Args),
    Export(export::Args),
    /// The images in the store: since when, what they take, and who needs them.
    List,
    Rm(clean::RemoveArgs),
    Gc(clean::CollectArgs),
    Prune(clean::PruneArgs),
    /// What an image is and what is in it.
    Inspect {
        /// Which.
        #[arg(value_name = "NAME@VERSION")]
        image: ImageRef,
    },
    Lint(lint::Args),
    /// Read images out of the store and compare every byte with what was signed.
    Verify {
        /// Which; all of them if none is named.
        #[arg(value_name = "NAME@VERSION")]
        images: Vec<ImageRef>,
    },
}

/// Runs a subcommand.
///
/// # Errors
/// What it says.
pub fn run(args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let store = Store::open(&paths.store())?;
    match &args.command {
        Command::Build(args) => build::run(args, json, &store, paths),
        Command::Import(args) => import::run(args, json, &store, paths),
        Command::Export(args) => {
            interrupt::watch()?;
            let _reading = store.reading();
            let (manifest, lock) = (find(&store, &args.image, paths)?, lock_file::read(paths)?);
            // whatever it looks like to a reader of the image: it was an interruption
            export::run(args, json, &store, &manifest, &lock)
                .or_else(|error| interrupt::check().and(Err(error)))
        }
        Command::List => list::run(&store, json, paths),
        Command::Rm(args) => clean::remove(args, json, &store, paths),
        Command::Gc(args) => clean::collect(args, json, &store, paths),
        Command::Prune(args) => clean::prune(args, json, &store, paths),
        Command::Inspect { image } => inspect::run(&store, &find(&store, image, paths)?, json),
        Command::Lint(args) => {
            interrupt::watch()?;
            lint::run(args, json, &store, &find(&store, args.image(), paths)?)
        }
        Command::Verify { images } => verify(&store, images, paths),
    }
}

fn find(store: &Store, image: &ImageRef, paths: &SitePaths) -> Result<Verified<ImageManifest>> {
    let Some(digest) = store.find(image)? else {
        let others: Vec<_> = store.list()?.into_iter().map(|(image, _)| image.to_string()).collect();
        match others.is_empty() {
            true => bail!("{image} is not in the store, which is empty"),
            false => bail!("{image} is not in the store; it has {}", others.join(", ")),
        }
    };
    store.manifest(image, &digest, &keys::trusted(paths)?)
}

fn verify(store: &Store, images: &[ImageRef], paths: &SitePaths) -> Result<()> {
    let _reading = store.reading();
    let images = match images {
        [] => store.list()?.into_iter().map(|(image, _)| image).collect(),
        some => some.to_vec(),
    };
    for image in &images {
        let manifest = find(store, image, paths)?;
        // a pack may hold chunks that this image doesn't use; a stick carries them too
        manifest
            .packs
            .iter()
            .try_for_each(|pack| store.check_blob(pack))
            .with_context(|| format!("verifying {image}"))?;
        let mut bar = Bytes::default();
        importing::verify(&StoredImage::open(store, &manifest)?, &mut |done, total| {
            bar.show("verifying", done, total);
            Ok(())
        })?;
        drop(bar);
        output::print(&format!("{image} is whole\n"))?;
    }
    Ok(())
}

/// One line for each thing of one machine's that the image carries. No fault: its hosts get their own.
fn told(identity: &[crate::image_rules::identity::Carried]) -> String {
    if identity.is_empty() {
        return String::new();
    }
    let lines: String = identity.iter().map(|carried| format!("  {carried}\n")).collect();
    format!("note: it carries what is one machine's; no host gets that:\n{lines}")
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn print_json(value: &impl serde::Serialize) -> Result<()> {
    Ok(output::print(&output::json(value)?)?)
}
