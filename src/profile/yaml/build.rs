//! Parser events → nodes, with a stack of its own: no text can overflow ours.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{Data, Entry, Key, MAX_DEPTH, MAX_NODES, Node};
use crate::profile::diag::Diagnostic;
use crate::profile::source::{SourceId, Span};

/// Reads one file. What can't be read is told in `diagnostics`; `None` means that nothing of it makes sense.
pub fn parse(source: SourceId, text: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut builder = Builder::new(source, diagnostics);
    match builder.run(text) {
        Ok(()) => {
            let nothing = Data::Map(Vec::new());
            let empty = Node { id: 0, span: Span::file(source), replace: false, data: nothing };
            Some(builder.root.take().unwrap_or(empty))
        }
        Err(diagnostic) => {
            builder.diagnostics.push(*diagnostic);
            None
        }
    }
}

/// The parser counts characters; places are bytes.
struct Offsets {
    bytes: Option<Vec<u32>>,
    length: u32,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let small = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| small(at)).collect());
        Self { bytes, length: small(text.len()) }
    }

    fn byte(&self, character: usize) -> u32 {
        match &self.bytes {
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.length),
            None => u32::try_from(character).unwrap_or(u32::MAX).min(self.length),
        }
    }
}

enum Slot {
    Wanted,
    Got(Key),
    /// The key was bad and told about; its value is dropped.
    Bad,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<Entry>, Slot),
}

/// A list or map that isn't closed yet.
struct Frame {
    id: u32,
    span: Span,
    replace: bool,
    anchor: usize,
    items: Items,
}

struct Builder<'d> {
    source: SourceId,
    diagnostics: &'d mut Vec<Diagnostic>,
    count: u32,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
}

type Step<T = ()> = Result<T, Box<Diagnostic>>;

fn too_deep() -> String {
    format!("nested more than {MAX_DEPTH} levels deep")
}

fn stop<T>(span: Span, message: impl Into<String>) -> Step<T> {
    Err(Box::new(Diagnostic::new(span, message)))
}

impl<'d> Builder<'d> {
    fn new(source: SourceId, diagnostics: &'d mut Vec<Diagnostic>) -> Self {
        Self { source, diagnostics, count: 0, stack: Vec::new(), anchors: HashMap::new(), root: None }
    }

