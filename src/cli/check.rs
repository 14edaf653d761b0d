//! `ironstrap check`: everything that can be found wrong without a machine, all at once; nothing is written.

mod pins;

use std::collections::{BTreeMap, HashSet};
use std::io::IsTerminal as _;

use anyhow::{Context, Result, anyhow, bail};

use super::context::{Inspected, SiteContext};
use super::paths::SitePaths;
use super::{clocks, installers, keys, output, render};
use crate::answers::{self, table::Target};
use crate::boot::dnsmasq::{self, DhcpHost};
use crate::boot::grub::{self, BootHost};
use crate::bundle::inside::Inside;
use crate::failure::{Blame, BlameExt};
use crate::handoff;
use crate::host::{self, Host, Installer, Waived};
use crate::image::store::Store;
use crate::profile::diag::{Diagnostic, Report};
use crate::profile::rule::Rule;
use crate::spec::image::{ImagePin, ImageSystem};
use crate::spec::installer::{AgentStart, DebianRelease};
use crate::trust::TrustedKeys;
use crate::value::{Digest, HostName, ImageRef, OrderId};

/// Check every host of the site.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints one line, or all mistakes.
///
/// # Errors
/// Any mistake, or a site that can't be read.
pub fn run(_args: &Args, json: bool, paths: &SitePaths) -> Result<()> {
    let Inspected { context, sources, resolved, lock } = SiteContext::inspect(paths)?;
    let host::Resolved { diagnostics, warnings, waived, mut waivers, .. } = resolved;
    let mut opened = Images::of(paths);
    let warnings = of_unknown_versions(warnings, &context, &mut opened);
    let mut report = Report::new(sources, [diagnostics, warnings].concat());
    let mut waived = waived;
    let images = pins::look(paths, &context);
    if lock.is_ok() {
        let mut missing = images.missing(&report);
        waived.extend(waivers.apply(&mut missing));
        report = report.with(missing);
    }
    let mut unread: Vec<_> = lock.err().map(|error| format!("{error:#}")).into_iter().collect();
    let answers = render::check(paths, &context).unwrap_or_else(|error| {
        unread.push(format!("{error:#}"));
        Vec::new()
    });
    let installs = installs(paths, &context, &mut opened);
    let by_agent = || context.hosts.iter().filter(|host| host.agent_start().is_some());
    // without a server there is no PXE tree, and one with an address says which network it is; a mistake may hide an address
    let server = context.site.server.as_ref().filter(|_| !report.has_errors());
    let is_name = server.is_some_and(|server| dnsmasq::address(Some(server)).is_none());
    let astray = is_name.then(|| by_agent().map(|host| DhcpHost::of(host, None)).collect::<Vec<_>>());
    let astray = astray.and_then(|hosts| dnsmasq::astray(&hosts));
    let refused = answers.len() + installs.len();
    // a mistake may hide what a waiver is for
    if refused + unread.len() == 0 && !report.has_errors() {
        report = report.with(waivers.unused());
    }
    if json {
        let waived = waived.iter().map(|Waived { finding, reason }| {
            let mut entry = serde_json::to_value(report.entry(finding)).unwrap_or_default();
            entry["reason"] = reason.as_str().into();
            entry
        });
        let answer = serde_json::json!({
            "hosts": context.hosts.len(), "diagnostics": report.entries(), "answers": answers, "installs": installs,
            "waived": waived.collect::<Vec<_>>(), "images_elsewhere": images.elsewhere, "unread": unread,
            "dhcp": astray,
        });
        let text = serde_json::to_string_pretty(&answer).context("encoding the answer").blame(Blame::Bug)?;
        output::print(&format!("{text}\n"))?;
    } else {
        output::note(&report.render(std::io::stderr().is_terminal()));
        let refused = unread.iter().chain(&answers).chain(&installs);
        output::note(&refused.map(|text| format!("error: {text}\n")).collect::<String>());
        output::note(&images.note());
        output::note(&astray.iter().map(|text| format!("note: {text}\n")).collect::<String>());
    }
    if !unread.is_empty() && !report.has_errors() && refused == 0 {
        bail!("not every file of the site could be read");
    }
    let cannot = || format!("{refused} of {} hosts can't be installed", context.hosts.len());
    match (report.has_errors(), refused > 0) {
        (true, true) => bail!("{}; of those without, {}", report.summary(), cannot()),
        (true, false) => bail!("{}", report.summary()),
        (false, true) => bail!("{}", cannot()),
        (false, false) if json => Ok(()),
        (false, false) => {
            let allowing = by_agent().filter(|host| host.allow_dead_clock).map(|host| &host.name);
            output::note(&clocks::cost_of_allowing(allowing));
            Ok(output::print(&verdict(context.hosts.len(), report.warnings(), waived.len()))?)
        }
    }
}

/// The last line: nothing with a warning is all good.
fn verdict(hosts: usize, warnings: usize, waived: usize) -> String {
    let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let hosts = many(hosts, "host");
    match (warnings, waived) {
        (0, 0) => format!("{hosts}, all good\n"),
        (0, _) => format!("{hosts}, all good; {} waived in site.yaml\n", many(waived, "finding")),
        _ => format!("{hosts}, {}\n", many(warnings, "warning")),
    }
}

/// Without what one version of cloud-init doesn't read, for hosts whose image shows which one it is: `bundle` refuses that then.
fn of_unknown_versions(
    mut warnings: Vec<Diagnostic>,
    context: &SiteContext,
    images: &mut Images,
) -> Vec<Diagnostic> {
    let mut is_unknown = |name: &String| {
        let host = name.parse().ok().and_then(|name| context.host(&name).ok());
        let locked = host.and_then(|host| context.locked(host).ok());
        let image = locked.as_ref().and_then(|locked| images.get(&locked.image));
        !matches!(image, Some(Ok((system, _))) if handoff::cloud_init_of(system).is_some())
    };
    warnings.retain_mut(|warning| {
        if warning.rule == Some(Rule::UserDataVersion) {
            warning.hosts.retain(&mut is_unknown);
        }
        warning.rule != Some(Rule::UserDataVersion) || !warning.hosts.is_empty()
    });
    warnings
}

