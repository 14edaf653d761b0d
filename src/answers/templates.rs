//! The templates in use: those of `templates/`, each replaced by the site's where it has one.

use anyhow::{Context, Result};

use super::dialect::{Dialect, Format};
use super::format::AnswerFormat;
use super::template::{Escape, Template};
use crate::failure::{Blame, BlameExt};

/// A template that is used where a site has none.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its file name in `templates/`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// How values are written into it.
    pub escape: Escape,
}

/// The scripts that every format carries.
const SHARED: [BuiltIn; 2] = [
    BuiltIn { name: "disk.sh.j2", text: include_str!("../../templates/disk.sh.j2"), escape: Escape::Word },
    BuiltIn { name: "setup.sh.j2", text: include_str!("../../templates/setup.sh.j2"), escape: Escape::Word },
];

/// The templates in use: built in, or the site's.
#[derive(Debug, Clone)]
pub struct Templates(Vec<Used>);

#[derive(Debug, Clone)]
struct Used {
    name: &'static str,
    /// The site gave it.
    is_of_site: bool,
    template: Template,
}

impl Templates {
    /// Those of all formats, each replaced where `site` gives a text for its name.
    ///
    /// # Errors
    /// What `site` returned.
    pub fn new(site: impl FnMut(&str) -> Result<Option<String>>) -> Result<Self> {
        let dialects: Vec<_> = Format::ALL.iter().map(|format| Dialect::of(format.newest())).collect();
        let writers: Vec<_> = dialects.iter().map(Dialect::writer).collect();
        Self::of_formats(&writers, site)
    }

    /// Those of some formats.
    ///
    /// # Errors
    /// What `site` returned.
    pub fn of_formats(
        formats: &[&dyn AnswerFormat],
        mut site: impl FnMut(&str) -> Result<Option<String>>,
    ) -> Result<Self> {
        let own = formats.iter().flat_map(|format| format.templates());
        let templates = own.chain(&SHARED).map(|BuiltIn { name, text, escape }| {
            let own = site(name)?;
            let is_of_site = own.is_some();
            let template = match own {
                Some(text) => Template::new(format!("templates/{name}"), text, *escape),
                None => Template::new(format!("templates/{name} (built in)"), (*text).to_owned(), *escape),
            };
            Ok(Used { name, is_of_site, template })
        });
        Ok(Self(templates.collect::<Result<_>>()?))
    }

    /// Those that write a format's answer file: its own, and the scripts in it.
    ///
    /// # Errors
    /// Never, unless a format was added without its template.
    pub fn of(&self, format: Format) -> Result<Vec<&Template>> {
        let file = self.file(Dialect::of(format.newest()).writer())?;
        let shared = SHARED.iter().map(|template| self.get(template.name));
        std::iter::once(Ok(file)).chain(shared).collect()
    }

    /// Whether the site has a hand in a format's file: what is built in reads as its reader wants it, or is a fault of ours.
    pub(super) fn are_of_site(&self, format: &dyn AnswerFormat) -> bool {
        let mut names = format.templates().iter().chain(&SHARED).map(|template| template.name);
        names.any(|name| self.0.iter().any(|known| known.name == name && known.is_of_site))
    }

    /// The one that makes a format's file.
    pub(super) fn file(&self, format: &dyn AnswerFormat) -> Result<&Template> {
        self.get(format.templates().first().map_or(format.name(), |template| template.name))
    }

    pub(super) fn get(&self, name: &str) -> Result<&Template> {
        let found = self.0.iter().find(|known| known.name == name).map(|known| &known.template);
        found.with_context(|| format!("no template {name}")).blame(Blame::Bug)
    }
}
