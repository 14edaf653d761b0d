//! The harness itself: a machine with Secure Boot starts, its console is read, a dead one ends the wait.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::support::disk::blank;
use crate::support::qemu::{Bus, Machine};
use crate::support::with_machines;

#[test]
fn firmware_without_anything_to_boot_says_so_on_the_serial_console() -> Result<()> {
    with_machines("harness", |dir| {
        let disk = blank(dir, "disk.raw", 64 << 20)?;
        let machine = Machine::new(dir, "empty")?.memory(512).disk(Bus::Virtio, &disk, "S1", Some(0));
        let mut running = machine.start()?;
        running
            .wait_for("Security Violation")
            .context("Secure Boot must refuse the firmware's unsigned shell")?;
        running.wait_for("BdsDxe: No bootable option")?;
        running.serial().absent("ironstrap: started")?;
        assert!(running.wait_within("ironstrap: started", Duration::from_secs(1)).is_err());
        running.power_off()
    })
}
