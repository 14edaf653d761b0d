//! From power-on to a machine that works: how long each phase takes, for an install of ours from a stick and, by hand, for one of
//! FAI's on the same emulated machine.
//!
//! A phase ends with a line on the serial console. Told are the seconds of this computer's clock, to a tenth, and those that QEMU
//! computed, which others on this computer change little: where both differ, the machine waited, or had to share a processor.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ironstrap::spec::event::{Event, What};
use ironstrap::spec::recorder;

use crate::support::disk::{Table, blank, get};
use crate::support::image_fixture::IMAGE;
use crate::support::qemu::{Bus, Machine};
use crate::support::running::Running;
use crate::support::site::Site;
use crate::support::{judges, say, scratch, target_dir};
use crate::{HOST, MAC};

const DISK: u64 = 6 << 30;
const SERIAL: &str = "BENCH1";
/// What both installs leave behind, as their last step.
const DONE: (&str, &str) = ("/etc/bench", "installed");
/// Longest phase: FAI's, on a busy computer.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Where `tests/vm/bench/fai.sh` puts FAI's medium.
const FAI_MEDIUM: &str = "fai/fai.iso";

/// Phases and the console's line that ends each.
type Phases = &'static [(&'static str, &'static str)];

const OURS: Phases = &[
    ("firmware", "BdsDxe: starting"),
    ("shim, GRUB, its menu", "ironstrap: starting the agent"),
    ("kernel and initramfs read, verified", "Linux version"),
    ("kernel until the agent runs", "ironstrap: started"),
    ("drivers; devices are waited for", "ironstrap: loaded"),
    ("order, medium, disks: the plan", "ironstrap: planned"),
    ("a second look at disk and firmware", "ironstrap: claimed"),
    ("claim; blocks written", "ironstrap: progress write 100%"),
    ("blocks read back", "ironstrap: progress read-back 100%"),
    ("what lies behind the image cleared", "ironstrap: personalising"),
    ("personalised", "ironstrap: committing"),
    ("committed", "ironstrap: committed"),
    ("restart, firmware", "BdsDxe: starting"),
    ("shim, GRUB, its menu; kernel read", "Linux version"),
    ("installed system until login", "Login Prompts"),
    ("hand-off until converged", "ironstrap: converged"),
];

const FAI: Phases = &[
    ("firmware", "BdsDxe: starting"),
    ("GRUB; kernel and initramfs read", "Linux version"),
    ("kernel and live system until FAI", "Calling task_confdir"),
    ("classes and variables", "Calling task_partition"),
    ("partitions and file systems", "Calling task_extrbase"),
    ("base system unpacked", "Calling task_updatebase"),
    ("lists of packages, upgrade", "Calling task_instsoft"),
    ("packages installed", "Calling task_configure"),
    ("scripts, boot loader", "Calling task_savelog"),
    ("logs kept, disks let go", "Rebooting bench"),
    ("restart, firmware", "BdsDxe: starting"),
    ("shim, GRUB, its menu; kernel read", "Linux version"),
    ("installed system until login", "Login Prompts"),
];

/// When a phase ended, since power-on, and what QEMU had computed by then.
struct End {
    phase: &'static str,
    at: Duration,
    computed: Duration,
}

/// One install.
struct Run {
    ends: Vec<End>,
    /// Packages that are installed, with their versions.
    packages: BTreeSet<String>,
}

impl Run {
    fn whole(&self) -> (f64, f64) {
        self.ends.last().map_or((0.0, 0.0), |end| (end.at.as_secs_f64(), end.computed.as_secs_f64()))
    }
}

/// Our install alone.
pub fn phases() -> Result<()> {
    ours()?;
    say("left out: FAI beside it, which takes half an hour and root; docs/benchmarks.md says how");
    Ok(())
}

/// FAI's install, then ours.
pub fn beside_fai() -> Result<()> {
    let medium = target_dir().join(FAI_MEDIUM);
    if !medium.exists() {
        say(&format!(
            "skipped: FAI's medium {} isn't there; tests/vm/bench/fai.sh makes it",
            medium.display()
        ));
        return Ok(());
    }
    let fai = fai(&medium)?;
    let ours = ours()?;
    let (theirs, their_computing) = fai.whole();
    let (own, computing) = ours.whole();
    say(&format!(
        "power-on to done: {own:.0} s, FAI {theirs:.0} s: {:.2} of it, {:.2} of what QEMU computed (goal: 0.25)",
        own / theirs,
        computing / their_computing
    ));
    for (who, here, there) in
        [("only ours", &ours.packages, &fai.packages), ("only FAI's", &fai.packages, &ours.packages)]
    {
        let only: Vec<_> = here.difference(there).map(String::as_str).collect();
        say(&format!("packages that are {who}: {} of {} {}", only.len(), here.len(), only.join(", ")));
    }
    Ok(())
}

