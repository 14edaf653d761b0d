//! The only home of effects: block devices, processes, sockets, the clock, the file system, kernel calls.
//!
//! Each effect is a small trait or a plain function; each trait has a real implementation, a fake and a faulty twin
//! beside it. `unsafe` may stand here only, block by block, each with its proof. No policy: what to write, when to retry
//! and what an error means to a user is decided by the callers.

pub(crate) mod access;
pub(crate) mod block;
pub(crate) mod budget;
pub(crate) mod clock;
pub(crate) mod directory;
pub(crate) mod fat;
pub mod files;
pub(crate) mod gpt;
pub(crate) mod interrupt;
pub mod linux;
pub(crate) mod process;
pub(crate) mod prompt;
pub(crate) mod random;
pub(crate) mod rooted;
pub mod sockets;
