//! A profile that is being put together: keys in order, each with the entry that it came from.
//!
//! A path is `locale.lang`, or `users[ops].password` for the item `ops` of a list (the name in brackets is the draft's own and is
//! not written). The YAML that comes out is plain enough to be read back by any reader; every value stands on a line of its
//! own, so that a diagnostic's line leads to the entry.

#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::line_report::Id;
use write::Writer;

/// The order of a profile's sections; others follow.
const ORDER: [&str; 22] = [
    "name",
    "classes",
    "installer",
    "os",
    "image",
    "match",
    "network",
    "storage",
    "locale",
    "root",
    "users",
    "packages",
    "remove_packages",
    "mirror",
    "repositories",
    "proxy",
    "kernel_args",
    "boot",
    "scripts",
    "finish",
    "policy",
    "handoff",
];

#[derive(Debug, Clone)]
enum Node {
    Leaf(Value, Id),
    Map(Children),
    List(Children),
}

/// Nodes by name, in order; found at once, since a file can have thousands of lines for one list.
#[derive(Debug, Clone, Default)]
struct Children {
    nodes: Vec<(String, Node)>,
    places: HashMap<String, usize>,
}

impl Children {
    fn get(&self, name: &str) -> Option<&Node> {
        self.places.get(name).and_then(|place| self.nodes.get(*place)).map(|(_, node)| node)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.places.get(name).and_then(|place| self.nodes.get_mut(*place)).map(|(_, node)| node)
    }

    fn push(&mut self, name: &str, node: Node) {
        self.places.insert(name.to_owned(), self.nodes.len());
        self.nodes.push((name.to_owned(), node));
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<(String, Node)>)) {
        change(&mut self.nodes);
        self.places = self.nodes.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
    }

    /// The children of a child, which is made where it isn't there.
    fn below(&mut self, name: &str, list: bool) -> &mut Self {
        let empty = || if list { Node::List(Self::default()) } else { Node::Map(Self::default()) };
        if self.get(name).is_none() {
            self.push(name, empty());
        }
        let place = self.places.get(name).copied().unwrap_or_default();
        let node = &mut self.nodes[place].1;
        if matches!(node, Node::Leaf(..)) {
            *node = empty();
        }
        match node {
            Node::Map(children) | Node::List(children) => children,
            // it was made a map or a list above
            Node::Leaf(..) => unreachable!("a leaf has no children"),
        }
    }
}

/// A drafted profile.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    root: Children,
    /// Numbers items that have no name.
    items: usize,
    /// Values that another entry's took the place of.
    overwritten: Vec<Overwritten>,
    /// Entries with names that no path can hold.
    nameless: Vec<Id>,
}

/// A value that is no longer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overwritten {
    /// The entry that it came from.
    pub earlier: Id,
    /// The entry whose value stands there now.
    pub later: Id,
    /// Where.
    pub path: String,
}

/// A step of a path.
enum Step<'p> {
    Key(&'p str),
    Item(&'p str),
}

fn steps(path: &str) -> Vec<Step<'_>> {
    let (mut steps, mut rest) = (Vec::new(), path);
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let end = inside.find(']').unwrap_or(inside.len());
            steps.push(Step::Item(&inside[..end]));
            rest = inside.get(end + 1..).unwrap_or_default();
        } else {
            let rest_of_key = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest_of_key.find(['.', '[']).unwrap_or(rest_of_key.len());
            steps.push(Step::Key(&rest_of_key[..end]));
            rest = &rest_of_key[end..];
        }
    }
    steps
}

/// A name of the file's as an item's in a path: brackets in it begin and end nothing.
pub fn item(name: &str) -> String {
    name.replace(['[', ']'], "\u{fffd}")
}

