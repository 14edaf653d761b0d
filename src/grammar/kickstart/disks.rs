//! Which disks are cleared, ignored and used: the commands that can cost data, and those that contradict each other.
//!
//! One disk has many names, so two names are only held to be different disks when both are plain kernel names.

use std::collections::BTreeSet;

use super::rules;
use super::{Read, Reading, quoted};
use crate::grammar::Finding;

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    let visible = Visible::of(reading);
    for clear in reading.all("clearpart") {
        cleared(reading, &visible, clear, found);
    }
    on_uncleared(reading, found);
    for twice in ["clearpart", "ignoredisk"] {
        let mut all = reading.all(twice);
        if let Some(first) = all.next() {
            for later in all {
                let what = format!("{twice} is in line {} already, and only one of them counts", first.line);
                found.push(Finding::warning(&rules::REPEATED_COMMAND, later.line, what));
            }
        }
    }
    for read in reading.working() {
        let option = match read.name {
            "part" => "--ondisk",
            "bootloader" => "--boot-drive",
            _ => continue,
        };
        let Some(disk) = read.arguments.text(option) else { continue };
        if let Some(line) = visible.hides(disk) {
            let what = format!("{}: ignoredisk of line {line} hides disk {}", read.name, quoted(disk));
            let part = read.name == "part";
            let finding = if part {
                Finding::error(&rules::DISK_HIDDEN, read.line, what)
            } else {
                Finding::warning(&rules::DISK_HIDDEN, read.line, what)
            };
            found.push(finding.help("use a disk that the installer may see"));
        }
    }
    let clears = reading.first("clearpart").is_some();
    if let Some(auto) = reading.first("autopart").filter(|_| reading.complete && !clears) {
        let what = "autopart without clearpart uses only space that no partition holds";
        found.push(Finding::warning(&rules::AUTOPART_WITHOUT_CLEARPART, auto.line, what));
    }
}

/// What `ignoredisk` leaves.
struct Visible {
    line: usize,
    only: Disks,
    without: Disks,
}

impl Visible {
    fn of(reading: &Reading) -> Self {
        let list = |option| Disks::of(reading.all("ignoredisk").flat_map(|read| read.arguments.list(option)));
        let line = reading.first("ignoredisk").map_or(0, |read| read.line);
        Self { line, only: list("--only-use"), without: list("--drives") }
    }

    /// The line that hides a disk for certain.
    fn hides(&self, disk: &str) -> Option<usize> {
        (self.only.lack(disk) || self.without.have(disk)).then_some(self.line)
    }
}

/// A list of disks.
#[derive(Default)]
struct Disks {
    names: BTreeSet<String>,
    patterns: Vec<glob::Pattern>,
    /// Some are named in a way that can't be compared.
    others: bool,
}

impl Disks {
    fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        const MOST_PATTERNS: usize = 64;
        let mut disks = Self::default();
        for name in names {
            match (kernel_name(name), glob::Pattern::new(kernel_name(name).unwrap_or_default())) {
                (Some(name), _) if !name.contains(['*', '?', '[']) => {
                    disks.names.insert(name.to_owned());
                }
                (Some(_), Ok(pattern)) if disks.patterns.len() < MOST_PATTERNS => {
                    disks.patterns.push(pattern)
                }
                _ => disks.others = true,
            }
        }
        disks
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty() && !self.others
    }

    /// A disk is certainly one of them.
    fn have(&self, disk: &str) -> bool {
        kernel_name(disk).is_some_and(|disk| {
            self.names.contains(disk) || self.patterns.iter().any(|pattern| pattern.matches(disk))
        })
    }

    /// There is a list, and a disk is certainly not on it.
    fn lack(&self, disk: &str) -> bool {
        !self.is_empty() && !self.others && kernel_name(disk).is_some() && !self.have(disk)
    }
}

/// A kernel's name of a disk, perhaps with wildcards; none for links, labels and mapper devices.
fn kernel_name(name: &str) -> Option<&str> {
    let name = name.strip_prefix("/dev/").unwrap_or(name);
    let kinds = ["sd", "vd", "xvd", "hd", "nvme", "dasd", "mmcblk", "pmem"];
    let plain = kinds.iter().any(|kind| name.starts_with(kind)) && !name.contains(['/', '=', '|']);
    plain.then_some(name)
}

fn cleared(reading: &Reading, visible: &Visible, clear: &Read, found: &mut Vec<Finding>) {
    let given = &clear.arguments;
    let kinds = ["--all", "--linux", "--none", "--list"].into_iter().filter(|kind| given.has(kind));
    let kinds: Vec<_> = kinds.collect();
    if kinds.len() > 1 {
        let what = format!("clearpart: only one of {} counts", kinds.join(", "));
        found.push(Finding::warning(&rules::CLEARPART_CHOICE, clear.line, what));
    }
    let wipes = given.has("--all") || given.has("--linux");
    if wipes && reading.complete && reading.first("zerombr").is_none() {
        let what = "clearpart without zerombr: a disk without a partition table isn't initialised, or is asked about";
        found.push(
            Finding::warning(&rules::CLEARPART_WITHOUT_ZEROMBR, clear.line, what)
                .help("add a line `zerombr`"),
        );
    }
    let drives = given.list("--drives");
    if given.has("--all") && drives.is_empty() && visible.only.is_empty() && reading.complete {
        let what =
            "clearpart --all clears every disk that the installer sees, data disks and SAN volumes too";
        found.push(
            Finding::warning(&rules::CLEARS_EVERY_DISK, clear.line, what)
                .help("name the disk with --drives, and with ignoredisk --only-use"),
        );
    }
    for drive in &drives {
        if let Some(line) = visible.hides(drive) {
            let what = format!("clearpart: ignoredisk of line {line} hides disk {}", quoted(drive));
            found.push(Finding::warning(&rules::DISK_HIDDEN, clear.line, what));
        }
    }
}

/// Partitions on disks that the command that counts, the last one, doesn't clear.
fn on_uncleared(reading: &Reading, found: &mut Vec<Finding>) {
    let Some(clear) = reading.all("clearpart").last() else { return };
    let cleared = Disks::of(clear.arguments.list("--drives"));
    for part in reading.all("part").filter(|part| part.arguments.text("--onpart").is_none()) {
        let Some(disk) = part.arguments.text("--ondisk").filter(|disk| cleared.lack(disk)) else { continue };
        let what = format!("part: clearpart of line {} doesn't clear disk {}", clear.line, quoted(disk));
        found.push(Finding::warning(&rules::DISK_NOT_CLEARED, part.line, what));
    }
}
