//! `ironstrap image`: golden images into the store, and what is there.

pub(super) mod export;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use super::paths::SitePaths;
use super::progress::{Bytes, Spinner};
use super::{keys, lock_file, output};
use crate::fit::identity::Carried;
use crate::image::assemble::write_sparse;
use crate::image::build::{self, Built};
use crate::image::import::{self, Imported, Step};
use crate::image::recipe::Recipe;
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::image::system::{self, NET_GRUB};
use crate::spec::image::{ImageManifest, NetworkStack};
use crate::sys::process::InterruptibleRunner;
use crate::sys::{files, interrupt};
use crate::trust::{SiteKey, Verified};
use crate::value::{ByteSize, ImageRef};

/// Longest recipe.
const MAX_RECIPE: u64 = 1 << 20;

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
    /// Build an image from a recipe with mmdebstrap, and take it into the store.
    Build {
        /// The recipe, YAML.
        #[arg(value_name = "RECIPE")]
        recipe: PathBuf,
        /// Keep the raw disk image in this file too.
        #[arg(long, value_name = "FILE")]
        keep_raw: Option<PathBuf>,
        /// Give the name to this image even if another one has it.
        #[arg(long)]
        replace: bool,
    },
    /// Take a raw whole-disk image into the store.
    Import {
        /// The image file: raw, with a GPT, an EFI system partition, and an ext4 root at its end.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What to call it, like debian-12-base@1.3.0.
        #[arg(value_name = "NAME@VERSION")]
        image: ImageRef,
        /// Give the name to this image even if another one has it.
        #[arg(long)]
        replace: bool,
    },
    Export(export::Args),
    /// The images in the store.
    List,
    /// What an image is and what is in it.
    Inspect {
        /// Which.
        #[arg(value_name = "NAME@VERSION")]
        image: ImageRef,
    },
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
        Command::Build { recipe, keep_raw, replace } => {
            interrupt::watch()?;
            let recipe = read_recipe(recipe)?;
            // found out before minutes of work
            let key = keys::secret(paths)?;
            require_free(&store, &recipe.image, *replace)?;
            keep_raw.iter().try_for_each(|path| files::require_replaceable(path))?;
            let built = build_image(&recipe).with_context(|| format!("building {}", recipe.image))?;
            if let Some(target) = keep_raw {
                keep(&built, target)?;
            }
            let imported = take(&store, &built.raw, &recipe.image, *replace, &key)?;
            report_import(&imported, json)
        }
        Command::Import { file, image, replace } => {
            interrupt::watch()?;
            let imported = take(&store, file, image, *replace, &keys::secret(paths)?)?;
            report_import(&imported, json)
        }
        Command::Export(args) => {
            interrupt::watch()?;
            export::run(args, json, &store, &find(&store, &args.image, paths)?, &lock_file::read(paths)?)
        }
        Command::List => list(&store, json),
        Command::Inspect { image } => inspect(&store, &find(&store, image, paths)?, json),
        Command::Verify { images } => verify(&store, images, paths),
    }
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
    Recipe::parse(&text).with_context(|| format!("reading {}", path.display()))
}

fn build_image(recipe: &Recipe) -> Result<Built> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let _spinner =
        Spinner::new(format!("installing {} packages and what they need", recipe.packages().len()));
    build::build(recipe, &InterruptibleRunner, &path)
}

fn keep(built: &Built, target: &Path) -> Result<()> {
    let device = import::open_raw(&built.raw)?;
    files::write_whole_with(target, 0o644, |file| write_sparse(&*device, file))
}

fn take(store: &Store, file: &Path, image: &ImageRef, replace: bool, key: &SiteKey) -> Result<Imported> {
    let device = import::open_raw(file)?;
    let mut bar = Bytes::default();
    let imported = import::import(store, &device, image, key, replace, &mut |step, done, total| {
        show(&mut bar, step, done, total);
        interrupt::check()
    });
    drop(bar);
    imported.with_context(|| format!("importing {}", file.display()))
}

fn show(bar: &mut Bytes, step: Step, done: u64, total: u64) {
    let name = match step {
        Step::Recall => "checking earlier versions",
        Step::Pack => "packing",
        Step::Verify => "verifying",
    };
    bar.show(name, done, total);
}

fn report_import(imported: &Imported, json: bool) -> Result<()> {
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

/// One line for each thing of one machine's that the image carries. No fault: its hosts get their own.
fn told(identity: &[Carried]) -> String {
    if identity.is_empty() {
        return String::new();
    }
    let lines: String = identity.iter().map(|carried| format!("  {carried}\n")).collect();
    format!("note: it carries what is one machine's; no host gets that:\n{lines}")
}

fn list(store: &Store, json: bool) -> Result<()> {
    let images = store.list()?;
    if json {
        let images: Vec<_> = images
            .iter()
            .map(|(image, manifest)| serde_json::json!({ "image": image, "manifest": manifest }))
            .collect();
        return print_json(&images);
    }
    if images.is_empty() {
        output::note("the store is empty; `ironstrap image build` or `image import` fill it\n");
    }
    let lines: String = images.iter().map(|(image, digest)| format!("{digest}  {image}\n")).collect();
    output::print(&lines)?;
    Ok(())
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

fn inspect(store: &Store, manifest: &Verified<ImageManifest>, json: bool) -> Result<()> {
    if json {
        return print_json(&**manifest);
    }
    output::print(&describe(manifest))?;
    let image = StoredImage::open(store, manifest)?;
    output::note(&told(&system::identity(&image.root()?, &image.esp()?)?));
    Ok(())
}

fn describe(manifest: &ImageManifest) -> String {
    let system = &manifest.system;
    let network = match system.network {
        NetworkStack::Networkd => "systemd-networkd",
        NetworkStack::Ifupdown => "ifupdown",
        NetworkStack::NetworkManager => "NetworkManager",
        NetworkStack::Unknown => "none that ironstrap can configure",
    };
    let packed: u64 = manifest.packs.iter().map(|pack| pack.size).sum();
    let mut text = format!(
        "{}\n  system    {} {}, kernel {}\n  network   {network}\n  tools     {}\n",
        manifest.image,
        system.os,
        system.os_version,
        system.kernel,
        system.tools.join(", ")
    );
    if system.selinux_enforcing {
        text.push_str("  SELinux   enforcing: can't be installed yet\n");
    }
    // writing to a String doesn't fail
    let _ = writeln!(
        text,
        "  size      {}, {} of data, {} in {} packs\n  raw       {}",
        mebibytes(manifest.size.as_bytes()),
        mebibytes(manifest.data.as_bytes()),
        mebibytes(packed),
        manifest.packs.len(),
        manifest.raw
    );
    for partition in &manifest.partitions {
        let role = match partition.number {
            number if number == manifest.esp => "ESP".to_owned(),
            number if number == manifest.root.partition => format!("root, ext4 {}", manifest.root.uuid),
            _ => String::new(),
        };
        let size = ByteSize::bytes(partition.length);
        let _ = writeln!(text, "  part {:<4} {size:>8}  {:<10} {role}", partition.number, partition.name);
    }
    text
}

fn verify(store: &Store, images: &[ImageRef], paths: &SitePaths) -> Result<()> {
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
        import::verify(&StoredImage::open(store, &manifest)?, &mut |done, total| {
            bar.show("verifying", done, total);
            Ok(())
        })?;
        drop(bar);
        output::print(&format!("{image} is whole\n"))?;
    }
    Ok(())
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("writing JSON")?;
    text.push('\n');
    output::print(&text)?;
    Ok(())
}
