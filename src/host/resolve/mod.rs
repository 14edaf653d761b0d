//! Raw layers → hosts, with every rule that spans more than one value. Pure: the files that hand-offs name come as texts.
//!
//! All mistakes of all hosts are found in one go. Where a part couldn't be read, what seems to be missing isn't complained
//! about. A mistake in a class is worded without the host's name, so that it is told once.

mod accounts;
mod clashes;
mod classes;
mod duplicate_matches;
mod explain;
pub(super) mod handoff;
mod install;
mod layout;
mod network;
mod rules;
mod site;
mod template;
mod waivers;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

pub use explain::{Class, Explanation, explain};
pub use waivers::{Waived, Waivers};

use super::model::agent_start;
use super::{Host, Installer, Locale, Site};
use crate::profile::diag::Diagnostic;
use crate::profile::load::{Layer, Shared, Tree};
use crate::profile::raw::{RawLocale, RawProfile};
use crate::profile::rule::{self, Severity};
use crate::profile::source::{SourceId, Sources, Span};
use crate::profile::spanned::{Merge, Section, Spanned};
use crate::spec::order::HostMatch;

/// A site and its hosts, complete or with the reasons why not.
#[derive(Debug)]
pub struct Resolved {
    /// The site; as far as it could be read.
    pub site: Site,
    /// The hosts without mistakes, sorted by name.
    pub hosts: Vec<Host>,
    /// All mistakes, those of reading too.
    pub diagnostics: Vec<Diagnostic>,
    /// What isn't good and yet no mistake.
    pub warnings: Vec<Diagnostic>,
    /// What would be among these if the site didn't want it.
    pub waived: Vec<Waived>,
    /// For findings that are made later, see [`Waivers::apply`].
    pub waivers: Waivers,
}

/// Resolves a whole site.
pub fn resolve(tree: &Tree) -> Resolved {
    let mut resolver = Resolver::new(&tree.shared);
    resolver.add(tree.hosts.iter().cloned(), &tree.texts, &tree.sources);
    resolver.finish(tree.diagnostics.clone())
}

/// Resolves a site whose hosts come by and by: each raw layer goes as its host comes.
#[derive(Debug)]
pub struct Resolver<'t> {
    shared: &'t Shared,
    site: Site,
    chains: classes::Chains<'t>,
    /// What hosts of the same classes have in common.
    stacks: HashMap<Vec<SourceId>, RawProfile>,
    claims: Vec<duplicate_matches::Claim>,
    clashes: clashes::Clashes,
    server: Option<std::net::IpAddr>,
    warnings: Vec<Diagnostic>,
    waivers: Waivers,
    hosts: Vec<Host>,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Resolver<'t> {
    /// A site without hosts.
    pub fn new(shared: &'t Shared) -> Self {
        let mut diagnostics = Vec::new();
        let site = site::resolve(shared, &mut diagnostics);
        let chains = classes::Chains::new(shared, &mut diagnostics);
        let waivers = Waivers::new(shared, &mut diagnostics);
        let server = clashes::server(&site);
        let (stacks, claims, clashes, warnings, hosts) = Default::default();
        Self { shared, site, chains, stacks, claims, clashes, server, warnings, waivers, hosts, diagnostics }
    }

    /// Resolves some hosts. `texts` are the files that they and the classes name.
    pub fn add(
        &mut self,
        layers: impl IntoIterator<Item = Layer>,
        texts: &BTreeMap<String, SourceId>,
        sources: &Sources,
    ) {
        let templates = handoff::Templates::new(texts, sources, &mut self.diagnostics);
        for layer in layers {
            self.add_host(layer, &templates);
        }
    }

    fn add_host(&mut self, mut layer: Layer, templates: &handoff::Templates<'_>) {
        let chain = self.chains.of_host(&layer, &mut self.diagnostics);
        let key = chain.layers.iter().map(|class| class.source).collect();
        let below = self.stacks.entry(key).or_insert_with(|| {
            let classes = chain.layers.iter().map(|class| class.raw.clone());
            classes.fold(RawProfile::default(), Merge::merge)
        });
        let raw = below.clone().merge(std::mem::take(&mut layer.raw));
        let context = Context {
            layer: &layer,
            site: &self.site,
            site_vars: &self.shared.site.vars,
            templates,
            waivers: &self.waivers,
            damaged: layer.damaged || chain.damaged,
        };
        self.claims.push(duplicate_matches::Claim::new(&layer, &raw));
        self.clashes.add(&layer, &raw, self.server);
        let mut found = Vec::new();
        let host = resolve_host(&context, raw, &mut found);
        let (mistakes, warnings) = by_severity(found);
        self.diagnostics.extend(mistakes);
        self.warnings.extend(warnings);
        self.warnings.extend(host.as_ref().and_then(|host| accounts::no_login(host, layer.source)));
        self.hosts.extend(host);
    }

    /// The site, when all hosts are in. `found` is what was wrong with the files.
    pub fn finish(self, found: Vec<Diagnostic>) -> Resolved {
        let Self { shared, site, claims, clashes, server, warnings, mut waivers, mut hosts, .. } = self;
        let own = self.diagnostics;
        let mut diagnostics = found;
        diagnostics.extend(own);
        if claims.is_empty() && diagnostics.is_empty() {
            let message = "the site has no host";
            let help = "add one as `hosts/NAME.yaml`";
            diagnostics.push(Diagnostic::new(Span::file(shared.site_source), message).help(help));
        }
        let told = duplicate_matches::check(&claims, &mut diagnostics);
        // no two have one name: it is their file's
        hosts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut findings = warnings;
        findings.extend(clashes.finish(shared, server, &told));
        let waived = waivers.apply(&mut findings);
        let (mistakes, warnings) = by_severity(findings);
        diagnostics.extend(mistakes);
        let (diagnostics, warnings) = (of_files_once(diagnostics), of_files_once(warnings));
        Resolved { site, hosts, diagnostics, warnings, waived, waivers }
    }
}

