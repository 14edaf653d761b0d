//! One stick, two machines without anything in common but the site: each gets its own identity and its configuration
//! management, and stays installed with the stick left in.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::hosts::Host;
use crate::support::disk::Table;
use crate::support::qemu::{Bus, free_port};
use crate::support::site::Site;
use crate::support::ssh::Key;
use crate::support::web::Web;
use crate::support::{git, judges, with_machines};
use crate::visit::stays_installed;

const ALPHA: Host = Host { name: "alpha", mac: "52:54:00:10:00:01", disk: "ALPHA1", bus: Bus::Virtio };
const BRAVO: Host = Host { name: "bravo", mac: "52:54:00:10:00:02", disk: "BRAVO1", bus: Bus::Nvme };

const USER_DATA: &str = "#cloud-config\nwrite_files:\n- path: /etc/from-cloud-init\n  content: alpha\n";
const PLAYBOOK: &str = "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n\
    \x20   - ansible.builtin.copy: { dest: /etc/from-ansible, content: bravo, mode: '0644' }\n";

#[test]
fn one_stick_installs_two_machines_and_does_not_install_them_again() -> Result<()> {
    with_machines("stick", |dir| {
        let key = Key::make(dir)?;
        let web = Web::serve(&git::repository(dir, "site.git", &[("site.yml", PLAYBOOK)])?)?;
        let pull = format!(
            "{{ ansible: {{ pull: {{ url: \"{}/site.git\", playbook: site.yml }} }} }}",
            web.address()
        );
        let hosts = [
            (ALPHA.name, ALPHA.yaml(&key.public()?, "{ cloud_init: { user_data: files/alpha.yaml } }")),
            (BRAVO.name, BRAVO.yaml(&key.public()?, &pull)),
        ];
        let site = Site::new(dir, None, &hosts)?;
        site.write("files/alpha.yaml", USER_DATA)?;
        site.arm(&[ALPHA.name, BRAVO.name])?;
        let stick = site.stick("usb.img")?;

        let alpha = install(dir, &ALPHA, &stick, &key, "cloud-init", 2)?;
        ensure!(
            judges::file(&alpha, "/etc/from-cloud-init")? == "alpha",
            "cloud-init has not written its file"
        );
        let bravo = install(dir, &BRAVO, &stick, &key, "ansible-pull", 0)?;
        ensure!(
            judges::file(&bravo, "/etc/from-ansible")? == "bravo",
            "ansible-pull has not written its file"
        );
        are_different(&alpha, &bravo)
    })
}

/// Installs one machine from the stick, restarts it `boots` times with the stick in, and returns its disk.
fn install(
    dir: &Path,
    host: &Host,
    stick: &Path,
    key: &Key,
    by: &str,
    boots: usize,
) -> Result<std::path::PathBuf> {
    let port = free_port()?;
    let (machine, disk) = host.machine(dir)?;
    let mut running = machine.stick(stick, 0).ssh(port).start()?;
    running.wait_for("ironstrap: started")?;
    running.wait_for(&format!("ironstrap: ordered host={}", host.name))?;
    running.wait_for("ironstrap: claimed attempt=1")?;
    running.wait_for("ironstrap: committed")?;
    running.wait_for(&format!("ironstrap: converged by={by}"))?;
    stays_installed(&mut running, key, port, boots)?;
    running.shut_down()?;
    judges::installed_disk(&disk)?;
    let (partition, system) = judges::root_sizes(&disk)?;
    ensure!(partition > 4 << 30 && partition - system < 4096, "root: {system} of {partition} bytes are used");
    Ok(disk)
}

fn are_different(alpha: &Path, bravo: &Path) -> Result<()> {
    for path in ["/etc/machine-id", "/etc/hostname", "/etc/ssh/ssh_host_ed25519_key.pub"] {
        let (one, other) = (judges::file(alpha, path)?, judges::file(bravo, path)?);
        ensure!(!one.trim().is_empty() && one != other, "{path} is `{one}` on both machines");
    }
    ensure!(judges::file(alpha, "/etc/hostname")?.trim() == "alpha", "alpha has another name");
    let (one, other) = (Table::read(alpha)?, Table::read(bravo)?);
    ensure!(one.disk != other.disk, "both disks have one GUID");
    for partition in &one.partitions {
        let shared = other.partitions.iter().any(|theirs| theirs.guid == partition.guid);
        ensure!(!shared, "both disks have a partition {}", partition.guid);
    }
    Ok(())
}