/// What `bundle` would refuse of the hosts that the agent installs, a text a host: all of it where the host's image is
/// locked and in the store, else what shows without the image.
fn installs(paths: &SitePaths, context: &SiteContext, images: &mut Images) -> Vec<String> {
    let unpacked = unpacked(context, images);
    let mut pinned = Pinned { paths, context, known: BTreeMap::new() };
    // any order would do
    let order = OrderId::from_random([0; 16]);
    let mut judged = HashSet::new();
    let mut refuse = |host, start: AgentStart| -> Result<()> {
        let misfits = answers::misfits(host, Target::Native);
        if !misfits.is_empty() {
            bail!("{}", misfits.join("\n"));
        }
        if let Some(release) = start.installer() {
            installers::place(&context.site, release).with_context(|| host.name.to_string())?;
            pinned.require(host, release)?;
        }
        let boot = BootHost::of(host, &order, start);
        // but for quoted names, scripts differ in these alone
        match judged.contains(&(start, &host.kernel_args[..])) {
            true => grub::require_found(&boot)?,
            false => grub::pxe(std::slice::from_ref(&boot)).map(drop)?,
        }
        judged.insert((start, &host.kernel_args[..]));
        let locked = context.locked(host).ok();
        match locked.as_ref().and_then(|locked| Some((locked, images.get(&locked.image)?))) {
            Some((locked, image)) => {
                let (system, inside) = image.as_ref().map_err(|error| anyhow!("{}: {error}", host.name))?;
                handoff::system(locked, &context.site, system, inside, &order).map(drop)
            }
            None => handoff::seed(host, &context.site).map(drop),
        }
    };
    let by_agent = context.hosts.iter().filter_map(|host| Some((host, host.agent_start()?)));
    let by_agent = by_agent.filter_map(|(host, start)| refuse(host, start).err());
    unpacked.into_iter().chain(by_agent.map(|error| format!("{error:#}"))).collect()
}

/// The installers that the lock file pins, where their files are on this machine, each looked at once.
struct Pinned<'a> {
    paths: &'a SitePaths,
    context: &'a SiteContext,
    /// The first host that starts one whose files are refused.
    known: BTreeMap<DebianRelease, Option<&'a HostName>>,
}

impl<'a> Pinned<'a> {
    /// # Errors
    /// An installer that isn't the pinned one: how it differs for the first host, and that it does for others.
    fn require(&mut self, host: &'a Host, release: DebianRelease) -> Result<()> {
        match self.known.get(&release) {
            Some(None) => Ok(()),
            Some(Some(first)) => {
                bail!("{}: the installer of {release} is refused, as for {first}", host.name)
            }
            None => {
                let verified = self.verify(release);
                self.known.insert(release, verified.is_err().then_some(&host.name));
                verified.with_context(|| host.name.to_string())
            }
        }
    }

    fn verify(&self, release: DebianRelease) -> Result<()> {
        let Self { paths, context, .. } = self;
        match context.lock().debian_installer.get(&release) {
            Some(pin) if installers::is_here(&context.site, paths, release) => {
                installers::read(&context.site, paths, release)?.verify(pin).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with images that a distribution's installer unpacks, a text a host, where the image is locked and in the
/// store.
fn unpacked(context: &SiteContext, images: &mut Images) -> Vec<String> {
    let mut refuse = |host: &Host| -> Result<()> {
        let Some(locked) = context.locked(host).ok() else { return Ok(()) };
        let Some(known) = images.get(&locked.image) else { return Ok(()) };
        let (system, inside) = known.as_ref().map_err(|error| anyhow!("{}: {error}", host.name))?;
        let misfits = handoff::unpacked_misfits(host, &context.site, system, inside)?;
        if !misfits.is_empty() {
            bail!(
                "{}: can't be installed with {}:\n  {}",
                host.name,
                locked.image.image,
                misfits.join("\n  ")
            );
        }
        Ok(())
    };
    let hosts = context.hosts.iter().filter(|host| host.installer == Installer::Anaconda);
    hosts.filter_map(|host| refuse(host).err()).map(|error| format!("{error:#}")).collect()
}

/// What is known of an image; why it can't be read as a text, for every host of a damaged image.
type Known = Result<(ImageSystem, Inside), String>;

/// The images of the store, each opened once.
struct Images {
    store: Option<(Store, TrustedKeys)>,
    known: BTreeMap<(ImageRef, Digest), Known>,
}

impl Images {
    fn of(paths: &SitePaths) -> Self {
        let store = Store::open(&paths.store()).ok().zip(keys::trusted(paths).ok());
        Self { store, known: BTreeMap::new() }
    }

    /// `None` where the image isn't in the store.
    fn get(&mut self, pin: &ImagePin) -> Option<&Known> {
        let digest = pin.manifest;
        let (store, keys) = self.store.as_ref()?;
        if !store.blob_path(&digest).exists() {
            return None;
        }
        Some(self.known.entry((pin.image.clone(), digest)).or_insert_with(|| {
            let open = || {
                let manifest = store.manifest(&pin.image, &digest, keys)?;
                anyhow::Ok((manifest.system.clone(), Inside::open(store, &manifest)?))
            };
            open().map_err(|error| format!("{error:#}"))
        }))
    }
}

#[cfg(test)]
mod tests;
