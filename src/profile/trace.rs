//! Where each value of a profile comes from: its place, what it overrode, what dropped it.
//!
//! [`trace`] lists the values of one layer or of a stack, [`provenance`] those of a stack with what was lost on the way up. Both know no
//! field by name: they ask the types' `Serialize`, and stacking itself. Secrets never leave this module: password hashes
//! are recognised by their type, other secrets by the key or word before them, and texts of several lines aren't shown.

mod collect;
mod path;
mod provenance;

pub use collect::{Node, trace};
pub use path::{Path, Step};
pub use provenance::{Lost, Provenance, provenance};

#[cfg(test)]
mod tests;
