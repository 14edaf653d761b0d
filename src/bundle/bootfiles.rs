//! Kernel and loaders, taken out of the golden image as they are: signed by the distribution.

use anyhow::{Context, Result, anyhow, ensure};

use crate::image::tree::{Kind, ReadTree};

/// The first loader, in the image's ESP.
const SHIM: &str = "/EFI/BOOT/BOOTX64.EFI";
/// The second one, beside it.
const GRUB: &str = "/EFI/BOOT/grubx64.efi";
/// GRUB for PXE, in the image's root: Debian's package `grub-efi-amd64-signed`.
pub const GRUB_NET: &str = "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed";

/// What a machine starts before the agent's initramfs.
#[derive(Debug, Clone)]
pub struct Loaders {
    /// The kernel.
    pub kernel: Vec<u8>,
    /// The signed first loader.
    pub shim: Vec<u8>,
    /// The signed GRUB.
    pub grub: Vec<u8>,
    /// Folders below `/EFI` that belong to this GRUB.
    pub vendors: Vec<String>,
    /// GRUB for PXE, if the image has one.
    pub grub_net: Option<Vec<u8>>,
}

/// Reads the loaders of an image whose newest kernel has this release.
///
/// # Errors
/// Which file was looked for in vain, or isn't what its name says.
pub fn read(esp: &dyn ReadTree, root: &dyn ReadTree, release: &str) -> Result<Loaders> {
    let kernels = [format!("/boot/vmlinuz-{release}"), format!("/usr/lib/modules/{release}/vmlinuz")];
    let mut kernel = None;
    for path in &kernels {
        if root.exists(path)? {
            kernel = Some((path, root.read(path)?));
            break;
        }
    }
    let (path, kernel) =
        kernel.ok_or_else(|| anyhow!("no kernel: looked for {} in the root", kernels.join(" and ")))?;
    ensure!(is_kernel(&kernel), "{path} in the root is no Linux kernel for EFI");
    let shim = loader(esp, SHIM, "no shim")?;
    let grub = loader(esp, GRUB, "no GRUB")?;
    let grub_net = if root.exists(GRUB_NET)? { Some(root.read(GRUB_NET)?) } else { None };
    Ok(Loaders { kernel, shim, grub, vendors: vendors(esp)?, grub_net })
}

fn loader(esp: &dyn ReadTree, path: &str, what: &str) -> Result<Vec<u8>> {
    ensure!(esp.exists(path)?, "{what}: looked for {path} in the ESP");
    let content = esp.read(path)?;
    ensure!(content.starts_with(b"MZ"), "{path} in the ESP is no EFI program");
    Ok(content)
}

/// The boot protocol's mark, and the EFI stub's.
fn is_kernel(content: &[u8]) -> bool {
    content.get(0x202..0x206) == Some(b"HdrS") && content.starts_with(b"MZ")
}

/// GRUB looks for its configuration in its vendor's folder first. Which one that is stands in its prefix; every folder of
/// the ESP that holds a GRUB is served, since that is where it was installed.
fn vendors(esp: &dyn ReadTree) -> Result<Vec<String>> {
    let mut vendors = Vec::new();
    for entry in esp.list("/EFI").context("looking for GRUB's folder")? {
        let own = entry.kind == Kind::Directory && !entry.name.eq_ignore_ascii_case("BOOT");
        let plain = entry.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        if own && plain && esp.exists(&format!("/EFI/{}/grubx64.efi", entry.name))? {
            vendors.push(entry.name);
        }
    }
    Ok(vendors)
}
