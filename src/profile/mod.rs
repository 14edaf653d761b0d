//! A site's YAML → raw profiles, with every mistake at its place.
//!
//! [`load`] reads the files, [`yaml`] keeps positions, [`decode`] reads a file into typed layers and goes on after a
//! mistake, `merge` stacks layers. [`trace`] says where each value stands, [`schema`] what may be written. Nothing here
//! decides whether a profile makes sense as a whole: that is `host`'s. Diagnostics are collected, never returned one by one.

pub mod decode;
pub mod diag;
mod excerpt;
pub mod load;
mod merge;
pub mod raw;
pub mod rule;
pub mod schema;
pub mod source;
pub mod spanned;
pub mod trace;
pub mod yaml;
