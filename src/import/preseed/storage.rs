//! Recipes of partman-auto as layouts.

use super::{Given, parts};
use crate::grammar::preseed::Answer;
use crate::grammar::recipe::{ABSURD, Decoded, Machine, Partition, decode};
use crate::import::Reading;
use crate::import::layout::USUAL_ON_EXT4;
use crate::import::line_report::Id;
use crate::import::names::identifier;

/// The volume group's name where the file gives none: the host's, as d-i does it, would change with the host.
const GROUP: &str = "system";

const DISK: &str = "partman-auto/disk";
const METHOD: &str = "partman-auto/method";
const CHOSEN: &str = "partman-auto/choose_recipe";
const RECIPE: &str = "partman-auto/expert_recipe";

/// Reads what partman and the boot loader's installer are told.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    boot_loader(given, reading);
    match given.get(DISK) {
        Some((_, disks)) if disks.split_whitespace().nth(1).is_some() => {
            let why =
                "it is for several disks: say the layout in `storage:`, with `disks` for all but the first";
            return given.refuse(&[DISK, METHOD, CHOSEN, RECIPE], why, reading);
        }
        Some((id, disk)) => {
            reading.report.taken(id);
            reading.report.note(id, "the disk is the one that `storage.target` names");
            reading.target.is_called(disk.trim().trim_start_matches("/dev/"));
        }
        None => {}
    }
    match given.all.get(RECIPE) {
        Some((id, recipe)) => own_recipe(*id, recipe, given, reading),
        None => chosen_recipe(given, reading),
    }
}

fn boot_loader(given: &Given<'_>, reading: &mut Reading<'_>) {
    if let Some((id, _)) = given.get("grub-installer/bootdev") {
        reading.report.taken(id);
        reading.report.note(id, "the boot loader goes to the disk that `storage.target` names");
    }
    if let Some((id, hash)) = given.get("grub-installer/password-crypted") {
        reading.put("boot.password", hash, id);
    }
    let why = "a clear password isn't taken over: make a hash with grub-mkpasswd-pbkdf2, and set `boot: { password: … }`";
    given.refuse(&["grub-installer/password"], why, reading);
}

/// One of the recipes that partman brings.
fn chosen_recipe(given: &Given<'_>, reading: &mut Reading<'_>) {
    let Some((id, name)) = given.get(CHOSEN) else { return };
    reading.report.taken(id);
    match name {
        "atomic" => reading.report.note(id, USUAL_ON_EXT4),
        _ => reading.report.lose(id, format!("{USUAL_ON_EXT4}; say another in `storage:`")),
    }
}

/// The file's own recipe, and what belongs to it.
fn own_recipe(id: Id, recipe: &Answer, given: &Given<'_>, reading: &mut Reading<'_>) {
    let lvm = match given.get(METHOD) {
        Some((_, "lvm")) => true,
        Some((_, "regular")) | None => false,
        Some(_) => {
            let why = "a profile says arrays and encryption in `storage:`: `raids`, `luks`";
            return reading.report.refuse(id, why);
        }
    };
    if let Err(why) = layout(id, recipe, lvm, given, reading) {
        reading.draft.remove(id);
        return reading.report.refuse(id, why);
    }
    reading.report.taken(id);
    let with_it = [METHOD, CHOSEN, "partman-auto-lvm/new_vg_name", "partman-auto-lvm/guided_size"];
    for (id, _) in with_it.into_iter().filter_map(|key| given.get(key)) {
        reading.report.taken(id);
    }
}

/// The parts of a recipe on an empty GPT disk.
pub fn decoded(recipe: &Answer) -> Decoded {
    decode(recipe.words(), &Machine { label: Some("gpt"), ..Machine::default() })
}

fn layout(
    id: Id,
    recipe: &Answer,
    lvm: bool,
    given: &Given<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), String> {
    let decoded = decoded(recipe);
    if decoded.partitions.is_empty() || !decoded.dropped.is_empty() {
        return Err("d-i would not read all of the recipe (see `ironstrap lint`)".to_owned());
    }
    let parts = parts::of_recipe(&decoded.partitions, lvm, "").into_iter();
    reading.layout.extend(parts.map(|part| (id, part)));
    let group =
        given.get("partman-auto-lvm/new_vg_name").map_or(GROUP.to_owned(), |(_, name)| identifier(name));
    let mut parts = Parts { id, group, taken: Vec::new(), has_esp: false, has_member: false };
    for part in &decoded.partitions {
        let volume = lvm && part.field("$lvmok").is_some();
        parts.add(part, volume, reading)?;
    }
    if lvm && !parts.has_member {
        parts.member("pv", reading);
        reading.draft.put("storage.partitions[pv].min", "100MB", id);
    }
    if !parts.has_esp {
        return Err("it has no EFI system partition, without which ironstrap's machines don't start: add a part with `method{ efi }`".to_owned());
    }
    Ok(())
}

