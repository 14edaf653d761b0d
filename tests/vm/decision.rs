//! Whom GRUB starts the agent for over PXE: a machine that only its UUID names, and not one that nobody named.

use anyhow::Result;

use crate::support::disk::blank;
use crate::support::golden::IMAGE;
use crate::support::qemu::{Bus, Machine};
use crate::support::site::Site;
use crate::support::with_machines;

const UUID: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
const FOUND: &str = "52:54:00:60:00:01";
const STRANGER: &str = "52:54:00:60:00:03";
const DISK: u64 = 6 << 30;

#[test]
fn grub_finds_a_host_by_its_uuid_and_leaves_strangers_alone() -> Result<()> {
    with_machines("decision", |dir| {
        let host = format!(
            "name: found\n\
         match: {{ uuid: {UUID} }}\n\
         image: {IMAGE}\n\
         network: {{ interfaces: [{{ match: {{ mac: \"{FOUND}\" }}, ipv4: dhcp }}] }}\n\
         storage: {{ target: {{ serial: DISK1 }}, confirm: 0 }}\n"
        );
        // nobody listens there: what is looked at ends where the agent begins
        let site = Site::new(dir, Some("http://10.0.2.2:9"), &[("found", host)])?;
        site.arm(&["found"])?;
        let tree = site.tree("pxe")?;
        let machine = |name: &str, mac: &str| -> Result<Machine> {
            let disk = blank(dir, &format!("{name}.raw"), DISK)?;
            let machine = Machine::new(dir, name)?.disk(Bus::Virtio, &disk, "DISK1", Some(5)).network(mac);
            Ok(machine.boots_from_network(&tree, "bootx64.efi", 0))
        };
        let mut found = machine("found", FOUND)?.uuid(UUID).start()?;
        let mut stranger = machine("stranger", STRANGER)?.memory(1024).start()?;
        stranger.wait_for("ironstrap does not know this machine")?;
        found.wait_for("ironstrap: starting the agent")?;
        // it gave the machine back to its firmware, which found nothing else to boot
        stranger.wait_for("starting Boot0000 \"UiApp\"")?;
        stranger.serial().absent("ironstrap: starting the agent")
    })
}
