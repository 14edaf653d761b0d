//! What is told, as data: the same for people and for programs.

use serde::Serialize;

use crate::answers::Format;
use crate::host::Explanation;
use crate::profile::diag::{Entry, Report};
use crate::profile::source::{SourceId, Sources, Span};
use crate::profile::trace::{Lost, Node, Path, Step};
use crate::spec::installer::AgentStart;

/// All of it.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    /// Of this form.
    pub version: u32,
    /// The host's name.
    pub host: &'a str,
    /// Its file.
    pub file: &'a str,
    /// Its classes, lowest first.
    pub classes: Vec<Class<'a>>,
    /// Its values, in the order of the model; overridden ones follow what overrode them.
    pub values: Vec<Row>,
    /// Keys that recognise the machine: all must be true.
    #[serde(rename = "match")]
    pub matching: Vec<Key>,
    /// Keys that recognise the disk: all must be true of exactly one.
    pub disk: Vec<Key>,
    /// Who installs.
    pub installer: Installs<'a>,
    /// The values of the site.
    pub site: Vec<Row>,
    /// What is wrong.
    pub diagnostics: Vec<Entry<'a>>,
}

/// A class and why it is there.
#[derive(Debug, Serialize)]
pub struct Class<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its file.
    pub file: &'a str,
    /// Who names it; the first one is why it stands where it stands.
    pub named_by: Vec<Place>,
}

/// A place and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// `host`, `class NAME` or `site`.
    pub layer: String,
}

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It holds.
    Set,
    /// A list or map that drops what lower layers gave.
    Replace,
    /// A higher layer overrides or drops it.
    Overridden,
    /// Nobody says anything else.
    Default,
}

/// A value.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Like `users[0].name`; of an overridden one, the way to it in its own layer.
    pub key: String,
    /// What may be shown of it; nothing for a list or map that is tagged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is known of it.
    pub state: State,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// What overrides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Place>,
    #[serde(skip)]
    path: Path,
}

/// A key that recognises something.
#[derive(Debug, Serialize)]
pub struct Key {
    /// The key.
    pub key: String,
    /// One of these.
    pub any_of: Vec<String>,
}

/// Who installs, and from what.
#[derive(Debug, Serialize)]
pub struct Installs<'a> {
    /// Its name in profiles.
    pub name: String,
    /// What starts ironstrap's agent, where that writes the disk: itself, or another installer.
    pub agent: Option<&'static str>,
    /// The format of the answer file that it reads, if we write one.
    pub format: Option<&'a str>,
    /// What writes it: paths in the site, or built in.
    pub templates: Vec<String>,
}

/// Names places.
struct Places<'a> {
    explanation: &'a Explanation<'a>,
    sources: &'a Sources,
}

impl Places<'_> {
    fn place(&self, span: Span) -> Place {
        let (line, _) = self.sources.position(span);
        Place { file: self.sources.get(span.source).path.clone(), line, layer: self.layer(span.source) }
    }

    fn layer(&self, source: SourceId) -> String {
        let Explanation { host, classes, .. } = self.explanation;
        match classes.iter().find(|class| class.layer.source == source) {
            Some(class) => format!("class {}", class.layer.name),
            None if source == host.source => "host".to_owned(),
            None => "site".to_owned(),
        }
    }

    fn row(&self, node: &Node, state: State) -> Row {
        let place = node.span.map(|span| self.place(span));
        Row {
            key: node.path.to_string(),
            value: node.text.clone(),
            state,
            place,
            by: None,
            path: node.path.clone(),
        }
    }

    fn lost(&self, lost: &Lost) -> Row {
        let Lost { path, span, text, by } = lost;
        Row {
            key: path.to_string(),
            value: Some(text.clone()),
            state: State::Overridden,
            place: Some(self.place(*span)),
            by: by.map(|span| self.place(span)),
            path: path.clone(),
        }
    }
}

fn default_row((path, text): &(Path, String)) -> Row {
    let key = path.to_string();
    Row { key, value: Some(text.clone()), state: State::Default, place: None, by: None, path: path.clone() }
}

impl<'a> Answer<'a> {
    /// Puts everything into words and order.
    pub fn new(
        explanation: &'a Explanation<'a>,
        sources: &'a Sources,
        format: Option<Format>,
        templates: Vec<String>,
        report: &'a Report,
    ) -> Self {
        let places = Places { explanation, sources };
        let Explanation { host, classes, provenance, defaults, site, site_defaults, agent, .. } = explanation;
        let path_of = |source| sources.get(source).path.as_str();
        let class = |class: &'a crate::host::Class<'_>| Class {
            name: &class.layer.name,
            file: path_of(class.layer.source),
            named_by: class.named.iter().map(|span| places.place(*span)).collect(),
        };
        let mut values: Vec<_> = provenance.values.iter().map(|node| places.row(node, State::Set)).collect();
        for node in &provenance.replaced {
            let at = values.iter().position(|row| row.path.is_within(&node.path));
            let at = at.unwrap_or_else(|| after(&values, &node.path));
            values.insert(at, Row { value: None, ..places.row(node, State::Replace) });
        }
        for lost in &provenance.lost {
            values.insert(after(&values, &lost.path), places.lost(lost));
        }
        values.extend(defaults.iter().map(default_row));
        let mut site: Vec<_> = site.iter().map(|node| places.row(node, State::Set)).collect();
        site.extend(site_defaults.iter().map(default_row));
        let name = values.iter().find(|row| row.key == "installer" && row.state != State::Overridden);
        let name = name.and_then(|row| row.value.clone()).unwrap_or_default();
        Self {
            version: 1,
            host: &host.name,
            file: path_of(host.source),
            classes: classes.iter().map(class).collect(),
            matching: keys(&provenance.values, &Path::default().key("match")),
            disk: keys(&provenance.values, &Path::default().key("storage").key("target")),
            installer: Installs {
                name,
                agent: agent.map(|start| match start {
                    AgentStart::Kernel => "the golden image's kernel",
                    AgentStart::Installer(release) => release.name(),
                }),
                format: format.map(Format::name),
                templates,
            },
            values,
            site,
            diagnostics: report.entries(),
        }
    }
}

/// Where a value without a place of its own belongs: behind the last of its nearest relatives.
fn after(rows: &[Row], path: &Path) -> usize {
    let common = |row: &Row| row.path.common(path);
    let most = rows.iter().map(common).max().unwrap_or(0);
    rows.iter().rposition(|row| common(row) == most && most > 0).map_or(rows.len(), |at| at + 1)
}

/// What must be true of a thing, key by key.
fn keys(values: &[Node], below: &Path) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for Node { path, text, .. } in values.iter().filter(|node| node.path.is_within(below)) {
        let (Some(Step::Key(key)), Some(text)) = (path.steps().get(below.steps().len()), text) else {
            continue;
        };
        match keys.iter_mut().find(|known| known.key == *key) {
            Some(known) => known.any_of.push(text.clone()),
            // an empty list asks for nothing
            None if text == "[]" => {}
            None => keys.push(Key { key: key.clone(), any_of: vec![text.clone()] }),
        }
    }
    keys
}
