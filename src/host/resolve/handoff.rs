//! What hand-offs are made from: `handoff:` with its place, and the texts of other files that profiles name, with variables filled in.
//!
//! Templates are files whose name ends in `.j2`, and texts that stand in the profile itself. Other files are taken as they
//! are: cloud-init and shell scripts have braces of their own. An undefined variable is a mistake, never an empty text.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use minijinja::context;
use minijinja::value::{Serde, Value};

use super::Context;
use super::template::{Place, Templates as Engine, Values};
use crate::grammar::cloud_config::{self, Version};
use crate::grammar::{Finding, Severity};
use crate::host::{Handoff, handoff};
use crate::profile::diag::Diagnostic;
use crate::profile::raw::RawProfile;
use crate::profile::rule;
use crate::profile::source::{SourceId, Sources, Span};
use crate::profile::spanned::{Section, Spanned};

/// The texts that hand-offs are made from.
#[derive(Debug)]
pub struct Templates<'t> {
    texts: &'t BTreeMap<String, SourceId>,
    sources: &'t Sources,
    engine: Engine<'t>,
    judged: RefCell<Judged>,
}

/// What was found in user-data, for many hosts have the same.
type Judged = Vec<(String, Option<Version>, Rc<[Finding]>)>;

/// Texts of which that is remembered: more than classes name, and what templates render for each host isn't kept.
const MOST_JUDGED: usize = 64;

impl<'t> Templates<'t> {
    /// Compiles the template files among these; their mistakes are told once.
    pub fn new(
        texts: &'t BTreeMap<String, SourceId>,
        sources: &'t Sources,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut engine = Engine::new();
        for (path, source) in texts.iter().filter(|(path, _)| path.ends_with(".j2")) {
            engine.add(path, *source, &sources.get(*source).text, diagnostics);
        }
        Self { texts, sources, engine, judged: RefCell::default() }
    }

    /// The hand-off of a host; `None` if something is wrong with it. Its cloud-init is this one, if that is known.
    pub(super) fn handoff(
        &self,
        context: &Context<'_>,
        raw: &RawProfile,
        version: Option<Version>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Handoff> {
        let Section { value: Some(value), span, .. } = &raw.handoff else { return Some(Handoff::none()) };
        let span = span.unwrap_or(Span::file(context.layer.source));
        let mut work = Work { templates: self, context, raw, span, version, values: None, diagnostics };
        handoff::resolve(value, &mut work)
    }

    /// The text of a file that the profile names, and its beginning for complaints; `None` if something is wrong with it.
    pub(super) fn text(
        &self,
        context: &Context<'_>,
        raw: &RawProfile,
        path: &Spanned<String>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<(String, Span)> {
        let span = path.span;
        Work { templates: self, context, raw, span, version: None, values: None, diagnostics }.file(path)
    }

    fn judged(&self, text: &str, version: Option<Version>) -> Rc<[Finding]> {
        let mut judged = self.judged.borrow_mut();
        if let Some((_, _, found)) = judged.iter().find(|(known, of, _)| *of == version && known == text) {
            return Rc::clone(found);
        }
        let found: Rc<[Finding]> = cloud_config::lint(text, version).into();
        if judged.len() < MOST_JUDGED {
            judged.push((text.to_owned(), version, Rc::clone(&found)));
        }
        found
    }
}

/// A host's hand-off in the making: what managers ask for, and whom they tell what is wrong.
pub(in crate::host) struct Work<'w, 't> {
    templates: &'w Templates<'t>,
    context: &'w Context<'w>,
    raw: &'w RawProfile,
    /// Where the hand-off stands.
    pub span: Span,
    /// The host's cloud-init, where it is known.
    version: Option<Version>,
    /// Variables, gathered when the first template needs them.
    values: Option<Values>,
    diagnostics: &'w mut Vec<Diagnostic>,
}

impl Work<'_, '_> {
    /// Tells of a mistake.
    pub fn tell(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Tells of something that isn't there, unless it may be in a part that couldn't be read.
    pub fn missing(&mut self, span: Span, message: &str, help: &str) {
        self.context.missing(self.diagnostics, Some(span), message, help);
    }

    /// What cloud-init would go on without, and what means less than it seems to: at its line where the text is a file as it
    /// stands; a text of the profile and what a template renders have lines of their own, which the message names.
    pub fn judge_user_data(&mut self, text: &str, place: Span) {
        let waived =
            self.raw.name.as_ref().map(|name| self.context.waivers.of(&name.value)).unwrap_or_default();
        let source = self.templates.sources.get(place.source);
        let verbatim = source.text == text;
        for finding in self.templates.judged(text, self.version).iter() {
            let span = match verbatim {
                true => line_of(text, finding.line, place),
                false => place,
            };
            let message = match verbatim {
                true => format!("user-data: {}", finding.message),
                false => format!("user-data, line {} of it: {}", finding.line, finding.message),
            };
            let diagnostic = Diagnostic::new(span, message).maybe_help(finding.help.clone());
            // an error that is waived stops nothing
            let severity = match waived.contains(&finding.rule) {
                true => Severity::Warning,
                false => finding.severity,
            };
            let under = match finding.severity {
                Severity::Error => None,
                Severity::Warning if finding.only.is_some() => Some(&rule::USER_DATA_VERSION),
                Severity::Warning => Some(&rule::USER_DATA),
            };
            let host = self.context.layer.name.clone();
            self.diagnostics.push(diagnostic.finding(finding.rule, severity, under, host));
        }
    }

    /// The text of the file that is named, and its beginning for complaints.
    pub fn file(&mut self, path: &Spanned<String>) -> Option<(String, Span)> {
        // where there is no such file, that has been told already
        let source: SourceId = *self.templates.texts.get(&path.value)?;
        if !path.value.ends_with(".j2") {
            return Some((self.templates.sources.get(source).text.clone(), Span::file(source)));
        }
        let values = self.values();
        let text = self.templates.engine.render(&path.value, source, values, self.diagnostics)?;
        Some((text, Span::file(source)))
    }

    /// A text of the profile itself.
    pub fn inline(&mut self, text: &Spanned<String>) -> Option<String> {
        if !text.value.contains("{{") && !text.value.contains("{%") {
            return Some(text.value.clone());
        }
        let values = self.values();
        let written = &self.templates.sources.get(text.span.source).text;
        let place = Place::Within { span: text.span, written };
        self.templates.engine.render_inline(&text.value, place, values, self.diagnostics)
    }

    fn values(&mut self) -> Values {
        if let Some(values) = &self.values {
            return values.clone();
        }
        let variables = self.context.site_vars.iter().chain(&self.raw.vars);
        let mut values: Values =
            variables.map(|(name, value)| (name.clone(), Value::from(Serde(&value.value)))).collect();
        let site = self.context.site;
        let server = site.server.as_ref().map(ToString::to_string);
        values.insert("site".to_owned(), context! { name => site.name.as_str(), server });
        if let Some(name) = self.raw.name.as_ref().map(|name| &name.value) {
            let host = context! { name => name.as_str(), short => name.short(), domain => name.domain() };
            values.insert("host".to_owned(), host);
        }
        self.values.insert(values).clone()
    }
}

/// The key of a line, and no more of it: what follows may be a secret. Without a key, the beginning of the line.
fn line_of(text: &str, line: usize, place: Span) -> Span {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let indent = rest.len() - rest.trim_start_matches([' ', '-']).len();
    let key = rest[indent..].find(':').filter(|end| {
        rest[indent..indent + end].chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    });
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let from = start + indent;
    Span { start: offset(from), end: offset(from + key.unwrap_or_default()), ..place }
}
