//! Values are data in every target's grammar, whatever they hold.
//!
//! Each text of the profile model, by its schema, stands in a profile in `profiles/` with a tame value. 10,000 hostile strings
//! ([`strings`]) are put in the place of each: every host carries one in all of its texts, so that few hosts carry them all. A
//! string is refused (by its type, by `resolve`, by a renderer) or comes back as it was, in a tree that is otherwise that of the tame
//! host ([`readers::agree`]). Our own grammars read everything; real shells, PyYAML, `shlex`, pykickstart, debconf and GRUB's parser
//! ([`reference`]) confirm what they read. Both ways out are counted, and a text that refuses all, or that reaches no
//! output, fails unless it is listed here with a reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may panic, and says aloud what it skips"
)]

mod choice;
#[path = "../support/expect.rs"]
mod expect;
mod fields;
mod model;
mod readers;
mod reference;
mod render;
mod shell;
mod strings;
