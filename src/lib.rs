//! ironstrap turns host profiles into unattended bare-metal installs: a verified golden image on the right disk, handed
//! over to configuration management.
//!
//! # How data flows
//!
//! ```text
//! site.yaml  hosts/  profiles/
//!      │ profile   load, merge classes, diagnose with file:line:column
//!      ▼
//!  host::Host      resolved: nothing is missing that an installer needs
//!      │ host::lock  ◄── ironstrap.lock ◄── image (store) ◄── image build | import
//!      ▼
//!  host::LockedHost        all of these, with keys, permits and lists: site, a directory opened
//!      ├─► answers   Kickstart, preseed, autoinstall (templates/)
//!      ├─► handoff   cloud-init, ansible-pull, script: files and units of the installed system
//!      ├─► boot      command line, grub.cfg, DHCP (netboot/)
//!      └─► order     permit minted by `arm`, joined and signed by `bundle`
//!            │ bundle::assemble   reads the site; bundle::contents is a pure list of files
//!            ├─► simulate  the same order and the same plan, on a machine's recorded facts; check does so for all hosts
//!            ▼
//!  bundle          usb.img │ PXE tree, with a signed manifest ─► serve
//!      ▼
//!  agent           facts → plan → claim → blocks → read back → personalise → commit → report → reboot
//!      ▼
//!  installed host  configuration management runs ─► "converged"
//! ```
//!
//! # Who may use whom
//!
//! Imports point one way, and `tests/architecture.rs` holds the table:
//! `value ← spec ← trust ← sys ← profile ← host ← {answers, handoff, boot}, {image, order} ← site ← bundle ← {check, serve} ← cli`;
//! siblings in braces don't import each other. `cli` knows the words of a command line and prints; the work of a command is a
//! function below it. `grammar` knows what targets read and imports only `value`; `profile` knows its rules by name, and
//! `import` reads it into profiles, and proves itself with `host`, `handoff` and `answers`. `image` and `order` know no host; `image`
//! reads recipes with `profile`'s decoder. `simulate` stands between `bundle`, whose orders it makes, and `check`.
//!
//! The agent never sees a profile: both sides meet in `spec`, in `order`, in `plan`, which alone decides what may be wiped, in
//! `probe`, which sees what is there, and in `image_rules`, which judge an image's tree for a host; `image_lint` judges it by itself and
//! for hardware. Effects live in [`sys`]; `plan`, `simulate`, `image_rules`, `image_lint`, `grammar`, `host`, `handoff`, `answers`, `import`, `boot` and `bundle::contents` take data and return data.
//!
//! # What must always hold
//!
//! - Bytes are trusted only as [`trust::Verified`], and only such bytes can be written to a disk.
//! - Nothing is wiped without a signed [`spec::order::InstallOrder`] for this machine and this disk.
//! - A disk is untouched, or not bootable and safely tried again, or complete: the commit is the last write.
//! - The same input gives the same bytes.

pub mod agent;
pub mod answers;
pub mod boot;
pub mod bundle;
pub mod check;
pub mod cli;
#[cfg(test)]
#[path = "../tests/support/expect.rs"]
mod expect;
pub mod failure;
pub mod grammar;
pub mod handoff;
pub mod host;
pub mod image;
mod image_lint;
mod image_rules;
pub mod import;
pub mod order;
mod plan;
mod probe;
pub mod profile;
pub mod serve;
pub mod simulate;
pub mod site;
pub mod spec;
pub mod sys;
pub mod trust;
pub mod value;
