//! What can be found wrong with a site without a machine: everything, all at once. Nothing is written.
//!
//! Everything that `bundle`, the agent and the distributions' installers would refuse is found here, by the same code that they
//! refuse it by. What isn't on this machine (an image of the lock, an installer) isn't held against anything, and is told.

mod answers;
mod installs;
mod lints;
mod machines;
mod origin;
mod pins;

use std::collections::BTreeSet;

use anyhow::Result;

use answers::Rendered;
pub use answers::{answers_of, templates};
pub use lints::{Lints, of_hosts};
use machines::Machines;
pub use origin::explain;

use crate::boot::dnsmasq::{self, DhcpHost};
use crate::bundle::images::{Images, OpenImage};
use crate::grammar::Finding;
use crate::handoff;
use crate::host::{self, Waived};
use crate::image::store::Store;
use crate::profile::diag::{Diagnostic, Report};
use crate::profile::rule;
use crate::site::context::{Inspected, SiteContext};
use crate::site::keys;
use crate::site::paths::SitePaths;
use crate::spec::image::ImagePin;
use crate::sys::clock::{Clock as _, SystemClock};
use crate::value::HostName;

/// A site with all that there is to say of it.
#[derive(Debug)]
pub struct Checked {
    /// Its hosts without mistakes.
    pub context: SiteContext,
    /// What is wrong with its texts, and what is seldom meant.
    pub report: Report,
    /// What the site waives of it.
    pub waived: Vec<Waived>,
    /// Hosts whose answer files can't be rendered or that their installer would refuse, a text each.
    pub answers: Vec<String>,
    /// Hosts that can't be bundled or that their image doesn't suit, a text each.
    pub installs: Vec<String>,
    /// Files that couldn't be read, a text each.
    pub unread: Vec<String>,
    /// Images that are pinned, and aren't in this machine's store.
    pub elsewhere: BTreeSet<String>,
    /// What to know of hosts that a generated dnsmasq file gives no address.
    pub astray: Option<String>,
    /// How many files of facts the site has, and how many of them are of no host.
    pub facts: (usize, usize),
}

/// Checks a site.
///
/// # Errors
/// A site that isn't there or whose directories can't be listed; everything else is told in what is returned.
pub fn check(paths: &SitePaths) -> Result<Checked> {
    let Inspected { context, sources, resolved, lock } = SiteContext::inspect(paths)?;
    let host::Resolved { diagnostics, warnings, mut waived, mut waivers, .. } = resolved;
    let mut opened = OfStore::open(paths);
    let warnings = of_unknown_versions(warnings, &context, &mut opened);
    let mut report = Report::new(sources, [diagnostics, warnings].concat());
    let images = pins::look(paths, &context);
    if lock.is_ok() {
        let mut missing = images.missing(&report);
        missing.extend(pins::too_old(paths, &context, &report, SystemClock.now()));
        waived.extend(waivers.apply(&mut missing));
        report = report.with(missing);
    }
    let mut unread: Vec<_> = lock.err().map(|error| format!("{error:#}")).into_iter().collect();
    let rendered = answers::check(paths, &context).unwrap_or_else(|error| {
        unread.push(format!("{error:#}"));
        Rendered::default()
    });
    waived.extend(waivers.apply(&mut of_answers(&rendered.waived, &report)));
    let answers = rendered.refused;
    let installs = installs::installs(paths, &context, &mut opened);
    let mut lints = Lints::new();
    let Machines { mut found, unread: unreadable, files: facts } =
        machines::look(paths, &context, &mut opened, &report, &mut lints);
    unread.extend(unreadable);
    by_itself(&context, &mut opened, &mut lints);
    found.extend(lints.diagnostics(&report));
    unread.extend(lints.unread);
    waived.extend(waivers.apply(&mut found));
    report = report.with(found);
    // a mistake may hide what an address or a waiver is for
    let whole = !report.has_errors();
    let astray = if whole { astray(&context) } else { None };
    if answers.is_empty() && installs.is_empty() && unread.is_empty() && whole {
        report = report.with(waivers.unused());
    }
    Ok(Checked {
        context,
        report,
        waived,
        answers,
        installs,
        unread,
        elsewhere: images.elsewhere,
        astray,
        facts,
    })
}

/// Judges the images of the lock by themselves.
fn by_itself(context: &SiteContext, images: &mut OfStore, lints: &mut Lints) {
    for host in &context.hosts {
        if let Some(Ok(image)) = context.pin(host).as_ref().and_then(|pin| images.get(pin)) {
            lints.image(host, image);
        }
    }
}

/// What to know of hosts that dnsmasq would give no address: only where `server` is a name. Without one there is no PXE tree, and
/// an address says which network it is.
fn astray(context: &SiteContext) -> Option<String> {
    let server = context.site.server.as_ref()?;
    if dnsmasq::address(Some(server)).is_some() {
        return None;
    }
    dnsmasq::astray(&context.by_agent().map(|host| DhcpHost::of(host, None)).collect::<Vec<_>>())
}

/// What a site waives in the files that installers read: of the host, for its lines are in no file.
fn of_answers(found: &[(HostName, Finding)], report: &Report) -> Vec<Diagnostic> {
    let files = report.host_files();
    let diagnostic = |(host, finding): &(HostName, Finding)| {
        let span = files.get(host.as_str()).copied()?;
        let message = format!("line {} of its answer file: {}", finding.line, finding.message);
        let diagnostic = Diagnostic::new(span, message).maybe_help(finding.help.clone());
        Some(diagnostic.finding(finding.rule, finding.severity, None, host.to_string()))
    };
    found.iter().filter_map(diagnostic).collect()
}

/// Without what one version of cloud-init doesn't read, for hosts whose image shows which one it is: `bundle` refuses that then.
fn of_unknown_versions(
    mut warnings: Vec<Diagnostic>,
    context: &SiteContext,
    images: &mut OfStore,
) -> Vec<Diagnostic> {
    let mut is_unknown = |name: &String| {
        let host = name.parse().ok().and_then(|name| context.host(&name).ok());
        let pin = host.and_then(|host| context.pin(host));
        let image = pin.as_ref().and_then(|pin| images.get(pin));
        !matches!(image, Some(Ok(image)) if handoff::cloud_init_of(&image.manifest.system).is_some())
    };
    warnings.retain_mut(|warning| {
        if warning.is_of(&rule::USER_DATA_VERSION) {
            warning.hosts.retain(&mut is_unknown);
        }
        !warning.is_of(&rule::USER_DATA_VERSION) || !warning.hosts.is_empty()
    });
    warnings
}

/// The images of the site's store; none where there is no store or no key that could prove one.
struct OfStore(Option<Images>);

impl OfStore {
    fn open(paths: &SitePaths) -> Self {
        let (store, keys) = (Store::open(&paths.store()).ok(), keys::trusted(paths).ok());
        Self(store.zip(keys).map(|(store, keys)| Images::of(store, keys)))
    }

    /// `None` where the image isn't in the store; why it can't be read as a text.
    fn get(&mut self, pin: &ImagePin) -> Option<Result<&OpenImage, &str>> {
        self.0.as_mut()?.look(pin)
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
