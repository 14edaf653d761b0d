//! Golden images: whole-disk block images, content-addressed, chunked into a store.

pub mod assemble;
pub mod build;
pub mod chunk;
pub mod export;
pub mod ext4;
pub mod import;
pub mod layout;
pub mod lint;
pub mod loaders;
pub mod mounts;
pub mod names;
pub mod pack;
pub mod read;
pub mod recipe;
pub mod root_view;
pub mod source;
pub mod startup;
pub mod store;
pub mod stored;
pub mod system;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
#[path = "hostile_tests.rs"]
mod tests;
pub mod tree;
pub mod volume;
pub mod whole;
pub mod xfs;
