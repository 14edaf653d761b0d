//! A host that is complete: everything an installer needs is there and fits together.
//!
//! Profiles become [`Host`]s by `resolve`, and [`LockedHost`]s when the lock file pins their image. Renderers see only
//! these; [`explain`] says how a profile came to be. If resolving succeeds, rendering can't fail on data. Pure.

pub mod handoff;
mod lock;
mod model;
pub mod owners;
mod resolve;
#[cfg(test)]
pub mod testing;
mod unsupported;

pub use handoff::Handoff;
pub use lock::{LockError, lock, pin};
pub use model::{
    Bond, BondMode, Boot, Bridge, Btrfs, Content, Disk, FileSystem, Finish, Fixed, Host, Installer,
    InstallerFiles, Interface, Ipv4, Ipv6, Layout, Link, Locale, LockedHost, LogicalVolume, Luks, Mount,
    Network, Os, Partition, Raid, RaidLevel, Repository, Role, Route, Script, Scripted, Scripts, Site, Size,
    Subvolume, TARGET, ThinPool, Unlock, Vlan, VolumeGroup, agent_start,
};
pub use resolve::{Class, Explanation, Resolved, Resolver, Waived, Waivers, explain, resolve};
pub use unsupported::{Refusal, Unsupported};
