//! Whole installs in emulated machines. Each test starts machines only when `IRONSTRAP_VM=1` (`make test` sets it).

#[path = "../support/mod.rs"]
mod support;

mod again;
mod debconf;
mod decision;
mod ends;
mod filesystems;
mod harness;
mod hosts;
mod installer;
mod io_errors;
mod killed;
mod network;
mod power;
mod proxy;
mod refusals;
mod replay;
mod secure_boot;
mod small_memory;
mod stick;
mod systems;
mod visit;
mod warm;
mod wire;
