//! Kernel and loaders, taken out of the golden image as they are: signed by the distribution.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use crate::image::root_view::TreeView;
use crate::image::system::{NET_GRUB, is_kernel, kernel_path};
use crate::image::tree::{EntryType, ReadTree};
use crate::image_rules::loaders::{SHIM, grub};
use crate::spec::installer::AgentStart;

/// What a machine starts before a kernel.
#[derive(Debug, Clone, Default)]
pub struct Loaders {
    /// The signed first loader.
    pub shim: Vec<u8>,
    /// The signed GRUB for disks and sticks.
    pub grub: Vec<u8>,
    /// Folders below `/EFI` in which that GRUB looks for its configuration.
    pub vendors: Vec<String>,
    /// The signed GRUB for PXE, where the image has one.
    pub grub_net: Option<Vec<u8>>,
}

/// What the machines start from.
#[derive(Debug, Clone, Default)]
pub struct BootFiles {
    /// Out of the golden image.
    pub loaders: Loaders,
    /// For every way in which a host of the bundle starts the agent.
    pub starts: BTreeMap<AgentStart, Started>,
}

/// What a kernel unpacks, and the kernel.
#[derive(Debug, Clone)]
pub struct Started {
    /// The kernel.
    pub kernel: Vec<u8>,
    /// Its initrds in order, without the orders; as many as [`crate::boot::grub::StartFiles`] names.
    pub initrds: Vec<Vec<u8>>,
}

/// Reads the kernel of this release.
///
/// # Errors
/// Where it was looked for in vain, or that it is something else.
pub fn kernel(root: &dyn ReadTree, release: &str) -> Result<Vec<u8>> {
    let path = kernel_path(release);
    ensure!(root.exists(&path)?, "no kernel: looked for {path} in the root");
    let kernel = root.read(&path)?;
    ensure!(is_kernel(&kernel), "{path} in the root is no Linux kernel for EFI");
    Ok(kernel)
}

/// Reads the loaders of an image.
///
/// # Errors
/// Which file was looked for in vain, or isn't what its name says.
pub fn loaders(esp: &dyn ReadTree, root: &dyn ReadTree) -> Result<Loaders> {
    let shim = loader(esp, SHIM, "no shim")?;
    let grub = loader(esp, &grub(&TreeView(esp))??, "no GRUB")?;
    let grub_net = if root.exists(NET_GRUB)? { Some(root.read(NET_GRUB)?) } else { None };
    Ok(Loaders { shim, grub, vendors: vendors(esp)?, grub_net })
}

fn loader(esp: &dyn ReadTree, path: &str, what: &str) -> Result<Vec<u8>> {
    ensure!(esp.exists(path)?, "{what}: looked for {path} in the ESP");
    let content = esp.read(path)?;
    ensure!(content.starts_with(b"MZ"), "{path} in the ESP is no EFI program");
    Ok(content)
}

/// GRUB looks for its configuration in its vendor's folder first. Which one that is stands in its prefix; every folder of
/// the ESP that holds a GRUB is served, since that is where it was installed.
fn vendors(esp: &dyn ReadTree) -> Result<Vec<String>> {
    let mut vendors = Vec::new();
    for entry in esp.list("/EFI").context("looking for GRUB's folder")? {
        let own = entry.kind == EntryType::Directory && !entry.name.eq_ignore_ascii_case("BOOT");
        let plain = entry.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if own && plain && esp.exists(&format!("/EFI/{}/grubx64.efi", entry.name))? {
            vendors.push(entry.name);
        }
    }
    Ok(vendors)
}
