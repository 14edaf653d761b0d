//! Power cuts of a real kernel's writes: QEMU records every write and flush of one small install, and a firmware's eyes look at what
//! a disk could be left as. The same promise is tested in memory, see `agent::disk::crash_tests`.

use anyhow::{Result, ensure};

use crate::hosts::Host;
use crate::support::chance::{self, Dice};
use crate::support::disk::blank;
use crate::support::qemu::{Bus, Machine};
use crate::support::writes::{Log, replay};
use crate::support::{say, soak_wanted, with_machines};
use crate::warm::{DISK, recorded, stick};

const GOLF: Host = Host { name: "golf", mac: "52:54:00:60:00:07", disk: "GOLF1", bus: Bus::Virtio };
const STATES: usize = 4000;

#[test]
fn no_power_cut_of_a_real_install_leaves_a_half_bootable_disk() -> Result<()> {
    if !soak_wanted("an install whose writes are recorded and replayed") {
        return Ok(());
    }
    with_machines("replay", |dir| {
        let stick = stick(dir, &GOLF)?;
        let disk = blank(dir, "disk.raw", DISK)?;
        let path = blank(dir, "writes.log", 0)?;
        let machine = Machine::new(dir, GOLF.name)?
            .disk_of_blockdev("disk", GOLF.disk, &recorded(&disk, &path))
            .network(GOLF.mac)
            .stick(&stick, 0)
            .ends_at_reboot();
        let mut running = machine.start()?;
        running.wait_for("ironstrap: committed")?;
        running.wait_for_end()?;

        let (log, complete) = (Log::read(&path)?, std::fs::read(&disk)?);
        let dice = &mut chance::from_seed(41);
        let judged = |name: &str, log: &Log, states: usize, dice: &mut Dice| {
            let tally = replay(log, &complete, states, dice);
            say(&format!("{name}: {} requests, {} flushes, {tally:?}", log.events.len(), log.flushes()));
            tally
        };
        let tally = judged("as it was written", &log, STATES, dice);
        ensure!(tally.half == 0 && tally.complete > 0 && tally.closed > STATES / 2, "{tally:?}");
        // the judge finds wrong orders; the files are for judges of others
        let unflushed = log.without_flushes_before_the_commit()?;
        unflushed.write(&dir.join("unflushed.log"))?;
        let tally = judged("without the flushes before the commit", &unflushed, STATES / 10, dice);
        ensure!(tally.half > STATES / 400, "a wrong order isn't found: {tally:?}");
        let early = log.with_the_commit_first()?;
        early.write(&dir.join("early.log"))?;
        let tally = judged("with the commit first", &early, STATES / 10, dice);
        ensure!(tally.half > STATES / 400, "a wrong order isn't found: {tally:?}");
        Ok(())
    })
}
