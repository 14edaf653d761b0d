//! Storage, of which subiquity's schema says "object": layouts, disk matching, and the actions' references.
//!
//! From subiquity's storage model and controller: actions of an unknown type are skipped without a word, and so is a reference
//! to an id that no action before it has.

use std::collections::BTreeMap;

use super::rules;
use super::yaml::{Data, Node, YamlType};
use super::{Release, disks};
use crate::grammar::{Finding, MAX_FINDINGS, shown};

/// A type of action: its name, the first release that knows it, and its references (key, whether needed, types it may name).
struct Type {
    name: &'static str,
    since: Release,
    references: &'static [Reference],
}

struct Reference(&'static str, Need, &'static [&'static str]);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    May,
}

use crate::value::nearest;
use Need::{May, Must};
use Release::{Ubuntu2204, Ubuntu2404};

const BLOCKS: &[&str] = &["disk", "partition", "raid", "lvm_partition", "dm_crypt", "dasd", "device"];

const TYPES: [Type; 13] = [
    Type { name: "dasd", since: Ubuntu2204, references: &[] },
    Type { name: "nvme_controller", since: Ubuntu2404, references: &[] },
    Type {
        name: "disk",
        since: Ubuntu2204,
        references: &[Reference("nvme_controller", May, &["nvme_controller"])],
    },
    Type {
        name: "partition",
        since: Ubuntu2204,
        references: &[Reference("device", Must, &["disk", "raid"])],
    },
    Type {
        name: "raid",
        since: Ubuntu2204,
        references: &[
            Reference("devices", May, BLOCKS),
            Reference("spare_devices", May, BLOCKS),
            Reference("container", May, &["raid"]),
        ],
    },
    Type { name: "lvm_volgroup", since: Ubuntu2204, references: &[Reference("devices", Must, BLOCKS)] },
    Type {
        name: "lvm_partition",
        since: Ubuntu2204,
        references: &[Reference("volgroup", Must, &["lvm_volgroup"])],
    },
    Type { name: "dm_crypt", since: Ubuntu2204, references: &[Reference("volume", Must, BLOCKS)] },
    Type { name: "device", since: Ubuntu2404, references: &[] },
    Type { name: "format", since: Ubuntu2204, references: &[Reference("volume", Must, BLOCKS)] },
    Type { name: "mount", since: Ubuntu2204, references: &[Reference("device", May, &["format"])] },
    Type { name: "zpool", since: Ubuntu2404, references: &[Reference("vdevs", Must, BLOCKS)] },
    Type { name: "zfs", since: Ubuntu2404, references: &[Reference("pool", Must, &["zpool"])] },
];

/// Judges the section.
pub fn check(storage: &Node, release: Release, found: &mut Vec<Finding>) {
    if let (Some(_), Some(config)) = (storage.get("layout"), storage.get("config")) {
        found.push(Finding::warning(
            &rules::CONFIG_IGNORED,
            config.line,
            "`layout` is there too: subiquity doesn't read `config`",
        ));
    }
    for (key, _) in storage.entries() {
        let known = ["layout", "config", "version", "swap", "grub"];
        if !known.contains(&key.text.as_str()) {
            let finding = Finding::error(
                &rules::UNKNOWN_KEY,
                key.line,
                format!("`{}` in `storage` is no key that subiquity reads", shown(&key.text)),
            );
            found.push(match nearest(&key.text, known) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            });
        }
    }
    if let Some(layout) = storage.get("layout") {
        disks::layout(layout, release, found);
    } else if let Some(config) = storage.get("config") {
        match &config.data {
            Data::List(actions) => self::actions(config.line, actions, release, found),
            _ => found.push(Finding::error(
                &rules::TYPE,
                config.line,
                format!("`storage/config` must be a list, found {}", config.kind()),
            )),
        }
    }
}

