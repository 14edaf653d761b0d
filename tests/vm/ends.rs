//! A machine that nobody looks after: its firmware shows GRUB no disks, so the agent starts after every power cut, and has to give
//! the machine back to its disk.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::hosts::{DISK, Host, USER};
use crate::support::disk::{blank, content_digest};
use crate::support::qemu::{Bus, Machine, free_port};
use crate::support::running::Running;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::ssh::Key;
use crate::support::with_machines;

const INDIA: Host = Host { name: "india", mac: "52:54:00:70:00:09", disk: "INDIA1", bus: Bus::Virtio };

/// `make soak` cuts so often that one sees that nothing adds up: the firmware's entry, the agent's count of tries.
fn power_cuts() -> usize {
    if std::env::var_os("IRONSTRAP_SOAK").is_some() { 5 } else { 1 }
}

#[test]
fn a_machine_that_boots_from_its_network_card_alone_comes_up_after_power_cuts_and_refusals() -> Result<()> {
    with_machines("ends", |dir| {
        let key = Key::make(dir)?;
        let (web, ssh) = (free_port()?, free_port()?);
        let host = INDIA.yaml(&key.public()?, "none") + "policy: { refusal_pause: 10 }\n";
        let site = Site::new(dir, Some(&format!("http://10.0.2.2:{web}")), &[(INDIA.name, host.clone())])?;
        site.arm(&[INDIA.name])?;
        let tree = site.tree("pxe")?;
        let server = Server::start(&site, &tree, web)?;
        let (machine, disk) = of_its_card_alone(dir)?;
        let machine = machine.ssh(ssh);

        let mut running = machine.clone().boots_from_network(&tree, "bootx64.efi", 0).start()?;
        running.wait_for("ironstrap: committed")?;
        running.wait_for("ironstrap: converged")?;
        let identity = Key::host_key(ssh)?;
        let came_up = |running: &mut Running| -> Result<()> {
            key.run(USER, ssh, "sync")?;
            ensure!(Key::host_key(ssh)? == identity, "another system has come up");
            running.serial().absent("ironstrap: claimed attempt=2")
        };
        for _ in 0..power_cuts() {
            running.reset()?;
            // GRUB has found no done file: it sees no disk
            running.wait_for("ironstrap: already done")?;
            running.wait_for("ironstrap: next: boots vda now")?;
            came_up(&mut running)?;
        }
        running.shut_down()?;
        server.stop()?;

        // A newer order that can't be carried out: the disk it names isn't there.
        site.write(&format!("hosts/{}.yaml", INDIA.name), &host.replace("serial: INDIA1", "serial: GONE1"))?;
        site.arm(&[INDIA.name])?;
        let tree = site.tree("pxe-again")?;
        let server = Server::start(&site, &tree, web)?;
        let mut running = machine.boots_from_network(&tree, "bootx64.efi", 0).start()?;
        let before = content_digest(&disk)?;
        running.wait_for("ironstrap: refused IS-201")?;
        running.wait_for("ironstrap: next: boots vda in 10 s, any key stops it")?;
        ensure!(content_digest(&disk)? == before, "a refused machine has written to its disk");
        came_up(&mut running)?;
        running.shut_down()?;
        // its ESP was mounted when the power failed, and is marked so: no judge of a new disk would pass it
        server.stop().map(drop)
    })
}

/// Its disk is in no boot order, and so the firmware doesn't connect it.
fn of_its_card_alone(dir: &Path) -> Result<(Machine, std::path::PathBuf)> {
    let disk = blank(dir, "india.raw", DISK)?;
    let machine = Machine::new(dir, INDIA.name)?.disk(INDIA.bus, &disk, INDIA.disk, None);
    Ok((machine.network(INDIA.mac), disk))
}
