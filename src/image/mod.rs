//! Golden images: whole-disk block images, content-addressed, chunked into a store.

pub mod read;
