//! The parts of a configuration that have entries of their own, and their lines.

use std::collections::BTreeMap;

use crate::grammar::autoinstall::yaml::{Data, Kind, Node};
use crate::import::Reading;
use crate::import::ledger::Id;
use crate::import::proof::Said;

/// Sections that stay whole.
const WHOLE: [&str; 1] = ["user-data"];

struct Unit<'d> {
    path: String,
    line: usize,
    node: &'d Node,
    /// It is the line that begins a map or list.
    begins: bool,
}

/// The entries by the paths of their units.
#[derive(Default)]
pub struct Units(BTreeMap<String, Id>);

impl Units {
    /// Makes an entry for each unit, and for each comment between them.
    pub fn enter(text: &str, config: &Node, reading: &mut Reading<'_>) -> Self {
        let mut units = Vec::new();
        walk("", config, config.line, &mut units);
        let lines = Lines(text.lines().collect());
        let first = units.first().map_or(lines.0.len() + 1, |unit: &Unit<'_>| unit.line);
        for number in (1..first).filter(|number| !lines.get(*number).trim().is_empty()) {
            match lines.is_comment(number) {
                true => reading.ledger.comment(number, lines.get(number)),
                // `autoinstall:`, and the document's mark
                false => {
                    let id = reading.ledger.enter(number, number, lines.get(number));
                    reading.ledger.claim(id, ROOT.to_owned());
                }
            }
        }
        let mut found = Self::default();
        let mut at = 0;
        while let Some(unit) = units.get(at) {
            // units of one line share an entry
            let same = units[at..].iter().take_while(|other| other.line == unit.line).count();
            let next = units.get(at + same).map_or(lines.0.len() + 1, |next| next.line);
            found.unit(&units[at..at + same], next, &lines, reading);
            at += same;
        }
        found
    }

    /// The entry of units that begin on one line, and the comments up to the next ones.
    fn unit(&mut self, units: &[Unit<'_>], next: usize, lines: &Lines<'_>, reading: &mut Reading<'_>) {
        let Some(first) = units.first().map(|unit| unit.line) else { return };
        let block = units.iter().any(|unit| is_block(unit.node));
        let belongs = |number: &usize| {
            let said = !lines.get(*number).trim().is_empty();
            said && (!lines.is_comment(*number) || block && lines.indent(*number) > lines.indent(first))
        };
        let last = (first..next).rev().find(belongs).unwrap_or(first);
        let id = reading.ledger.enter(first, last, lines.get(first));
        let inside = (first..=last).filter(|number| !block && lines.is_comment(*number));
        let remarks =
            trailing(lines.get(first)).into_iter().chain(inside.map(|number| lines.get(number).trim()));
        let remarks: Vec<_> = remarks.collect();
        if !remarks.is_empty() {
            reading.ledger.remark(id, &remarks.join(" "));
        }
        for unit in units {
            reading.ledger.claim(id, claim(unit));
            self.0.insert(unit.path.clone(), id);
        }
        reading.ledger.keyless(id);
        for number in (last + 1..next).filter(|number| lines.is_comment(*number)) {
            reading.ledger.comment(number, lines.get(number));
        }
    }

    /// The line that begins a map or list is taken over with anything in it.
    pub fn settle(&self, reading: &mut Reading<'_>) {
        for (path, id) in &self.0 {
            if !reading.ledger.is_taken(*id) {
                continue;
            }
            let mut path = path.as_str();
            while let Some(at) = path.rfind(['.', '[']) {
                path = &path[..at];
                self.0.get(path).into_iter().for_each(|id| reading.ledger.taken(*id));
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

    fn indent(&self, number: usize) -> usize {
        let line = self.get(number);
        line.len() - line.trim_start().len()
    }
}

/// A text of several lines: a `#` in it is no comment.
fn is_block(node: &Node) -> bool {
    node.text().is_some_and(|text| text.trim_end().contains('\n'))
}

fn walk<'d>(path: &str, node: &'d Node, line: usize, units: &mut Vec<Unit<'d>>) {
    let leaf = |begins| Unit { path: path.to_owned(), line, node, begins };
    let whole = WHOLE.contains(&path);
    match &node.data {
        Data::Map(entries) if !whole && !entries.is_empty() => {
            if !path.is_empty() {
                units.push(leaf(true));
            }
            for (key, value) in entries {
                let path = if path.is_empty() { key.text.clone() } else { format!("{path}.{}", key.text) };
                walk(&path, value, key.line, units);
            }
        }
        Data::List(items) if !whole && !items.is_empty() => {
            units.push(leaf(true));
            for (number, item) in items.iter().enumerate() {
                units.push(Unit {
                    path: format!("{path}[{number}]"),
                    line: item.line,
                    node: item,
                    begins: false,
                });
            }
        }
        _ => units.push(leaf(false)),
    }
}

/// What a unit says, in one spelling. An item's place in its list says nothing.
fn claim(unit: &Unit<'_>) -> String {
    let path = match unit.path.rsplit_once('[') {
        Some((list, _)) => format!("{list}[]"),
        None => unit.path.clone(),
    };
    match unit.begins {
        true => path,
        false => format!("{path} {}", spelling(unit.node)),
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
            Kind::Text => format!("{text:?}"),
            Kind::Boolean => node.is_true().to_string(),
            Kind::Null => "null".to_owned(),
            _ => text.clone(),
        },
    }
}

/// All units of a configuration, by what they say.
pub fn said(config: &Node) -> Said {
    let mut units = Vec::new();
    walk("", config, config.line, &mut units);
    let mut said: Said = units.iter().map(|unit| (claim(unit), claim(unit))).collect();
    said.insert(ROOT.to_owned(), ROOT.to_owned());
    said
}
