//! Kernel calls of the agent: thin wrappers with owned types, one file a subject.
//!
//! Nothing here decides anything, retries anything or knows what an install is. Everything works on a running Linux only;
//! what can be tested without one is kept out of here.

pub(crate) mod direct;
pub(crate) mod disk;
pub(crate) mod machine;
pub(crate) mod mount;
pub mod net;
pub(crate) mod tty;
