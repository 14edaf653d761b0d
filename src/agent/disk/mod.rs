//! The disk: an image's blocks and tables are written, read back and committed.
//!
//! [`install`] tells the order of the writes, which is a promise; the other files are its steps. No other room writes to a
//! disk that is being installed but `personalise`, and that through the kernel's view of its file systems.

#[cfg(test)]
mod again_tests;
pub mod commit;
#[cfg(test)]
mod crash_tests;
pub mod engine;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
pub mod firmware_judge;
mod growth;
pub mod install;
pub mod progress;
pub mod signatures;
pub mod table;
mod true_size;
