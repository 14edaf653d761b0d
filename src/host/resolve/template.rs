//! Strict templates whose mistakes are found all at once and at their place.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use crate::profile::diag::Diagnostic;
use crate::profile::source::{SourceId, Span};
use crate::value::nearest;

/// So many undefined variables of one template are told.
const MAX_MISTAKES: usize = 50;

/// Instructions and output that one template may use; a loop over a range must not stop the command.
const FUEL: u64 = 5_000_000;

/// Compiled templates.
#[derive(Debug)]
pub struct Templates<'t>(Environment<'t>);

/// What a template may see.
pub type Values = BTreeMap<String, Value>;

/// Stands for a variable that was found undefined, so that the next one is found: whatever is asked of it, it has.
#[derive(Debug)]
struct Anything;

impl Object for Anything {
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from_object(Self))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
}

/// Where a template's text stands.
#[derive(Debug, Clone, Copy)]
pub enum Place<'t> {
    /// It is a whole file.
    File(SourceId),
    /// It is a value in a file.
    Within {
        /// The value.
        span: Span,
        /// The file.
        written: &'t str,
    },
}

impl<'t> Templates<'t> {
    /// None yet.
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        let mut syntax = minijinja::syntax::SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        // only delimiters can be wrong, and these are the usual ones
        if let Ok(syntax) = syntax.build() {
            environment.set_syntax(syntax);
        }
        environment.set_debug(true);
        Self(environment)
    }

    /// Compiles a file.
    pub fn add(&mut self, name: &'t str, source: SourceId, text: &'t str, diagnostics: &mut Vec<Diagnostic>) {
        if let Err(error) = self.0.add_template(name, text) {
            diagnostics.push(diagnostic(&error, text, Place::File(source)));
        }
    }

    /// Fills in a file; `None` if something is wrong.
    pub fn render(
        &self,
        name: &str,
        source: SourceId,
        values: Values,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<String> {
        // a template that doesn't compile has been told when it was added
        let template = self.0.get_template(name).ok()?;
        fill(&template, Place::File(source), values, diagnostics)
    }

    /// Fills in a text; `None` if something is wrong.
    pub fn render_inline(
        &self,
        text: &str,
        place: Place<'_>,
        values: Values,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<String> {
        let environment = self.0.clone();
        let template = match environment.template_from_named_str("value", text) {
            Ok(template) => template,
            Err(error) => {
                diagnostics.push(diagnostic(&error, text, place));
                return None;
            }
        };
        fill(&template, place, values, diagnostics)
    }
}

/// Renders; an undefined variable is told and defined, so that the next one is found.
fn fill(
    template: &minijinja::Template<'_, '_>,
    place: Place<'_>,
    mut values: Values,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<String> {
    let text = template.source();
    let before = diagnostics.len();
    for _ in 0..MAX_MISTAKES {
        let error = match template.render(Value::from(values.clone())) {
            Ok(rendered) => return (diagnostics.len() == before).then_some(rendered),
            Err(error) => error,
        };
        match undefined(&error, text) {
            Some(name) if !values.contains_key(name) => {
                let help = match nearest(name, values.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("define it: `vars: {{ {name}: … }}` in the host, a class or site.yaml"),
                };
                let span = locate(error.range(), text, place, Some(name));
                let message = format!("the variable `{name}` is not defined");
                diagnostics.push(Diagnostic::new(span, message).help(help));
                values.insert(name.to_owned(), Value::from_object(Anything));
            }
            _ => {
                // what follows from a variable that we had to make up is no news
                if diagnostics.len() == before {
                    diagnostics.push(diagnostic(&error, text, place));
                }
                return None;
            }
        }
    }
    None
}

/// The variable that an expression began with, if that is what is undefined.
fn undefined<'t>(error: &Error, text: &'t str) -> Option<&'t str> {
    if error.kind() != ErrorKind::UndefinedError {
        return None;
    }
    let expression =
        text.get(error.range()?)?.trim_start_matches(|c: char| !(c.is_ascii_alphabetic() || c == '_'));
    let end = expression.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(expression.len());
    (end > 0).then_some(&expression[..end])
}

fn diagnostic(error: &Error, text: &str, place: Place<'_>) -> Diagnostic {
    let span = locate(
        error.range().or_else(|| error.line().and_then(|line| line_range(text, line))),
        text,
        place,
        None,
    );
    let message = match error.detail().filter(|_| says_no_values(error.kind())) {
        Some(detail) => format!("in this template: {}: {detail}", error.kind()),
        None => format!("in this template: {}", error.kind()),
    };
    // an expression may hold a secret as a text
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_. {}|()".contains(c);
    let token = error.range().and_then(|range| text.get(range));
    let is_plain = token.is_some_and(|token| token.chars().all(is_name));
    Diagnostic::new(if is_plain { span } else { span.begin() }, message)
}

