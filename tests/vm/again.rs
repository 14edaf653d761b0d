//! A disk that isn't blank: another system's partitions that the host's profile gives up, then our own install under a
//! new order. Before both, the kernel has partitions in use that must be forgotten. At last LBA 0 of the system in use is lost.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::filesystems::FormsDisk;
use crate::hosts::{DISK, Host, USER};
use crate::support::disk::{Table, blank, put};
use crate::support::qemu::{Bus, free_port};
use crate::support::site::Site;
use crate::support::ssh::Key;
use crate::support::{judges, text, with_machines};

const HOTEL: Host = Host { name: "hotel", mac: "52:54:00:70:00:08", disk: "HOTEL1", bus: Bus::Virtio };

#[test]
fn a_disk_that_is_given_up_is_installed_and_installed_again_under_a_new_order() -> Result<()> {
    with_machines("again", |dir| {
        let key = Key::make(dir)?;
        let port = free_port()?;
        let careful = HOTEL.yaml(&key.public()?, "none");
        let careless = careful.replace("confirm: 0", "confirm: 0, wipe: foreign");
        let site = Site::new(dir, None, &[(HOTEL.name, careless)])?;
        site.arm(&[HOTEL.name])?;
        let (machine, disk) = HOTEL.machine(dir)?;
        other_system(dir, &disk)?;
        let forms = FormsDisk::make(dir)?;

        let first = site.stick("first.img")?;
        let mut running = machine.clone().stick(&first, 0).ssh(port).start()?;
        running.wait_for("ironstrap: claimed attempt=1")?;
        let committed = running.wait_for("ironstrap: committed")?;
        ensure!(!committed.contains("in-place="), "of a foreign disk nothing is reused: {committed}");
        running.wait_for("ironstrap: converged")?;
        key.run(USER, port, "date >~/kept; sync")?;
        let mut identity = Key::host_key(port)?;
        running.shut_down()?;
        judges::installed_disk(&disk)?;
        let table = Table::read(&disk)?;

        // Our own install is no foreign data: a new order is enough.
        site.write(&format!("hosts/{}.yaml", HOTEL.name), &careful)?;
        site.arm(&[HOTEL.name])?;
        let mut running = machine.clone().stick(&site.stick("second.img")?, 0).ssh(port).start()?;
        running.wait_for("ironstrap: claimed attempt=1")?;
        mostly_reused(&running.wait_for("ironstrap: committed")?)?;
        running.wait_for("ironstrap: converged")?;
        let kept = key.run(USER, port, "ls -A ~")?;
        ensure!(!kept.contains("kept"), "a file of the first install is still there: {kept}");
        let old = std::mem::replace(&mut identity, Key::host_key(port)?);
        ensure!(identity != old, "the second install shows the first one's SSH host key");
        running.shut_down()?;
        judges::installed_disk(&disk)?;
        ensure!(Table::read(&disk)?.disk != table.disk, "the second install has the first one's disk GUID");
        let done = judges::esp_names(&disk, "/EFI/ironstrap")?;
        ensure!(done.len() == 2, "the ESP has marks of {done:?}, not of both orders");

        // The first stick is in again, and comes first: its order is over, and it boots the disk.
        let mut running = forms.beside(machine.clone()).stick(&first, 0).ssh(port).start()?;
        running.wait_for("ironstrap: installed; booting the disk")?;
        forms.try_all(&key, port)?;
        ensure!(Key::host_key(port)? == identity, "another system has come up");
        running.serial().absent("ironstrap: started")?;
        let kept = key.run(USER, port, "date >~/kept; sync; cat ~/kept")?;
        running.shut_down()?;
        forms.judge(dir)?;

        // What looks like a power cut at the very end of the install is a system in use: it gets its tables back.
        put(&disk, 0, &[0; 512])?;
        let mut running = machine.stick(&site.path("../second.img"), 0).ssh(port).start()?;
        running.wait_for("ironstrap: installed already; the partition tables were made anew")?;
        ensure!(key.run(USER, port, "cat ~/kept")? == kept, "a file of its user has changed");
        ensure!(Key::host_key(port)? == identity, "another system has come up");
        running.serial().absent("ironstrap: claimed")?;
        running.shut_down()?;
        judges::table_and_esp(&disk)
    })
}

/// The same image is on the disk: what its system changed of it is fetched, and little else.
fn mostly_reused(committed: &str) -> Result<()> {
    let figure = |name: &str| -> Result<u64> {
        let word = committed.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Ok(word.with_context(|| format!("finding {name} in {committed}"))?.trim().parse()?)
    };
    let (in_place, fetched) = (figure("in-place")?, figure("fetched")?);
    ensure!(in_place > 2 * fetched, "{committed}");
    Ok(())
}

/// An ESP, a file system and a volume manager's partition over the whole disk, at other places than the image's.
fn other_system(dir: &Path, disk: &Path) -> Result<()> {
    let table = ["-n1:2048:+300M", "-t1:ef00", "-n2:0:+2G", "-t2:8300", "-n3:0:0", "-t3:8e00"];
    text(Command::new("sgdisk").args(table).arg(disk))?;
    let partitions = Table::read(disk)?.partitions;
    let system = blank(dir, "system.ext4", partitions[1].length)?;
    text(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&system))?;
    text(
        Command::new("dd")
            .args(["bs=1M", "conv=notrunc,sparse"])
            .arg(format!("seek={}", partitions[1].start >> 20))
            .arg(format!("if={}", system.display()))
            .arg(format!("of={}", disk.display())),
    )?;
    put(disk, partitions[2].start + 512, b"LABELONE")?;
    put(disk, DISK - (1 << 19), b"the other system's data")
}
