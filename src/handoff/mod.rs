//! Who takes over after the install, as files and units of the installed system.
//!
//! A host is *done* when its configuration management reported that its first run succeeded. Every hand-off therefore
//! has the same frame (`reporter`): one unit that runs the manager once, judges its exit status, and tells journal,
//! console and server. A manager is one file here: a command, its files, and what it needs of the image.
//!
//! Everything that an image can't do is refused here, at build time, all of it at once. Pure: data in, data out. No value
//! of a profile may become code: values go through JSON or [`shell::quote`], and units hold constants only.

#[path = "../host/handoff/ansible.rs"]
mod ansible;
#[path = "../host/handoff/cloud_init.rs"]
mod cloud_init;
#[path = "../host/handoff/outcomes.rs"]
mod outcomes;
mod reporter;
#[path = "../host/handoff/script.rs"]
mod script;
#[path = "../host/handoff/shell.rs"]
pub mod shell;
mod unpacked;

use anyhow::{Context, Result, bail};
pub use unpacked::unpacked_misfits;

use crate::fit::{self, Look};
use crate::grammar::{self, cloud_config};
use crate::host::{Handoff, Host, LockedHost, Site};
use crate::spec::image::{ImageSystem, NetworkStack};
use crate::spec::system::{Sudo, SystemFile, SystemSpec};
use crate::value::{HttpUrl, ImageSource, OrderId};

/// What one manager puts into the installed system.
#[derive(Debug)]
struct Takeover {
    /// Name in events.
    by: &'static str,
    /// Program that runs it to its end and fails when it failed; `None`: there is nothing to wait for.
    command: Option<String>,
    files: Vec<SystemFile>,
    units: Vec<String>,
}

/// What makes the image this host's, for the order. `tree` is the root file system inside the image.
///
/// # Errors
/// When the image lacks something that the host needs, or a value of the hand-off can't be used: all misfits in one error.
/// When the tree can't be read.
pub fn system(
    host: &LockedHost,
    site: &Site,
    image: &ImageSystem,
    tree: &dyn Look,
    order: &OrderId,
) -> Result<SystemSpec> {
    let LockedHost { host, image: pin } = host;
    let mut misfits = image_misfits(host, site, image);
    let (files, units) = parts(host, site, image, order).unwrap_or_else(|error| {
        misfits.push(format!("{error:#}"));
        Default::default()
    });
    let system = SystemSpec {
        hostname: host.name.clone(),
        timezone: Some(host.locale.timezone.clone()),
        root: host.root.clone(),
        users: host.users.clone(),
        files,
        units,
    };
    misfits.extend(user_data_misfits(host, image));
    let inside = fit::misfits(&system, tree);
    misfits.extend(inside.with_context(|| format!("{}: looking into image {}", host.name, pin.image))?);
    if !misfits.is_empty() {
        bail!("{}: can't be installed with {}:\n  {}", host.name, pin.image, misfits.join("\n  "));
    }
    Ok(system)
}

/// The version of an image's cloud-init, where it is known.
pub fn cloud_init_of(image: &ImageSystem) -> Option<cloud_config::Version> {
    cloud_config::Version::of(&image.os, &image.os_version)
}

/// What the image's cloud-init would stumble over, where its version is known; what every version would, `host` has refused.
fn user_data_misfits(host: &Host, image: &ImageSystem) -> Vec<String> {
    let Handoff::CloudInit { user_data } = &host.handoff else { return Vec::new() };
    let Some(version) = cloud_init_of(image) else { return Vec::new() };
    if crate::host::handoff::user_data(user_data).is_err() {
        return Vec::new();
    }
    let found = cloud_config::lint(user_data, Some(version));
    let text = |finding| format!("handoff.cloud_init.user_data: {finding} (cloud-init {version})");
    grammar::errors(&found).map(text).collect()
}

/// Files to write and units to enable on a host that an image becomes.
fn parts(
    host: &Host,
    site: &Site,
    image: &ImageSystem,
    order: &OrderId,
) -> Result<(Vec<SystemFile>, Vec<String>)> {
    let Takeover { by, command, mut files, mut units } = takeover(host, Some(order))?;
    if has(image, "cloud-init") && !matches!(host.handoff, Handoff::CloudInit { .. }) {
        // else it would look for a seed on any disk or network that comes along
        let text = "Written by ironstrap: this host's profile doesn't use cloud-init.\n";
        files.push(file("/etc/cloud/cloud-init.disabled", 0o644, text));
    }
    add_reporter(host, site, Some(order), by, command.as_deref(), &mut files, &mut units)?;
    Ok((files, units))
}

