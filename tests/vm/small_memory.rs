//! A machine with as little memory as machines have that are worth installing, and an image that is larger than it many times.

use anyhow::{Context, Result, ensure};

use crate::hosts::Host;
use crate::support::disk::blank;
use crate::support::image_fixture::Golden;
use crate::support::qemu::{Bus, Machine};
use crate::support::site::Site;
use crate::support::ssh::Key;
use crate::support::{judges, say, soak_wanted, with_machines};

const LIMA: Host = Host { name: "lima", mac: "52:54:00:60:00:0c", disk: "LIMA1", bus: Bus::Virtio };
/// In MiB.
const MEMORY: u32 = 512;
const IMAGE: u64 = 8 << 30;

#[test]
fn an_image_of_8_gib_is_installed_on_a_machine_with_512_mib() -> Result<()> {
    if !soak_wanted("an image of 8 GiB on a machine with 512 MiB") {
        return Ok(());
    }
    with_machines("small-memory", |dir| {
        let key = Key::make(dir)?;
        let site = Site::new(dir, None, &[(LIMA.name, LIMA.yaml(&key.public()?, "none"))])?;
        site.borrow(&Golden::large()?)?;
        site.arm(&[LIMA.name])?;
        let stick = site.stick("usb.img")?;
        let disk = blank(dir, "lima.raw", IMAGE + (64 << 20))?;
        let machine = Machine::new(dir, LIMA.name)?.memory(MEMORY).network(LIMA.mac);
        let machine = machine.disk(LIMA.bus, &disk, LIMA.disk, Some(5)).stick(&stick, 0);
        let mut running = machine.start()?;
        let planned = running.wait_for("ironstrap: planned")?;
        let bytes = planned.rsplit_once("bytes=").context("reading the image's size")?.1;
        ensure!(bytes.trim().parse::<u64>()? == IMAGE, "{planned}");
        let committed = running.wait_for("ironstrap: committed")?;
        say(&format!("{MEMORY} MiB, {IMAGE} bytes: {committed}"));
        running.wait_for("ironstrap: converged")?;
        running.shut_down()?;
        judges::installed_disk(&disk)
    })
}