/// Mistakes, and what is none.
fn by_severity(findings: Vec<Diagnostic>) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    findings.into_iter().partition(|finding| finding.severity == Severity::Error)
}

/// Hosts share files: what `lint` finds in one is told once, of all of them.
fn of_files_once(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let (found, mut others): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.rule.is_some_and(|rule| !rule::ALL.contains(&rule)));
    let mut told: BTreeMap<(Span, String), Diagnostic> = BTreeMap::new();
    for finding in found {
        match told.entry((finding.span, finding.message.clone())) {
            Entry::Occupied(mut first) => first.get_mut().hosts.extend(finding.hosts),
            Entry::Vacant(place) => drop(place.insert(finding)),
        }
    }
    others.extend(told.into_values());
    others
}

/// What the parts of a host need to know beside their own section.
struct Context<'t> {
    layer: &'t Layer,
    site: &'t Site,
    site_vars: &'t crate::profile::raw::Vars,
    templates: &'t handoff::Templates<'t>,
    waivers: &'t Waivers,
    damaged: bool,
}

impl Context<'_> {
    /// Complains of something that isn't there, unless it may be in a part that couldn't be read.
    fn missing(
        &self,
        diagnostics: &mut Vec<Diagnostic>,
        span: Option<Span>,
        message: &str,
        help: impl Into<String>,
    ) {
        if !self.damaged {
            let span = span.unwrap_or(Span::file(self.layer.source));
            diagnostics.push(Diagnostic::new(span, message).help(help));
        }
    }
}