/// Files to write and units to enable on a host that a distribution's installer installs: no order, and no image whose
/// programs could be asked for.
///
/// # Errors
/// When a value of the hand-off can't be used.
pub fn seed(host: &Host, site: &Site) -> Result<(Vec<SystemFile>, Vec<String>)> {
    let takeover = takeover(host, None).with_context(|| host.name.to_string())?;
    let Takeover { by, command, mut files, mut units } = takeover;
    add_reporter(host, site, None, by, command.as_deref(), &mut files, &mut units)?;
    if matches!(host.image, Some(ImageSource::Oci(_))) {
        reporter::move_below_var(&mut files);
    }
    Ok((files, units))
}

fn takeover(host: &Host, order: Option<&OrderId>) -> Result<Takeover> {
    match &host.handoff {
        Handoff::None => Ok(Takeover { by: "boot", command: None, files: Vec::new(), units: Vec::new() }),
        Handoff::CloudInit { user_data } => cloud_init::takeover(&host.name, order, user_data),
        Handoff::AnsiblePull { url, playbook, revision } => {
            ansible::takeover(&host.name, url, playbook, revision.as_deref())
        }
        Handoff::Script { content } => script::takeover(content),
    }
}

fn add_reporter(
    host: &Host,
    site: &Site,
    order: Option<&OrderId>,
    by: &str,
    command: Option<&str>,
    files: &mut Vec<SystemFile>,
    units: &mut Vec<String>,
) -> Result<()> {
    let events = site.server.as_ref().map(events_url);
    files.extend(reporter::files(&host.name, order, by, command, events.as_ref())?);
    units.push(reporter::UNIT.to_owned());
    Ok(())
}

fn events_url(server: &HttpUrl) -> HttpUrl {
    server.join("v1/events")
}

fn has(image: &ImageSystem, tool: &str) -> bool {
    image.tools.iter().any(|found| found == tool)
}

/// Everything that this host wants and this image doesn't have, as far as its manifest tells; the rest is [`fit`]'s.
fn image_misfits(host: &Host, site: &Site, image: &ImageSystem) -> Vec<String> {
    let mut misfits = tool_misfits(host, site, image);
    if image.network == NetworkStack::Unknown {
        misfits.push(
            "the image enables no network stack that ironstrap can configure; enable systemd-networkd, ifupdown or NetworkManager in it"
                .to_owned(),
        );
    }
    if image.selinux_enforcing {
        misfits.push(
            "the image enforces SELinux, and files written at the install would have no label; set it to permissive in the image"
                .to_owned(),
        );
    }
    misfits
}

/// Programs that this host can't do without and this image doesn't have.
fn tool_misfits(host: &Host, site: &Site, image: &ImageSystem) -> Vec<String> {
    let mut misfits = Vec::new();
    let mut need = |wanted: bool, tool: &str, why: &str| {
        if wanted && !has(image, tool) {
            misfits
                .push(format!("the image has no `{tool}`, which {why} needs; add its package to the image"));
        }
    };
    let keys = !host.root.ssh_keys.is_empty() || host.users.iter().any(|user| !user.ssh_keys.is_empty());
    need(keys, "sshd", "`ssh_keys`");
    need(host.users.iter().any(|user| user.sudo != Sudo::No), "sudo", "`sudo`");
    need(matches!(host.handoff, Handoff::CloudInit { .. }), "cloud-init", "`handoff: cloud_init`");
    let ansible = matches!(host.handoff, Handoff::AnsiblePull { .. });
    need(ansible, "ansible-pull", "`handoff: ansible`");
    need(ansible, "git", "`handoff: ansible`");
    let can_post = reporter::CLIENTS.iter().any(|client| has(image, client));
    if site.server.is_some() && !can_post {
        misfits.push(format!(
            "the image has none of {}, so it can't tell the server that it is done; add one to the image",
            reporter::CLIENTS.map(|client| format!("`{client}`")).join(", ")
        ));
    }
    misfits
}

fn file(path: &str, mode: u32, content: impl Into<String>) -> SystemFile {
    SystemFile { path: path.to_owned(), mode, content: content.into(), token: None }
}

#[cfg(test)]
mod tests;
