//! What `image lint` says of the images of hosts: once an image, not once a host.
//!
//! Where the site has facts of a host's machine, the image is judged for its devices too; without them only what holds for any
//! machine. An image that isn't in this machine's store isn't judged. `check` tells all; `arm` and `bundle` stop at errors
//! ([`Lints::require`]), so that nothing is wiped for an image that can't work.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::OfStore;
use super::machines::ByMachine;
use crate::bundle::images::OpenImage;
use crate::host::{Host, LockedHost};
use crate::image_lint::{Finding, Hardware};
use crate::profile::diag::{Diagnostic, Report};
use crate::profile::rule::Severity;
use crate::site::facts;
use crate::site::paths::SitePaths;
use crate::spec::facts::Facts;
use crate::sys::clock::{Clock as _, SystemClock};
use crate::value::{HostName, ImageRef, Timestamp};

/// So many hosts are named that have a finding in common.
const MOST_NAMES: usize = 3;

/// Image, finding, and apart, whether the hosts' waivers have the rule: some may have it and some not.
type Key = (ImageRef, Finding, bool);

/// What was found, and of which hosts.
#[derive(Debug)]
pub struct Lints {
    now: Timestamp,
    found: BTreeMap<Key, BTreeSet<HostName>>,
    /// Images that couldn't be judged, a text each.
    pub unread: BTreeSet<String>,
}

impl Lints {
    /// None yet; judged is as of today.
    pub(super) fn new() -> Self {
        Self { now: SystemClock.now(), found: BTreeMap::new(), unread: BTreeSet::new() }
    }

    /// Judges a host's image by itself.
    pub(super) fn image(&mut self, host: &Host, image: &OpenImage) {
        let found = image.linter(self.now).and_then(|linter| Ok(linter.general()?.to_vec()));
        self.add(host, image, found);
    }

    /// Judges a host's image for its machine.
    pub(super) fn machine(&mut self, host: &Host, image: &OpenImage, facts: &Facts) {
        let modaliases = facts.machine.modaliases.clone();
        if modaliases.is_empty() {
            return;
        }
        let hardware = Hardware { modaliases };
        let found = image.linter(self.now).and_then(|linter| linter.on_hardware(&hardware));
        self.add(host, image, found);
    }

    fn add(&mut self, host: &Host, image: &OpenImage, found: Result<Vec<Finding>>) {
        match found {
            Ok(found) => {
                for finding in found {
                    let is_waived = host.waived.contains(&finding.rule);
                    let key = (image.manifest.image.clone(), finding, is_waived);
                    self.found.entry(key).or_default().insert(host.name.clone());
                }
            }
            Err(error) => _ = self.unread.insert(format!("{error:#}")),
        }
    }

    /// What to say of all of it, at the file of the first host that has it.
    pub(super) fn diagnostics(&self, report: &Report) -> Vec<Diagnostic> {
        let files = report.host_files();
        let diagnostic = |((image, finding, _), hosts): (&Key, &BTreeSet<HostName>)| {
            let first = hosts.first()?;
            let span = files.get(first.as_str()).copied()?;
            let message = format!("image {image}: {finding}");
            let diagnostic = Diagnostic::new(span, message).maybe_help(finding.help.clone());
            let mut diagnostic = diagnostic.finding(finding.rule, finding.severity, None, first.to_string());
            diagnostic.hosts = hosts.iter().map(ToString::to_string).collect();
            Some(diagnostic)
        };
        self.found.iter().filter_map(diagnostic).collect()
    }

    /// Warnings that no waiver has, a line each.
    ///
    /// # Errors
    /// All errors that no waiver has, and images that can't be judged.
    pub fn require(&self) -> Result<String> {
        let open = self.found.iter().filter(|((_, _, is_waived), _)| !is_waived);
        let (mut errors, mut warnings) = (String::new(), String::new());
        for ((image, finding, _), hosts) in open {
            let Finding { severity, rule, help, .. } = finding;
            let help = help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
            let line =
                format!("{}[{rule}]: {}: image {image}: {finding}{help}\n", severity.name(), names(hosts));
            match severity {
                Severity::Error => errors.push_str(&line),
                Severity::Warning => warnings.push_str(&line),
            }
        }
        if !errors.is_empty() || !self.unread.is_empty() {
            let unread: String = self.unread.iter().map(|text| format!("error: {text}\n")).collect();
            bail!(
                "the image would not work, and nothing was done; correct it, or `waive:` the rule in site.yaml:\n{errors}{unread}"
            );
        }
        Ok(warnings)
    }
}

fn names(hosts: &BTreeSet<HostName>) -> String {
    let named: Vec<_> = hosts.iter().take(MOST_NAMES).map(HostName::as_str).collect();
    match hosts.len().saturating_sub(MOST_NAMES) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// Judges the images of these hosts, for their machines where the site has facts of them. Facts that can't be read are `check`'s to tell.
///
/// # Errors
/// When the site's directory of facts can't be listed.
pub fn of_hosts<'a>(paths: &SitePaths, locked: impl IntoIterator<Item = &'a LockedHost>) -> Result<Lints> {
    let (mut lints, mut images) = (Lints::new(), OfStore::open(paths));
    let locked: Vec<_> = locked.into_iter().collect();
    for LockedHost { host, image } in &locked {
        // what can't be opened is told by who needs it
        if let Some(Ok(image)) = images.get(image) {
            lints.image(host, image);
        }
    }
    let files = facts::list(paths)?;
    let pins: BTreeMap<_, _> = locked.iter().map(|locked| (&locked.host.name, &locked.image)).collect();
    let by_machine = ByMachine::of(locked.iter().map(|locked| &locked.host));
    for recorded in files.iter().filter_map(|path| facts::read(path).ok()) {
        for host in by_machine.of_machine(&recorded.facts.machine) {
            if let Some(Ok(image)) = pins.get(&host.name).and_then(|pin| images.get(pin)) {
                lints.machine(host, image, &recorded.facts);
            }
        }
    }
    Ok(lints)
}

#[cfg(test)]
mod tests;