/// Whether the engine's words about such an error name only what the template's author calls things.
fn says_no_values(kind: ErrorKind) -> bool {
    use ErrorKind::{MissingArgument, OutOfFuel, SyntaxError, TemplateNotFound, TooManyArguments};
    use ErrorKind::{
        UndefinedError, UnknownBlock, UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest,
    };
    matches!(
        kind,
        SyntaxError
            | OutOfFuel
            | TemplateNotFound
            | MissingArgument
            | TooManyArguments
            | UndefinedError
            | UnknownBlock
            | UnknownFilter
            | UnknownFunction
            | UnknownMethod
            | UnknownTest
    )
}

fn line_range(text: &str, line: usize) -> Option<Range<usize>> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let end = start + text.get(start..)?.lines().next()?.len();
    Some(start..end)
}

/// A place in the template → a place in the file. A value in YAML may be indented and escaped, so its line is looked for.
fn locate(range: Option<Range<usize>>, text: &str, place: Place<'_>, word: Option<&str>) -> Span {
    let small = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    match (place, range) {
        (Place::File(source), Some(range)) => {
            let end = word.map_or(range.end, |word| {
                let start = text.get(range.clone()).and_then(|text| text.find(word)).unwrap_or_default();
                range.start + start + word.len()
            });
            let start = word.map_or(range.start, |word| end - word.len());
            Span { source, start: small(start), end: small(end) }
        }
        (Place::File(source), None) => Span::file(source),
        (Place::Within { span, .. }, None) => span.begin(),
        (Place::Within { span, written }, Some(range)) => {
            let (from, to) = (span.start as usize, span.end as usize);
            let inside = written.get(from..to).unwrap_or_default();
            let line_start = text.get(..range.start).and_then(|text| text.rfind('\n')).map_or(0, |at| at + 1);
            let line = text.get(line_start..).and_then(|text| text.lines().next()).unwrap_or_default().trim();
            let line_at = inside.find(line).unwrap_or_default();
            let expression = word.or_else(|| text.get(range.clone())).unwrap_or_default();
            match inside.get(line_at..).and_then(|rest| rest.find(expression)) {
                Some(at) => {
                    let start = from + line_at + at;
                    Span { start: small(start), end: small(start + expression.len()), ..span }
                }
                None => span.begin(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill_in(text: &str) -> (Option<String>, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let values = Values::from([
            ("role".to_owned(), Value::from("web")),
            ("items".to_owned(), Value::from(vec![1, 2])),
        ]);
        let mut templates = Templates::new();
        templates.add("a.j2", SourceId(0), text, &mut diagnostics);
        let rendered = templates.render("a.j2", SourceId(0), values, &mut diagnostics);
        (rendered, diagnostics)
    }

    #[test]
    fn what_is_defined_is_filled_in() {
        let (rendered, diagnostics) = fill_in("a: {{ role }}\n{% for i in items %}\n{{ i }}\n{% endfor %}\n");
        assert_eq!(diagnostics, []);
        assert_eq!(rendered.unwrap(), "a: web\n1\n2\n");
        let (rendered, _) = fill_in("{{ zone | default('none') }}{% if zone is defined %}x{% endif %}");
        assert_eq!(rendered.unwrap(), "none");
    }

    #[test]
    fn every_undefined_variable_is_found_at_its_place() {
        let text =
            "a: {{ rolle }}\nb: {{ zone.name }}{% if zone %}x{% endif %}\n{% for i in things %}{% endfor %}";
        let (rendered, diagnostics) = fill_in(text);
        assert_eq!(rendered, None);
        let found: Vec<_> =
            diagnostics.iter().map(|d| &text[d.span.start as usize..d.span.end as usize]).collect();
        assert_eq!(found, ["rolle", "zone", "things"]);
        assert_eq!(diagnostics[0].help.as_deref(), Some("did you mean `role`?"));
    }

    #[test]
    fn a_template_that_is_none_is_told_once() {
        let (rendered, diagnostics) = fill_in("a\n{% if %}\n");
        assert_eq!((rendered, diagnostics.len()), (None, 1));
        assert!((2..12).contains(&diagnostics[0].span.start), "{diagnostics:?}");
    }

    #[test]
    fn a_template_that_never_ends_is_stopped() {
        let endless = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}";
        let (rendered, diagnostics) = fill_in(endless);
        assert_eq!(rendered, None);
        assert!(diagnostics[0].message.contains("fuel"), "{diagnostics:?}");
    }
}
