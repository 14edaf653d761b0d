//! Reading ext4 without mounting it, also where somebody made it to do harm.
//!
//! By the layout in [`spec::ondisk::ext4`](crate::spec::ondisk::ext4). It tells what crates that read contents keep to themselves, as
//! inode numbers and attributes, and never believes what the volume says of itself: extents are judged as a whole before one is
//! read, so a tree of them has an end; every length is held against a limit before memory is asked for; every read draws from the
//! [`Budget`](crate::sys::budget::Budget) of the command. `ext4-view` judges it in tests.
//!
//! Promises: what is damaged is an error and never a panic; nothing is written; what isn't understood is refused by its feature bit.

pub mod blocks;
mod checksum;
pub mod content;
pub mod directory;
pub mod features;
pub mod fitness;
pub mod inode;
mod volume;

#[cfg(test)]
mod tests;