/// Whether a path leads where whoever made it meant: names in it come from files.
fn leads(path: &str, steps: &[Step<'_>]) -> bool {
    let key = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let good = |step: &Step<'_>| match step {
        Step::Key(name) => !name.is_empty() && name.chars().all(key),
        Step::Item(name) => !name.is_empty() && !name.contains(|c: char| c.is_control() || c == '['),
    };
    path.matches('[').count() == path.matches(']').count() && steps.iter().all(good)
}

impl Draft {
    /// Sets a value; what stood there is replaced, and the entry that it came from returned. Both what is replaced and what
    /// no path can hold are remembered, since somebody must hear of it.
    pub fn put(&mut self, path: &str, value: impl Into<Value>, from: Id) -> Option<Id> {
        let steps = steps(path);
        if !leads(path, &steps) {
            self.nameless.push(from);
            return None;
        }
        let value = value.into();
        self.note_overwriting(&steps, path, &value, from);
        let mut children = &mut self.root;
        let (Step::Key(last) | Step::Item(last), way) = steps.split_last()?;
        for (at, Step::Key(name) | Step::Item(name)) in way.iter().enumerate() {
            children = children.below(name, matches!(steps.get(at + 1), Some(Step::Item(_))));
        }
        let leaf = Node::Leaf(value, from);
        let Some(node) = children.get_mut(last) else {
            children.push(last, leaf);
            return None;
        };
        match std::mem::replace(node, leaf) {
            Node::Leaf(_, before) => Some(before).filter(|before| *before != from),
            Node::Map(_) | Node::List(_) => None,
        }
    }

    fn note_overwriting(&mut self, steps: &[Step<'_>], path: &str, value: &Value, later: Id) {
        let (mut children, mut gone) = (&self.root, Vec::new());
        for (at, Step::Key(name) | Step::Item(name)) in steps.iter().enumerate() {
            let last = at + 1 == steps.len();
            match children.get(name) {
                None => break,
                Some(Node::Leaf(before, _)) if last && before == value => break,
                Some(Node::Leaf(_, earlier)) => {
                    gone.push(*earlier);
                    break;
                }
                Some(Node::Map(inside) | Node::List(inside)) if last => collect(inside, &mut gone),
                Some(Node::Map(inside) | Node::List(inside)) => children = inside,
            }
        }
        gone.sort_unstable();
        gone.dedup();
        let gone = gone.into_iter().filter(|earlier| *earlier != later && *earlier != Id::NOBODY);
        let path = path.to_owned();
        self.overwritten.extend(gone.map(|earlier| Overwritten { earlier, later, path: path.clone() }));
    }

    /// What was overwritten so far, once.
    pub fn take_overwritten(&mut self) -> Vec<Overwritten> {
        std::mem::take(&mut self.overwritten)
    }

    /// The entries whose names no path could hold, once.
    pub fn take_nameless(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.nameless)
    }

    /// Adds an item to a list.
    pub fn push(&mut self, path: &str, value: impl Into<Value>, from: Id) {
        self.items += 1;
        let path = format!("{path}[#{}]", self.items);
        self.put(&path, value, from);
    }

    /// Adds an item at the front of a list.
    pub fn push_front(&mut self, path: &str, value: impl Into<Value>, from: Id) {
        self.push(path, value, from);
        if let Some(children) = self.children_mut(path) {
            children.change(|nodes| nodes.rotate_right(1));
        }
    }

    /// Whether something stands at a path.
    pub fn has(&self, path: &str) -> bool {
        let mut children = &self.root;
        let steps = steps(path);
        for (at, Step::Key(name) | Step::Item(name)) in steps.iter().enumerate() {
            match children.get(name) {
                None => return false,
                Some(Node::Leaf(..)) => return at + 1 == steps.len(),
                Some(Node::Map(next) | Node::List(next)) => children = next,
            }
        }
        true
    }

    /// Takes out all that came from an entry.
    pub fn remove(&mut self, from: Id) {
        self.remove_all(&HashSet::from([from]));
    }

    /// Takes out all that came from some entries.
    pub fn remove_all(&mut self, from: &HashSet<Id>) {
        prune(&mut self.root, &|id| from.contains(&id));
    }