fn actions(line: usize, actions: &[Node], release: Release, found: &mut Vec<Finding>) {
    let mut ids: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (at, action) in actions.iter().enumerate() {
        if found.len() >= MAX_FINDINGS {
            break;
        }
        let Some(kind) = self::kind(action, release, found) else { continue };
        for Reference(key, need, names) in kind.references {
            match action.get(key) {
                Some(node) => references(node, key, names, &ids, &actions[at..], found),
                None if *need == Must => {
                    found.push(Finding::error(
                        &rules::MISSING_KEY,
                        action.line,
                        format!("`{key}` is missing in this {}", kind.name),
                    ));
                }
                None => {}
            }
        }
        self::action(kind.name, action, found);
        let Some(id) = action.get("id").and_then(Node::text) else {
            found.push(Finding::error(
                &rules::MISSING_KEY,
                action.line,
                format!("`id` is missing in this {}", kind.name),
            ));
            continue;
        };
        if let Some((first, _)) = ids.insert(id, (action.line, kind.name)) {
            found.push(Finding::error(
                &rules::DUPLICATE_ID,
                action.line,
                format!("the id `{}` is that of line {first} already", shown(id)),
            ));
        }
    }
    sizes(actions, found);
    whole(line, actions, found);
}

/// The type of an action, if it is one that subiquity knows.
fn kind(action: &Node, release: Release, found: &mut Vec<Finding>) -> Option<&'static Type> {
    if action.kind() != YamlType::Map {
        found.push(Finding::error(
            &rules::TYPE,
            action.line,
            format!("an action must be a map, found {}", action.kind()),
        ));
        return None;
    }
    let Some(node) = action.get("type") else {
        found.push(Finding::error(&rules::MISSING_KEY, action.line, "`type` is missing in this action"));
        return None;
    };
    let name = node.text().unwrap_or_default();
    let known = TYPES.iter().find(|known| known.name == name);
    if known.is_none_or(|known| known.since == Ubuntu2404 && release == Ubuntu2204) {
        let message = format!("{release} has no action `{}`: subiquity skips it without a word", shown(name));
        let finding = Finding::error(&rules::ACTION, node.line, message);
        let near = nearest(name, TYPES.iter().map(|known| known.name)).filter(|near| *near != name);
        found.push(match near {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding,
        });
    }
    known
}

fn references(
    node: &Node,
    key: &str,
    names: &[&str],
    ids: &BTreeMap<&str, (usize, &str)>,
    later: &[Node],
    found: &mut Vec<Finding>,
) {
    let single = std::slice::from_ref(node);
    let all = if let Data::List(items) = &node.data { items.as_slice() } else { single };
    for one in all {
        let Some(id) = one.text() else {
            found.push(Finding::error(
                &rules::REFERENCE,
                one.line,
                format!("`{key}` must name an id, found {}", one.kind()),
            ));
            continue;
        };
        let place = format!("{key}: `{}`", shown(id));
        match ids.get(id) {
            Some((_, kind)) if names.contains(kind) => {}
            Some((line, kind)) => {
                let message =
                    format!("{place} is the {kind} of line {line}; it must be a {}", names.join(", "));
                found.push(Finding::error(&rules::REFERENCE, one.line, message));
            }
            None => {
                let comes = later.iter().find(|action| action.get("id").and_then(Node::text) == Some(id));
                found.push(match (comes, nearest(id, ids.keys().copied())) {
                    (Some(action), _) => Finding::error(
                        &rules::REFERENCE,
                        one.line,
                        format!("{place} is defined later, in line {}", action.line),
                    )
                    .help("move it before this action"),
                    (None, Some(near)) => {
                        Finding::error(&rules::REFERENCE, one.line, format!("{place} is the id of no action"))
                            .help(format!("did you mean `{near}`?"))
                    }
                    (None, None) => {
                        Finding::error(&rules::REFERENCE, one.line, format!("{place} is the id of no action"))
                    }
                });
            }
        }
    }
}

const FILESYSTEMS: [&str; 14] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "fat", "fat12", "fat16", "fat32", "vfat", "swap", "jfs", "ntfs",
    "reiserfs",
];

