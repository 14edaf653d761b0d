//! What a file lacks so that nobody is asked. Silent when other files are included: they may bring it.

use super::rules;
use super::storage::point;
use super::{Reading, Release};
use crate::grammar::Finding;

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    if !reading.complete || reading.commands.is_empty() || reading.first("rescue").is_some() {
        return;
    }
    let line = reading.last_line();
    let has = |names: &[&str]| names.iter().any(|name| reading.first(name).is_some());
    let mut lacks = |rule, names: &[&str], what: &str, help: &str| {
        if !has(names) {
            found.push(Finding::warning(rule, line, what).help(help));
        }
    };
    lacks(
        &rules::NO_BOOTLOADER,
        &["bootloader"],
        "no bootloader command: the installer chooses the disk that boots",
        "add a line `bootloader`",
    );
    lacks(
        &rules::NO_ACCOUNT,
        &["rootpw", "user"],
        "no rootpw and no user: the installer asks, or nobody can log in",
        "add one of them",
    );
    lacks(&rules::ASKS, &["lang"], "no lang: the installer may ask", "add a line `lang en_US.UTF-8`");
    lacks(&rules::ASKS, &["keyboard"], "no keyboard: the installer may ask", "add a line `keyboard us`");
    lacks(
        &rules::ASKS,
        &["timezone"],
        "no timezone: the installer may ask",
        "add a line `timezone UTC --utc`",
    );
    lacks(
        &rules::SCREEN,
        &["text", "cmdline", "graphical"],
        "neither text, cmdline nor graphical: the installer wants a screen, and questions may wait there",
        "add a line `text`, or `cmdline`, which stops instead of asking",
    );
    lacks(
        &rules::NO_REBOOT,
        &["reboot", "poweroff", "shutdown", "halt"],
        "neither reboot, poweroff, shutdown nor halt: the installer waits for a key at the end",
        "add a line `reboot`",
    );
    root(reading, line, found);
    loader(reading, found);
    if reading.release != Release::Rhel8 && reading.first("graphical").is_some() {
        let graphical = reading.all("graphical").find(|read| !read.arguments.has("--non-interactive"));
        if let Some(read) = graphical {
            let what = "graphical: questions may wait on a screen";
            found.push(
                Finding::warning(&rules::SCREEN, read.line, what)
                    .help("write `text` or `cmdline`, or add --non-interactive"),
            );
        }
    }
}

fn root(reading: &Reading, line: usize, found: &mut Vec<Finding>) {
    let broken = |read: &&super::Read| !read.arguments.problems.is_empty();
    let storage = |read: &&super::Read| {
        matches!(read.name, "part" | "logvol" | "raid" | "btrfs" | "stratisfs" | "mount")
    };
    // a command that couldn't be read may be the one
    if reading.first("autopart").is_some() || reading.working().any(|read| storage(&read) && broken(&read)) {
        return;
    }
    if reading.commands.iter().filter(storage).any(|read| point(read) == Some("/")) {
        return;
    }
    let finding = Finding::error(
        &rules::NO_ROOT,
        line,
        "no root file system: no storage command has the mount point /",
    );
    found.push(finding.help("add a line `part / --fstype=xfs --size=4096 --grow`, or `autopart`"));
}

fn loader(reading: &Reading, found: &mut Vec<Finding>) {
    for read in reading.all("bootloader") {
        let none = read.arguments.value("--location") == Some("none") || read.arguments.has("--disabled");
        if none {
            found.push(Finding::warning(
                &rules::NO_BOOTLOADER,
                read.line,
                "bootloader: none is installed; the machine can't boot by itself",
            ));
        }
    }
}
