//! What was lost or changed in decoding, and what partman can't do with the result.

use std::collections::BTreeMap;

use super::rules;
use super::{Decoded, FILESYSTEMS, Method, Partition, Reason, Word};
use crate::grammar::{Finding, MAX_FINDINGS, shown};
use crate::value::nearest;

/// File systems that partman makes: those of its own modules in Debian 12 and 13.
const MADE: [&str; 10] =
    ["ext2", "ext3", "ext4", "btrfs", "xfs", "jfs", "fat16", "fat32", "linux-swap", "ntfs"];
const METHODS: [&str; 9] = ["format", "swap", "lvm", "crypto", "raid", "efi", "biosgrub", "keep", "prep"];

/// Everything that isn't as it was written, and everything that a method needs and isn't there.
pub fn judge(decoded: &Decoded, method: Method) -> Vec<Finding> {
    let mut found = Vec::new();
    dropped(decoded, &mut found);
    for partition in &decoded.partitions {
        if found.len() >= MAX_FINDINGS {
            break;
        }
        sizes(partition, &mut found);
        filesystem(partition, &mut found);
        braces(partition, &mut found);
        fields(partition, &mut found);
    }
    mounts(decoded, &mut found);
    match method {
        Method::Regular => not_lvm(decoded, &mut found),
        Method::Lvm => volumes(decoded, "lvm", &mut found),
        Method::Crypto => volumes(decoded, "crypto", &mut found),
    }
    found.sort();
    found
}

fn dropped(decoded: &Decoded, found: &mut Vec<Finding>) {
    for dropped in &decoded.dropped {
        let Some(first) = dropped.words.first() else { continue };
        let count = dropped.words.len();
        let glued = dropped.words.iter().rfind(|word| word.text.len() > 1 && word.text.ends_with('.'));
        let finding = match (dropped.reason, glued) {
            (Reason::NoDot, Some(word)) => Finding::error(
                &rules::DROPPED,
                word.line,
                format!("no blank before the dot of `{}`: d-i drops this partition", shown(&word.text)),
            ),
            (Reason::NoDot, None) => {
                let message = format!(
                    "no ` .` after these {count} words (the first is `{}`): d-i drops them",
                    shown(&first.text)
                );
                Finding::error(&rules::DROPPED, first.line, message)
            }
            (Reason::Renamed, _) => {
                let message = format!(
                    "`{}` stands before a `::`: d-i takes it for a name and drops it",
                    shown(&first.text)
                );
                Finding::error(&rules::DROPPED, first.line, message)
                    .help("one recipe, its name first, each partition ended by ` .`")
            }
        };
        found.push(finding);
    }
    if decoded.partitions.is_empty() && decoded.dropped.is_empty() {
        found.push(Finding::error(&rules::EMPTY, 1, "a recipe without partitions"));
    }
}

fn sizes(partition: &Partition, found: &mut Vec<Finding>) {
    let names = ["smallest size", "priority", "largest size"];
    let Partition { written, min, .. } = partition;
    if written.len() < 4 {
        let message = "a partition needs smallest size, priority, largest size and file system";
        found.push(Finding::error(&rules::INCOMPLETE, partition.line, message));
        return;
    }
    let instead = [format!("{} MB", super::ABSURD), format!("{min}"), format!("{min} MB")];
    for ((word, name), instead) in written.iter().zip(names).zip(instead) {
        match problem(&word.text, name) {
            None => {}
            Some(Problem::None) => {
                let message = format!("`{}` is no {name}: d-i takes {instead}", shown(&word.text));
                found.push(Finding::error(&rules::SIZE, word.line, message).help(suggestion(&word.text)));
            }
            Some(Problem::TooLarge) => {
                found.push(Finding::error(
                    &rules::SIZE,
                    word.line,
                    format!("{name} {} is more than d-i can count", shown(&word.text)),
                ));
            }
            Some(Problem::Zero) => {
                let message = format!("`{}` begins with a zero", shown(&word.text));
                found.push(
                    Finding::warning(&rules::LEADING_ZERO, word.line, message).help("write it without"),
                );
            }
        }
    }
    let number = |at: usize| {
        written.get(at).and_then(|word: &Word| word.text.parse::<i64>().ok().map(|number| (word, number)))
    };
    // of a percentage of the memory, nothing can be said; of no size at all, enough was said
    if number(0).is_none() {
        return;
    }
    if let Some((word, max)) = number(2).filter(|(_, max)| *max != -1 && max < min) {
        found.push(Finding::error(
            &rules::SIZE,
            word.line,
            format!("the largest size {max} is below the smallest, {min}: d-i takes {min}"),
        ));
    }
    if let Some((word, priority)) = number(1).filter(|(_, priority)| priority < min) {
        let message = format!(
            "priority {priority} is below the smallest size {min}: d-i takes {min}, and the partition doesn't grow"
        );
        found.push(Finding::warning(&rules::PRIORITY, word.line, message));
    }
}

