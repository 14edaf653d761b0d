//! Which link stands on which: names once, references to what is there, nothing used twice, no circles.

use std::collections::BTreeMap;

use super::super::Context;
use crate::profile::diag::Diagnostic;
use crate::profile::raw::RawNetwork;
use crate::profile::source::Span;
use crate::profile::spanned::Spanned;
use crate::value::{LinkName, VlanId, nearest};

/// Who stands on whom.
pub struct Stack {
    /// Member → the bond or bridge that owns it.
    owners: BTreeMap<LinkName, (LinkName, Span)>,
    /// VLAN → the link it is on.
    vlans: BTreeMap<LinkName, LinkName>,
}

/// What stands under a reference's name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LinkKind {
    Interface,
    Bond,
    Vlan,
    Bridge,
}

impl Stack {
    /// Looks at all names and references.
    pub fn new(context: &Context<'_>, raw: &RawNetwork, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let names = names(raw, diagnostics);
        let mut check = Check { context, names: &names, diagnostics };
        let mut owners: BTreeMap<LinkName, (LinkName, Span)> = BTreeMap::new();
        let bonds = raw.bonds.items.iter().map(|bond| (&bond.value.id, &bond.value.members, true));
        let bridges = raw.bridges.items.iter().map(|bridge| (&bridge.value.id, &bridge.value.members, false));
        for (id, members, is_bond) in bonds.chain(bridges) {
            let Some(id) = id else { continue };
            for member in &members.items {
                check.reference(member, |kind| match is_bond {
                    true => kind == LinkKind::Interface,
                    false => kind != LinkKind::Bridge,
                });
                match owners.get(&member.value) {
                    Some((other, first)) => {
                        let message = format!("`{}` is a member of `{other}` already", member.value);
                        let diagnostic = Diagnostic::new(member.span, message);
                        check.diagnostics.push(diagnostic.related(*first, "the first time"));
                    }
                    None => _ = owners.insert(member.value.clone(), (id.value.clone(), member.span)),
                }
            }
        }
        let mut vlans = BTreeMap::new();
        let mut tags: BTreeMap<(LinkName, VlanId), Span> = BTreeMap::new();
        for vlan in &raw.vlans.items {
            let vlan = &vlan.value;
            let (Some(id), Some(on)) = (&vlan.id, &vlan.link) else { continue };
            check.reference(on, |kind| kind != LinkKind::Vlan);
            vlans.insert(id.value.clone(), on.value.clone());
            let Some(tag) = &vlan.tag else { continue };
            if let Some(first) = tags.insert((on.value.clone(), tag.value), tag.span) {
                let message = format!("`{}` has a VLAN {} already", on.value, tag.value);
                check.diagnostics.push(Diagnostic::new(tag.span, message).related(first, "the first one"));
            }
        }
        let stack = Self { owners, vlans };
        stack.refuse_circles(diagnostics);
        stack
    }

    /// The bond or bridge that the link is a member of.
    pub fn member_of(&self, link: &LinkName) -> Option<LinkName> {
        self.owners.get(link).map(|(owner, _)| owner.clone())
    }

    /// Whether VLANs are on the link.
    pub fn carries(&self, link: &LinkName) -> bool {
        self.vlans.values().any(|on| on == link)
    }

    /// A bridge whose member is a VLAN on the bridge itself could never come up.
    fn refuse_circles(&self, diagnostics: &mut Vec<Diagnostic>) {
        for (member, (owner, span)) in &self.owners {
            let mut below = self.vlans.get(member);
            let mut steps = 0;
            while let Some(link) = below.filter(|_| steps <= self.owners.len() + self.vlans.len()) {
                if link == owner {
                    let message = format!("`{owner}` would stand on itself: `{member}` is on it");
                    diagnostics.push(Diagnostic::new(*span, message));
                    break;
                }
                below = self.vlans.get(link).or(self.owners.get(link).map(|(owner, _)| owner));
                steps += 1;
            }
        }
    }
}

struct Check<'c> {
    context: &'c Context<'c>,
    names: &'c BTreeMap<&'c LinkName, LinkKind>,
    diagnostics: &'c mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn reference(&mut self, name: &Spanned<LinkName>, allowed: impl Fn(LinkKind) -> bool) {
        let possible =
            || self.names.iter().filter(|(_, kind)| allowed(**kind)).map(|(name, _)| name.as_str());
        let Some(kind) = self.names.get(&name.value) else {
            let help = match nearest(name.value.as_str(), possible()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "links are named by their `id`".to_owned(),
            };
            let message = format!("there is no link `{}`", name.value);
            self.context.missing(self.diagnostics, Some(name.span), &message, help);
            return;
        };
        if !allowed(*kind) {
            let kind = match kind {
                LinkKind::Interface => "an interface",
                LinkKind::Bond => "a bond",
                LinkKind::Vlan => "a VLAN",
                LinkKind::Bridge => "a bridge",
            };
            let message = format!("`{}` is {kind}, which can't stand here", name.value);
            self.diagnostics.push(Diagnostic::new(name.span, message));
        }
    }
}

/// All names with what they name; the second use of one is told.
fn names<'r>(raw: &'r RawNetwork, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<&'r LinkName, LinkKind> {
    let interfaces = raw.interfaces.items.iter().map(|interface| (&interface.value.id, LinkKind::Interface));
    let bonds = raw.bonds.items.iter().map(|bond| (&bond.value.id, LinkKind::Bond));
    let vlans = raw.vlans.items.iter().map(|vlan| (&vlan.value.id, LinkKind::Vlan));
    let bridges = raw.bridges.items.iter().map(|bridge| (&bridge.value.id, LinkKind::Bridge));
    let mut names = BTreeMap::new();
    let mut places: BTreeMap<&LinkName, Span> = BTreeMap::new();
    for (id, kind) in interfaces.chain(bonds).chain(vlans).chain(bridges) {
        let Some(id) = id else { continue };
        match places.get(&id.value) {
            Some(first) => {
                let message = format!("the name `{}` stands here a second time", id.value);
                diagnostics.push(Diagnostic::new(id.span, message).related(*first, "the first time"));
            }
            None => {
                places.insert(&id.value, id.span);
                names.insert(&id.value, kind);
            }
        }
    }
    names
}
