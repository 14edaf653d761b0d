//! The machines of these tests, as profiles and as QEMU's arguments from one description.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::support::disk::blank;
use crate::support::image_fixture::IMAGE;
use crate::support::qemu::{Bus, Machine};

/// Size of a target disk: larger than the image, so that the root file system has to grow.
pub const DISK: u64 = 6 << 30;
/// The account of the person who looks after the machines.
pub const USER: &str = "ops";

/// One machine.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// Its name.
    pub name: &'static str,
    /// Its network card.
    pub mac: &'static str,
    /// Its disk's serial number.
    pub disk: &'static str,
    /// How the disk is attached.
    pub bus: Bus,
}

impl Host {
    /// Its profile, installed by our agent without a countdown, with this hand-off.
    pub fn yaml(&self, key: &str, handoff: &str) -> String {
        let Self { name, mac, disk, .. } = self;
        format!(
            "name: {name}\n\
             match: {{ mac: [\"{mac}\"] }}\n\
             image: {IMAGE}\n\
             network: {{ interfaces: [{{ match: {{ mac: \"{mac}\" }}, ipv4: dhcp }}] }}\n\
             storage: {{ target: {{ serial: {disk} }}, confirm: 0 }}\n\
             users: [{{ name: {USER}, ssh_keys: [\"{key}\"], sudo: nopasswd }}]\n\
             handoff: {handoff}\n"
        )
    }

    /// The machine with a blank disk that boots first, and the disk's file.
    pub fn machine(&self, dir: &Path) -> Result<(Machine, PathBuf)> {
        let disk = blank(dir, &format!("{}.raw", self.name), DISK)?;
        let machine =
            Machine::new(dir, self.name)?.disk(self.bus, &disk, self.disk, Some(5)).network(self.mac);
        Ok((machine, disk))
    }
}
