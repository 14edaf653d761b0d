//! A stack of layers: what holds, and what was lost on the way up.

use std::collections::HashSet;

use serde::Serialize;

use super::{Node, Path, trace};
use crate::profile::source::Span;
use crate::profile::spanned::Merge;

/// A value that a layer gave and a later one took away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The way to it, in its own layer.
    pub path: Path,
    /// Where it stands.
    pub span: Span,
    /// What may be shown of it.
    pub text: String,
    /// Where the later layer overrides or drops it.
    pub by: Option<Span>,
}

/// What became of a stack.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// The values that hold. Of lists and maps only those that are empty.
    pub values: Vec<Node>,
    /// Lists and maps that are tagged `!replace` and hold.
    pub replaced: Vec<Node>,
    /// Values that don't hold.
    pub lost: Vec<Lost>,
}

/// Stacks layers, lowest first, and watches what each one does to those below it. Returns the stack, too.
pub fn provenance<T: Merge + Serialize + Default + Clone>(layers: &[&T]) -> (T, Provenance) {
    let mut stack = T::default();
    let mut provenance = Provenance::default();
    for layer in layers {
        let own = trace(*layer);
        stack = stack.merge((*layer).clone());
        let mut now = trace(&stack);
        now.retain(|node| node.text.is_some());
        let kept: HashSet<_> = now.iter().map(identity).collect();
        for before in provenance.values.iter().filter(|node| !kept.contains(&identity(node))) {
            let filled = |node: &Node| node.path != before.path && node.path.is_within(&before.path);
            let empty = matches!(before.text.as_deref(), Some("[]" | "{}"));
            if empty && now.iter().any(filled) {
                continue; // it was empty, and isn't any more
            }
            if let Node { path, span: Some(span), text: Some(text), .. } = before.clone() {
                let by = culprit(&own, &path).and_then(|node| node.span);
                provenance.lost.push(Lost { path, span, text, by });
            }
        }
        let tagged: Vec<_> = own.into_iter().filter(|node| node.replace).collect();
        provenance.replaced.retain(|node| !tagged.iter().any(|later| node.path.is_within(&later.path)));
        provenance.replaced.extend(tagged);
        provenance.values = now;
    }
    (stack, provenance)
}

/// What a value is known by in every stack that holds it.
fn identity(node: &Node) -> (Path, Option<Span>) {
    (node.path.shape(), node.span)
}

/// What in a layer took away a value: the outermost `!replace` around it, else what stands nearest to its place.
fn culprit<'n>(layer: &'n [Node], path: &Path) -> Option<&'n Node> {
    let around = || layer.iter().filter(|node| path.is_within(&node.path));
    let outermost = around().filter(|node| node.replace).min_by_key(|node| node.path.steps().len());
    outermost.or_else(|| around().max_by_key(|node| node.path.steps().len()))
}
