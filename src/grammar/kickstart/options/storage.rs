//! The same for commands that make partitions, arrays, groups and volumes.

use super::Wrong;
use crate::grammar::kickstart::arguments::integer;
use crate::grammar::kickstart::{Arguments, Read, Release, rules};

pub(super) fn check(release: Release, read: &Read, wrong: &mut Wrong) {
    let given = &read.arguments;
    let first = given.first().unwrap_or_default();
    match read.name {
        "part" => {
            wrong.filesystem(release);
            wrong.opal();
            wrong.needs("--resize", "--onpart");
            wrong.unmet(given.has("--resize") && given.number("--size").is_none(), "--resize needs --size");
            let grows = given.has("--grow") || given.number("--maxsize").is_some();
            wrong.conflict(
                grows && given.value("--fstype") == Some("tmpfs"),
                "a tmpfs takes neither --grow nor --maxsize",
            );
            wrong.when(
                release.is_rhel() && first.starts_with("btrfs."),
                &rules::NO_BTRFS,
                format!("{release} has no btrfs"),
            );
        }
        "raid" => {
            wrong.filesystem(release);
            let exists = given.has("--noformat") || given.has("--useexisting");
            wrong.lacks(!exists && given.text("--level").is_none(), "it needs --level");
            wrong.lacks(!exists && given.words().count() < 2, "it has no members");
            wrong.conflict(exists && given.words().count() > 1, "an existing array takes no members");
            wrong.unmet(exists && given.text("--device").is_none(), "an existing array needs --device");
            let dash = given.left_over.iter().any(|word| word.starts_with('-'));
            wrong.bad_value(dash, "a member can't begin with a dash");
        }
        "logvol" => logvol(release, given, wrong),
        "volgroup" => volgroup(given, wrong),
        "btrfs" => {
            let devices = given.words().count().saturating_sub(1);
            let dash = given.left_over.iter().any(|word| word.starts_with('-'));
            wrong.bad_value(dash, "a member can't begin with a dash");
            wrong.lacks(first.is_empty(), "it needs a mount point");
            wrong.lacks(devices == 0, "it needs its partitions, or the volume that holds a subvolume");
            wrong.unmet(given.has("--subvol") && given.text("--name").is_none(), "a subvolume needs --name");
            let exists = given.has("--noformat") || given.has("--useexisting");
            wrong.conflict(
                exists && wrong.given(&["--mkfsoptions"]) > 0,
                "--mkfsoptions has no effect with --noformat or --useexisting",
            );
        }
        _ => {
            wrong.one_pbkdf();
            wrong.opal();
            wrong.at_most_one(&["--noswap", "--hibernation"]);
            let btrfs = given.value("--type").is_some_and(|kind| kind.eq_ignore_ascii_case("btrfs"));
            let fstype = given.text("--fstype");
            wrong.conflict(fstype == Some("btrfs"), "--fstype can't be btrfs; --type can");
            wrong.conflict(
                btrfs && fstype.is_some_and(|fstype| fstype != "btrfs"),
                "--type=btrfs takes no --fstype",
            );
            wrong.when(btrfs && release.is_rhel(), &rules::NO_BTRFS, format!("{release} has no btrfs"));
        }
    }
}

fn volgroup(given: &Arguments, wrong: &mut Wrong) {
    let exists = given.has("--noformat") || given.has("--useexisting");
    wrong.lacks(given.first().unwrap_or_default().is_empty(), "it needs a name");
    wrong.lacks(!exists && given.words().count() < 2, "no physical volume fills it");
    wrong.conflict(exists && given.words().count() > 1, "an existing volume group takes no physical volumes");
    let percent = given.value("--reserved-percent").and_then(integer);
    wrong.bad_value(percent.is_some_and(|p| !(1..100).contains(&p)), "--reserved-percent must be 1 to 99");
    let space = given.value("--reserved-space").and_then(integer);
    wrong.bad_value(space.is_some_and(|space| space < 0), "--reserved-space can't be less than 0");
}

fn logvol(release: Release, given: &Arguments, wrong: &mut Wrong) {
    wrong.filesystem(release);
    let exists = given.has("--noformat") || given.has("--useexisting");
    let number = |name| given.number(name).is_some();
    wrong.unmet(given.has("--resize") && !exists, "--resize needs --useexisting");
    wrong.unmet(given.has("--resize") && !number("--size"), "--resize needs --size");
    wrong.at_most_one(&["--thin", "--thinpool"]);
    wrong.needs("--thin", "--poolname");
    let pool_only = number("--chunksize") || number("--metadatasize");
    wrong.unmet(pool_only && !given.has("--thinpool"), "--chunksize and --metadatasize are for thin pools");
    let sized =
        number("--size") || number("--percent") || given.has("--recommended") || given.has("--hibernation");
    wrong.lacks(!exists && !sized, "it needs --size or --percent");
    wrong.conflict(number("--size") && number("--percent"), "only one of --size, --percent can be given");
    let percent = given.value("--percent").and_then(integer);
    wrong.bad_value(
        percent.is_some_and(|percent| !(0..=100).contains(&percent)),
        "--percent must be 0 to 100",
    );
    let cache = number("--cachesize") || given.text("--cachemode").is_some();
    if cache || !given.list("--cachepvs").is_empty() {
        wrong.conflict(exists, "an existing volume takes no cache");
        wrong.conflict(given.has("--thin"), "a thin volume takes no cache");
        wrong.unmet(given.list("--cachepvs").is_empty(), "a cache needs --cachepvs");
        wrong.unmet(!number("--cachesize"), "a cache needs --cachesize");
        let mode = given.text("--cachemode");
        wrong.bad_value(
            mode.is_some_and(|mode| !["writeback", "writethrough"].contains(&mode)),
            "--cachemode must be writeback or writethrough",
        );
    }
}
