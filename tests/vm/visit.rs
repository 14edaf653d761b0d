//! Somebody works on an installed machine, restarts it, and finds everything as it was.

use anyhow::{Context, Result, ensure};

use crate::hosts::USER;
use crate::support::running::Running;
use crate::support::ssh::Key;

const BOOT: &str = "cat /proc/sys/kernel/random/boot_id";
const KEPT: &str = "cat ~/kept ~/.ssh/id_ed25519.pub";

/// Makes a file and an SSH key, restarts `boots` times, and compares; then looks whether the agent has run only once.
pub fn stays_installed(running: &mut Running, key: &Key, port: u16, boots: usize) -> Result<()> {
    let visited = visit(running, key, port, boots);
    visited.with_context(|| format!("{}; {}", running.state(), running.serial().tail()))
}

fn visit(running: &Running, key: &Key, port: u16, boots: usize) -> Result<()> {
    key.run(USER, port, "date >~/kept; ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519; sync")?;
    let (kept, identity) = (key.run(USER, port, KEPT)?, Key::host_key(port)?);
    let mut boot = key.run(USER, port, BOOT)?;
    for number in 1..=boots {
        key.tell(USER, port, "sudo systemctl reboot")?;
        let next = loop {
            let now = key.run(USER, port, BOOT)?;
            if now != boot {
                break now;
            }
            std::thread::sleep(std::time::Duration::from_secs(2));
        };
        boot = next;
        ensure!(
            key.run(USER, port, KEPT)? == kept,
            "boot {number}: what was made after the install has changed"
        );
        ensure!(Key::host_key(port)? == identity, "boot {number}: the machine shows another SSH host key");
    }
    // The first boot from the disk may have come straight from the firmware (BootNext); the others came this way.
    let chained = running.serial().count("ironstrap: installed; booting the disk");
    ensure!(chained >= boots, "GRUB has handed over to the disk {chained} times in {boots} boots");
    for marker in ["ironstrap: started", "ironstrap: claimed"] {
        let count = running.serial().count(marker);
        ensure!(count == 1, "`{marker}` was seen {count} times");
    }
    Ok(())
}
