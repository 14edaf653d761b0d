//! Disks of machines that fail: sectors that can't be written or read, and flushes. Each run ends in success, with a disk that is all
//! right, or with a code and the place, and a disk that boots nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ironstrap::spec::claim;

use crate::hosts::Host;
use crate::support::boots::boots;
use crate::support::chance::{self, Dice};
use crate::support::disk::{Table, blank};
use crate::support::qemu::Bus;
use crate::support::writes::{Event, Log};
use crate::support::{judges, say, soak_wanted, with_machines};
use crate::warm::{DISK, End, IMAGE_SIZE, Warm, end_of, recorded};

const KILO: Host = Host { name: "kilo", mac: "52:54:00:60:00:0b", disk: "KILO1", bus: Bus::Virtio };
const SECTOR: u64 = 512;
/// Sectors of the longest write of the agent, and more.
const LONGEST: u64 = (4 << 20) / SECTOR;

/// So many flushes more than another run's a run may have.
const MORE: u64 = 12;

/// What a sector does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    /// It can't be written.
    Write,
    /// It can't be read from the first write on; before, the agent looks at what a disk holds, and refuses.
    Read,
    /// The same, for one time.
    ReadOnce,
}

/// A bad sector, and how the install must end.
struct Case {
    what: &'static str,
    sector: u64,
    bad: Bad,
    ends_well: bool,
}

#[test]
fn sectors_and_flushes_that_fail_are_told_and_never_taken_for_a_success() -> Result<()> {
    if !soak_wanted("installs on ten disks with bad sectors and on five that can't flush") {
        return Ok(());
    }
    with_machines("io-errors", |dir| {
        let warm = Warm::make(dir, KILO)?;
        let dice = &mut chance::from_seed(51);
        let (disk, log) = (blank(dir, "good.raw", DISK)?, blank(dir, "writes.log", 0)?);
        let mut running = warm.thaw("good", &recorded(&disk, &log), &warm.new_stick()?)?;
        ensure!(end_of(&mut running)? == End::Installed, "a good disk isn't installed");
        running.wait_for_end()?;
        judges::installed_disk(&disk)?;
        let log = Log::read(&log)?;

        let cases = cases(&disk, &log, dice)?;
        ensure!(cases.len() == 10, "{} cases", cases.len());
        for Case { what, sector, bad, ends_well } in cases {
            let said = attempt(dir, &warm, &sector_rules(sector, bad))?;
            say(&format!("{what}, LBA {sector}, {bad:?}: {}", said.as_deref().unwrap_or("installed")));
            ensure!(said.is_none() == ends_well, "{what}, LBA {sector}, {bad:?}");
            let Some(said) = said else { continue };
            let place = said.split_once("(LBA ").and_then(|(_, rest)| rest.split(')').next());
            let place: u64 = place.context("no LBA is named")?.parse().context("reading an LBA")?;
            ensure!((place..place + LONGEST).contains(&sector), "LBA {place} is named, and not {sector}");
        }

        let flushes = log.flushes() as u64;
        let inner = [dice.within(2..flushes / 2), dice.within(flushes / 2..flushes - 1)];
        let try_flush = |number: u64| -> Result<bool> {
            let said = attempt(dir, &warm, &flush_rules(number))?;
            say(&format!("flush {number} of {flushes}: {}", said.as_deref().unwrap_or("installed")));
            Ok(said.is_some())
        };
        ensure!(try_flush(1)?, "the first flush is the agent's own, and its failure wasn't told");
        inner.into_iter().try_for_each(|number| try_flush(number).map(drop))?;
        // the kernel flushes for the mounted file systems by its own clock, so that no two runs have the same number; the last ones
        // are the agent's own
        let mut told = 0;
        for number in flushes - 1..flushes + MORE {
            told += u32::from(try_flush(number)?);
            if told == 2 {
                return Ok(());
            }
        }
        bail!("of the last flushes the failure of {told} was told")
    })
}

/// One install on a disk with these faults: nothing where it succeeded, else what was said.
fn attempt(dir: &Path, warm: &Warm, faults: &str) -> Result<Option<String>> {
    let disk: PathBuf = blank(dir, "bad.raw", DISK)?;
    let nodes = [
        format!("driver=file,node-name=file,filename={},cache.no-flush=on", disk.display()),
        format!("driver=blkdebug,node-name=faults,image=file{faults}"),
        "driver=raw,node-name=disk,file=faults".to_owned(),
    ];
    let mut running = warm.thaw("bad", &nodes, &warm.new_stick()?)?;
    match end_of(&mut running)? {
        End::Failed(said) => {
            let coded =
                ["failed IS-401", "failed IS-402", "failed IS-403"].iter().any(|code| said.starts_with(code));
            ensure!(coded, "{said}");
            running.kill()?;
            let left = std::fs::read(&disk).context("reading the disk")?;
            ensure!(boots(&left).is_none(), "after `{said}` the disk boots");
            Ok(Some(said))
        }
        end => {
            ensure!(end == End::Installed, "{end:?}");
            running.wait_for_end()?;
            judges::installed_disk(&disk)?;
            ensure!(!judges::esp_names(&disk, "/EFI/ironstrap")?.is_empty(), "no order is done");
            Ok(None)
        }
    }
}

