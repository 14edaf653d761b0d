//! Reading ext4 without mounting it.

pub mod inode;
