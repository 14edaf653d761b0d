//! What this machine is: facts, disks and what is on them, devices and their drivers.
//!
//! Everything here reads, and nothing decides: `plan` does, from what is found.

pub mod devices;
pub mod disk_probe;
pub mod disks;
pub mod facts;
pub mod modules;
mod transport;