fn resolve_host(context: &Context<'_>, raw: RawProfile, diagnostics: &mut Vec<Diagnostic>) -> Option<Host> {
    let before = diagnostics.len();
    let stem = &context.layer.name;
    match &raw.name {
        None => {
            context.missing(diagnostics, None, "the host has no name", format!("add `name: {stem}`"));
        }
        Some(name) if name.value.as_str() != stem => {
            let message = format!("the host `{}` stands in `{stem}.yaml`", name.value);
            let help = format!("rename the file to `{}.yaml`, or the host", name.value);
            diagnostics.push(Diagnostic::new(name.span, message).help(help));
        }
        Some(_) => {}
    }
    rules::variables(&raw.vars, diagnostics);
    let matching = resolve_match(context, &raw, diagnostics);
    let installer = install::installer(&raw);
    let os = install::os(context, &raw, installer, diagnostics);
    if raw.image.is_none() && installer == Installer::Native {
        let help = "add `image: NAME@VERSION`, or name another `installer`";
        context.missing(diagnostics, None, "the host has no golden image", help);
    }
    let cloud_init = install::cloud_init(os, raw.image.is_some());
    let handoff = context.templates.handoff(context, &raw, cloud_init, diagnostics);
    let scripts = install::scripts(context, &raw, context.templates, diagnostics);
    let target = rules::target(context, &raw, diagnostics);
    // the answers to other installers name the disk whatever may be wiped
    if agent_start(installer, os, raw.image.as_ref().map(|image| &image.value)).is_some() {
        rules::wiped(context, &raw, target.as_ref(), diagnostics);
    }
    let host = Host {
        layout: layout::resolve(context, &raw.storage.value, target.as_ref(), diagnostics),
        network: network::resolve(context, raw.network, diagnostics),
        confirm_seconds: rules::confirm(raw.storage.value.confirm, diagnostics),
        refusal_pause_seconds: rules::refusal_pause(raw.policy.value.refusal_pause.as_ref(), diagnostics),
        allow_dead_clock: raw.policy.value.allow_dead_clock.as_ref().is_some_and(|allowed| allowed.value),
        max_image_age: rules::max_age(raw.policy.value.max_age.as_ref(), diagnostics),
        wipe: raw.storage.value.wipe.map(|wipe| wipe.value).unwrap_or_default(),
        locale: resolve_locale(raw.locale, diagnostics),
        root: accounts::root(raw.root),
        users: accounts::users(context, raw.users, diagnostics),
        packages: network::values(raw.packages),
        remove_packages: network::values(raw.remove_packages),
        repositories: install::repositories(context, raw.repositories, diagnostics),
        proxy: raw.proxy.map(|proxy| proxy.value),
        boot: install::boot(raw.boot, diagnostics),
        finish: install::finish(&raw.finish),
        scripted: install::scripted(&raw.policy.value),
        scripts,
        os,
        mirror: raw.mirror.map(|mirror| mirror.value),
        kernel_args: raw.kernel_args.items.into_iter().map(|arg| arg.value).collect(),
        image: raw.image.map(|image| image.value),
        waived: raw.name.as_ref().map(|name| context.waivers.of(&name.value)).unwrap_or_default(),
        name: raw.name?.value,
        target: target?,
        handoff: handoff?,
        matching,
        installer,
    };
    let is_good = |found: &Diagnostic| found.severity == Severity::Warning;
    diagnostics[before..].iter().all(is_good).then_some(host)
}

fn resolve_match(context: &Context<'_>, raw: &RawProfile, diagnostics: &mut Vec<Diagnostic>) -> HostMatch {
    let matching = duplicate_matches::host_match(&raw.matching.value);
    if matching.macs.is_empty() && matching.uuid.is_none() && matching.serial.is_none() {
        let help = "add `match: { mac: [\"52:54:00:12:34:56\"] }`, or a `serial` or `uuid`";
        context.missing(diagnostics, raw.matching.span, "nothing tells which machine this is", help);
    }
    matching
}

fn resolve_locale(raw: Section<RawLocale>, diagnostics: &mut Vec<Diagnostic>) -> Locale {
    let RawLocale { lang, keyboard, timezone, ntp } = raw.value;
    let mut text = |value: Option<Spanned<String>>, default: &str, rule: rules::TextRule| match value {
        None => default.to_owned(),
        Some(Spanned { value, span }) => {
            if let Err(message) = rule(&value) {
                diagnostics.push(Diagnostic::new(span, message));
            }
            value
        }
    };
    Locale {
        lang: text(lang, "C.UTF-8", rules::lang),
        keyboard: text(keyboard, "us", rules::keyboard),
        timezone: text(timezone, "UTC", rules::timezone),
        ntp: network::values(ntp),
    }
}

#[cfg(test)]
mod tests;
