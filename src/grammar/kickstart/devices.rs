//! Storage commands that name each other: members of arrays, volume groups and pools. The stock validator follows none of
//! these names; Anaconda does, after the disks have been cleared.
//!
//! Anaconda runs all partitions first, then arrays, volume groups, logical volumes and btrfs, whatever their order in the
//! file; only among logical volumes the order counts. A name without `pv.`, `raid.` or `btrfs.` may be a device that is on
//! the machine already, so it is only warned about.

use std::collections::{BTreeMap, BTreeSet};

use super::rules;
use super::{Read, Reading, quoted};
use crate::grammar::Finding;
use crate::value::nearest;

/// Beginnings of names that only a file can define.
const PREFIXES: [(&str, &str); 4] = [
    ("pv.", "physical volume"),
    ("raid.", "RAID member"),
    ("btrfs.", "btrfs member"),
    ("stratis.", "member of a Stratis pool"),
];

/// Whether a name is that of a part of an array, a group, a pool or a volume: nothing is mounted from it by itself.
pub fn is_member(name: &str) -> bool {
    PREFIXES.iter().any(|(prefix, _)| name.starts_with(prefix))
}

pub(super) fn check(reading: &Reading, found: &mut Vec<Finding>) {
    let mut devices = Devices::define(reading, found);
    for raid in reading.all("raid") {
        let members = raid_members(raid, found);
        devices.take(raid, "raid.", &members, found);
        array(raid, &members, found);
    }
    let mut groups = BTreeMap::new();
    for group in reading.all("volgroup") {
        let members = group_members(group, found);
        devices.take(group, "pv.", &members, found);
        let Some(name) = group.arguments.first() else { continue };
        if let Some(Group { line, .. }) = groups.get(name) {
            found.push(Finding::error(
                &rules::DUPLICATE_DEVICE,
                group.line,
                format!("volgroup {} is in line {line} already", quoted(name)),
            ));
            continue;
        }
        let exists = exists(group);
        let members = members.into_iter().collect();
        let (volumes, pools) = (BTreeMap::new(), BTreeSet::new());
        groups.insert(name, Group { line: group.line, exists, members, volumes, pools });
    }
    for volume in reading.all("logvol") {
        logvol(reading, volume, &mut groups, found);
    }
    snapshots(reading, &groups, found);
    btrfs(reading, &mut devices, found);
    stratis(reading, &mut devices, found);
    if reading.complete {
        devices.unused(found);
        for (name, group) in groups.iter().filter(|(_, group)| group.volumes.is_empty()) {
            let what = format!("volgroup {}: no logvol lies in it", quoted(name));
            found.push(Finding::warning(&rules::VG_EMPTY, group.line, what));
        }
    }
}

fn stratis<'a>(reading: &Reading<'a>, devices: &mut Devices<'a>, found: &mut Vec<Finding>) {
    let mut pools = BTreeSet::new();
    for pool in reading.all("stratispool") {
        let mut words = pool.arguments.words();
        pools.extend(words.next());
        devices.take(pool, "stratis.", &words.collect::<Vec<_>>(), found);
    }
    for read in reading.all("stratisfs").filter(|_| reading.complete) {
        let Some(pool) = read.arguments.text("--poolname").filter(|pool| !pools.contains(pool)) else {
            continue;
        };
        let finding = Finding::error(
            &rules::STRATIS_POOL,
            read.line,
            format!("stratisfs: the pool {} is defined nowhere", quoted(pool)),
        );
        found.push(match nearest(pool, pools.iter().copied()) {
            Some(near) => finding.help(format!("did you mean {near}?")),
            None => finding,
        });
    }
}

/// The device is on the machine already.
fn exists(read: &Read) -> bool {
    read.arguments.has("--noformat") || read.arguments.has("--useexisting")
}

struct Group<'a> {
    line: usize,
    exists: bool,
    members: BTreeSet<&'a str>,
    /// With the line of each.
    volumes: BTreeMap<&'a str, usize>,
    pools: BTreeSet<&'a str>,
}

/// Names that `part` and `raid` define for others.
struct Devices<'a> {
    /// Name, line of its definition, line of its use.
    by_name: BTreeMap<&'a str, (usize, Option<usize>)>,
    complete: bool,
}

