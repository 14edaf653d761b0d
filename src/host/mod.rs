//! A host that is complete: everything an installer needs is there and fits together.
//!
//! Profiles become [`Host`]s by `resolve`, and [`LockedHost`]s when the lock file pins their image. Renderers see only
//! these; [`explain`] says how a profile came to be. If resolving succeeds, rendering can't fail on data. Pure.

pub mod handoff;
mod lock;
mod model;
mod resolve;

pub use lock::{LockError, lock};
pub use model::{Handoff, Host, Installer, Locale, LockedHost, Site};
pub use resolve::{Class, Explanation, Resolved, explain, resolve};
