//! Contracts between the side that builds and the side that installs: what travels in bundles, stores and messages.
//!
//! Data only: no I/O and no rules beyond "this can't be said". Every document carries a format version and an unknown one
//! is refused by its deserialiser, so that an old agent never half-understands a new order. Old fixtures in
//! `tests/compat/` must parse for ever. Nothing here knows profiles. And [`ondisk`]: what others write on disks.

pub mod boot;
pub mod claim;
pub mod code;
pub mod depmod;
pub mod event;
pub mod facts;
pub mod image;
pub mod installer;
pub mod lock;
pub mod manifest;
pub mod ondisk;
pub mod order;
pub mod payload;
pub mod plan;
pub mod recorder;
pub mod revocation;
pub mod samples;
pub mod secure_boot;
pub mod system;
pub mod transport;
mod version;

pub use code::Code;
pub use version::FormatVersion;
