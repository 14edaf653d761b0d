//! A site's directory, opened: its paths, its hosts with what they are pinned to, its keys, its permits, and the lists of what was
//! revoked and which media were built.
//!
//! Whatever changes the site's state holds that state's lock, writes whole files, and leaves them as they were when it fails.
//! Nothing here prints or asks: mistakes of a site are an error that carries them. What is done with a site (bundles, answers,
//! serving) stands above; don't import it here.

pub mod additions;
pub mod arming;
pub mod context;
pub mod facts;
pub mod image_users;
pub mod keys;
pub mod lock_file;
pub mod media;
pub mod paths;
pub mod permits;
pub mod revocations;
pub mod rotation;
