//! The only home of effects: block devices, processes, sockets, the clock, the file system, kernel calls.
//!
//! Each effect is a small trait or a plain function; each trait has a real implementation, a fake and a faulty twin
//! beside it. `unsafe` may stand here only, block by block, each with its proof. No policy: what to write, when to retry
//! and what an error means to a user is decided by the callers.

pub mod access;
pub mod block;
pub mod budget;
pub mod clock;
pub mod directory;
pub mod fat;
pub mod files;
pub mod gpt;
pub mod interrupt;
pub mod linux;
pub mod process;
pub mod prompt;
pub mod random;
pub mod rooted;
pub mod sockets;
