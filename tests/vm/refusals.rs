//! What must not be wiped is not wiped: each machine says why, and no byte of any disk has changed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ironstrap::spec::FormatVersion;
use ironstrap::spec::claim::{self, Claim, Stage};
use ironstrap::spec::facts::Facts;
use ironstrap::spec::order::Grant;
use ironstrap::spec::secure_boot::Certificate;
use ironstrap::value::{ByteSize, Digest, OrderId, Seal};

use crate::hosts::{DISK, Host};
use crate::support::disk::{Table, blank, content_digest, put};
use crate::support::qemu::{Bus, Machine};
use crate::support::running::Running;
use crate::support::site::Site;
use crate::support::{text, with_machines};

const TWO_DISKS: Host = Host { name: "gamma", mac: "52:54:00:20:00:03", disk: "GAMMA1", bus: Bus::Virtio };
const FOREIGN: Host = Host { name: "delta", mac: "52:54:00:20:00:04", disk: "DELTA1", bus: Bus::Ahci };
const WATCHED: Host = Host { name: "epsilon", mac: "52:54:00:20:00:05", disk: "EPSILON1", bus: Bus::Nvme };
const DEAD: Host = Host { name: "zeta", mac: "52:54:00:20:00:06", disk: "ZETA1", bus: Bus::Virtio };
/// How long the order of a machine with a dead clock holds: until its stick is built, and not until it boots.
const SHORT: Duration = Duration::from_secs(120);
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1C7DdWbmYwT8tRJxLdGbyLVMTbWkZnMkTzPo1E2Y7y operator";

#[test]
fn a_stick_wipes_neither_a_stranger_nor_one_of_two_disks_nor_foreign_data_nor_by_a_dead_clock() -> Result<()>
{
    with_machines("refusals", |dir| {
        let either = TWO_DISKS.yaml(KEY, "none").replace("{ serial: GAMMA1 }", "{ min_size: 1GiB }");
        let slow = WATCHED.yaml(KEY, "none").replace("confirm: 0", "confirm: 300");
        let hosts = [
            (TWO_DISKS.name, either),
            (FOREIGN.name, FOREIGN.yaml(KEY, "none")),
            (WATCHED.name, slow),
            (DEAD.name, DEAD.yaml(KEY, "none")),
        ];
        let site = Site::new(dir, None, &hosts)?;
        site.arm(&[TWO_DISKS.name, FOREIGN.name, WATCHED.name, DEAD.name])?;
        let armed = Instant::now();
        site.shorten_permit(DEAD.name, SHORT.as_secs())?;
        let stick = site.stick("usb.img")?;

        let blank_disk = blank(dir, "stranger.raw", DISK)?;
        let stranger = Machine::new(dir, "stranger")?
            .disk(Bus::Virtio, &blank_disk, "STRANGER1", Some(5))
            .network("52:54:00:20:00:99")
            .stick(&stick, 0);
        is_refused(&stranger, "IS-101", &[blank_disk], |_| Ok(()))?;

        let (machine, first) = TWO_DISKS.machine(dir)?;
        let second = blank(dir, "gamma-second.raw", DISK)?;
        let machine = machine.disk(Bus::Nvme, &second, "GAMMA2", None).stick(&stick, 0);
        is_refused(&machine, "IS-202", &[first, second], |_| Ok(()))?;

        let (machine, disk) = FOREIGN.machine(dir)?;
        wiped_tables(dir, &disk)?;
        is_refused(&machine.stick(&stick, 0), "IS-203", &[disk], what_its_firmware_trusts_is_told)?;

        // Its order has ended, and a clock of 1970 doesn't know it.
        std::thread::sleep(SHORT.saturating_sub(armed.elapsed()));
        let (machine, dead_disk) = DEAD.machine(dir)?;
        let dead = machine.dead_clock().stick(&stick, 0);
        is_refused(&dead, "IS-110", slice::from_ref(&dead_disk), |_| Ok(()))?;

        // A countdown that somebody watches: any key stops it. The claim that somebody forged on another disk doesn't.
        let (machine, disk) = WATCHED.machine(dir)?;
        let shared = blank(dir, "epsilon-shared.raw", 64 << 20)?;
        put(&shared, claim::OFFSET, &forged_claim()?)?;
        let machine = machine.disk(Bus::Virtio, &shared, "SHARED1", None).stick(&stick, 0);
        is_refused(&machine, "IS-209", &[disk, shared], |running| {
            running.wait_for("any key stops it")?;
            running.type_on_serial("x")
        })?;

        // What that machine believed is in the stick's recorder.
        is_refused(&dead, "IS-104", &[dead_disk], |_| Ok(()))
    })
}