/// Bad sectors of each zone of the disk; which of them, chance decides.
fn cases(good: &Path, log: &Log, dice: &mut Dice) -> Result<Vec<Case>> {
    let table = Table::read(good)?;
    let (esp, root) = (table.esp()?.clone(), table.last()?.clone());
    let is_claim = |event: &&Event| matches!(event, Event::Write { offset: claim::OFFSET, .. });
    let blocks = log.events.split(|event| is_claim(&event)).nth(1).context("the disk wasn't claimed")?;
    // of the image's bytes in a partition: what was written with something else than zeroes, as one of many requests
    let mut data = |start: u64, length: u64| -> Result<u64> {
        let places: Vec<_> = blocks
            .iter()
            .filter_map(|event| match event {
                Event::Write { offset, bytes }
                    if (start..start + length).contains(offset) && bytes.len() > 65536 && bytes[0] != 0 =>
                {
                    Some((*offset, bytes.len() as u64))
                }
                _ => None,
            })
            .collect();
        ensure!(!places.is_empty(), "nothing was written to the partition at {start}");
        let (offset, length) = places[dice.below(places.len() as u64) as usize];
        Ok((offset + dice.below(length)) / SECTOR)
    };
    let esp_data = [data(esp.start, esp.length)?, data(esp.start, esp.length)?];
    let root_data = [data(root.start, root.length)?, data(root.start, root.length)?];
    let mut within = |start: u64, end: u64| dice.within(start / SECTOR..end / SECTOR);
    let case = |what, sector, bad, ends_well| Case { what, sector, bad, ends_well };
    let mib = 1 << 20;
    Ok(vec![
        case("the gate", 0, Bad::Write, false),
        case("the table", within(SECTOR, 34 * SECTOR), Bad::Write, false),
        case("the claim", claim::OFFSET / SECTOR, Bad::Write, false),
        case("the ESP", esp_data[0], Bad::Write, false),
        case("the root", root_data[0], Bad::Write, false),
        case("the root", root_data[1], Bad::Read, false),
        case("the ESP", esp_data[1], Bad::ReadOnce, true),
        case("the growth's beginning", within(IMAGE_SIZE, IMAGE_SIZE + 4 * mib), Bad::Write, false),
        case("the backup table", within(DISK - 33 * SECTOR, DISK), Bad::Write, false),
        // zeroed by command where that works, and read by nobody
        case("the growth's middle", within(IMAGE_SIZE + 8 * mib, DISK - 8 * mib), Bad::Write, true),
    ])
}

/// Rules of QEMU's blkdebug for a bad sector.
fn sector_rules(sector: u64, bad: Bad) -> String {
    if bad == Bad::Write {
        let rules = ["write", "write-zeroes"].iter().enumerate().map(|(number, kind)| {
            let rule = format!("inject-error.{number}");
            format!(
                ",{rule}.event=none,{rule}.iotype={kind},{rule}.sector={sector},{rule}.errno=5,{rule}.once=off"
            )
        });
        return rules.collect();
    }
    let once = if bad == Bad::ReadOnce { "on" } else { "off" };
    let (written, rule) = ("set-state.0", "inject-error.0");
    format!(
        ",{written}.event=write_aio,{written}.state=1,{written}.new_state=2,{rule}.event=read_aio,{rule}.state=2,\
         {rule}.iotype=read,{rule}.sector={sector},{rule}.errno=5,{rule}.once={once}"
    )
}

/// Rules for the flush of this number, from 1: it fails, once.
fn flush_rules(number: u64) -> String {
    let count = (1..number).map(|at| {
        let rule = format!("set-state.{}", at - 1);
        format!(",{rule}.event=flush_to_disk,{rule}.state={at},{rule}.new_state={}", at + 1)
    });
    let rule = "inject-error.0";
    let fails = format!(
        ",{rule}.event=flush_to_disk,{rule}.state={number},{rule}.iotype=flush,{rule}.errno=5,{rule}.once=on"
    );
    count.collect::<String>() + &fails
}
