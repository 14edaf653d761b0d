//! `waive:` of `site.yaml`: findings that the site knows of and wants, each with the reason.
//!
//! A waiver takes away findings of its rule, of one host or of all. One that takes nothing away is told: it is old, or meant
//! something else.

use crate::profile::diag::Diagnostic;
use crate::profile::load::Shared;
use crate::profile::raw::RawWaiver;
use crate::profile::rule::{self, Rule};
use crate::profile::source::Span;
use crate::profile::spanned::Spanned;
use crate::value::HostName;

/// The waivers of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers(Vec<Waiver>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiver {
    rule: &'static Rule,
    host: Option<HostName>,
    reason: String,
    span: Span,
    is_used: bool,
}

/// A finding that the site wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waived {
    /// The finding.
    pub finding: Diagnostic,
    /// Why, in the site's words.
    pub reason: String,
}

impl Waivers {
    /// Reads them; what is no waiver is told.
    pub fn new(shared: &Shared, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let read = |item: &Spanned<RawWaiver>| {
            let RawWaiver { rule, host, reason } = &item.value;
            let (Some(rule), Some(reason)) = (rule, reason) else {
                if !shared.site_damaged {
                    let help = "add `rule: ID` and `reason: WHY`";
                    diagnostics
                        .push(Diagnostic::new(item.span, "a waiver needs a rule and a reason").help(help));
                }
                return None;
            };
            let known = rule.value.rule();
            if !known.can_be_waived() {
                let message = format!("`{known}` can't be waived");
                let ids = rule::ALL.iter().filter(|rule| rule.can_be_waived()).map(|rule| rule.id());
                let help = format!("what can be: {}", ids.collect::<Vec<_>>().join(", "));
                diagnostics.push(Diagnostic::new(rule.span, message).help(help));
                return None;
            }
            if reason.value.trim().is_empty() || reason.value.chars().any(char::is_control) {
                diagnostics.push(Diagnostic::new(reason.span.begin(), "a reason is one line of text"));
                return None;
            }
            let (host, reason) = (host.as_ref().map(|host| host.value.clone()), reason.value.clone());
            Some(Waiver { rule: known, host, reason, span: item.span, is_used: false })
        };
        Self(shared.site.waive.items.iter().filter_map(read).collect())
    }

    /// What a host may break of `lint`'s rules.
    pub fn of(&self, host: &HostName) -> Vec<&'static Rule> {
        let holds = |waiver: &&Waiver| waiver.host.as_ref().is_none_or(|of| of == host);
        let rules = self.0.iter().filter(holds).map(|waiver| waiver.rule);
        rules.filter(|rule| !rule::ALL.contains(rule)).collect()
    }

    /// Takes the findings that are waived out of these, and returns them.
    pub fn apply(&mut self, findings: &mut Vec<Diagnostic>) -> Vec<Waived> {
        let mut waived = Vec::new();
        if self.0.is_empty() {
            return waived;
        }
        findings.retain(|finding| match self.reason(finding) {
            Some(reason) => {
                waived.push(Waived { finding: finding.clone(), reason });
                false
            }
            None => true,
        });
        waived
    }

    fn reason(&mut self, finding: &Diagnostic) -> Option<String> {
        let of = |host: &HostName| finding.hosts.iter().any(|name| name == host.as_str());
        let mut reason = None;
        for waiver in &mut self.0 {
            if finding.is_of(waiver.rule) && waiver.host.as_ref().is_none_or(of) {
                waiver.is_used = true;
                reason.get_or_insert_with(|| waiver.reason.clone());
            }
        }
        reason
    }

    /// What to say of those that took nothing away; ask when all findings were there.
    pub fn unused(&self) -> Vec<Diagnostic> {
        let unused = self.0.iter().filter(|waiver| !waiver.is_used);
        let told = |waiver: &Waiver| {
            let of = waiver.host.as_ref().map(|host| format!(" of {host}")).unwrap_or_default();
            let message = format!("nothing{of} is waived by this: `{}` finds nothing there", waiver.rule);
            Diagnostic::new(waiver.span, message).help("take it out").rule(&rule::UNUSED_WAIVER, [])
        };
        unused.map(told).collect()
    }
}
