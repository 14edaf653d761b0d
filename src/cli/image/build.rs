//! `ironstrap image build`: an image made of a recipe.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::import;
use crate::cli::progress::Spinner;
use crate::image::assemble::write_sparse;
use crate::image::build::{self, Built};
use crate::image::import::open_raw;
use crate::image::recipe::Recipe;
use crate::image::store::Store;
use crate::profile::yaml;
use crate::site::keys;
use crate::site::paths::SitePaths;
use crate::sys::process::InterruptibleRunner;
use crate::sys::{files, interrupt};
use crate::value::ImageRef;

/// Longest recipe.
const MAX_RECIPE: u64 = yaml::MAX_BYTES;

/// Build an image from a recipe with mmdebstrap, and take it into the store.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe, YAML.
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// Keep the raw disk image in this file too.
    #[arg(long, value_name = "FILE")]
    keep_raw: Option<PathBuf>,
    /// Give the name to this image even if another one has it.
    #[arg(long)]
    replace: bool,
}

/// Runs the command.
///
/// # Errors
/// A recipe with mistakes, a name that is taken, a build that fails, or what [`import`] refuses.
pub fn run(args: &Args, json: bool, store: &Store, paths: &SitePaths) -> Result<()> {
    let Args { recipe, keep_raw, replace } = args;
    interrupt::watch()?;
    let recipe = read_recipe(recipe)?;
    // found out before minutes of work
    let key = keys::secret(paths)?;
    require_free(store, &recipe.image, *replace)?;
    keep_raw.iter().try_for_each(|path| files::require_replaceable(path))?;
    let built = build_image(&recipe).with_context(|| format!("building {}", recipe.image))?;
    if let Some(target) = keep_raw {
        keep(&built, target)?;
    }
    let imported = import::take(store, &built.raw, &recipe.image, *replace, &key)?;
    import::report(&imported, json)
}

fn require_free(store: &Store, image: &ImageRef, replace: bool) -> Result<()> {
    match store.find(image)? {
        Some(digest) if !replace => bail!(
            "{image} is in the store already (manifest {digest}), and a build gives new content; give the recipe's `image` another version, or use --replace"
        ),
        _ => Ok(()),
    }
}

fn read_recipe(path: &Path) -> Result<Recipe> {
    let text = files::read_text(path, MAX_RECIPE)?;
    Ok(Recipe::read(&path.display().to_string(), &text)?)
}

fn build_image(recipe: &Recipe) -> Result<Built> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let _spinner =
        Spinner::new(format!("installing {} packages and what they need", recipe.packages().len()));
    build::build(recipe, &InterruptibleRunner, &path)
}

fn keep(built: &Built, target: &Path) -> Result<()> {
    let device = open_raw(&built.raw)?;
    files::write_whole_with(target, 0o644, |file| write_sparse(&*device, file))
}
