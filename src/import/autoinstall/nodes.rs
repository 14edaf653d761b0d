//! The parts of a configuration that have entries of their own, and their lines.

use std::collections::BTreeMap;

use crate::grammar::autoinstall::yaml::{Aside, Data, Document, Node, Why, YamlType};
use crate::import::Reading;
use crate::import::line_report::Id;
use crate::import::reader::RenderedLines;

/// Below this, what keys say stays whole.
const WHOLE_BELOW: &str = "user-data.";

/// A node with its place: its path in the configuration, and its line in the file.
struct PlacedNode<'d> {
    path: String,
    line: usize,
    what: What<'d>,
}

enum What<'d> {
    /// A value.
    Leaf(&'d Node),
    /// The line that begins a map or list.
    Begins,
    /// The line that begins the configuration itself.
    Root,
    /// Not of the configuration, or not in the tree; the reason.
    Aside(String),
}

/// The entries by the paths of their nodes.
#[derive(Default)]
pub struct Nodes(BTreeMap<String, Id>);

impl Nodes {
    /// Makes an entry for each node, and for each comment between them.
    pub fn enter(text: &str, document: &Document, config: &Node, reading: &mut Reading<'_>) -> Self {
        let mut nodes = Vec::new();
        beside(&document.root, &mut nodes);
        walk("", config, config.line, &mut nodes);
        nodes.extend(document.asides.iter().map(aside));
        // what an alias stands for is where it was written
        nodes.sort_by_key(|node| node.line);
        let lines = Lines(text.lines().collect());
        let first = nodes.first().map_or(lines.0.len() + 1, |node: &PlacedNode<'_>| node.line);
        for number in (1..first).filter(|number| !lines.get(*number).trim().is_empty()) {
            match lines.is_comment(number) {
                true => reading.report.comment(number, lines.get(number)),
                // the document's mark
                false => {
                    let id = reading.report.enter(number, number, lines.get(number));
                    reading.report.claim(id, ROOT.to_owned());
                }
            }
        }
        let mut found = Self::default();
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            // nodes of one line share an entry
            let same = nodes[at..].iter().take_while(|other| other.line == node.line).count();
            let next = nodes.get(at + same).map_or(lines.0.len() + 1, |next| next.line);
            found.enter_line(&nodes[at..at + same], next, &lines, reading);
            at += same;
        }
        found
    }

    /// The entry of nodes that begin on one line, and the comments up to the next ones.
    fn enter_line(
        &mut self,
        nodes: &[PlacedNode<'_>],
        next: usize,
        lines: &Lines<'_>,
        reading: &mut Reading<'_>,
    ) {
        let Some(first) = nodes.first().map(|node| node.line) else { return };
        let leaves = || {
            nodes.iter().filter_map(|node| if let What::Leaf(value) = node.what { Some(value) } else { None })
        };
        let block = leaves().any(is_block);
        let belongs = |number: &usize| {
            let said = !lines.get(*number).trim().is_empty();
            said && (!lines.is_comment(*number) || block && lines.indent(*number) > lines.indent(first))
        };
        let last = (first..next).rev().find(belongs).unwrap_or(first);
        let id = reading.report.enter(first, last, lines.get(first));
        // of a text of several lines only the first can have one
        let behind = (first..=last).take(if block { 1 } else { usize::MAX });
        let remarks: Vec<_> = behind.filter_map(|number| lines.remark(number)).collect();
        if !remarks.is_empty() {
            reading.report.remark(id, &remarks.join(" "));
        }
        reading.report.keyless(id);
        if leaves().count() > 1 {
            reading.report.several(id);
        }
        let aside = |node: &&PlacedNode<'_>| matches!(node.what, What::Aside(_));
        let nothing_else = nodes.iter().filter(aside).count() == nodes.len();
        for node in nodes {
            match &node.what {
                What::Aside(why) if nothing_else => reading.report.refuse(id, why.clone()),
                What::Aside(why) => reading.report.lose(id, why.clone()),
                What::Root => reading.report.claim(id, ROOT.to_owned()),
                What::Begins | What::Leaf(_) => {
                    reading.report.claim(id, claim(node));
                    self.0.insert(node.path.clone(), id);
                }
            }
        }
        for number in (last + 1..next).filter(|number| lines.is_comment(*number)) {
            reading.report.comment(number, lines.get(number));
        }
    }

    /// The line that begins a map or list is taken over with anything in it.
    pub fn settle(&self, reading: &mut Reading<'_>) {
        for (path, id) in &self.0 {
            if !reading.report.is_taken(*id) {
                continue;
            }
            let mut path = path.as_str();
            while let Some(at) = path.rfind(['.', '[']) {
                path = &path[..at];
                self.0.get(path).into_iter().for_each(|id| reading.report.taken(*id));
            }
        }
    }

    /// The entry of a path, or of what it stands in.
    pub fn id(&self, path: &str) -> Id {
        let mut path = path;
        loop {
            if let Some(id) = self.0.get(path) {
                return *id;
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = &path[..at],
                None => return Id::NOBODY,
            }
        }
    }
}

/// The comment behind what a line says.
fn trailing(line: &str) -> Option<&str> {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return Some(&line[at..]),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        before = c;
    }
    None
}

