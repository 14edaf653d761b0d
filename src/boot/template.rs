//! Strict rendering with one escaping owner.

use anyhow::{Context, Result};
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

/// Writes one value so that the format it goes into reads it back as one word, or refuses it.
pub(super) type Escape = fn(&str) -> Result<String, String>;

/// Renders an embedded template. Undefined variables are errors; every `{{ value }}` goes through `escape`.
pub(super) fn render(name: &str, source: &str, escape: Escape, values: impl Into<Value>) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = minijinja::syntax::SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .with_context(|| format!("preparing {name}"))?;
    environment.set_syntax(syntax);
    environment.set_formatter(move |out, _, value| {
        let text = match value.as_str() {
            Some(text) => text,
            None => return Err(Error::new(ErrorKind::BadEscape, format!("`{value}` is not text"))),
        };
        let word = escape(text).map_err(|why| Error::new(ErrorKind::BadEscape, why))?;
        out.write_str(&word).map_err(Error::from)
    });
    environment
        .render_named_str(name, source, values.into())
        .with_context(|| format!("rendering netboot/{name}"))
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn plain(text: &str) -> Result<String, String> {
        if text == "bad" { Err("`bad` can't be written".to_owned()) } else { Ok(format!("<{text}>")) }
    }

    #[test]
    fn every_value_passes_the_escaper_and_undefined_ones_fail() {
        assert_eq!(render("t", "a {{ x }}\n", plain, context! { x => "1" }).unwrap(), "a <1>\n");
        assert!(render("t", "{{ y }}", plain, context! { x => "1" }).is_err());
        assert!(render("t", "{{ x }}", plain, context! { x => 5 }).is_err());
        let error = render("t", "{{ x }}", plain, context! { x => "bad" }).unwrap_err();
        assert!(format!("{error:#}").contains("can't be written"), "{error:#}");
    }
}
