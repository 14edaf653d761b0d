//! The engine: what moves an image's blocks onto a disk, and looks whether they are there.

mod extents;
pub mod readback;
pub mod write;