fn action(kind: &str, action: &Node, found: &mut Vec<Finding>) {
    let text = |name: &str| action.get(name).and_then(|node| Some((node.line, node.text()?)));
    match kind {
        "disk" => {
            match action.get("match") {
                Some(node) => disks::matched(node, found),
                None if action.get("serial").is_none() && action.get("path").is_none() => {
                    found.push(disks::arbitrary(action.line, "a disk without `serial`, `path` and `match`"));
                }
                None => {}
            }
            let tables = ["gpt", "msdos", "dos", "vtoc"];
            if let Some((line, table)) = text("ptable").filter(|(_, table)| !tables.contains(table)) {
                let finding =
                    Finding::error(&rules::VALUE, line, format!("`{}` is no partition table", shown(table)));
                found.push(finding.help("one of gpt, msdos, vtoc"));
            }
        }
        "format" => match text("fstype") {
            None => found.push(Finding::error(
                &rules::MISSING_KEY,
                action.line,
                "`fstype` is missing in this format",
            )),
            Some((line, name)) if !FILESYSTEMS.contains(&name) => {
                let finding = Finding::error(
                    &rules::FILESYSTEM,
                    line,
                    format!("curtin can't make the file system `{}`", shown(name)),
                );
                found.push(match nearest(name, FILESYSTEMS) {
                    Some(near) => finding.help(format!("did you mean `{near}`?")),
                    None => finding.help(format!("one of {}", FILESYSTEMS.join(", "))),
                });
            }
            Some(_) => {}
        },
        "mount" => {
            if let Some((line, path)) =
                text("path").filter(|(_, path)| !path.starts_with('/') && !matches!(*path, "" | "none"))
            {
                found.push(Finding::error(
                    &rules::MOUNTPOINT,
                    line,
                    format!("the mount point `{}` isn't a path from `/`", shown(path)),
                ));
            }
        }
        "partition" | "lvm_partition" => {
            if let Some((line, size)) = text("size").filter(|(_, size)| !is_size(size)) {
                found.push(
                    Finding::error(&rules::SIZE, line, format!("`{}` is no size", shown(size)))
                        .help("bytes, 10G, 50%, or -1 for the rest"),
                );
            }
        }
        "dm_crypt" => {
            if let Some(node) = action.get("key") {
                found.push(Finding::warning(
                    &rules::CLEAR_TEXT,
                    node.line,
                    "the key of this dm_crypt is a passphrase in clear text",
                ));
            }
        }
        _ => {}
    }
}

fn is_size(text: &str) -> bool {
    if text == "-1" {
        return true;
    }
    let number = text.trim_end_matches(['B', 'b']);
    let number = number.strip_suffix(|c: char| "%KkMmGgTtPp".contains(c)).unwrap_or(number);
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && number.parse::<f64>().is_ok()
}

/// Only the last partition of a device can take the rest.
fn sizes(actions: &[Node], found: &mut Vec<Finding>) {
    let mut rest: BTreeMap<&str, usize> = BTreeMap::new();
    for action in actions {
        let parent = match action.get("type").and_then(Node::text) {
            Some("partition") => action.get("device"),
            Some("lvm_partition") => action.get("volgroup"),
            _ => None,
        };
        let Some(parent) = parent.and_then(Node::text) else { continue };
        // logical partitions live inside of the extended one
        let flag = action.get("flag").and_then(Node::text);
        if matches!(flag, Some("logical" | "extended")) {
            continue;
        }
        if let Some(line) = rest.get(parent) {
            let message = format!("line {line} gave the rest of `{}` away already", shown(parent));
            found.push(
                Finding::error(&rules::SIZE, action.line, message).help("size: -1 is for the last one"),
            );
        }
        if action.get("size").and_then(Node::text) == Some("-1") {
            rest.entry(parent).or_insert(action.line);
        }
    }
}

/// What there must be in the end.
fn whole(line: usize, actions: &[Node], found: &mut Vec<Finding>) {
    let is_root = |node: &Node| node.text() == Some("/");
    let root = |action: &Node| match action.get("type").and_then(Node::text) {
        Some("mount") => action.get("path").is_some_and(is_root),
        Some("zpool") => action.get("mountpoint").is_some_and(is_root),
        Some("zfs") => {
            action.get("properties").and_then(|properties| properties.get("mountpoint")).is_some_and(is_root)
        }
        _ => false,
    };
    if !actions.iter().any(root) {
        found.push(Finding::error(&rules::NO_ROOT, line, "nothing is mounted at `/`"));
    }
    if !actions.iter().any(|action| action.get("grub_device").is_some_and(Node::is_true)) {
        let message =
            "no disk or partition has `grub_device: true`: subiquity finds no place for the boot loader";
        found.push(Finding::warning(&rules::NO_BOOT_DEVICE, line, message));
    }
}
