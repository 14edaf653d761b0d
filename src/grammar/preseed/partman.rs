//! Partitioning and the boot loader: what must be answered together, and recipes.

use super::rules;
use super::{Answer, Document, commands};
use crate::grammar::recipe::{self, Method};
use crate::grammar::{Finding, shown};
use crate::value::nearest;

const METHODS: [&str; 4] = ["regular", "lvm", "crypto", "raid"];

pub fn lint(document: &Document<'_>, found: &mut Vec<Finding>) {
    let answered = Answered { document };
    let method = method(&answered, found);
    recipes(document, method, found);
    if method.is_some() {
        questions(&answered, method, found);
        boot_loader(&answered, found);
    }
}

/// What a file answers, by itself or by its commands.
struct Answered<'d> {
    document: &'d Document<'d>,
}

impl Answered<'_> {
    /// Whether the question is answered here, or may be by a command or another file.
    fn has(&self, key: &str) -> bool {
        self.document.last(key).is_some_and(|answer| !answer.value.is_empty())
            || commands::all(self.document).any(|answer| answer.value.contains(key))
            || ["preseed/include", "preseed/include_command", "preseed/run"]
                .iter()
                .any(|include| self.document.last(include).is_some_and(|answer| !answer.value.is_empty()))
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.document.last(key).is_some_and(|answer| answer.value == value)
    }
}

/// The method of partitioning, where the file chooses one; the line is that of the answer.
fn method(answered: &Answered<'_>, found: &mut Vec<Finding>) -> Option<Method> {
    let Some(answer) = answered.document.last("partman-auto/method") else {
        let recipe = ["partman-auto/expert_recipe", "partman-auto/choose_recipe", "partman-auto/disk"]
            .iter()
            .find_map(|key| answered.document.last(key));
        if let Some(recipe) = recipe.filter(|_| !answered.has("partman-auto/method")) {
            let message = "partman-auto/method is missing: d-i asks how to partition";
            found.push(
                Finding::error(&rules::NO_METHOD, recipe.first, message)
                    .help(format!("one of {}", METHODS.join(", "))),
            );
        }
        return None;
    };
    match answer.value.as_str() {
        "regular" => Some(Method::Regular),
        "lvm" => Some(Method::Lvm),
        "crypto" => Some(Method::Crypto),
        "raid" => {
            raid(answered, answer, found);
            None
        }
        value => {
            let finding = Finding::error(
                &rules::METHOD,
                answer.first,
                format!("partman-auto/method can't be `{}`", shown(value)),
            );
            found.push(match nearest(value, METHODS) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("one of {}", METHODS.join(", "))),
            });
            None
        }
    }
}

fn raid(answered: &Answered<'_>, answer: &Answer, found: &mut Vec<Finding>) {
    if !answered.has("partman-auto-raid/recipe") {
        found.push(Finding::error(
            &rules::NO_RAID_RECIPE,
            answer.first,
            "method raid without partman-auto-raid/recipe: there is nothing to build",
        ));
    }
    if !answered.has("partman-auto/disk") {
        found.push(Finding::error(
            &rules::DISK,
            answer.first,
            "method raid without partman-auto/disk: d-i asks for the disks",
        ));
    }
}

/// Questions of critical priority that every install which partitions by itself meets.
fn questions(answered: &Answered<'_>, method: Option<Method>, found: &mut Vec<Finding>) {
    let Some(answer) = answered.document.last("partman-auto/method") else { return };
    let mut missing = |key: &str, why: &str| {
        if !answered.has(key) {
            found.push(Finding::warning(&rules::ASKS, answer.first, format!("{key} is missing: {why}")));
        }
    };
    missing("partman/confirm", "d-i asks before it writes");
    missing("partman/choose_partition", "d-i shows the partitions and waits");
    missing(
        "partman-partitioning/confirm_write_new_label",
        "d-i asks before it writes a new partition table",
    );
    if matches!(method, Some(Method::Lvm | Method::Crypto)) {
        missing("partman-lvm/confirm", "d-i asks before it writes the volumes");
        missing("partman-lvm/device_remove_lvm", "d-i asks when it finds older volumes");
    }
    let disks = answered.document.last("partman-auto/disk");
    if let Some(disks) =
        disks.filter(|disks| method == Some(Method::Regular) && disks.value.split_whitespace().count() > 1)
    {
        found.push(Finding::error(&rules::DISK, disks.first, "method regular takes one disk"));
    }
    if let Some(disks) = disks {
        for (line, disk) in disks.words().filter(|(_, disk)| !disk.starts_with("/dev/")) {
            found.push(Finding::error(
                &rules::DISK,
                line,
                format!("partman-auto/disk: `{}` is no path in /dev", shown(disk)),
            ));
        }
    }
}

fn boot_loader(answered: &Answered<'_>, found: &mut Vec<Finding>) {
    let Some(method) = answered.document.last("partman-auto/method") else { return };
    let skipped = answered.is("grub-installer/skip", "true");
    if !skipped && !answered.has("grub-installer/bootdev") {
        let message = "grub-installer/bootdev is missing: with BIOS d-i may ask where GRUB goes";
        found.push(Finding::warning(&rules::ASKS, method.first, message).help("name the disk, or `default`"));
    }
    let (Some(bootdev), Some(disks)) =
        (answered.document.last("grub-installer/bootdev"), answered.document.last("partman-auto/disk"))
    else {
        return;
    };
    let stray = bootdev.words().find(|(_, device)| {
        *device != "default" && !disks.value.split_whitespace().any(|disk| device.starts_with(disk))
    });
    if let Some((line, device)) = stray {
        let message = format!("grub-installer/bootdev `{}` is no disk of partman-auto/disk", shown(device));
        found.push(Finding::warning(&rules::BOOTDEV, line, message));
    }
}

fn recipes(document: &Document<'_>, method: Option<Method>, found: &mut Vec<Finding>) {
    let Some(answer) = document.last("partman-auto/expert_recipe").filter(|answer| !answer.value.is_empty())
    else {
        return;
    };
    let decoded = recipe::decode(answer.words(), &recipe::Machine::default());
    let judged = recipe::judge(&decoded, method.unwrap_or(Method::Regular));
    let swapless = !decoded.partitions.iter().any(recipe::Partition::is_swap);
    found.extend(judged);
    let asks = |value: &str| {
        document.last("partman-basicfilesystems/no_swap").is_some_and(|answer| answer.value == value)
    };
    if swapless && method.is_some() && !asks("false") {
        let message = "the recipe has no swap: d-i asks whether that is meant";
        let help = "answer partman-basicfilesystems/no_swap with false";
        found.push(Finding::warning(&rules::NO_SWAP, answer.first, message).help(help));
    }
}