struct Parts {
    id: Id,
    group: String,
    taken: Vec<String>,
    has_esp: bool,
    has_member: bool,
}

impl Parts {
    fn add(&mut self, part: &Partition, volume: bool, reading: &mut Reading<'_>) -> Result<(), String> {
        if part.min >= ABSURD || part.max >= ABSURD {
            return Err("one of its sizes is none that d-i reads (whole MB)".to_owned());
        }
        let method = part.field("method").unwrap_or_default();
        let place = part.field("mountpoint").unwrap_or_default();
        let wanted = match (method.as_str(), place.as_str()) {
            ("efi", _) => "esp".to_owned(),
            ("biosgrub", _) => "bios".to_owned(),
            ("lvm", _) => "pv".to_owned(),
            ("swap", _) => "swap".to_owned(),
            ("format", "/") => "root".to_owned(),
            ("format", place) if place.starts_with('/') => identifier(place.trim_start_matches('/')),
            ("format", _) => return Err("a part is formatted and mounted nowhere".to_owned()),
            (other, _) => {
                return Err(format!(
                    "a part with `method{{ {} }}` has no place in a profile",
                    other.escape_debug()
                ));
            }
        };
        let name = match part.field("lv_name") {
            Some(name) if volume => identifier(&name),
            _ => wanted,
        };
        if self.taken.contains(&name) {
            return Err(format!("two parts would be called `{name}`"));
        }
        self.taken.push(name.clone());
        let path = format!("storage.{}[{name}]", if volume { "logical_volumes" } else { "partitions" });
        let id = self.id;
        reading.draft.put(&format!("{path}.id"), name.clone(), id);
        if volume {
            reading.draft.put(&format!("{path}.group"), self.group.clone(), id);
        }
        let mut size = |key: &str, megabytes: i64| {
            reading.draft.put(&format!("{path}.{key}"), format!("{megabytes}MB"), id)
        };
        match part.max {
            max if max == part.min => _ = size("size", part.min),
            max => {
                size("min", part.min);
                if max > 0 {
                    size("max", max);
                }
            }
        }
        match method.as_str() {
            "efi" => {
                self.has_esp = true;
                reading.draft.put(&format!("{path}.role"), "esp", id);
            }
            "biosgrub" => _ = reading.draft.put(&format!("{path}.role"), "bios-boot", id),
            "lvm" => self.member(&name, reading),
            _ => self.mount(part, &name, &method, &place, reading),
        }
        Ok(())
    }

    /// A partition that the volume group is made of.
    fn member(&mut self, name: &str, reading: &mut Reading<'_>) {
        self.has_member = true;
        let (id, group) = (self.id, self.group.clone());
        reading.draft.put(&format!("storage.partitions[{name}].id"), name, id);
        reading.draft.put(&format!("storage.volume_groups[{group}].id"), group.clone(), id);
        reading.draft.push(&format!("storage.volume_groups[{group}].members"), name, id);
    }

    fn mount(&self, part: &Partition, name: &str, method: &str, place: &str, reading: &mut Reading<'_>) {
        let path = format!("storage.mounts[{name}]");
        let mut put =
            |key: &str, value: String| _ = reading.draft.put(&format!("{path}.{key}"), value, self.id);
        put("on", name.to_owned());
        if method == "swap" {
            return put("fs", "swap".to_owned());
        }
        put("fs", part.field("filesystem").unwrap_or_else(|| part.filesystem.clone()));
        put("path", place.to_owned());
        if let Some(label) = part.field("label") {
            put("label", label);
        }
        let options =
            part.rest.iter().filter_map(|word| word.text.strip_prefix("options/")?.strip_suffix('{'));
        let options: Vec<_> = options.map(str::to_owned).collect();
        if !options.is_empty() {
            reading.draft.put(&format!("{path}.options"), options, self.id);
        }
    }
}
