//! The machine dies in the middle of the write and is started again: nobody has to help.

use anyhow::{Result, ensure};

use crate::hosts::Host;
use crate::support::disk::get;
use crate::support::qemu::Bus;
use crate::support::site::Site;
use crate::support::ssh::Key;
use crate::support::{judges, with_machines};

const FOXTROT: Host = Host { name: "foxtrot", mac: "52:54:00:40:00:06", disk: "FOXTROT1", bus: Bus::Ahci };

#[test]
fn a_machine_that_dies_while_it_writes_is_installed_at_the_next_start() -> Result<()> {
    with_machines("power", |dir| {
        let key = Key::make(dir)?;
        let site = Site::new(dir, None, &[(FOXTROT.name, FOXTROT.yaml(&key.public()?, "none"))])?;
        site.arm(&[FOXTROT.name])?;
        let stick = site.stick("usb.img")?;
        let (machine, disk) = FOXTROT.machine(dir)?;
        let machine = machine.stick(&stick, 0).ends_at_reboot();

        let mut running = machine.start()?;
        running.wait_for("ironstrap: claimed attempt=1")?;
        running.wait_for_progress("write", 40)?;
        running.serial().absent("ironstrap: committed")?;
        running.kill()?;
        ensure!(
            get(&disk, 0, 4096)?.iter().all(|byte| *byte == 0),
            "a half-written disk has a partition table"
        );

        let mut running = machine.start()?;
        running.wait_for("ironstrap: claimed attempt=2")?;
        running.wait_for("ironstrap: committed")?;
        running.wait_for_end()?;
        judges::installed_disk(&disk)
    })
}
