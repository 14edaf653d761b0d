//! What is installed inside an image, found out at import so that what can't work isn't found on the target.
//!
//! Promises: an image that passes has a kernel with its modules, and a shim and GRUB at the places from which it boots
//! with empty NVRAM; a refusal names the file that was looked for. The one owner of these places: media are made of the same
//! files.

use std::cmp::Ordering;

use anyhow::{Context, Result, bail, ensure};

use super::root_view::TreeView;
use super::tree::ReadTree;
use crate::image_rules::identity::{self, Carried};
use crate::image_rules::loaders::{self, GRUB, SHIM};
use crate::image_rules::{selinux, stacks};
use crate::spec::image::ImageSystem;

/// Debian's GRUB for network boot; only PXE needs it.
pub const NET_GRUB: &str = "/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed";

/// No os-release and no configuration is longer: the longest are a hundredth of it.
const LONGEST_TEXT: u64 = 64 << 10;
/// How much of a kernel tells whether EFI can start it.
const KERNEL_HEAD: u64 = 0x206;

/// Programs that hand-offs ask for.
const TOOLS: [&str; 9] =
    ["ansible-pull", "cloud-init", "curl", "git", "python3", "ssh-keygen", "sshd", "sudo", "wget"];
const PROGRAM_DIRS: [&str; 5] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"];

/// Looks into an image.
///
/// # Errors
/// No usable kernel, shim, GRUB or os-release, or a SELinux policy that can't be read; names the file.
pub fn inspect(root: &dyn ReadTree, esp: &dyn ReadTree) -> Result<ImageSystem> {
    let release = os_release(root)?;
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim_matches(['"', '\'']).to_owned())
    };
    let os = field("ID").context("/etc/os-release in the image has no ID")?;
    require_loaders(esp)?;
    Ok(ImageSystem {
        os_version: field("VERSION_ID").unwrap_or_default(),
        os,
        kernel: newest_kernel(root)?,
        network: stacks::choose(&TreeView(root))?,
        selinux_enforcing: selinux_enforcing(root)?,
        tools: tools(root)?,
    })
}

/// What the image carries of one machine's identity; hosts that are made of it don't share it.
///
/// # Errors
/// When a file system can't be read.
pub fn identity(root: &dyn ReadTree, esp: &dyn ReadTree) -> Result<Vec<Carried>> {
    identity::carried(&TreeView(root), &TreeView(esp))
        .context("looking for one machine's identity in the image")
}

fn os_release(root: &dyn ReadTree) -> Result<String> {
    let path = match root.exists("/etc/os-release")? {
        true => "/etc/os-release",
        false => "/usr/lib/os-release",
    };
    Ok(String::from_utf8_lossy(&root.read_at_most(path, LONGEST_TEXT)?).into_owned())
}

fn require_loaders(esp: &dyn ReadTree) -> Result<()> {
    let why = "without it the installed disk doesn't boot with empty NVRAM (package shim-signed)";
    ensure!(esp.exists(SHIM)?, "the image's ESP has no {SHIM}: {why}");
    require_program(esp, SHIM)?;
    require_program(esp, &loaders::grub(&TreeView(esp))??)
}

/// So many bytes of the ESP are taken by what the agent puts beside shim.
///
/// # Errors
/// When it can't be read.
pub fn copied(esp: &dyn ReadTree) -> Result<u64> {
    let grub = loaders::grub(&TreeView(esp))??;
    Ok(if grub == GRUB { 0 } else { esp.read(&grub)?.len() as u64 })
}

fn require_program(esp: &dyn ReadTree, path: &str) -> Result<()> {
    ensure!(esp.read_start(path, 2)? == b"MZ", "{path} in the image's ESP is not an EFI program");
    Ok(())
}

/// Path of the kernel of this release.
pub fn kernel_path(release: &str) -> String {
    format!("/boot/vmlinuz-{release}")
}

/// Whether this is a kernel that EFI can start: the EFI stub's mark, and that of the setup header
/// (Documentation/arch/x86/boot.rst).
pub fn is_kernel(content: &[u8]) -> bool {
    content.starts_with(b"MZ") && content.get(0x202..0x206) == Some(b"HdrS")
}

/// The newest kernel that can be used: a bootable file and modules of the same release.
fn newest_kernel(root: &dyn ReadTree) -> Result<String> {
    let boot = if root.exists("/boot")? { root.list("/boot")? } else { Vec::new() };
    let mut releases: Vec<_> = boot.iter().filter_map(|entry| entry.name.strip_prefix("vmlinuz-")).collect();
    releases.sort_by(|a, b| by_version(a, b));
    let Some(release) = releases.last() else {
        bail!(
            "the image has no kernel: /boot/vmlinuz-* was looked for in its root (package linux-image-amd64)"
        );
    };
    let (path, modules) = (kernel_path(release), format!("/lib/modules/{release}/modules.dep"));
    ensure!(
        is_kernel(&root.read_start(&path, KERNEL_HEAD)?),
        "{path} in the image is not a kernel that EFI can start"
    );
    ensure!(
        root.exists(&modules)?,
        "the image has no {modules}: the installer needs the modules of its newest kernel, {release}"
    );
    Ok((*release).to_owned())
}

/// Orders release names: runs of digits by value, all else by bytes.
pub(super) fn by_version(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (in_a, in_b) = (digits(a), digits(b));
        let order = if in_a > 0 && in_b > 0 {
            let (number_a, rest_a) = a.split_at(in_a);
            let (number_b, rest_b) = b.split_at(in_b);
            (a, b) = (rest_a, rest_b);
            let plain =
                |number: &'_ [u8]| number.iter().position(|byte| *byte != b'0').unwrap_or(number.len());
            let (number_a, number_b) = (&number_a[plain(number_a)..], &number_b[plain(number_b)..]);
            number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b))
        } else {
            match (a.split_first(), b.split_first()) {
                (Some((first_a, rest_a)), Some((first_b, rest_b))) => {
                    (a, b) = (rest_a, rest_b);
                    first_a.cmp(first_b)
                }
                (first, second) => return first.is_some().cmp(&second.is_some()),
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Files that an install writes are labelled by the image's policy, which is therefore judged here.
fn selinux_enforcing(root: &dyn ReadTree) -> Result<bool> {
    if !root.exists(selinux::CONFIG)? {
        return Ok(false);
    }
    let config = root.read_at_most(selinux::CONFIG, LONGEST_TEXT)?;
    selinux::judge(&TreeView(root))??;
    Ok(selinux::Mode::of_config(&String::from_utf8_lossy(&config)) == selinux::Mode::Enforcing)
}

fn tools(root: &dyn ReadTree) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for tool in TOOLS {
        for dir in PROGRAM_DIRS {
            if root.exists(&format!("{dir}/{tool}"))? {
                found.push(tool.to_owned());
                break;
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
#[path = "system_tests.rs"]
mod tests;
