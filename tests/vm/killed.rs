//! Machines that are killed at random moments of an install, time after time; and a disk with a cache: of what wasn't flushed when the
//! machine died, a part is lost. What is left boots nothing, or what was there before, or is complete; and the next start ends it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::hosts::Host;
use crate::support::boots::{Verdict, judge};
use crate::support::chance::{self, Dice};
use crate::support::disk::blank;
use crate::support::qemu::Bus;
use crate::support::running::Running;
use crate::support::serial::Serial;
use crate::support::writes::Log;
use crate::support::{judges, say, soak_wanted, text, with_machines};
use crate::warm::{DISK, End, Warm, as_file, end_in, end_of, recorded};

const JULIET: Host = Host { name: "juliet", mac: "52:54:00:60:00:0a", disk: "JULIET1", bus: Bus::Virtio };
const KILLS: usize = 20;
/// Kills of one disk, each in the middle of what the one before made necessary.
const IN_A_ROW: usize = 4;

/// Parts of an install, by the line that they begin with; and which is struck how often.
const PHASES: [(&str, usize); 4] = [
    ("ironstrap: claimed", 7),
    ("ironstrap: progress write 100%", 4),
    ("ironstrap: progress read-back 100%", 8),
    ("ironstrap: committed", 1),
];

#[test]
fn machines_killed_at_random_moments_are_installed_at_the_next_start() -> Result<()> {
    if !soak_wanted("twenty machines killed while they install") {
        return Ok(());
    }
    with_machines("killed", |dir| {
        let warm = Warm::make(dir, JULIET)?;
        let dice = &mut chance::from_seed(31);
        let durations = good_run(dir, &warm)?;
        say(&format!("phases of a good run: {durations:?}"));
        let mut phases: Vec<usize> =
            PHASES.iter().enumerate().flat_map(|(at, (_, n))| vec![at; *n]).collect();
        ensure!(phases.len() == KILLS, "{} kills are planned", phases.len());
        let (mut disk, mut stick, mut verdicts) = (PathBuf::new(), PathBuf::new(), Vec::new());
        for number in 0..KILLS {
            if number % IN_A_ROW == 0 || verdicts.last() == Some(&Verdict::Complete) {
                disk = fresh(dir, number / IN_A_ROW % 2 == 1)?;
                stick = warm.new_stick()?;
            }
            let phase = phases.swap_remove(dice.below(phases.len() as u64) as usize);
            let delay = durations[phase].mul_f64(dice.below(1000) as f64 / 1000.0);
            let verdict = kill(&warm, (&disk, &stick), (phase, delay), dice)?;
            let retried = (dir.join("retried.raw"), dir.join("retried.img"));
            std::fs::copy(&disk, &retried.0).context("copying a disk")?;
            std::fs::copy(&stick, &retried.1).context("copying a stick")?;
            let end = retry(&warm, &retried)?;
            say(&format!(
                "kill {number}: {} ms after `{}`: {verdict:?}; the next start: {end:?}",
                delay.as_millis(),
                PHASES[phase].0
            ));
            ensure!((verdict == Verdict::Complete) == (end == End::Done), "the agent sees another disk");
            verdicts.push(verdict);
            if number % IN_A_ROW == IN_A_ROW - 1 {
                comes_up(&warm, &retried)?;
            }
        }
        let closed = verdicts.iter().filter(|verdict| **verdict == Verdict::Closed).count();
        ensure!(closed >= KILLS / 2, "{verdicts:?}");
        Ok(())
    })
}

/// A blank disk, or one with another system.
fn fresh(dir: &Path, used: bool) -> Result<PathBuf> {
    let disk = blank(dir, "disk.raw", DISK)?;
    if used {
        let table = ["-n1:2048:+40M", "-t1:ef00", "-n2:0:0", "-t2:8300"];
        text(Command::new("sgdisk").args(table).arg(&disk))?;
        text(Command::new("mkfs.vfat").args(["--offset", "2048"]).arg(&disk).arg("40960"))?;
    }
    Ok(disk)
}

/// How long each phase lasts.
fn good_run(dir: &Path, warm: &Warm) -> Result<Vec<Duration>> {
    let disk = fresh(dir, false)?;
    let log = blank(dir, "writes.log", 0)?;
    let mut running = warm.thaw("good", &recorded(&disk, &log), &warm.new_stick()?)?;
    let mut begins = Vec::new();
    for (marker, _) in PHASES {
        running.wait_for(marker)?;
        begins.push(Instant::now());
    }
    running.wait_for_end()?;
    judges::installed_disk(&disk)?;
    begins.push(Instant::now());
    Ok(begins.windows(2).map(|pair| pair[1] - pair[0]).collect())
}

/// Installs, kills the machine, and loses a part of what it hadn't flushed.
fn kill(
    warm: &Warm,
    (disk, stick): (&Path, &Path),
    (phase, delay): (usize, Duration),
    dice: &mut Dice,
) -> Result<Verdict> {
    let before = std::fs::read(disk).context("reading a disk")?;
    let log = disk.with_extension("log");
    std::fs::write(&log, []).context("emptying the record of writes")?;
    let mut running = warm.thaw("killed", &recorded(disk, &log), stick)?;
    wait_for_phase(&mut running, PHASES[phase].0)?;
    std::thread::sleep(delay);
    running.kill()?;
    let written = std::fs::read(disk).context("reading a disk")?;
    let left = Log::read(&log)?.cut_at_its_end(before.clone(), dice);
    std::fs::write(disk, &left).context("writing what is left")?;
    let verdict = judge(&left, &before, &written);
    match verdict {
        Verdict::Half => bail!("{} boots half of a system", disk.display()),
        Verdict::Complete => {
            judges::installed_disk(disk)?;
            ensure!(!judges::esp_names(disk, "/EFI/ironstrap")?.is_empty(), "it boots, and no order is done");
        }
        Verdict::Before | Verdict::Closed => {}
    }
    Ok(verdict)
}

/// Until this line comes, or the machine has ended: what a run before has left may need less.
fn wait_for_phase(running: &mut Running, marker: &str) -> Result<()> {
    let serial = Serial::new(running.serial().path());
    let begin = Instant::now();
    while !running.has_ended()? && !serial.text().contains(marker) {
        let text = serial.text();
        if let Some(End::Failed(line)) = end_in(&text) {
            bail!("it should be killed, but: {line}");
        }
        ensure!(begin.elapsed() < Duration::from_secs(600), "no `{marker}`: {}", serial.tail());
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The next start, with the power on to its end.
fn retry(warm: &Warm, (disk, stick): &(PathBuf, PathBuf)) -> Result<End> {
    let mut running = warm.thaw("retried", &as_file(disk), stick)?;
    let end = end_of(&mut running)?;
    ensure!(!matches!(end, End::Failed(_)), "the next start ends with {end:?}");
    match end {
        // it waits for somebody who wants something else, and has written nothing
        End::Done => running.kill()?,
        _ => running.wait_for_end()?,
    }
    judges::installed_disk(disk)?;
    let done = judges::esp_names(disk, "/EFI/ironstrap")?;
    ensure!(!done.is_empty(), "an installed disk has no mark of its order");
    Ok(end)
}

/// Switched on, with the stick still in: the loader leaves the agent out, and the disk's own comes up.
fn comes_up(warm: &Warm, (disk, stick): &(PathBuf, PathBuf)) -> Result<()> {
    let mut running = warm.cold("comes-up", &as_file(disk), stick)?.start()?;
    running.wait_for("ironstrap: installed; booting the disk")?;
    running.wait_for("mini image started")?;
    running.kill()
}