/// A system with files, after `sgdisk --zap-all`: both ends are blank, and all of its files are there.
fn wiped_tables(dir: &Path, disk: &Path) -> Result<()> {
    let files = dir.join("somebodys-files");
    std::fs::create_dir_all(&files).context("making files")?;
    std::fs::write(files.join("letter"), "Dear heirs,\n").context("making files")?;
    text(Command::new("sgdisk").args(["-n1:2048:+300M", "-t1:ef00", "-n2:0:0", "-t2:8300"]).arg(disk))?;
    let start = Table::read(disk)?.partitions[1].start;
    let offset = format!("offset={start}");
    text(
        Command::new("mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-E", &offset, "-d"])
            .arg(&files)
            .arg(disk)
            .arg("5G"),
    )?;
    text(Command::new("sgdisk").arg("--zap-all").arg(disk)).map(drop)
}

/// The newest claim that there can be of a host, by somebody who can write to a disk that it sees and hasn't the site's key.
fn forged_claim() -> Result<[u8; claim::SIZE]> {
    let time = "2026-01-01T00:00:00Z".parse().context("reading a time")?;
    let claim = Claim {
        version: FormatVersion,
        grant: Grant {
            host: WATCHED.name.parse().context("reading a name")?,
            order: OrderId::from_random([7; 16]),
            generation: u64::MAX,
            not_before: time,
            not_after: time.plus_seconds(1 << 32),
        },
        seal: Seal::from_bytes([7; 64]),
        disk: "serial:SHARED1".to_owned(),
        attempts: 1,
        failures: 0,
        foreign: false,
        time,
        covers: ByteSize::bytes(1 << 20),
        root: (uuid::Uuid::nil(), ByteSize::bytes(0)),
        outside: Digest::of(b""),
        stage: Stage::Begun,
        superseded: Vec::new(),
        image: None,
        former: None,
    };
    claim.to_record().context("forging a claim")
}

/// The facts behind a refusal hold what a firmware with Microsoft's keys and the shim of the stick let start.
fn what_its_firmware_trusts_is_told(running: &mut Running) -> Result<()> {
    let line = running.wait_for(" facts {")?;
    let (_, json) = line.split_once(" facts ").context("finding the facts")?;
    let facts: Facts = serde_json::from_str(json).context("reading the facts")?;
    let trust = facts.machine.firmware.context("the facts don't say what the firmware trusts")?;
    let microsoft =
        |it: &Certificate| it.subject.to_string().contains("CN=Microsoft Corporation UEFI CA 2011");
    ensure!(trust.db.certificates.iter().any(microsoft), "no certificate of Microsoft in {:?}", trust.db);
    ensure!(trust.sbat_level.is_some(), "shim's SBAT level isn't in {json}");
    Ok(())
}

fn is_refused(
    machine: &Machine,
    code: &str,
    disks: &[PathBuf],
    meanwhile: impl FnOnce(&mut Running) -> Result<()>,
) -> Result<()> {
    let before = digests(disks)?;
    let mut running = machine.start()?;
    running.wait_for("ironstrap: started")?;
    meanwhile(&mut running)?;
    let line = running.wait_for("ironstrap: refused")?;
    ensure!(line.contains(code), "{}: expected {code}, got `{line}`", machine.name());
    // The way out.
    running.wait_for("ironstrap: advice")?;
    // Whatever the agent does after it has refused, it must not write.
    std::thread::sleep(Duration::from_secs(5));
    for marker in ["ironstrap: claimed", "ironstrap: committed", "Kernel panic"] {
        running.serial().absent(marker)?;
    }
    running.power_off()?;
    ensure!(digests(disks)? == before, "{}: a disk has changed", machine.name());
    Ok(())
}

fn digests(disks: &[PathBuf]) -> Result<Vec<String>> {
    disks.iter().map(|disk: &PathBuf| digest(disk)).collect()
}

fn digest(disk: &Path) -> Result<String> {
    content_digest(disk).with_context(|| format!("hashing {}", disk.display()))
}
