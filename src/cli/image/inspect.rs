//! `ironstrap image inspect`: what an image is and what is in it.

use std::fmt::Write as _;

use anyhow::Result;

use super::{mebibytes, print_json, told};
use crate::cli::output;
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::image::system;
use crate::spec::image::{ImageFilesystem, ImageManifest, NetworkStack};
use crate::trust::Verified;
use crate::value::ByteSize;

/// Runs the command.
///
/// # Errors
/// An image that is damaged.
pub fn run(store: &Store, manifest: &Verified<ImageManifest>, json: bool) -> Result<()> {
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
        text.push_str("  SELinux   enforcing: files are labelled by its own policy\n");
    }
    // writing to a String doesn't fail
    let _ = writeln!(
        text,
        "  size      {}, {} of data, {} in {} packs\n  raw       {}",
        mebibytes(manifest.size.as_bytes()),
        mebibytes(manifest.data.as_bytes()),
        mebibytes(packed),
        manifest.packs.len(),
        manifest.raw.map_or_else(|| "not taken: it is mostly zeroes".to_owned(), |raw| raw.to_string())
    );
    for partition in &manifest.partitions {
        let role = match partition.number {
            number if number == manifest.esp => "ESP".to_owned(),
            number if number == manifest.root.partition => mounted("root", &manifest.root),
            number => match manifest.boot.as_ref().filter(|boot| boot.partition == number) {
                Some(boot) => mounted("/boot", boot),
                None => String::new(),
            },
        };
        let size = ByteSize::bytes(partition.length);
        let _ = writeln!(text, "  part {:<4} {size:>8}  {:<10} {role}", partition.number, partition.name);
    }
    text
}

fn mounted(place: &str, filesystem: &ImageFilesystem) -> String {
    format!("{place}, {} {}", filesystem.kind.name(), filesystem.uuid)
}