    fn run(&mut self, text: &str) -> Step {
        let offsets = Offsets::new(text);
        let mut parser = Parser::new_from_str(text);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let at = offsets.byte(error.marker().index());
                let span = Span { source: self.source, start: at, end: at };
                Box::new(Diagnostic::new(
                    span,
                    match error.info() {
                        // the parser's own limit comes first where brackets follow each other
                        "recursion limit exceeded" => too_deep(),
                        info => format!("not YAML: {info}"),
                    },
                ))
            })?;
            let (start, end) = (offsets.byte(span.start.index()), offsets.byte(span.end.index()));
            let span = Span { source: self.source, start, end };
            if let Event::DocumentStart(_) = event {
                documents += 1;
                if documents > 1 {
                    return stop(span, "a second document in one file; a file describes one thing");
                }
            }
            self.event(event, span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::Alias(anchor) => {
                let node = match self.anchors.remove(&anchor) {
                    Some(node) => node,
                    None => return stop(span, "an alias within what it names"),
                };
                let copy = self.copy(&node, span)?;
                self.anchors.insert(anchor, node);
                self.add(copy)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let id = self.next_id(span)?;
                if self.replaces(tag.as_deref(), span) {
                    let help = "it says that a list or a map replaces what earlier classes gave";
                    self.diagnostics
                        .push(Diagnostic::new(span.begin(), "`!replace` on a single value").help(help));
                }
                let data = Data::Scalar { text: text.into(), plain: style == ScalarStyle::Plain };
                self.finish(Node { id, span, replace: false, data }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(anchor, tag.as_deref(), span, Items::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.open(anchor, tag.as_deref(), span, Items::Map(Vec::new(), Slot::Wanted))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn next_id(&mut self, span: Span) -> Step<u32> {
        self.count += 1;
        if self.count > MAX_NODES {
            return stop(span, format!("more than {MAX_NODES} values in one file, repeated aliases counted"));
        }
        Ok(self.count)
    }

    fn replaces(&mut self, tag: Option<&Tag>, span: Span) -> bool {
        match tag {
            None => false,
            Some(tag) if tag.handle == "!" && tag.suffix == "replace" => true,
            Some(_) => {
                let message = "unknown tag";
                self.diagnostics
                    .push(Diagnostic::new(span.begin(), message).help("the only tag is `!replace`"));
                false
            }
        }
    }

    fn open(&mut self, anchor: usize, tag: Option<&Tag>, span: Span, items: Items) -> Step {
        if self.stack.len() >= MAX_DEPTH {
            return stop(span, too_deep());
        }
        let (id, replace) = (self.next_id(span)?, self.replaces(tag, span));
        self.stack.push(Frame { id, span, replace, anchor, items });
        Ok(())
    }

    fn close(&mut self) -> Step {
        let Some(Frame { id, span, replace, anchor, items }) = self.stack.pop() else { return Ok(()) };
        let data = match items {
            Items::List(items) => Data::List(items),
            Items::Map(entries, _) => Data::Map(self.without_duplicates(entries)),
        };
        let last = match &data {
            Data::List(items) => items.last().map(|item| item.span.end),
            Data::Map(entries) => entries.last().map(|entry| entry.value.span.end.max(entry.key.span.end)),
            Data::Scalar { .. } => None,
        };
        let span = Span { end: last.unwrap_or(span.end).max(span.end), ..span };
        self.finish(Node { id, span, replace, data }, anchor)
    }

    /// The first of equal keys counts; the others are mistakes.
    fn without_duplicates(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut order: Vec<_> = (0..entries.len()).collect();
        order.sort_by(|a, b| entries[*a].key.text.cmp(&entries[*b].key.text).then(a.cmp(b)));
        let mut keep = vec![true; entries.len()];
        let mut first = 0;
        for pair in order.windows(2) {
            let (before, this) = (&entries[pair[0]].key, &entries[pair[1]].key);
            if before.text != this.text {
                continue;
            }
            if keep[pair[0]] {
                first = pair[0];
            }
            keep[pair[1]] = false;
            let message = format!("the key `{}` stands here a second time", this.text.escape_debug());
            let earlier = entries[first].key.span;
            self.diagnostics.push(Diagnostic::new(this.span, message).related(earlier, "the first time"));
        }
        entries.into_iter().zip(keep).filter_map(|(entry, keep)| keep.then_some(entry)).collect()
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Step {
        if anchor != 0 {
            let copy = self.copy(&node, node.span)?;
            self.anchors.insert(anchor, copy);
        }
        self.add(node)
    }

    fn add(&mut self, node: Node) -> Step {
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.items {
            Items::List(items) => items.push(node),
            Items::Map(entries, slot) => {
                *slot = match (std::mem::replace(slot, Slot::Wanted), node) {
                    (Slot::Wanted, Node { id, span, data: Data::Scalar { text, .. }, .. }) => {
                        Slot::Got(Key { id, span, text })
                    }
                    (Slot::Wanted, node) => {
                        let help = "a value that begins with `{{` or `[` needs quotes";
                        let diagnostic = Diagnostic::new(node.span, "a key must be a single word").help(help);
                        self.diagnostics.push(diagnostic);
                        Slot::Bad
                    }
                    (Slot::Got(key), value) => {
                        entries.push(Entry { key, value });
                        Slot::Wanted
                    }
                    (Slot::Bad, _) => Slot::Wanted,
                };
            }
        }
        Ok(())
    }

    /// A copy with ids of its own, counted like a text written out, nested no deeper than one.
    fn copy(&mut self, node: &Node, used: Span) -> Step<Node> {
        self.copy_at(node, used, self.stack.len())
    }

    fn copy_at(&mut self, node: &Node, used: Span, depth: usize) -> Step<Node> {
        if depth > MAX_DEPTH {
            return stop(used, too_deep());
        }
        let id = self.next_id(used)?;
        let data = match &node.data {
            Data::Scalar { text, plain } => Data::Scalar { text: text.clone(), plain: *plain },
            Data::List(items) => {
                let copies = items.iter().map(|item| self.copy_at(item, used, depth + 1));
                Data::List(copies.collect::<Step<_>>()?)
            }
            Data::Map(entries) => {
                let copies = entries.iter().map(|Entry { key, value }| {
                    let key = Key { id: self.next_id(used)?, ..key.clone() };
                    Ok(Entry { key, value: self.copy_at(value, used, depth + 1)? })
                });
                Data::Map(copies.collect::<Step<_>>()?)
            }
        };
        Ok(Node { id, span: node.span, replace: node.replace, data })
    }
}