fn ours() -> Result<Run> {
    let dir = scratch("bench-phases")?;
    let site = Site::new(&dir, None, &[(HOST, host())])?;
    site.write("scripts/done.sh", &format!("#!/bin/sh\necho {} >{}\n", DONE.1, DONE.0))?;
    site.arm(&[HOST])?;
    let usb = site.stick("usb.img")?;
    let disk = blank(&dir, "disk.raw", DISK)?;
    let machine =
        Machine::new(&dir, HOST)?.disk(Bus::Virtio, &disk, SERIAL, Some(5)).network(MAC).stick(&usb, 0);
    say(&format!("install of {IMAGE} from a stick, emulated, power-on to converged; load {}", load()?));
    let run = follow(machine.start()?, OURS, &disk)?;
    let kib = events(&usb)?.iter().find_map(|event| match event.what {
        What::Committed { peak_rss_kib, .. } => Some(peak_rss_kib),
        _ => None,
    });
    let mib = kib.context("the recorder has no `committed`")? / 1024;
    say(&format!("agent {mib} MiB at most (goal: 64 MiB)"));
    remove(&dir)?;
    Ok(run)
}

fn host() -> String {
    format!(
        "name: {HOST}\nmatch: {{ mac: [\"{MAC}\"] }}\nimage: {IMAGE}\n\
         network: {{ interfaces: [{{ match: {{ mac: \"{MAC}\" }}, ipv4: dhcp }}] }}\n\
         storage: {{ target: {{ serial: {SERIAL} }}, confirm: 0 }}\nhandoff: {{ script: scripts/done.sh }}\n"
    )
}

/// FAI's medium in the same machine, but for Secure Boot: nobody has signed its loader. The disk comes first in the firmware's order:
/// blank, it is passed over, and installed, it is booted, as it is by administrators who leave the medium in.
fn fai(medium: &Path) -> Result<Run> {
    let dir = scratch("bench-fai")?;
    let disk = blank(&dir, "disk.raw", DISK)?;
    let machine = Machine::new(&dir, "fai")?
        .without_secure_boot()?
        .disk(Bus::Virtio, &disk, SERIAL, Some(0))
        .network(MAC)
        .stick(medium, 5);
    say(&format!("install of the same packages by FAI from a stick, emulated; load {}", load()?));
    let run = follow(machine.start()?, FAI, &disk)?;
    remove(&dir)?;
    Ok(run)
}

/// `IRONSTRAP_KEEP=1` keeps disk and console, as it does in tests.
fn remove(dir: &Path) -> Result<()> {
    match std::env::var_os("IRONSTRAP_KEEP") {
        Some(_) => Ok(()),
        None => std::fs::remove_dir_all(dir).context("removing the bench's files"),
    }
}

/// Watches a machine through all phases, tells them, and looks at what is on its disk.
fn follow(mut running: Running, phases: Phases, disk: &Path) -> Result<Run> {
    let mut ends = Vec::new();
    let (mut at, mut computed) = (Duration::ZERO, Duration::ZERO);
    say("  seconds  computing");
    for (phase, line) in phases {
        running.wait_within(line, PATIENCE).with_context(|| format!("awaiting the end of: {phase}"))?;
        let end = End { phase, at: running.uptime(), computed: running.computed()? };
        say(&row(end.at - at, end.computed - computed, end.phase));
        (at, computed) = (end.at, end.computed);
        ends.push(end);
    }
    say(&row(at, computed, &format!("in all; load {}", load()?)));
    running.shut_down()?;
    let done = judges::file(disk, DONE.0)?;
    ensure!(done.trim() == DONE.1, "{} on {} holds `{done}`", DONE.0, disk.display());
    Ok(Run { ends, packages: packages(disk)? })
}

fn row(took: Duration, computed: Duration, what: &str) -> String {
    format!("  {:>7.1}  {:>9.1}  {what}", took.as_secs_f64(), computed.as_secs_f64())
}

/// Processes that run or wait to, on average of the last minute: the emulated machine is one of them.
fn load() -> Result<String> {
    let said = std::fs::read_to_string("/proc/loadavg").context("reading the load")?;
    Ok(said.split_whitespace().next().context("reading the load")?.to_owned())
}

/// What dpkg says is installed on a disk.
fn packages(disk: &Path) -> Result<BTreeSet<String>> {
    let status = judges::file(disk, "/var/lib/dpkg/status")?;
    let installed = status.split("\n\n").filter(|entry| entry.contains("\nStatus: install ok installed\n"));
    let field = |entry: &str, name: &str| {
        entry.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned).unwrap_or_default()
    };
    let packages: BTreeSet<_> = installed
        .map(|entry| format!("{} {}", field(entry, "Package: "), field(entry, "Version: ")))
        .collect();
    ensure!(!packages.is_empty(), "dpkg knows of nothing on {}", disk.display());
    Ok(packages)
}

/// What the flight recorder of a stick holds.
fn events(usb: &Path) -> Result<Vec<Event>> {
    let kind = recorder::PARTITION_TYPE.to_string().to_uppercase();
    let table = Table::read(usb)?;
    let partition = table.partitions.iter().find(|p| p.kind == kind).context("finding the recorder")?;
    let area = get(usb, partition.start, partition.length as usize)?;
    let (mut events, mut rest) = (Vec::new(), &area[..]);
    while let Some((json, length)) = recorder::decode(rest) {
        events.push(serde_json::from_slice(json).context("reading a record")?);
        rest = &rest[length..];
    }
    Ok(events)
}
