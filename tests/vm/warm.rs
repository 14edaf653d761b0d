//! A machine whose kernel has just begun its first process, frozen: runs that differ in what their disk does go on from there, in
//! seconds. Firmware, loaders and kernel haven't looked at the disk by then but for its boot sectors, and what they saw was blank; a
//! test of what *they* make of a disk switches the machine on.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::hosts::Host;
use crate::support::disk::blank;
use crate::support::image_fixture::IMAGE;
use crate::support::mini::{self, Sizes};
use crate::support::qemu::Machine;
use crate::support::running::Running;
use crate::support::serial::Serial;
use crate::support::site::Site;

/// Parts of the image: as little as can be installed.
const SIZES: Sizes = Sizes { esp: 34, root: 48 };
/// Size of the image in bytes.
pub const IMAGE_SIZE: u64 = (1 + SIZES.esp + SIZES.root + 1) << 20;
/// Size of a disk, so that behind the image there is more than the ends of the growth.
pub const DISK: u64 = IMAGE_SIZE + (32 << 20);

/// A site with the small image for one host, whatever its disk holds; the stick that installs it.
pub fn stick(dir: &Path, host: &Host) -> Result<PathBuf> {
    let image = mini::make(dir, SIZES, &[])?;
    // the small image has nobody to let in
    let yaml =
        host.yaml("", "none").replace(IMAGE, "mini@1").replace("confirm: 0", "confirm: 0, wipe: foreign");
    let lines = yaml.lines().filter(|line| !line.starts_with("users:"));
    let site = Site::new(dir, None, &[(host.name, lines.map(|line| format!("{line}\n")).collect())])?;
    site.own_store()?;
    site.run(&["image", "import", &image.to_string_lossy(), "mini@1"])?;
    site.arm(&[host.name])?;
    site.stick("usb.img")
}

/// The frozen machine.
#[derive(Debug)]
pub struct Warm {
    dir: PathBuf,
    host: Host,
    stick: PathBuf,
    memory: PathBuf,
}

impl Warm {
    /// Starts a machine with a blank disk and freezes it.
    pub fn make(dir: &Path, host: Host) -> Result<Self> {
        let stick = stick(dir, &host)?;
        let warm = Self { dir: dir.to_owned(), host, stick, memory: dir.join("memory") };
        let disk = as_file(&blank(dir, "warm.raw", DISK)?);
        let mut running = warm.cold("warm", &disk, &warm.stick)?.start()?;
        running.wait_for("Run /init as init process")?;
        let serial = Serial::new(running.serial().path());
        running.freeze(&warm.memory)?;
        ensure!(
            !serial.text().contains("[vda]"),
            "the machine was frozen after its kernel had seen the disk"
        );
        Ok(warm)
    }

    /// A stick that nobody has used: the agent's recorder is on it, and knows which order is done.
    pub fn new_stick(&self) -> Result<PathBuf> {
        let copy = self.dir.join("new.img");
        std::fs::copy(&self.stick, &copy).context("copying the stick")?;
        Ok(copy)
    }

    /// The machine, not yet on, with this stick and this disk: nodes in QEMU's words, the last of which is named `disk`.
    pub fn cold(&self, name: &str, disk: &[String], stick: &Path) -> Result<Machine> {
        let machine = Machine::new(&self.dir, name)?.memory(1024);
        let machine = machine.disk_of_blockdev("disk", self.host.disk, disk).network(self.host.mac);
        Ok(machine.stick(stick, 0).ends_at_reboot())
    }

    /// The machine, on, with this disk and stick.
    pub fn thaw(&self, name: &str, disk: &[String], stick: &Path) -> Result<Running> {
        self.cold(name, disk, stick)?.thaws(&self.memory).start()
    }
}

/// A disk that is a file. The host's page cache outlives a killed QEMU.
pub fn as_file(disk: &Path) -> Vec<String> {
    vec![format!("driver=file,node-name=disk,filename={},cache.no-flush=on", disk.display())]
}

/// A disk behind QEMU's recorder of writes, whose record is never behind.
pub fn recorded(disk: &Path, log: &Path) -> Vec<String> {
    let file = |node: &str, path: &Path| {
        format!("driver=file,node-name={node},filename={},cache.no-flush=on", path.display())
    };
    let recorder = "driver=blklogwrites,node-name=disk,file=file,log=log,log-sector-size=512,log-super-update-interval=1";
    vec![file("file", disk), file("log", log), recorder.to_owned()]
}

/// How a run of the agent ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It has installed, or made the tables anew.
    Installed,
    /// It has found the disk done.
    Done,
    /// It has failed or refused, with this line.
    Failed(String),
}

/// Waits for the end of a run.
pub fn end_of(running: &mut Running) -> Result<End> {
    let serial = Serial::new(running.serial().path());
    let mut end = None;
    running.wait_until("the end of an install", &mut || {
        end = end_in(&serial.text());
        Ok(end.is_some())
    })?;
    end.ok_or_else(|| anyhow::anyhow!("the run has no end"))
}

/// The end of a run in what a console said, if it is there.
pub fn end_in(text: &str) -> Option<End> {
    // the last line may still be half of one
    let lines = text.rsplit_once('\n').map_or("", |(whole, _)| whole).lines();
    lines.filter_map(|line| line.split_once("ironstrap: ").map(|(_, said)| said)).find_map(|said| {
        let is = |words: &[&str]| words.iter().any(|word| said.starts_with(word));
        match said {
            _ if is(&["committed", "installed already"]) => Some(End::Installed),
            _ if is(&["already done", "refused IS-108"]) => Some(End::Done),
            _ if is(&["failed ", "refused "]) => Some(End::Failed(said.to_owned())),
            _ => None,
        }
    })
}