/// Stands for the configuration itself.
const ROOT: &str = "autoinstall";

/// The lines of the file, from 1.
struct Lines<'t>(Vec<&'t str>);

impl<'t> Lines<'t> {
    fn get(&self, number: usize) -> &'t str {
        number.checked_sub(1).and_then(|at| self.0.get(at)).copied().unwrap_or_default()
    }

    fn is_comment(&self, number: usize) -> bool {
        self.get(number).trim_start().starts_with('#')
    }

    /// The comment that a line is, or that stands behind what it says.
    fn remark(&self, number: usize) -> Option<&'t str> {
        let line = self.get(number);
        if self.is_comment(number) { Some(line.trim()) } else { trailing(line) }
    }

    fn indent(&self, number: usize) -> usize {
        let line = self.get(number);
        line.len() - line.trim_start().len()
    }
}

/// A text of several lines: a `#` in it is no comment.
fn is_block(node: &Node) -> bool {
    node.text().is_some_and(|text| text.trim_end().contains('\n'))
}

/// The line that begins the configuration, and what cloud-init reads besides.
fn beside<'d>(root: &'d Node, nodes: &mut Vec<PlacedNode<'d>>) {
    if root.get(ROOT).is_none() {
        return;
    }
    for (key, _) in root.entries() {
        let what = match key.text == ROOT {
            true => What::Root,
            false => What::Aside(BESIDE.to_owned()),
        };
        nodes.push(PlacedNode { path: String::new(), line: key.line, what });
    }
}

/// Said of what stands beside the configuration in user-data.
const BESIDE: &str = "it is for the installer's own system, not for the installed one: leave it out, or say it in the user-data that `handoff: { cloud_init: … }` names";

fn aside<'d>(aside: &Aside) -> PlacedNode<'d> {
    let why = match aside.why {
        Why::Again(line) => format!("line {line} says it again, and counts"),
        Why::Merge => "what it brings is told of where it is written".to_owned(),
    };
    PlacedNode { path: String::new(), line: aside.line, what: What::Aside(why) }
}

fn walk<'d>(path: &str, node: &'d Node, line: usize, nodes: &mut Vec<PlacedNode<'d>>) {
    let mut add = |line, what| nodes.push(PlacedNode { path: path.to_owned(), line, what });
    let whole = path.starts_with(WHOLE_BELOW);
    match &node.data {
        Data::Map(entries) if !whole && !entries.is_empty() => {
            if !path.is_empty() {
                add(line, What::Begins);
            }
            for (key, value) in entries {
                let path = if path.is_empty() { key.text.clone() } else { format!("{path}.{}", key.text) };
                walk(&path, value, key.line, nodes);
            }
        }
        Data::List(items) if !whole && !items.is_empty() => {
            add(line, What::Begins);
            for (number, item) in items.iter().enumerate() {
                let path = format!("{path}[{number}]");
                nodes.push(PlacedNode { path, line: item.line, what: What::Leaf(item) });
            }
        }
        _ => add(line, What::Leaf(node)),
    }
}

/// What a node says, in one spelling. An item's place in its list says nothing.
fn claim(node: &PlacedNode<'_>) -> String {
    let path = match node.path.rsplit_once('[') {
        Some((list, _)) => format!("{list}[]"),
        None => node.path.clone(),
    };
    match node.what {
        What::Leaf(value) => format!("{path} {}", spelling(value)),
        _ => path,
    }
}

fn spelling(node: &Node) -> String {
    match &node.data {
        Data::List(items) => format!("[{}]", items.iter().map(spelling).collect::<Vec<_>>().join(", ")),
        Data::Map(entries) => {
            let mut entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{:?}: {}", key.text, spelling(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        Data::Scalar { text, .. } => match node.kind() {
            YamlType::Text => format!("{text:?}"),
            YamlType::Boolean => node.is_true().to_string(),
            YamlType::Null => "null".to_owned(),
            _ => text.clone(),
        },
    }
}

/// An action of the layout as a person reads it.
pub fn shown(action: &Node) -> String {
    format!("storage.config[] {}", spelling(action))
}

/// All nodes of a configuration, by what they say.
pub fn rendered_lines(config: &Node) -> RenderedLines {
    let mut nodes = Vec::new();
    walk("", config, config.line, &mut nodes);
    let mut rendered: RenderedLines = nodes.iter().map(|node| (claim(node), claim(node))).collect();
    rendered.insert(ROOT.to_owned(), ROOT.to_owned());
    rendered
}
