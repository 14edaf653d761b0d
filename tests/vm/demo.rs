//! `make demo`: from nothing to a converged machine, with everything a site does on the way, told as it happens.
//!
//! It shares the tests' golden image, so that either makes the other quick.

#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use support::image_fixture::{Golden, IMAGE, take_whole};
use support::qemu::{Bus, Machine};
use support::site::Site;
use support::{disk, judges, say, scratch};

/// A host of the example site, and the machine that its profile describes.
const HOST: &str = "web01";
const MAC: &str = "52:54:00:12:34:56";
const SERIAL: &str = "WEB01DISK";

/// What took how long.
#[derive(Default)]
struct Summary(Vec<(&'static str, Duration)>);

impl Summary {
    fn time<T>(&mut self, what: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        say(&format!("\n=== {what}"));
        let started = Instant::now();
        let result = work().context(what)?;
        self.0.push((what, started.elapsed()));
        Ok(result)
    }

    fn print(&self) {
        say("\n=== summary");
        for (what, time) in &self.0 {
            say(&format!("{:>6} s  {what}", time.as_secs()));
        }
        let total: Duration = self.0.iter().map(|(_, time)| *time).sum();
        say(&format!("{:>6} s  in all", total.as_secs()));
    }
}

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("demo failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<()> {
    let mut summary = Summary::default();
    take_whole();
    let dir = scratch("demo")?;
    summary.time("golden image", || {
        let golden = Golden::get()?;
        say(&format!("{IMAGE}, in the store of {}", golden.site().display()));
        Ok(())
    })?;
    let site = summary.time("example site: pin the image, check every host, arm one", || {
        let site = Site::example(&dir)?;
        for step in [&["lock"][..], &["check"], &["arm", HOST]] {
            say(&format!("$ ironstrap {}", step.join(" ")));
            site.run(step)?.lines().for_each(say);
        }
        Ok(site)
    })?;
    let stick = summary.time("stick", || {
        say("$ ironstrap bundle --usb usb.img");
        let stick = site.stick("usb.img")?;
        judges::table_and_esp(&stick)?;
        let size = std::fs::metadata(&stick).context("sizing the stick")?.len() >> 20;
        say(&format!("{}: {size} MiB; sgdisk and fsck.vfat find nothing wrong", stick.display()));
        Ok(stick)
    })?;
    let target = disk::blank(&dir, "disk.raw", 8 << 30)?;
    let machine =
        Machine::new(&dir, HOST)?.disk(Bus::Virtio, &target, SERIAL, Some(5)).network(MAC).stick(&stick, 0);
    say("\n=== a machine: UEFI, Secure Boot on, an empty disk of 8 GiB, the stick; two emulated processors");
    let mut running = machine.start()?;
    let mut tell = |at: Duration, line: &str| say(&format!("[{:>4} s] {line}", at.as_secs()));
    summary.time("install", || running.story("ironstrap: rebooting", &mut tell))?;
    summary.time("first boot from its own disk", || running.story("ironstrap: converged", &mut tell))?;
    running.shut_down()?;
    summary.time("judges: sgdisk, fsck.vfat, e2fsck", || judges::installed_disk(&target))?;
    summary.print();
    say(&format!("\nconverged: {HOST} runs {IMAGE} from {}", target.display()));
    Ok(())
}
