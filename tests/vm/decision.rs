//! Whom GRUB starts the agent for over PXE: a machine that only its UUID names, and not one that nobody named, which goes on
//! with its own disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::support::disk::blank;
use crate::support::image_fixture::IMAGE;
use crate::support::mini::{self, Sizes};
use crate::support::qemu::{Bus, Machine};
use crate::support::site::Site;
use crate::support::{text, with_machines};

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
        let over_network = |name: &str, mac: &str| {
            let machine = Machine::new(dir, name)?.network(mac).boots_from_network(&tree, "bootx64.efi", 0);
            anyhow::Ok(machine)
        };
        let disk = blank(dir, "found.raw", DISK)?;
        let found = over_network("found", FOUND)?.uuid(UUID).disk(Bus::Virtio, &disk, "DISK1", Some(5));
        // A disk that something starts from when it is plugged in, and the one that a system was installed on. Both are in the
        // firmware's order, which GRUB sees only the disks of.
        let medium = mini::make(dir, Sizes { esp: 34, root: 48 }, &[])?;
        let installed = install(dir, &medium)?;
        let stranger = over_network("stranger", STRANGER)?
            .memory(1024)
            .disk(Bus::Virtio, &medium, "MEDIUM1", Some(5))
            .disk(Bus::Virtio, &installed, "DISK2", Some(6));

        let mut found = found.start()?;
        let mut stranger = stranger.start()?;
        stranger.wait_for("ironstrap does not know this machine")?;
        let started = stranger.wait_for("ironstrap: starting (hd")?;
        ensure!(started.contains("/EFI/debian/shimx64.efi"), "GRUB has chosen `{started}`");
        stranger.wait_for("mini image started")?;
        found.wait_for("ironstrap: starting the agent")?;
        stranger.serial().absent("UiApp")?;
        stranger.serial().absent("ironstrap: starting the agent")
    })
}

/// A copy of a medium, with a loader where an installer puts it.
fn install(dir: &Path, medium: &Path) -> Result<PathBuf> {
    let disk = dir.join("installed.raw");
    std::fs::copy(medium, &disk).with_context(|| format!("copying {}", medium.display()))?;
    let esp = format!("{}@@1M", disk.display());
    let file = dir.join("loader");
    for (from, to) in [("BOOTX64.EFI", "shimx64.efi"), ("grubx64.efi", "grubx64.efi")] {
        text(Command::new("mcopy").args(["-n", "-i", &esp, &format!("::EFI/BOOT/{from}")]).arg(&file))?;
        text(Command::new("mcopy").args(["-i", &esp]).arg(&file).arg(format!("::EFI/debian/{to}")))?;
        std::fs::remove_file(&file).context("removing a copy")?;
    }
    Ok(disk)
}
