//! Who takes over after the install, as files and units of the installed system.
//!
//! A host is *done* when its configuration management reported that its first run succeeded. Every hand-off therefore
//! has the same frame (`reporter`): one unit that runs the manager once, judges its exit status, and tells journal,
//! console and server. Here is that frame and what the image must have; a manager is one file in [`crate::host::handoff`], and
//! none is known by name here.
//!
//! Everything that an image can't do is refused here, at build time, all of it at once. Pure: data in, data out. No value
//! of a profile may become code: values go through JSON or [`crate::host::handoff::shell::quote`], and units hold constants only.

mod error;
mod reporter;
mod unpacked;

use anyhow::{Context, Result, bail};
pub use error::SeedError;
pub use unpacked::unpacked_incompatibilities;

pub use crate::host::handoff::version_of as cloud_init_of;
use crate::host::handoff::{Takeover, file};
use crate::host::{Host, LockedHost, Refusal, Site};
use crate::image_rules::{self, RootView};
use crate::spec::image::{ImageSystem, NetworkStack};
use crate::spec::system::{Sudo, SystemFile, SystemSpec};
use crate::value::{HttpUrl, ImageSource, OrderId};

/// What makes the image this host's, for the order. `tree` is the root file system inside the image.
///
/// # Errors
/// When the image lacks something that the host needs, or a value of the hand-off can't be used: everything in one error.
/// When the tree can't be read.
pub fn system(
    host: &LockedHost,
    site: &Site,
    image: &ImageSystem,
    tree: &dyn RootView,
    order: &OrderId,
) -> Result<SystemSpec> {
    let LockedHost { host, image: pin } = host;
    let mut found = image_incompatibilities(host, site, image);
    let (files, units) = match parts(host, site, Some((image, order))) {
        Ok(parts) => parts,
        Err(SeedError::Unsupported(refusal)) => {
            found.extend(refusal.found().iter().map(|found| refusal.sentence(found)));
            Default::default()
        }
        Err(SeedError::Failed(error)) => {
            found.push(format!("{error:#}"));
            Default::default()
        }
    };
    let system = SystemSpec {
        hostname: host.name.clone(),
        timezone: Some(host.locale.timezone.clone()),
        root: host.root.clone(),
        users: host.users.clone(),
        files,
        units,
    };
    found.extend(
        host.handoff.manager().map(|manager| manager.refused_by(image, &host.waived)).unwrap_or_default(),
    );
    let inside = image_rules::incompatibilities(&system, tree);
    found.extend(inside.with_context(|| format!("{}: looking into image {}", host.name, pin.image))?);
    if !found.is_empty() {
        bail!("{}: can't be installed with {}:\n  {}", host.name, pin.image, found.join("\n  "));
    }
    Ok(system)
}

/// Files to write and units to enable.
type Parts = (Vec<SystemFile>, Vec<String>);

/// Files to write and units to enable on a host that a distribution's installer installs: no order, and no image whose
/// programs could be asked for.
///
/// # Errors
/// When a value of the hand-off can't be used.
pub fn seed(host: &Host, site: &Site) -> Result<Parts, SeedError> {
    let (mut files, units) = parts(host, site, None)?;
    if matches!(host.image, Some(ImageSource::Oci(_))) {
        reporter::move_below_var(&mut files);
    }
    Ok((files, units))
}

/// Those of the manager and of the frame; `golden`: the image that the host becomes, and the order for it.
fn parts(host: &Host, site: &Site, golden: Option<(&ImageSystem, &OrderId)>) -> Result<Parts, SeedError> {
    let order = golden.map(|(_, order)| order);
    let (mut files, mut units, mut run) = (Vec::new(), Vec::new(), None);
    if let Some(manager) = host.handoff.manager() {
        let takeover = manager.takeover(&host.name, order);
        let takeover = takeover.map_err(|found| SeedError::Unsupported(Refusal::of(&host.name, found)))?;
        let Takeover { program, files: own, units: enabled } = takeover;
        files.extend(own);
        files.push(file(reporter::COMMAND, program.mode, program.text));
        units.extend(enabled);
        run = Some(reporter::COMMAND);
    }
    if golden.is_some_and(|(image, _)| has(image, "cloud-init")) && !host.handoff.needs("cloud-init") {
        // else it would look for a seed on any disk or network that comes along
        let text = "Written by ironstrap: this host's profile doesn't use cloud-init.\n";
        files.push(file("/etc/cloud/cloud-init.disabled", 0o644, text));
    }
    let by = host.handoff.manager().map_or("boot", |manager| manager.name());
    let events = site.server.as_ref().map(events_url);
    let frame = reporter::files(&host.name, order, by, run, events.as_ref());
    files.extend(frame.map_err(SeedError::Failed)?);
    units.push(reporter::UNIT.to_owned());
    Ok((files, units))
}

fn events_url(server: &HttpUrl) -> HttpUrl {
    server.join("v1/events")
}

fn has(image: &ImageSystem, tool: &str) -> bool {
    image.tools.iter().any(|found| found == tool)
}

/// Everything that this host wants and this image doesn't have, as far as its manifest tells; the rest is [`image_rules`]'s.
fn image_incompatibilities(host: &Host, site: &Site, image: &ImageSystem) -> Vec<String> {
    let mut found = tool_incompatibilities(host, site, image);
    if image.network == NetworkStack::Unknown {
        found.push(
            "the image enables no network stack that ironstrap can configure; enable systemd-networkd, ifupdown or NetworkManager in it"
                .to_owned(),
        );
    }
    found
}

/// Programs that this host can't do without and this image doesn't have.
fn tool_incompatibilities(host: &Host, site: &Site, image: &ImageSystem) -> Vec<String> {
    let mut found = Vec::new();
    let mut need = |wanted: bool, tool: &str, why: &str| {
        if wanted && !has(image, tool) {
            found.push(format!("the image has no `{tool}`, which {why} needs; add its package to the image"));
        }
    };
    let keys = !host.root.ssh_keys.is_empty() || host.users.iter().any(|user| !user.ssh_keys.is_empty());
    need(keys, "sshd", "`ssh_keys`");
    need(host.users.iter().any(|user| user.sudo != Sudo::No), "sudo", "`sudo`");
    if let Some(manager) = host.handoff.manager() {
        let why = format!("`handoff: {}`", manager.key());
        manager.programs().iter().for_each(|program| need(true, program, &why));
    }
    let can_post = reporter::CLIENTS.iter().any(|client| has(image, client));
    if site.server.is_some() && !can_post {
        found.push(format!(
            "the image has none of {}, so it can't tell the server that it is done; add one to the image",
            reporter::CLIENTS.map(|client| format!("`{client}`")).join(", ")
        ));
    }
    found
}

#[cfg(test)]
mod tests;
