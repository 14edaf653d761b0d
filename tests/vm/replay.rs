//! Power cuts, judged by others: QEMU's `blklogwrites` records every write and flush of one small real install, and
//! `crash_replay.py` counts what a disk could be left as.
//!
//! The script is not part of this repository: it is in the folder that developers share (`IRONSTRAP_SHARED`), and where it
//! isn't, the test says so. The same promise is tested in-process without it, see `agent`.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::hosts::Host;
use crate::support::disk::blank;
use crate::support::image_fixture::IMAGE;
use crate::support::mini::{self, Sizes};
use crate::support::qemu::{Bus, Machine};
use crate::support::site::Site;
use crate::support::{expect, say, text, with_machines};

const GOLF: Host = Host { name: "golf", mac: "52:54:00:60:00:07", disk: "GOLF1", bus: Bus::Virtio };

#[test]
fn no_power_cut_of_a_real_install_leaves_a_half_bootable_disk() -> Result<()> {
    with_machines("replay", |dir| {
        let Some(script) = expect::shared("tools/crash_replay.py") else { return Ok(()) };
        let image = mini::make(dir, Sizes { esp: 34, root: 48 }, &[])?;
        // The small image has nobody to let in.
        let host = GOLF.yaml("", "none").replace(IMAGE, "mini@1");
        let host =
            host.lines().filter(|line| !line.starts_with("users:")).map(|line| format!("{line}\n")).collect();
        let site = Site::new(dir, None, &[(GOLF.name, host)])?;
        site.own_store()?;
        site.run(&["image", "import", &image.to_string_lossy(), "mini@1"])?;
        site.arm(&[GOLF.name])?;
        let stick = site.stick("usb.img")?;

        let disk = blank(dir, "disk.raw", 96 << 20)?;
        let log = blank(dir, "writes.log", 0)?;
        let machine = Machine::new(dir, GOLF.name)?
            .disk_of_blockdev("recorder", GOLF.disk, &recorder(&disk, &log))
            .network(GOLF.mac)
            .stick(&stick, 0)
            .ends_at_reboot();
        let mut running = machine.start()?;
        running.wait_for("ironstrap: committed")?;
        running.wait_for_end()?;

        let said = text(Command::new("python3").arg(script).arg(&log).arg(&disk).args(["--states", "2000"]))?;
        say(&said);
        ensure!(said.contains("2000 states") && said.contains("'HALF-BOOTABLE': 0"), "{said}");
        ensure!(!said.contains("'complete': 0"), "no cut was late enough to leave a complete disk: {said}");
        Ok(())
    })
}

/// The disk's file behind QEMU's recorder of writes.
fn recorder(disk: &Path, log: &Path) -> [String; 3] {
    [
        format!("driver=file,node-name=file,filename={}", disk.display()),
        format!("driver=file,node-name=log,filename={}", log.display()),
        "driver=blklogwrites,node-name=recorder,file=file,log=log,log-sector-size=512".to_owned(),
    ]
}
