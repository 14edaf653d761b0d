//! Boot media: what a machine starts from to be installed.

mod firmware;
mod modules;
