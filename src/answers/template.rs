//! Strict rendering: nothing undefined, nothing unescaped, nothing read from anywhere but the template and its view.
//!
//! A value is escaped for the grammar it stands in by the formatter of the format, so a template can't forget it. What
//! no escaping can carry (a line break in a line, a value that isn't text) is an error that names template and line.

use anyhow::{Result, anyhow, bail};
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value, syntax::SyntaxConfig};

use crate::value::yaml;

/// Instructions and output that one template may use; a loop over a range must not stop the command.
const FUEL: u64 = 5_000_000;

/// How values are written into an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// One word for a POSIX shell, and for Kickstart's commands, which are split like a shell's.
    Word,
    /// The rest of a line of debconf's preseed format, which knows no quotes.
    RestOfLine,
    /// One text in YAML, quoted.
    Yaml,
}

/// A template, where it came from, and what it was compiled to for one grammar.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    text: String,
    environment: Environment<'static>,
    /// Why it can't be used, if it doesn't parse; told where it would be used.
    broken: Option<String>,
}

impl Template {
    /// Compiles a text. `name` is for messages: the path in the site, or the built-in's name.
    pub fn new(name: String, text: String, escape: Escape) -> Self {
        let mut template = Self { name, text, environment: environment(escape), broken: None };
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        let (name, text) = (template.name.clone(), template.text.clone());
        let added = syntax.build().and_then(|syntax| {
            template.environment.set_syntax(syntax);
            template.environment.add_template_owned(name, text)
        });
        template.broken = added.err().map(|error| template.tell(&error).to_string());
        template
    }

    /// For messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Renders it. Values marked as safe in the view (scripts that were rendered before) pass as they are; a template can't
    /// mark any.
    ///
    /// # Errors
    /// A template that doesn't parse, uses what isn't there, or puts a value where it can't stand.
    pub fn render(&self, view: Value) -> Result<String> {
        if let Some(broken) = &self.broken {
            bail!("{broken}");
        }
        let told = |error: Error| self.tell(&error);
        self.environment.get_template(&self.name).map_err(told)?.render(view).map_err(told)
    }

    /// File, line, reason, and the name that it is about.
    fn tell(&self, error: &Error) -> anyhow::Error {
        let mut reason = error.kind().to_string();
        if let Some(detail) = error.detail() {
            reason = format!("{reason}: {detail}");
        }
        let Some(number) = error.line() else { return anyhow!("{}: {reason}", self.name) };
        match self.name_in(error) {
            Some(name) => anyhow!("{}:{number}: {reason}: `{name}`", self.name),
            None => anyhow!("{}:{number}: {reason}", self.name),
        }
    }

    /// What the error is about, where that is a name; the rest of the line may hold a secret.
    fn name_in(&self, error: &Error) -> Option<&str> {
        let token = self.text.get(error.range()?)?.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        (!token.is_empty() && token.chars().all(is_name)).then_some(token)
    }
}

fn environment(escape: Escape) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(false); // its messages would show values
    // these mark their result as needing no escaping
    for filter in ["safe", "escape", "e", "tojson"] {
        environment.remove_filter(filter);
    }
    environment.add_filter("sh", |text: &str| word(text));
    environment.set_formatter(move |out, _, value| {
        let text = printable(value)?;
        let written = if value.is_safe() { text } else { escaped(escape, &text)? };
        Ok(out.write_str(&written)?)
    });
    environment
}

fn refuse(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

fn printable(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        ValueKind::None => Err(refuse("the value is absent; ask `is not none` first")),
        kind => Err(refuse(format!("a {kind} can't be written; loop over it or join it"))),
    }
}

fn escaped(escape: Escape, text: &str) -> Result<String, Error> {
    if text.chars().any(char::is_control) {
        return Err(refuse("the value holds a line break or another control character"));
    }
    match escape {
        Escape::Word => word(text),
        Escape::RestOfLine if text != text.trim() || text.ends_with('\\') => Err(refuse(
            "the value begins or ends with a blank, or ends with a backslash: preseed would lose it",
        )),
        Escape::RestOfLine => Ok(text.to_owned()),
        Escape::Yaml => Ok(yaml::text(text)),
    }
}

/// One word of a POSIX shell, and of Kickstart.
///
/// # Errors
/// A text with control characters.
pub fn word(text: &str) -> Result<String, Error> {
    if text.chars().any(char::is_control) {
        return Err(refuse("the value holds a line break or another control character"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=,+-@%^".contains(c);
    // `%` and `@` begin things in Kickstart when they are the first of a line; quoted they don't
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('%') {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', r#"'"'"'"#)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, escape: Escape) -> Result<String> {
        let template = Template::new("templates/x.j2".to_owned(), text.to_owned(), escape);
        let view = serde_json::json!({
            "host": { "name": "web 01's", "evil": "a\nreboot" }, "list": [1], "none": null, "end": "x\\",
        });
        template.render(Value::from(minijinja::value::Serde(view)))
    }

    #[test]
    fn an_error_shows_file_line_and_name() {
        let error = rendered("one\ntwo {{ host.nam }}\n", Escape::Word).unwrap_err().to_string();
        assert!(error.starts_with("templates/x.j2:2: undefined value"), "{error}");
        assert!(error.ends_with(": `host.nam`"), "{error}");
        let error = rendered("{% if %}", Escape::Word).unwrap_err().to_string();
        assert!(error.starts_with("templates/x.j2:1: syntax error"), "{error}");
    }

    #[test]
    fn a_value_is_escaped_whether_the_template_thinks_of_it_or_not() {
        assert_eq!(rendered("a {{ host.name }}\n", Escape::Word).unwrap(), "a 'web 01'\"'\"'s'\n");
        assert_eq!(rendered("a {{ host.name }}", Escape::RestOfLine).unwrap(), "a web 01's");
        for bad in [
            "{{ host.name|safe }}",
            "{{ host.name|e }}",
            "{{ host.evil }}",
            "{{ list }}",
            "{{ none }}",
            "{{ host }}",
        ] {
            assert!(rendered(bad, Escape::Word).is_err(), "{bad}");
        }
        for bad in ["{{ end }}", "{{ host.evil|sh }}", "{% include '/etc/passwd' %}", "{{ nothing }}"] {
            assert!(rendered(bad, Escape::RestOfLine).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_template_that_never_ends_is_stopped() {
        let endless = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}";
        assert!(rendered(endless, Escape::Word).unwrap_err().to_string().contains("fuel"));
    }
}
