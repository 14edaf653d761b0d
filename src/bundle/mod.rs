//! Boot media: what a machine starts from to be installed.
//!
//! [`assemble`] reads a site; [`contents`] says what goes in, as pure data; [`usb`] and [`pxe`] write it, each file whole or not at all, each blob
//! verified on its way. Promises: the same site, state and keys give the same bytes, whoever builds where and when; only
//! armed hosts are in; `minisign -V` accepts the manifest.

pub mod agent_file;
pub(crate) mod archive;
pub mod assemble;
mod boot_build;
pub mod boot_compat;
pub mod bootfiles;
pub mod cached_root;
pub mod contents;
mod copy;
pub mod host;
pub mod images;
pub mod initramfs;
pub mod installer;
#[cfg(test)]
mod layouts_tests;
pub mod manifest;
mod modules;
pub mod pinning;
pub mod pxe;
#[cfg(test)]
pub(crate) mod testing;
pub mod usb;

pub use copy::Watch;
