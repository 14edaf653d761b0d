//! `handoff:` → [`Handoff`], and the texts of other files that profiles name, with variables filled in.
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
use crate::host::{Handoff, handoff as rules};
use crate::profile::diag::Diagnostic;
use crate::profile::load::named_file;
use crate::profile::raw::{RawAnsible, RawCloudInit, RawHandoff, RawProfile, RawPull};
use crate::profile::rule::Rule;
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
    pub fn handoff(
        &self,
        context: &Context<'_>,
        raw: &RawProfile,
        version: Option<Version>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Handoff> {
        let Section { value: Some(value), span, .. } = &raw.handoff else { return Some(Handoff::None) };
        let span = span.unwrap_or(Span::file(context.layer.source));
        let mut work = Work { templates: self, context, raw, values: None, diagnostics };
        match value {
            RawHandoff::None => Some(Handoff::None),
            RawHandoff::CloudInit(cloud_init) => work.cloud_init(value, cloud_init, version, span),
            RawHandoff::Ansible(ansible) => work.ansible(ansible, span),
            RawHandoff::Script(_) => {
                let (content, place) = work.named(value)?;
                if let Err(message) = rules::script(&content) {
                    work.diagnostics.push(Diagnostic::new(place, message));
                }
                Some(Handoff::Script { content })
            }
        }
    }

    /// The text of a file that the profile names, and its beginning for complaints; `None` if something is wrong with it.
    pub fn text(
        &self,
        context: &Context<'_>,
        raw: &RawProfile,
        path: &Spanned<String>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<(String, Span)> {
        Work { templates: self, context, raw, values: None, diagnostics }.file(path)
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

struct Work<'w, 't> {
    templates: &'w Templates<'t>,
    context: &'w Context<'w>,
    raw: &'w RawProfile,
    /// Variables, gathered when the first template needs them.
    values: Option<Values>,
    diagnostics: &'w mut Vec<Diagnostic>,
}

impl Work<'_, '_> {
    fn wrong(&mut self, span: Span, message: &str, help: &str) {
        self.diagnostics.push(Diagnostic::new(span, message).help(help));
    }

    fn cloud_init(
        &mut self,
        whole: &RawHandoff,
        raw: &RawCloudInit,
        version: Option<Version>,
        span: Span,
    ) -> Option<Handoff> {
        let Some(user_data) = &raw.user_data else {
            let help = "add `user_data: files/NAME`";
            self.context.missing(self.diagnostics, Some(span), "cloud-init without user data", help);
            return None;
        };
        let (text, place) = match named_file(whole) {
            Some(_) => self.named(whole)?,
            // the text itself: it may begin with a secret
            None => (self.inline(user_data)?, user_data.span.begin()),
        };
        match rules::user_data(&text) {
            Err(message) => self.diagnostics.push(Diagnostic::new(place, message)),
            Ok(()) => self.judge_user_data(&text, version, place),
        }
        Some(Handoff::CloudInit { user_data: text })
    }

    /// What cloud-init would go on without, and what means less than it seems to: at its line where the text is a file as it
    /// stands; a text of the profile and what a template renders have lines of their own, which the message names.
    fn judge_user_data(&mut self, text: &str, version: Option<Version>, place: Span) {
        let source = self.templates.sources.get(place.source);
        let verbatim = source.text == text;
        for finding in self.templates.judged(text, version).iter() {
            let span = match verbatim {
                true => line_of(text, finding.line, place),
                false => place,
            };
            let message = match verbatim {
                true => format!("user-data: {}", finding.message),
                false => format!("user-data, line {} of it: {}", finding.line, finding.message),
            };
            let diagnostic = Diagnostic::new(span, message).maybe_help(finding.help.clone());
            let rule = match finding.severity {
                Severity::Error => None,
                Severity::Warning if finding.only.is_some() => Some(Rule::UserDataVersion),
                Severity::Warning => Some(Rule::UserData),
            };
            self.diagnostics.push(match rule {
                Some(rule) => diagnostic.rule(rule, [self.context.layer.name.clone()]),
                None => diagnostic,
            });
        }
    }

    fn ansible(&mut self, raw: &RawAnsible, span: Span) -> Option<Handoff> {
        let RawPull { url, playbook, revision } = &raw.pull.value;
        let place = raw.pull.span.unwrap_or(span);
        let (Some(url), Some(playbook)) = (url, playbook) else {
            let help = "add `ansible: { pull: { url: https://…, playbook: site.yml } }`";
            self.context.missing(
                self.diagnostics,
                Some(place),
                "ansible-pull needs a URL and a playbook",
                help,
            );
            return None;
        };
        let path = self.inline(playbook);
        if path.as_ref().is_some_and(|path| !rules::is_plain(path)) {
            self.wrong(
                playbook.span,
                "not the path of a playbook in the repository",
                "like `playbooks/web.yml`",
            );
        }
        let reference = match revision {
            Some(revision) => {
                let text = self.inline(revision);
                if text.as_ref().is_some_and(|text| !rules::is_plain(text)) {
                    self.wrong(revision.span, "not a branch, tag or commit", "like `main` or `v1.2`");
                }
                Some(text?)
            }
            None => None,
        };
        Some(Handoff::AnsiblePull { url: url.value.clone(), playbook: path?, revision: reference })
    }

    fn named(&mut self, handoff: &RawHandoff) -> Option<(String, Span)> {
        self.file(named_file(handoff)?)
    }

    /// The text of the file that is named, and its beginning for complaints.
    fn file(&mut self, path: &Spanned<String>) -> Option<(String, Span)> {
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
    fn inline(&mut self, text: &Spanned<String>) -> Option<String> {
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
