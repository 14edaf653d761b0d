//! How a host's profile came to be: its classes, who named them, and what became of each value.
//!
//! Works on a host with mistakes as far as it could be read. It stacks the same layers in the same order as `resolve` does.

use std::collections::HashSet;

use super::{classes, install};
use crate::host::Installer;
use crate::host::model::agent_start;
use crate::profile::load::{Layer, Tree};
use crate::profile::raw::{RawProfile, RawSite, Vars};
use crate::profile::schema::{self, Document};
use crate::profile::source::{SourceId, Span};
use crate::profile::trace::{Node, Path, Provenance, provenance, trace};
use crate::spec::installer::AgentStart;

/// A class that a host stacks.
#[derive(Debug, Clone)]
pub struct Class<'t> {
    /// The class.
    pub layer: &'t Layer,
    /// Where it is named; the first one is why it stands where it stands.
    pub named: Vec<Span>,
}

/// Where everything about a host comes from.
#[derive(Debug, Clone)]
pub struct Explanation<'t> {
    /// The host's own layer.
    pub host: &'t Layer,
    /// Its classes, lowest first.
    pub classes: Vec<Class<'t>>,
    /// Its values. Variables of the site stand below those of the classes.
    pub provenance: Provenance,
    /// What holds because nobody says anything else.
    pub defaults: Vec<(Path, String)>,
    /// The values of `site.yaml`, variables left out.
    pub site: Vec<Node>,
    /// What holds for the site because it doesn't say anything else.
    pub site_defaults: Vec<(Path, String)>,
    /// Who does the installing.
    pub installer: Installer,
    /// What starts ironstrap's agent, if it has a part in it.
    pub agent: Option<AgentStart>,
    /// The texts that have a say: `site.yaml`, the layers, and the files that values name.
    pub sources: HashSet<SourceId>,
}

fn agent_of(raw: &RawProfile) -> Option<AgentStart> {
    let os = raw.os.as_ref().map(|os| install::release(os.value));
    let image = raw.image.as_ref().map(|image| &image.value);
    agent_start(install::installer(raw), os, image)
}

/// Explains the host of this name (its own, or its file's); `None` if there is none.
pub fn explain<'t>(tree: &'t Tree, name: &str) -> Option<Explanation<'t>> {
    let called = |layer: &&Layer| layer.raw.name.as_ref().is_some_and(|own| own.value.as_str() == name);
    let host = tree.hosts.iter().find(|layer| layer.name == name).or(tree.hosts.iter().find(called))?;
    // what is wrong with the classes is told by `resolve`
    let chain = classes::Chains::new(&tree.shared, &mut Vec::new()).of_host(host, &mut Vec::new());
    let namings = namings(tree, host);
    let class = |layer: &&'t Layer| {
        let named = namings.iter().filter(|(name, _)| *name == layer.name).map(|(_, span)| *span).collect();
        Class { layer, named }
    };
    let classes: Vec<_> = chain.layers.iter().map(class).collect();

    let lowest = RawProfile { vars: tree.shared.site.vars.clone(), ..RawProfile::default() };
    let above = classes.iter().map(|class| &class.layer.raw).chain([&host.raw]);
    let (stack, provenance) = provenance(&[&lowest].into_iter().chain(above).collect::<Vec<_>>());
    let site = trace(&RawSite { vars: Vars::new(), ..tree.shared.site.clone() });

    let files = provenance.values.iter().filter_map(|node| tree.texts.get(node.text.as_deref()?));
    let own = classes.iter().map(|class| class.layer.source).chain([tree.shared.site_source, host.source]);
    let sources = own.chain(files.copied()).collect();
    Some(Explanation {
        host,
        defaults: schema::defaults(Document::Host, &provenance.values),
        site_defaults: schema::defaults(Document::Site, &site),
        installer: install::installer(&stack),
        agent: agent_of(&stack),
        classes,
        provenance,
        site,
        sources,
    })
}

/// Every class that is named on the way down from a host, in the order in which it is met.
fn namings<'t>(tree: &'t Tree, host: &'t Layer) -> Vec<(&'t str, Span)> {
    fn follow<'t>(
        tree: &'t Tree,
        layer: &'t Layer,
        seen: &mut HashSet<SourceId>,
        found: &mut Vec<(&'t str, Span)>,
    ) {
        if !seen.insert(layer.source) {
            return;
        }
        for name in &layer.raw.classes.items {
            found.push((&name.value, name.span));
            if let Some(class) = tree.shared.classes.get(&name.value) {
                follow(tree, class, seen, found);
            }
        }
    }
    let mut found = Vec::new();
    follow(tree, host, &mut HashSet::new(), &mut found);
    found
}
