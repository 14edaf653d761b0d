//! debian-installer boots over PXE with Secure Boot, hands the machine over, and the golden image is on the disk; a machine whose
//! disk is another one is left alone, by the agent and by the installer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::debconf::INSTALLER;
use crate::hosts::Host;
use crate::support::disk::content_digest;
use crate::support::qemu::{Bus, free_port};
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::ssh::Key;
use crate::support::{expect, judges, with_machines};
use crate::visit::stays_installed;

const FOX: Host = Host { name: "foxtrot", mac: "52:54:00:30:00:06", disk: "FOXTROT1", bus: Bus::Nvme };
const GOLF: Host = Host { name: "golf", mac: "52:54:00:30:00:07", disk: "GOLF1", bus: Bus::Virtio };

#[test]
fn debian_installer_hands_the_machine_over_to_the_agent() -> Result<()> {
    with_machines("installer", |dir| {
        let udebs = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/udebs/modules");
        if !udebs.is_dir() || !Path::new(INSTALLER).is_dir() {
            let script = format!("tests/fetch-modules.sh {INSTALLER}/initrd.gz {}", udebs.display());
            expect::missing("debian-installer or the udebs of its kernel", &script);
            return Ok(());
        }
        let key = Key::make(dir)?;
        let (web, ssh) = (free_port()?, free_port()?);
        let handed = |host: &Host| {
            let yaml = host.yaml(&key.public()?, "{ script: files/foxtrot.sh }");
            anyhow::Ok(format!("{yaml}installer: debian-installer\nos: debian-12\n"))
        };
        let hosts = [(FOX.name, handed(&FOX)?), (GOLF.name, handed(&GOLF)?)];
        let site = Site::new(dir, Some(&format!("http://10.0.2.2:{web}")), &hosts)?;
        site.write("files/foxtrot.sh", "#!/bin/sh\necho foxtrot >/etc/from-script\n")?;
        let installer = format!(
            "name: test\nserver: http://10.0.2.2:{web}\ndebian_installer:\n  debian-12: {{ kernel: {INSTALLER}/linux, initrd: {INSTALLER}/initrd.gz, udebs: {} }}\n",
            udebs.display()
        );
        site.write("site.yaml", &installer)?;
        site.arm(&[FOX.name, GOLF.name])?;
        let tree = site.tree("pxe")?;
        let server = Server::start(&site, &tree, web)?;

        let (machine, disk) = FOX.machine(dir)?;
        let mut running = machine.boots_from_network(&tree, "bootx64.efi", 0).ssh(ssh).start()?;
        running.wait_for("ironstrap: started")?;
        running.wait_for("ironstrap: claimed attempt=1")?;
        running.wait_for("ironstrap: committed")?;
        running.wait_for("ironstrap: converged by=script")?;
        stays_installed(&mut running, &key, ssh, 1)?;
        running.shut_down()?;
        judges::installed_disk(&disk)?;
        ensure!(
            judges::file(&disk, "/etc/from-script")? == "foxtrot\n",
            "the script has not written its file"
        );

        is_left_alone(dir, &tree)?;
        server.stop().map(drop)
    })
}

/// The disk of this machine isn't the one of its order.
fn is_left_alone(dir: &Path, tree: &Path) -> Result<()> {
    let other = Host { disk: "OTHER1", ..GOLF };
    let (machine, disk): (_, PathBuf) = other.machine(dir)?;
    let before = content_digest(&disk)?;
    let mut running = machine.boots_from_network(tree, "bootx64.efi", 0).start()?;
    let line = running.wait_for("ironstrap: refused")?;
    ensure!(line.contains("IS-201"), "expected IS-201, got `{line}`");
    // whatever the installer would do next, it waits
    std::thread::sleep(Duration::from_secs(20));
    for marker in ["ironstrap: claimed", "the agent has ended", "Installer main menu"] {
        running.serial().absent(marker)?;
    }
    running.power_off()?;
    ensure!(content_digest(&disk)? == before, "the disk has changed");
    Ok(())
}