enum Problem {
    None,
    TooLarge,
    Zero,
}

fn problem(text: &str, name: &str) -> Option<Problem> {
    if text == "-1" && name == "largest size" {
        return None;
    }
    let parts: Vec<_> = text.strip_suffix('%').map_or(vec![text], |text| text.split('+').collect());
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() > 2 || !parts.iter().all(digits) {
        return Some(Problem::None);
    }
    if parts.iter().any(|part| part.parse::<i64>().is_err()) {
        return Some(Problem::TooLarge);
    }
    parts.iter().any(|part| part.len() > 1 && part.starts_with('0')).then_some(Problem::Zero)
}

/// `8G` → 8000, if that is what it looks like.
fn suggestion(text: &str) -> String {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit.to_ascii_lowercase().trim_end_matches(['b', 'i']) {
        "m" => Some(1),
        "g" => Some(1000),
        "t" => Some(1_000_000),
        _ => None,
    };
    let size = number.parse::<i64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    match size {
        Some(size) => format!("sizes are whole numbers of MB: {size}"),
        None => "sizes are whole numbers of MB, or a percentage of the memory".to_owned(),
    }
}

fn filesystem(partition: &Partition, found: &mut Vec<Finding>) {
    let field = partition.field("filesystem");
    if let Some(name) = field.as_deref().filter(|name| !MADE.contains(name)) {
        let line = line_of(partition, "filesystem");
        let finding = Finding::error(
            &rules::FILESYSTEM,
            line,
            format!("partman can't make the file system `{}`", shown(name)),
        );
        found.push(match nearest(name, MADE) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help(format!("one of {}", MADE.join(", "))),
        });
    }
    let Some(word) = partition.written.get(3) else { return };
    let name = word.text.as_str();
    if FILESYSTEMS.contains(&name) || name == "$default_filesystem" {
        return;
    }
    // parted's kind of partition only, where the file system is told in its own field, or where there is none
    let harmless = match field.as_deref() {
        Some(field) => field == name && MADE.contains(&name),
        None => name == "free" && partition.field("method").is_some_and(|method| method != "format"),
    };
    if !harmless {
        let finding = Finding::error(
            &rules::FILESYSTEM,
            word.line,
            format!("the decoder doesn't know the file system `{}`: it takes ext2", shown(name)),
        );
        found.push(match nearest(name, FILESYSTEMS) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help(format!("one of {}", FILESYSTEMS.join(", "))),
        });
    }
}

fn line_of(partition: &Partition, field: &str) -> usize {
    let word = partition.rest.iter().find(|word| word.text.strip_suffix('{') == Some(field));
    word.map_or(partition.line, |word| word.line)
}

/// `name{`, words, `}`: braces that are glued to something, or never closed.
fn braces(partition: &Partition, found: &mut Vec<Finding>) {
    let mut open: Option<&Word> = None;
    for word in &partition.rest {
        match (open, word.text.as_str()) {
            (Some(_), "}") => open = None,
            (Some(outer), text) if text.ends_with('{') => {
                let message =
                    format!("`{}` inside `{}`, which isn't closed", shown(text), shown(&outer.text));
                found.push(
                    Finding::error(&rules::BRACES, word.line, message).help("` }` with a blank before it"),
                );
                open = Some(word);
            }
            (Some(_), text) if text.contains('}') => {
                let message = format!("no blank before the brace of `{}`: d-i reads on", shown(text));
                found.push(Finding::error(&rules::BRACES, word.line, message));
                open = None;
            }
            (Some(_), _) => {}
            (None, text) if text.len() > 1 && text.ends_with('{') => open = Some(word),
            (None, text) => {
                let message = format!("`{}` stands outside `name{{ … }}`: d-i drops it", shown(text));
                found.push(
                    Finding::error(&rules::BRACES, word.line, message)
                        .help("blanks around every brace: `method{ format }`"),
                );
            }
        }
    }
    if let Some(word) = open {
        found.push(Finding::error(
            &rules::BRACES,
            word.line,
            format!("`{}` isn't closed: d-i takes all that follows for its value", shown(&word.text)),
        ));
    }
}

fn fields(partition: &Partition, found: &mut Vec<Finding>) {
    let Some(method) = partition.field("method") else { return };
    if !METHODS.contains(&method.as_str()) {
        let finding = Finding::error(
            &rules::METHOD,
            line_of(partition, "method"),
            format!("`{}` is no method of a partition", shown(&method)),
        );
        found.push(match nearest(&method, METHODS) {
            Some(near) => finding.help(format!("did you mean `{near}`?")),
            None => finding.help(format!("one of {}", METHODS.join(", "))),
        });
    }
    let mut missing = |field: &str, effect: &str| {
        if partition.field(field).is_none() {
            let message = format!("method{{ {method} }} without {field}{{ }}: {effect}");
            found.push(Finding::warning(&rules::FIELD_MISSING, line_of(partition, "method"), message));
        }
    };
    match method.as_str() {
        "format" => {
            missing("format", "nothing is formatted");
            let default = partition.field("$default_filesystem").is_some();
            if !default {
                missing("use_filesystem", "the file system isn't used");
                missing("filesystem", "d-i doesn't know which");
            }
        }
        "swap" => missing("format", "nothing is formatted"),
        _ => {}
    }
}