    /// Takes out all below a path.
    pub fn remove_section(&mut self, path: &str) {
        let steps = steps(path);
        let Some((Step::Key(last) | Step::Item(last), way)) = steps.split_last() else { return };
        let mut children = &mut self.root;
        for Step::Key(name) | Step::Item(name) in way {
            match children.get_mut(name) {
                Some(Node::Map(next) | Node::List(next)) => children = next,
                _ => return,
            }
        }
        children.change(|nodes| nodes.retain(|(name, _)| name != last));
    }

    fn children_mut(&mut self, path: &str) -> Option<&mut Children> {
        let mut children = &mut self.root;
        for Step::Key(name) | Step::Item(name) in steps(path) {
            match children.get_mut(name)? {
                Node::Map(next) | Node::List(next) => children = next,
                Node::Leaf(..) => return None,
            }
        }
        Some(children)
    }

    /// The entries behind a path, as far as it leads.
    pub fn behind(&self, path: &str) -> Vec<Id> {
        let mut children = &self.root;
        for Step::Key(name) | Step::Item(name) in steps(path) {
            match children.get(name) {
                Some(Node::Leaf(_, id)) => return vec![*id],
                Some(Node::Map(next) | Node::List(next)) => children = next,
                None => break,
            }
        }
        let mut found = Vec::new();
        if !std::ptr::eq(children, &raw const self.root) {
            collect(children, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// For each entry the keys that came from it; of an item of a list the item's.
    pub fn keys_by_entry(&self) -> BTreeMap<Id, Vec<String>> {
        let mut found: BTreeMap<Id, Vec<String>> = BTreeMap::new();
        paths(&self.root, "", false, &mut |path, id| {
            let path = path.rfind(']').map_or(path, |end| &path[..=end]);
            let keys = found.entry(id).or_default();
            if keys.last().is_none_or(|last| last != path) {
                keys.push(path.to_owned());
            }
        });
        for keys in found.values_mut() {
            keys.sort();
            keys.dedup();
        }
        found
    }

    /// How many values there are.
    pub fn keys(&self) -> usize {
        let mut found = Vec::new();
        collect(&self.root, &mut found);
        found.len()
    }

    /// The YAML, and for each of its lines the entry that it came from.
    pub fn yaml(&self) -> (String, Vec<Id>) {
        let mut writer = Writer::default();
        let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        let mut sections: Vec<_> = self.root.nodes.iter().collect();
        sections.sort_by_key(|(name, _)| place(name));
        for (name, node) in sections {
            writer.entry(0, "", name, node);
        }
        (writer.text, writer.lines)
    }
}

fn prune(children: &mut Children, gone: &dyn Fn(Id) -> bool) {
    children.change(|nodes| {
        nodes.retain_mut(|(_, node)| match node {
            Node::Leaf(_, id) => !gone(*id),
            Node::Map(inside) | Node::List(inside) => {
                prune(inside, gone);
                !inside.nodes.is_empty()
            }
        });
    });
}

fn collect(children: &Children, found: &mut Vec<Id>) {
    for (_, node) in &children.nodes {
        match node {
            Node::Leaf(_, id) => found.push(*id),
            Node::Map(inside) | Node::List(inside) => collect(inside, found),
        }
    }
}

fn paths(children: &Children, above: &str, list: bool, tell: &mut dyn FnMut(&str, Id)) {
    for (name, node) in &children.nodes {
        let path = match (above.is_empty(), list) {
            (true, _) => name.clone(),
            // an item without a name
            (false, true) if name.starts_with('#') => above.to_owned(),
            (false, true) => format!("{above}[{name}]"),
            (false, false) => format!("{above}.{name}"),
        };
        match node {
            Node::Leaf(_, id) => tell(&path, *id),
            Node::Map(inside) => paths(inside, &path, false, tell),
            Node::List(inside) => paths(inside, &path, true, tell),
        }
    }
}
