//! What is wrong with a site or a recipe, where, and what to do: collected, sorted and printed all at once.
//!
//! A message never repeats a text that could be a secret; what is shown of a text's lines is decided in `excerpt`.

use std::collections::HashMap;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};

use super::excerpt;
use super::rule::{Rule, Severity};
use super::source::{Sources, Span};
use crate::value::nearest;

/// So many hosts are named that have a warning in common.
const MOST_NAMES: usize = 5;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where it is.
    pub span: Span,
    /// What it is: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Another place that belongs to it, and why.
    pub related: Option<(Span, String)>,
    /// The rule that it breaks, where that has an id.
    pub rule: Option<&'static Rule>,
    /// The rule of `check` that this one comes under.
    pub under: Option<&'static Rule>,
    /// How bad it is.
    pub severity: Severity,
    /// The hosts that break that.
    pub hosts: Vec<String>,
}

impl Diagnostic {
    /// A mistake at a place.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        let (help, related, rule, under, hosts) = Default::default();
        Self { span, message: message.into(), help, related, rule, under, severity: Severity::Error, hosts }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says what to do, if there is something to say.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Says which rule is broken, and by which hosts.
    #[must_use]
    pub fn rule(mut self, rule: &'static Rule, hosts: impl IntoIterator<Item = String>) -> Self {
        self.rule = Some(rule);
        self.severity = rule.severities().first().copied().unwrap_or(Severity::Error);
        self.hosts = hosts.into_iter().collect();
        self
    }

    /// Says which rule of a grammar a host's file breaks, how bad that is, and which rule of `check` it comes under.
    #[must_use]
    pub fn finding(
        mut self,
        rule: &'static Rule,
        severity: Severity,
        under: Option<&'static Rule>,
        host: String,
    ) -> Self {
        (self.rule, self.severity, self.under, self.hosts) = (Some(rule), severity, under, vec![host]);
        self
    }

    /// Whether it breaks this rule, or one that comes under it.
    pub fn is_of(&self, rule: &Rule) -> bool {
        [self.rule, self.under].contains(&Some(rule))
    }

    /// Shows a second place.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related = Some((span, label.into()));
        self
    }
}

/// ``did you mean `x`?``, or else all that is possible.
pub fn suggestion(word: &str, candidates: &[&str]) -> String {
    match nearest(word, candidates.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("possible are: {}", candidates.join(", ")),
    }
}

/// All mistakes of a site, in the order of files and lines, each once.
#[derive(Debug, Clone, Default)]
pub struct Report {
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
}

/// Mistakes as an error: what they are, for whoever shows it; in its words, how many.
#[derive(Debug)]
pub struct Mistakes(pub Report);

impl std::fmt::Display for Mistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.summary())
    }
}

impl std::error::Error for Mistakes {}

/// A diagnostic for programs.
#[derive(Debug, serde::Serialize)]
pub struct Entry<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static Rule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    under: Option<&'static Rule>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    hosts: &'a [String],
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Related<'a>>,
}

#[derive(Debug, serde::Serialize)]
struct Related<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    label: &'a str,
}

impl Report {
    /// Sorts and drops what was said before (a mistake in a class shows up once a host).
    pub fn new(sources: Sources, mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort();
        diagnostics.dedup();
        diagnostics.sort_by(|a, b| {
            let key = |d: &Diagnostic| (d.span.start, d.span.end);
            let path = |d: &Diagnostic| sources.get(d.span.source).path.as_str();
            path(a).cmp(path(b)).then_with(|| key(a).cmp(&key(b)))
        });
        Self { sources, diagnostics }
    }

    /// The mistakes.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Whether anything of these is an error.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many findings aren't errors.
    pub fn warnings(&self) -> usize {
        self.diagnostics.len() - self.errors().count()
    }

    /// The files of hosts, by their names without `.yaml`.
    pub fn host_files(&self) -> HashMap<&str, Span> {
        self.sources.in_folder("hosts").map(|(name, source)| (name, Span::file(source))).collect()
    }

    /// Adds findings.
    #[must_use]
    pub fn with(self, more: Vec<Diagnostic>) -> Self {
        let Self { sources, mut diagnostics } = self;
        diagnostics.extend(more);
        Self::new(sources, diagnostics)
    }

    /// One finding for programs.
    pub fn entry<'a>(&'a self, diagnostic: &'a Diagnostic) -> Entry<'a> {
        let place = |span: Span| {
            let (line, column) = self.sources.position(span);
            (self.sources.get(span.source).path.as_str(), line, column)
        };
        let Diagnostic { span, message, help, related, rule, under, severity, hosts } = diagnostic;
        let (file, line, column) = place(*span);
        let related = related.as_ref().map(|(span, label)| {
            let (file, line, column) = place(*span);
            Related { file, line, column, label }
        });
        let (severity, rule, under) = (*severity, *rule, *under);
        Entry { file, line, column, severity, rule, under, hosts, message, help: help.as_deref(), related }
    }

