//! Makes an installed image one host: edits of its mounted root, as data and without running anything in it.
//!
//! The caller has mounted the new root and its EFI system partition; everything here happens through [`RootedDir`], so
//! that a link in the image can't lead a write into the agent's own system. Steps run in order and each is durable when
//! it returns. Running them twice gives the same tree, except for fresh keys and seeds. What the image can't do was
//! refused when the bundle was built, by the same rules ([`crate::image_rules`]); an error here means that the image on the disk isn't
//! the one in the store.
//!
//! Nothing here knows how the disk was written, and no step may start a program of the image.

mod clock;
mod files;
mod homes;
mod identity;
pub mod kernel_personaliser;
mod labels;
mod loaders;
mod network;
mod partitions;
mod root_view;
mod ssh;

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::image_rules;
use crate::spec::event::Outcomes;
use crate::spec::image::{ImageManifest, ImagePartition};
use crate::spec::system::{NetworkSpec, SystemSpec};
use crate::sys::rooted::RootedDir;
use crate::value::Timestamp;

/// What the operator should know of the host that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// SHA-256 fingerprint of its Ed25519 SSH host key, as `ssh-keygen -l` prints it; `None` without sshd.
    pub ssh_fingerprint: Option<String>,
    /// What proves how its hand-off ends; `None` where nothing will be told.
    pub outcomes: Option<Outcomes>,
}

/// Turns the mounted image into the host. `partitions` are the disk's, with the GUIDs of its table.
///
/// # Errors
/// When a file of the image can't be read or written, or isn't what its manifest says; the disk must not be committed.
pub fn apply(
    root: &Path,
    esp: &Path,
    system: &SystemSpec,
    image: &ImageManifest,
    partitions: &[ImagePartition],
    network: &NetworkSpec,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Report> {
    let root = labels::open(root)?;
    let esp = RootedDir::open(esp)?;
    let found = image_rules::incompatibilities(system, &root)?;
    ensure!(found.is_empty(), "{}", found.join("; "));
    partitions::apply(&root, &esp, &image.partitions, partitions, image.root.uuid)
        .context("naming the disk's partitions")?;
    loaders::apply(&esp).context("putting GRUB beside shim")?;
    identity::apply(&root, &esp, system, random).context("giving the host its identity")?;
    network::apply(&root, image.system.network, network).context("configuring the network")?;
    homes::apply(&root, system).context("setting up the accounts")?;
    let ssh_fingerprint =
        ssh::apply(&root, &image.system, &system.hostname, random).context("making the SSH host keys")?;
    let outcomes = files::apply(&root, system, random).context("writing the order's files")?;
    root.sync()?;
    esp.sync()?;
    Ok(Report { ssh_fingerprint, outcomes })
}

/// Gives the new system a time that its clock is not to be before.
///
/// # Errors
/// As for [`apply`].
pub fn keep_time(root: &Path, time: Timestamp) -> Result<()> {
    clock::apply(&labels::open(root)?, time).context("giving the host a time to begin with")
}

#[cfg(test)]
mod tests;
