//! ironstrap: host profiles become verified golden images on the right disks.
//!
//! Imports point one way: `value ← spec ← trust ← sys ← profile ← host ← {answers, handoff, boot} ← bundle ← serve ← cli`;
//! siblings in braces don't import each other. `image` and `order` import only `value`, `spec`, `trust` and `sys`; the
//! agent sees no profile.

pub mod cli;
pub mod failure;
pub mod host;
pub mod spec;
pub mod sys;
pub mod trust;
pub mod value;