impl<'a> Devices<'a> {
    fn define(reading: &Reading<'a>, found: &mut Vec<Finding>) -> Self {
        let mut by_name = BTreeMap::new();
        for read in reading.working().filter(|read| matches!(read.name, "part" | "raid")) {
            let Some(name) = read.arguments.first() else { continue };
            if !is_member(name) {
                continue;
            }
            if let Some((line, _)) = by_name.insert(name, (read.line, None)) {
                found.push(Finding::error(
                    &rules::DUPLICATE_DEVICE,
                    read.line,
                    format!("{} is in line {line} already", quoted(name)),
                ));
            }
        }
        Self { by_name, complete: reading.complete }
    }

    /// Gives members to a user of them.
    fn take(&mut self, user: &Read, prefix: &str, members: &[&'a str], found: &mut Vec<Finding>) {
        for member in members {
            let what = format!("{}: {}", user.name, quoted(member));
            let ours = is_member(member);
            match self.by_name.get_mut(member) {
                Some(_) if !member.starts_with(prefix) => {
                    let kind = PREFIXES
                        .iter()
                        .find(|(known, _)| *known == prefix)
                        .map_or("member", |(_, kind)| kind);
                    found.push(Finding::error(
                        &rules::MEMBER_KIND,
                        user.line,
                        format!("{what} is no {kind}"),
                    ));
                }
                Some((_, Some(line))) => {
                    found.push(Finding::error(
                        &rules::MEMBER_REUSED,
                        user.line,
                        format!("{what} is used in line {line} already"),
                    ));
                }
                Some((_, free)) => *free = Some(user.line),
                None if !self.complete => {}
                None if ours => {
                    let finding = Finding::error(
                        &rules::MEMBER_UNDEFINED,
                        user.line,
                        format!("{what} is defined nowhere"),
                    );
                    found.push(finding.help("define it with `part`, or correct the name"));
                }
                None => {
                    let what = format!("{what} must be on the machine already: no line defines it");
                    found.push(Finding::warning(&rules::MEMBER_UNDEFINED, user.line, what));
                }
            }
        }
    }

    fn unused(&self, found: &mut Vec<Finding>) {
        for (name, (line, _)) in self.by_name.iter().filter(|(_, (_, user))| user.is_none()) {
            found.push(Finding::warning(
                &rules::MEMBER_UNUSED,
                *line,
                format!("{} is used by nothing", quoted(name)),
            ));
        }
    }
}

/// Members of an array: the run of words behind the mount point; if there is none, the words behind the options. Words in
/// both places lose the second.
fn raid_members<'a>(raid: &Read<'a>, found: &mut Vec<Finding>) -> Vec<&'a str> {
    let given = &raid.arguments;
    let beside = given.positionals.get(1).cloned().unwrap_or_default();
    if beside.is_empty() {
        return given.left_over.clone();
    }
    if !given.left_over.is_empty() {
        let what = "raid: the members behind the options are ignored, because others stand before them";
        found.push(
            Finding::error(&rules::MEMBERS_IGNORED, raid.line, what).help("write all members in one run"),
        );
    }
    beside
}

/// Members of a volume group: words behind the options replace those before them.
fn group_members<'a>(group: &Read<'a>, found: &mut Vec<Finding>) -> Vec<&'a str> {
    let given = &group.arguments;
    let beside: Vec<_> = given.positionals.iter().flatten().skip(1).copied().collect();
    if given.left_over.is_empty() {
        return beside;
    }
    if !beside.is_empty() {
        let what =
            "volgroup: the physical volumes before the options are ignored, because others stand behind them";
        found.push(
            Finding::error(&rules::MEMBERS_IGNORED, group.line, what)
                .help("write all physical volumes in one run"),
        );
    }
    given.left_over.clone()
}

fn array(raid: &Read, members: &[&str], found: &mut Vec<Finding>) {
    let level = raid.arguments.value("--level").unwrap_or_default().to_lowercase();
    let least = match level.trim_start_matches("raid") {
        "0" | "1" => 2,
        "4" | "5" => 3,
        "6" => 4,
        _ => 0,
    };
    let spares = raid.arguments.number("--spares").unwrap_or_default();
    let active = i64::try_from(members.len()).unwrap_or(i64::MAX).saturating_sub(spares);
    if !exists(raid) && !members.is_empty() && active < least {
        let what = format!("raid: level {level} needs {least} members beside spares, not {active}");
        found.push(Finding::warning(&rules::RAID_MEMBERS, raid.line, what));
    }
}