    /// The mistakes for programs.
    pub fn entries(&self) -> Vec<Entry<'_>> {
        self.diagnostics.iter().map(|diagnostic| self.entry(diagnostic)).collect()
    }

    /// One line about all of them.
    pub fn summary(&self) -> String {
        let mut files: Vec<_> = self.errors().map(|d| d.span.source).collect();
        let mistakes = files.len();
        files.sort();
        files.dedup();
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let files = files.len();
        format!("{mistakes} mistake{} in {files} file{}", plural(mistakes), plural(files))
    }

    /// The mistakes for people, with the lines they are in.
    pub fn render(&self, coloured: bool) -> String {
        let renderer = if coloured { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(110);
        let mut out = String::new();
        let mut told = HashMap::new();
        for diagnostic in &self.diagnostics {
            // a warning that many hosts have in common is shown of the first
            if let Some(key) = common(diagnostic) {
                told.entry(key).or_insert_with(Vec::new).push(diagnostic);
            }
        }
        for diagnostic in &self.diagnostics {
            let alike = common(diagnostic).and_then(|key| told.get(&key)).map_or(&[][..], Vec::as_slice);
            if alike.first().is_some_and(|first| !std::ptr::eq(*first, diagnostic)) {
                continue;
            }
            out.push_str(&renderer.render(&[self.group(diagnostic, alike)]));
            out.push_str("\n\n");
        }
        out
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic, alike: &[&Diagnostic]) -> Group<'a> {
        let message = annotate_snippets::normalize_untrusted_str(&diagnostic.message);
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(message);
        let title = match diagnostic.rule {
            Some(rule) => title.id(rule.id()),
            None => title,
        };
        let mut group = title.element(self.snippet(diagnostic.span, AnnotationKind::Primary, None));
        if let Some((span, label)) = &diagnostic.related {
            group = group.element(self.snippet(*span, AnnotationKind::Context, Some(label)));
        }
        if let [_, others @ ..] = alike
            && !others.is_empty()
        {
            let names: Vec<_> =
                others.iter().flat_map(|other| &other.hosts).take(MOST_NAMES).cloned().collect();
            let more = others.len().saturating_sub(names.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            group = group.element(Level::NOTE.message(format!("so do {}{more}", names.join(", "))));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(annotate_snippets::normalize_untrusted_str(help)));
        }
        group
    }

    /// The first line of a span, with what may be a secret left out.
    fn snippet<'a>(
        &'a self,
        span: Span,
        kind: AnnotationKind,
        label: Option<&'a str>,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let source = self.sources.get(span.source);
        let (number, _) = self.sources.position(span);
        let start = (span.start as usize).min(source.text.len());
        let line_start = source.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = source.text[line_start..].lines().next().unwrap_or_default();
        let from = floor(line, start - line_start);
        let to = floor(line, (span.end as usize).saturating_sub(line_start)).max(from);
        let (shown, marked) = excerpt::shown(line, from..to);
        Snippet::source(shown)
            .line_start(number)
            .path(source.path.as_str())
            .annotation(kind.span(marked).label(label))
    }
}

/// What makes warnings about whole files the same one.
fn common(diagnostic: &Diagnostic) -> Option<(&'static Rule, &str, Option<&str>)> {
    let is_whole = diagnostic.span.end == 0 && diagnostic.severity == Severity::Warning;
    is_whole.then_some((diagnostic.rule?, diagnostic.message.as_str(), diagnostic.help.as_deref()))
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, start: u32, end: u32) -> Report {
        let mut sources = Sources::default();
        let source = sources.add("hosts/a.yaml", text);
        Report::new(sources, vec![Diagnostic::new(Span { source, start, end }, "wrong").help("right")])
    }

    #[test]
    fn a_caret_stands_under_the_place() {
        let shown = report("name: a\nünit: bad\n", 15, 18).render(false);
        assert!(shown.contains("--> hosts/a.yaml:2:7"), "{shown}");
        assert!(shown.contains("2 | …     bad\n  |       ^^^"), "{shown}");
        assert!(shown.contains("help: right"), "{shown}");
    }

    #[test]
    fn the_same_mistake_is_told_once_and_in_the_order_of_the_text() {
        let mut sources = Sources::default();
        let late = sources.add("z.yaml", "z");
        let early = sources.add("a.yaml", "a");
        let at = |source| Diagnostic::new(Span::file(source), "wrong");
        let report = Report::new(sources, vec![at(late), at(early), at(late)]);
        let files: Vec<_> = report.entries().iter().map(|entry| entry.file).collect();
        assert_eq!(files, ["a.yaml", "z.yaml"]);
        assert_eq!(report.summary(), "2 mistakes in 2 files");
    }

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(suggestion("netwrok", &["network", "storage"]), "did you mean `network`?");
        assert_eq!(suggestion("zzz", &["network", "storage"]), "possible are: network, storage");
    }
}
