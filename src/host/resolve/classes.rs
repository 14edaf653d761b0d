//! Which classes a host stacks, and in which order.
//!
//! A class stands above the classes that it names itself; each class counts once, at the first place where it is reached.

use std::collections::HashMap;

use crate::profile::diag::Diagnostic;
use crate::profile::load::{Layer, Shared};
use crate::profile::spanned::{List, Spanned};
use crate::value::nearest_of_all;

/// The classes below a host, lowest first.
#[derive(Debug, Clone, Default)]
pub struct Chain<'t> {
    /// The classes.
    pub layers: Vec<&'t Layer>,
    /// One of them is damaged, unknown or in a cycle.
    pub damaged: bool,
}

impl<'t> Chain<'t> {
    fn add(&mut self, other: &Chain<'t>) {
        for layer in &other.layers {
            if !self.layers.iter().any(|known| known.source == layer.source) {
                self.layers.push(layer);
            }
        }
        self.damaged |= other.damaged;
    }
}

/// The chains of all classes.
#[derive(Debug)]
pub struct Chains<'t> {
    shared: &'t Shared,
    known: HashMap<&'t str, Chain<'t>>,
}

impl<'t> Chains<'t> {
    /// Follows every class, used or not; unknown ones and cycles are told where they are named.
    pub fn new(shared: &'t Shared, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut chains = Self { shared, known: HashMap::new() };
        for layer in shared.classes.values() {
            if let Some(name) = &layer.raw.name {
                let message = "a class has no name of its own";
                diagnostics.push(Diagnostic::new(name.span, message).help("its file's name is its name"));
            }
            chains.follow(layer, &mut Vec::new(), diagnostics);
        }
        chains
    }

    /// The classes of a host.
    pub fn of_host(&self, host: &Layer, diagnostics: &mut Vec<Diagnostic>) -> Chain<'t> {
        let mut chain = Chain::default();
        for name in &host.raw.classes.items {
            match self.known.get(name.value.as_str()) {
                Some(class) => chain.add(class),
                None => {
                    diagnostics.push(self.unknown(name));
                    chain.damaged = true;
                }
            }
        }
        chain
    }

    fn follow(
        &mut self,
        layer: &'t Layer,
        path: &mut Vec<&'t str>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Chain<'t> {
        if let Some(chain) = self.known.get(layer.name.as_str()) {
            return chain.clone();
        }
        path.push(&layer.name);
        let mut chain = Chain { layers: Vec::new(), damaged: layer.damaged };
        let List { items, .. } = &layer.raw.classes;
        for name in items {
            match self.shared.classes.get(&name.value) {
                None => {
                    diagnostics.push(self.unknown(name));
                    chain.damaged = true;
                }
                Some(below) => match path.iter().position(|seen| *seen == name.value) {
                    Some(start) => {
                        let cycle = [&path[start..], &[name.value.as_str()]].concat().join(" → ");
                        let message = format!("classes in a circle: {cycle}");
                        diagnostics.push(Diagnostic::new(name.span, message).help("leave one of them out"));
                        chain.damaged = true;
                    }
                    None => {
                        let below = self.follow(below, path, diagnostics);
                        chain.add(&below);
                    }
                },
            }
        }
        chain.layers.push(layer);
        path.pop();
        self.known.insert(&layer.name, chain.clone());
        chain
    }

    fn unknown(&self, name: &Spanned<String>) -> Diagnostic {
        let near = nearest_of_all(&name.value, self.shared.classes.keys().map(String::as_str));
        let shown = name.value.escape_debug();
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a class is a file: `profiles/{shown}.yaml`"),
        };
        Diagnostic::new(name.span, format!("unknown class `{shown}`")).help(help)
    }
}
