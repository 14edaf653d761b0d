//! Hosts held against the facts of their machines, as far as the site has any: what the agent would refuse there.
//!
//! What is wrong with a machine for good (no such disk, two alike, one too small) is an error. What a machine holds today may be
//! somebody's decision (data that isn't ours, an order that is done), and is a warning.

use std::collections::HashMap;

use anyhow::{Context, Result};

use super::OfStore;
use super::lints::Lints;
use crate::bundle::images::OpenImage;
use crate::host::{Host, LockedHost};
use crate::profile::diag::{Diagnostic, Report};
use crate::profile::rule;
use crate::profile::source::Span;
use crate::simulate::{Question, rehearse};
use crate::site::context::SiteContext;
use crate::site::facts::{self, Recorded};
use crate::site::paths::SitePaths;
use crate::site::{keys, permits};
use crate::spec::Code;
use crate::spec::facts::Machine;
use crate::spec::plan::Refusal;
use crate::sys::clock::{Clock as _, SystemClock};
use crate::trust::TrustedKeys;
use crate::value::{Mac, SystemUuid, Timestamp};

/// What came of it.
#[derive(Debug, Default)]
pub struct Machines {
    /// What the agent would refuse, a finding a host and file.
    pub found: Vec<Diagnostic>,
    /// Files of facts that couldn't be read, a text each.
    pub unread: Vec<String>,
    /// How many files there are, and how many of them are of no host.
    pub files: (usize, usize),
}

/// Rehearses every host that the agent installs on its machine, where the site has facts of it and the host's image is in the
/// store.
pub(super) fn look(
    paths: &SitePaths,
    context: &SiteContext,
    images: &mut OfStore,
    report: &Report,
    lints: &mut Lints,
) -> Machines {
    let mut machines = Machines::default();
    let files = facts::list(paths).unwrap_or_else(|error| {
        machines.unread.push(format!("{error:#}"));
        Vec::new()
    });
    if files.is_empty() {
        return machines;
    }
    let (hosts, trusted) = (ByMachine::of(&context.hosts), keys::trusted(paths).ok());
    let (profiles, now) = (report.host_files(), SystemClock.now());
    machines.files.0 = files.len();
    for path in files {
        let recorded = match facts::read(&path) {
            Ok(recorded) => recorded,
            Err(error) => {
                machines.unread.push(format!("{error:#}"));
                continue;
            }
        };
        let mut is_known = false;
        for host in hosts.of_machine(&recorded.facts.machine) {
            is_known = true;
            if host.agent_start().is_none() {
                continue;
            }
            let image = context.pin(host).and_then(|pin| Some((pin.clone(), images.get(&pin)?.ok()?)));
            let Some((image, opened)) = image else { continue };
            lints.machine(host, opened, &recorded.facts);
            let locked = LockedHost { host: host.clone(), image };
            let question =
                Asked { paths, context, host: &locked, trusted: trusted.as_ref(), recorded: &recorded, now };
            match question.refusal(opened) {
                // as it should be
                Ok(Some(Refusal { code: Code::OrderDone, .. })) => {}
                Ok(refusal) => {
                    let profile = profiles.get(host.name.as_str()).copied();
                    let found =
                        refusal.zip(profile).map(|(refusal, profile)| question.finding(&refusal, profile));
                    machines.found.extend(found);
                }
                Err(error) => machines.unread.push(format!("{}: {error:#}", host.name)),
            }
        }
        machines.files.1 += usize::from(!is_known);
    }
    machines
}

/// One host and one machine.
struct Asked<'a> {
    paths: &'a SitePaths,
    context: &'a SiteContext,
    host: &'a LockedHost,
    trusted: Option<&'a TrustedKeys>,
    recorded: &'a Recorded,
    now: Timestamp,
}

impl Asked<'_> {
    fn refusal(&self, image: &OpenImage) -> Result<Option<Refusal>> {
        let Self { paths, context, host, trusted, recorded, now } = self;
        let name = &host.host.name;
        // a permit that was edited is `bundle`'s to tell
        let permit = trusted.and_then(|keys| permits::proven(paths, name, keys).ok().flatten());
        let rehearsal = rehearse(&Question {
            host,
            site: &context.site,
            manifest: &image.manifest,
            loaders: image.loaders()?,
            permit: permit.as_ref(),
            generation: permits::last_generation(paths, name)?,
            facts: &recorded.facts,
            now: *now,
        });
        Ok(rehearsal.context("rehearsing its install")?.outcome.err())
    }

    fn finding(&self, refusal: &Refusal, profile: Span) -> Diagnostic {
        let Self { host, recorded, .. } = self;
        let name = host.host.name.as_str();
        let first = refusal.message.lines().next().unwrap_or_default();
        let message = format!(
            "on the machine of {} the agent would refuse, {}: {first}",
            recorded.path.display(),
            refusal.code
        );
        let rule = if is_for_good(refusal.code) { &rule::MACHINE_REFUSED } else { &rule::MACHINE_CONTENT };
        let help =
            format!("`ironstrap simulate {name} --facts {}` shows it disk by disk", recorded.path.display());
        Diagnostic::new(profile, message).help(help).rule(rule, [name.to_owned()])
    }
}

/// Whether the machine itself doesn't suit the host, whatever its disks hold.
fn is_for_good(code: Code) -> bool {
    matches!(
        code,
        Code::NoDisk
            | Code::ManyDisks
            | Code::SectorSize
            | Code::DiskTooSmall
            | Code::ImageUnsupported
            | Code::FirmwareRefuses
    )
}

/// The hosts, by what recognises their machines: sites have as many files of facts as hosts.
pub(super) struct ByMachine<'a> {
    macs: HashMap<Mac, Vec<&'a Host>>,
    uuids: HashMap<SystemUuid, Vec<&'a Host>>,
    /// In lower case, since a serial number matches in any.
    serials: HashMap<String, Vec<&'a Host>>,
}

impl<'a> ByMachine<'a> {
    /// These.
    pub(super) fn of(hosts: impl IntoIterator<Item = &'a Host>) -> Self {
        let mut by = Self { macs: HashMap::new(), uuids: HashMap::new(), serials: HashMap::new() };
        for host in hosts {
            let matching = &host.matching;
            matching.macs.iter().for_each(|mac| by.macs.entry(*mac).or_default().push(host));
            matching.uuid.iter().for_each(|uuid| by.uuids.entry(*uuid).or_default().push(host));
            let serial = matching.serial.iter().map(|serial| serial.to_string().to_ascii_lowercase());
            serial.for_each(|serial| by.serials.entry(serial).or_default().push(host));
        }
        by
    }

    /// Those that recognise it, each once.
    pub(super) fn of_machine(&self, machine: &Machine) -> Vec<&'a Host> {
        let serial = machine.serial.as_ref().map(|serial| serial.to_string().to_ascii_lowercase());
        let by_mac = machine.nics.iter().filter_map(|nic| self.macs.get(&nic.mac));
        let by_uuid = machine.uuid.iter().filter_map(|uuid| self.uuids.get(uuid));
        let by_serial = serial.iter().filter_map(|serial| self.serials.get(serial));
        let near = by_mac.chain(by_uuid).chain(by_serial).flatten();
        let mut hosts: Vec<_> = near.copied().filter(|host| host.matching.matches(machine)).collect();
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        hosts.dedup_by(|a, b| a.name == b.name);
        hosts
    }
}