fn logvol<'a>(
    reading: &Reading,
    volume: &Read<'a>,
    groups: &mut BTreeMap<&'a str, Group<'a>>,
    found: &mut Vec<Finding>,
) {
    let given = &volume.arguments;
    let (Some(name), Some(group_name)) = (given.text("--name"), given.text("--vgname")) else { return };
    let Some(group) = groups.get_mut(group_name) else {
        if reading.complete {
            let what =
                format!("logvol {}: volume group {} is defined nowhere", quoted(name), quoted(group_name));
            let finding = if exists(volume) { Finding::warning } else { Finding::error };
            found.push(
                finding(&rules::VG_UNDEFINED, volume.line, what)
                    .help(near(group_name, groups.keys().copied())),
            );
        }
        return;
    };
    if let Some(pool) = given.text("--poolname").filter(|_| given.has("--thin"))
        && !group.pools.contains(pool)
        && !group.exists
        && reading.complete
    {
        let what = format!("logvol {}: no line before it makes the thin pool {}", quoted(name), quoted(pool));
        found.push(
            Finding::error(&rules::THINPOOL_UNDEFINED, volume.line, what)
                .help("define the pool first, with --thinpool"),
        );
    }
    for member in given.list("--cachepvs").iter().filter(|member| !group.members.contains(*member)) {
        if !group.exists {
            let what = format!("logvol {}: {} isn't in its volume group", quoted(name), quoted(member));
            found.push(Finding::error(&rules::CACHE_OUTSIDE_VG, volume.line, what));
        }
    }
    if let Some(line) = group.volumes.insert(name, volume.line) {
        let what = format!("logvol {} of {} is in line {line} already", quoted(name), quoted(group_name));
        found.push(Finding::error(&rules::DUPLICATE_DEVICE, volume.line, what));
    }
    if given.has("--thinpool") {
        group.pools.insert(name);
    }
}

fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("add a line `volgroup` for {}", quoted(name)),
    }
}

fn snapshots(reading: &Reading, groups: &BTreeMap<&str, Group>, found: &mut Vec<Finding>) {
    for read in reading.all("snapshot") {
        let origin = read.arguments.first().and_then(|origin| origin.split_once('/'));
        let Some((group, volume)) = origin.filter(|_| reading.complete) else { continue };
        let made = groups.get(group).is_some_and(|group| group.volumes.contains_key(volume));
        let after =
            read.arguments.value("--when").is_some_and(|when| when.eq_ignore_ascii_case("post-install"));
        if after && !made {
            let what = format!("snapshot: no logvol {} is made in {}", quoted(volume), quoted(group));
            let new = groups.get(group).is_some_and(|group| !group.exists);
            found.push(if new {
                Finding::error(&rules::SNAPSHOT_ORIGIN, read.line, what)
            } else {
                Finding::warning(&rules::SNAPSHOT_ORIGIN, read.line, what)
            });
        }
    }
}

fn btrfs<'a>(reading: &Reading<'a>, devices: &mut Devices<'a>, found: &mut Vec<Finding>) {
    let volumes: Vec<_> = reading.all("btrfs").filter(|read| !read.arguments.has("--subvol")).collect();
    let labels: BTreeSet<_> = volumes.iter().filter_map(|volume| volume.arguments.value("--label")).collect();
    let held: BTreeSet<_> = volumes.iter().flat_map(|volume| volume.arguments.words().skip(1)).collect();
    for read in reading.all("btrfs") {
        let members: Vec<_> = read.arguments.words().skip(1).collect();
        if !read.arguments.has("--subvol") {
            devices.take(read, "btrfs.", &members, found);
            continue;
        }
        for parent in members {
            let name = parent.strip_prefix("LABEL=").unwrap_or(parent);
            if reading.complete && !labels.contains(name) && !held.contains(parent) {
                let what =
                    format!("btrfs: no line makes the volume {} that holds this subvolume", quoted(name));
                let ours = parent.starts_with("btrfs.");
                found.push(if ours {
                    Finding::error(&rules::SUBVOLUME_PARENT, read.line, what)
                } else {
                    Finding::warning(&rules::SUBVOLUME_PARENT, read.line, what)
                });
            }
        }
    }
}