fn mounts(decoded: &Decoded, found: &mut Vec<Finding>) {
    let mut seen: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
    for partition in &decoded.partitions {
        let Some(place) = partition.field("mountpoint") else { continue };
        let line = line_of(partition, "mountpoint");
        if !place.starts_with('/') {
            found.push(Finding::error(
                &rules::MOUNTPOINT,
                line,
                format!("mount point `{}` isn't a path from `/`", shown(&place)),
            ));
        }
        // the same place for another disk label is another recipe's
        if let Some(first) = seen.insert((place.clone(), super::label(partition)), line) {
            found.push(Finding::error(
                &rules::DUPLICATE_MOUNTPOINT,
                line,
                format!("`{}` is mounted in line {first} already", shown(&place)),
            ));
        }
    }
    let holds_others = |partition: &Partition| {
        partition.field("method").is_some_and(|method| matches!(method.as_str(), "raid" | "keep"))
    };
    let has_root = seen.keys().any(|(place, _)| place == "/") || decoded.partitions.iter().any(holds_others);
    if let Some(first) = decoded.partitions.first().filter(|_| !has_root) {
        found.push(Finding::error(
            &rules::NO_ROOT,
            first.line,
            "nothing is mounted at `/`: d-i has nowhere to install to",
        ));
    }
}

fn is_marked(partition: &Partition) -> bool {
    // the installer looks for the bare word anywhere
    partition.rest.iter().any(|word| word.text.contains("lvmok"))
}

fn not_lvm(decoded: &Decoded, found: &mut Vec<Finding>) {
    for partition in &decoded.partitions {
        for field in ["in_vg", "lv_name"] {
            if partition.field(field).is_some() {
                let message = format!(
                    "{field}{{ }} without `partman-auto/method` lvm or crypto: it becomes a plain partition"
                );
                found.push(Finding::error(&rules::VOLUME_UNUSED, line_of(partition, field), message));
            }
        }
        if let Some(method) =
            partition.field("method").filter(|method| matches!(method.as_str(), "lvm" | "crypto"))
        {
            let message =
                format!("method{{ {method} }} with partman-auto/method regular: nobody makes volumes in it");
            found.push(Finding::error(&rules::VOLUME_UNUSED, line_of(partition, "method"), message));
        }
    }
}

/// What `auto_lvm_prepare` and `auto_lvm_create_vg_map` ask of a recipe.
fn volumes(decoded: &Decoded, method: &str, found: &mut Vec<Finding>) {
    let (volumes, partitions): (Vec<_>, Vec<_>) =
        decoded.partitions.iter().partition(|partition| is_marked(partition));
    let Some(first) = decoded.partitions.first() else { return };
    if volumes.is_empty() {
        let message = "no partition is marked $lvmok{ }: d-i can't use the recipe for volumes";
        found.push(Finding::error(&rules::NO_VOLUMES, first.line, message));
    }
    let holders: Vec<_> =
        partitions.iter().filter(|partition| partition.field("method").as_deref() == Some(method)).collect();
    for partition in &partitions {
        for field in ["in_vg", "lv_name"] {
            if partition.field(field).is_some() {
                let message = format!("{field}{{ }} without $lvmok{{ }}: it becomes a plain partition");
                found.push(Finding::error(&rules::VOLUME_UNUSED, line_of(partition, field), message));
            }
        }
    }
    for volume in &volumes {
        if volume.field("mountpoint").as_deref() == Some("/boot") {
            found.push(Finding::warning(
                &rules::BOOT_ON_LVM,
                line_of(volume, "mountpoint"),
                "/boot is marked $lvmok{ }: d-i asks whether that is meant",
            ));
        }
        let Some(group) = volume.field("in_vg") else { continue };
        let named = |holder: &Partition| holder.field("vg_name").as_deref() == Some(&group);
        if !holders.iter().any(|holder| named(holder)) {
            let message = format!(
                "in_vg{{ {} }}: no partition with method{{ {method} }} has vg_name{{ {0} }}",
                shown(&group)
            );
            found.push(Finding::error(&rules::GROUP, line_of(volume, "in_vg"), message));
        }
    }
    let outside = |place: &str| {
        partitions.iter().any(|partition| partition.field("mountpoint").as_deref() == Some(place))
    };
    if !volumes.is_empty() && !outside("/") && !outside("/boot") {
        let message =
            "neither / nor /boot is outside the volumes: d-i asks whether the firmware can boot that";
        found.push(Finding::warning(&rules::BOOT_ON_LVM, first.line, message));
    }
}
