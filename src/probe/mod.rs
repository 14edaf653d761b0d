//! What this machine is: facts, disks and what is on them. The agent looks so at its target, `facts` at the machine that it runs on.
//!
//! Everything here reads, and nothing decides: [`crate::plan`] does, from what is found.

pub mod disk_probe;
pub mod disks;
pub mod facts;
pub mod firmware;
pub mod live;
pub mod mask;
mod transport;
