//! curtin's actions as a layout.

mod action;
mod parts;
mod target;

use std::collections::BTreeMap;

use super::Given;
use crate::grammar::autoinstall::yaml::Node;
use crate::import::Reading;
use crate::import::layout::{Part, USUAL_ON_EXT4};
use crate::import::line_report::Id;
use crate::import::names::Names;
use action::Action;
use parts::Uses;
use target::target;

/// Reads `storage`.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    if let Some((id, name)) = given.text("storage.layout.name") {
        reading.report.taken(id);
        match name {
            "direct" => reading.report.note(id, USUAL_ON_EXT4),
            name => {
                let why = format!("{}: {USUAL_ON_EXT4}; say another in `storage:`", name.escape_debug());
                reading.report.lose(id, why);
            }
        }
    }
    let Some(config) = given.get("storage.config") else { return };
    let actions = || config.items().iter().map(Action);
    let uses = Uses::of(actions());
    let mut layout = Layout::of(actions().collect::<Vec<_>>().as_slice(), reading);
    let root = actions().position(|action| action.says("type", "mount") && action.says("path", "/"));
    if let (Some(number), false) = (root, actions().any(|action| is_esp(action, &uses))) {
        let id = given.id(&format!("storage.config[{number}]"));
        reading.put_esp(&mut layout.ids, id);
        reading.report.note(id, "with an EFI system partition of 512 MiB, which the file doesn't have");
    }
    for (number, action) in actions().enumerate() {
        let id = given.id(&format!("storage.config[{number}]"));
        reading.report.taken(id);
        if let Err(why) = layout.add(action, &uses, id, reading) {
            reading.draft.remove(id);
            reading.report.refuse(id, why);
            continue;
        }
        if let Some(part) = parts::of_action(action, &uses, "") {
            reading.layout.push((id, part));
        }
    }
}

/// Whether an action makes an EFI system partition.
fn is_esp(action: Action<'_>, uses: &Uses<'_>) -> bool {
    action.says("type", "partition")
        && action.text("id").is_some_and(|id| uses.is_esp(id, action.text("flag")))
}

/// What a rendered configuration lays out; `shown` is how a person reads an action.
pub fn laid_out(config: &Node, shown: impl Fn(&Node) -> String) -> Vec<Part> {
    let actions = config.get("storage").and_then(|storage| storage.get("config"));
    let actions = || actions.map(Node::items).unwrap_or_default().iter().map(Action);
    let uses = Uses::of(actions());
    actions().filter_map(|action| parts::of_action(action, &uses, &shown(action.0))).collect()
}

/// What is known of the actions so far, by their ids.
#[derive(Default)]
struct Layout {
    /// The id of the disk under `/`.
    target: Option<String>,
    /// The disks' ids, with the draft's.
    disks: Vec<(String, String)>,
    /// The draft's names.
    ids: Names,
    /// Devices by the draft's names.
    devices: BTreeMap<String, String>,
    formats: BTreeMap<String, Format>,
    /// Devices that are EFI system partitions.
    esps: Vec<String>,
}

/// A file system that waits for its mount.
#[derive(Clone)]
struct Format {
    /// The draft's name of its device.
    on: String,
    fs: String,
    label: Option<String>,
}

impl Layout {
    /// With the disk under `/`, and the name that its draft has.
    fn of(actions: &[Action<'_>], reading: &mut Reading<'_>) -> Self {
        let mut layout = Self { target: target(actions.iter().copied()), ..Self::default() };
        layout.ids.fresh("target");
        let is_target = |action: &&Action<'_>| action.text("id") == layout.target.as_deref();
        if let Some(path) = actions.iter().find(is_target).and_then(|disk| disk.text("path")) {
            reading.target.is_called(bare(path));
        }
        layout
    }

    fn add(
        &mut self,
        action: Action<'_>,
        uses: &Uses<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        if action.is("preserve") {
            reading.keeps_disk = true;
            return Err("it uses what is on the disk already: ironstrap starts from empty disks".to_owned());
        }
        let id = action.need("id")?;
        if self.devices.contains_key(id)
            || self.formats.contains_key(id)
            || self.disks.iter().any(|(known, _)| known == id)
        {
            return Err("an action before it has its id".to_owned());
        }
        match action.need("type")? {
            "disk" => self.disk(id, action, from, reading),
            "partition" => self.partition(id, action, uses, from, reading),
            "lvm_volgroup" => self.device("volume_groups", Self::group, action, from, reading),
            "lvm_partition" => self.device("logical_volumes", Self::volume, action, from, reading),
            "raid" => self.device("raids", Self::array, action, from, reading),
            "format" => self.format(id, action, from, reading),
            "mount" => self.mount(action, from, reading),
            other => Err(format!("a profile has no `{}`", other.escape_debug())),
        }
    }

    fn disk(
        &mut self,
        id: &str,
        action: Action<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let rule = action.get("match");
        let text = |key: &str| {
            action.text(key).or_else(|| rule?.get(key)?.text()).filter(|text| !text.contains(['*', '?']))
        };
        if action.text("ptable").is_some_and(|table| table != "gpt") {
            return Err("ironstrap's disks have a GPT".to_owned());
        }
        let target = self.target.as_deref() == Some(id);
        let name = if target { "target".to_owned() } else { self.ids.fresh(id) };
        let place =
            if target { "storage.target".to_owned() } else { format!("storage.disks[{name}].select") };
        for (key, value) in rule.into_iter().flat_map(Node::entries) {
            let exact = value.text().is_some_and(|text| !text.contains(['*', '?']));
            if !exact || !matches!(key.text.as_str(), "serial" | "wwn" | "path") {
                let key = key.text.escape_debug();
                reading.report.lose(from, format!("`match: {{ {key}: … }}` isn't taken over: a profile names a disk by what is written on it"));
            }
        }
        match (text("serial"), text("wwn")) {
            (Some(serial), _) => _ = reading.draft.put(&format!("{place}.serial"), serial, from),
            (None, Some(wwn)) => _ = reading.draft.put(&format!("{place}.wwn"), wwn, from),
            (None, None) if target => {
                reading.report.note(from, "the disk is the one that `storage.target` names");
            }
            (None, None) => {
                let path = text("path").map(bare).ok_or(
                    "nothing in it is written on the disk: give it the disk's `serial`, and import again",
                )?;
                let serial = reading.target.serial_of_other(path)?;
                reading.draft.put(&format!("{place}.serial"), serial, from);
            }
        }
        if !target {
            reading.draft.put(&format!("storage.disks[{name}].id"), name.clone(), from);
        }
        self.disks.push((id.to_owned(), name));
        Ok(())
    }

    fn partition(
        &mut self,
        id: &str,
        action: Action<'_>,
        uses: &Uses<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let flag = action.text("flag");
        let esp = uses.is_esp(id, flag);
        match flag {
            Some("bios_grub" | "prep") if uses.file_systems(id).next().is_some() => {
                return Err("the boot loader's own partition holds no file system".to_owned());
            }
            Some("boot") if !esp && uses.file_systems(id).next().is_none() => {
                return Err(NO_FAT.to_owned());
            }
            Some("boot") if !esp => reading.report.lose(from, NO_ESP),
            _ => {}
        }
        let device = action.need("device")?;
        let (_, disk) =
            self.disks.iter().find(|(known, _)| known == device).ok_or("its disk wasn't taken over")?;
        let disk = disk.clone();
        let (name, path) = self.named("partitions", id, from, reading);
        if disk != "target" {
            reading.draft.put(&format!("{path}.disk"), disk, from);
        }
        match flag {
            _ if esp => {
                reading.draft.put(&format!("{path}.role"), "esp", from);
                self.esps.push(name.clone());
            }
            Some("bios_grub") => _ = reading.draft.put(&format!("{path}.role"), "bios-boot", from),
            Some("extended" | "logical" | "prep") => return Err("a GPT has no such partition".to_owned()),
            _ => {}
        }
        size(&path, action, from, reading)?;
        self.devices.insert(id.to_owned(), name);
        Ok(())
    }

    /// Begins an item of one of the profile's lists for a device with a name of its own; returns the draft's name, and its path.
    fn named(&mut self, list: &str, wanted: &str, from: Id, reading: &mut Reading<'_>) -> (String, String) {
        let name = reading.device_name(&mut self.ids, wanted, from);
        let path = format!("storage.{list}[{name}]");
        reading.draft.put(&format!("{path}.id"), name.clone(), from);
        (name, path)
    }

    /// A device that is made of others; `fill` says the rest of its item in the profile's list.
    fn device(
        &mut self,
        list: &str,
        fill: fn(&Self, &str, Action<'_>, Id, &mut Reading<'_>) -> Result<(), String>,
        action: Action<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let id = action.need("id")?;
        let (name, path) = self.named(list, action.text("name").unwrap_or(id), from, reading);
        fill(self, &path, action, from, reading)?;
        self.devices.insert(id.to_owned(), name);
        Ok(())
    }

    fn group(
        &self,
        path: &str,
        action: Action<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        self.members(&format!("{path}.members"), action.items("devices"), from, reading)
    }

    fn volume(
        &self,
        path: &str,
        action: Action<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let group = self.known(action.need("volgroup")?)?;
        reading.draft.put(&format!("{path}.group"), group, from);
        size(path, action, from, reading)
    }

    fn array(
        &self,
        path: &str,
        action: Action<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let level = format!("raid{}", action.need("raidlevel")?.trim_start_matches("raid"));
        reading.draft.put(&format!("{path}.level"), level, from);
        self.members(&format!("{path}.members"), action.items("devices"), from, reading)?;
        self.members(&format!("{path}.spares"), action.items("spare_devices"), from, reading)
    }

    /// A file system, which waits for its mount; swap has none.
    fn format(
        &mut self,
        id: &str,
        action: Action<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let on = self.known(action.need("volume")?)?;
        let fs = match action.need("fstype")? {
            "fat32" | "vfat" | "fat" => "vfat",
            fs => fs,
        };
        let format = Format { on, fs: fs.to_owned(), label: action.text("label").map(str::to_owned) };
        if fs == "swap" {
            put_mount(&Format { label: None, ..format.clone() }, None, from, reading);
        }
        self.formats.insert(id.to_owned(), format);
        Ok(())
    }

    fn mount(&self, action: Action<'_>, from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
        let format = self.formats.get(action.need("device")?).ok_or("its format wasn't taken over")?;
        if format.fs == "swap" || self.esps.contains(&format.on) {
            return Ok(());
        }
        put_mount(format, action.text("path"), from, reading);
        let options = action.text("options").unwrap_or_default().split(',');
        let options: Vec<_> = options.filter(|option| !matches!(*option, "" | "defaults")).collect();
        if !options.is_empty() {
            reading.draft.put(&format!("storage.mounts[{}].options", format.on), options, from);
        }
        Ok(())
    }

    /// The draft's name of a device that was taken over.
    fn known(&self, id: &str) -> Result<String, String> {
        self.devices.get(id).cloned().ok_or_else(|| format!("`{}` wasn't taken over", id.escape_debug()))
    }

    fn members(&self, path: &str, list: &[Node], from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
        for member in list {
            reading.draft.push(path, self.known(member.text().unwrap_or_default())?, from);
        }
        Ok(())
    }
}

/// A mount of the profile; without a path it is swap.
fn put_mount(format: &Format, path: Option<&str>, from: Id, reading: &mut Reading<'_>) {
    let Format { on, fs, label } = format;
    let values =
        [("on", Some(on.as_str())), ("fs", Some(fs.as_str())), ("path", path), ("label", label.as_deref())];
    for (key, value) in values {
        if let Some(value) = value {
            reading.draft.put(&format!("storage.mounts[{on}].{key}"), value, from);
        }
    }
}

/// Said of a flag that makes an EFI system partition of a GPT's.
const NO_ESP: &str =
    "`flag: boot` isn't taken over: an EFI system partition is FAT at /boot/efi, and this is something else";
const NO_FAT: &str =
    "`flag: boot` makes an EFI system partition, and no action makes FAT on it: give it a `format`";

/// A disk's name without its directory.
fn bare(path: &str) -> &str {
    path.trim_start_matches("/dev/")
}

/// A size as curtin reads it: bytes, or a number with a unit, all of which are powers of 1024; -1 for all that is left.
fn size(path: &str, action: Action<'_>, from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
    let text = action.need("size")?;
    if text == "-1" {
        reading.draft.put(&format!("{path}.min"), "1GiB", from);
        reading.report.note(from, "all that is left: at least 1 GiB");
        return Ok(());
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_end_matches(['i', 'B', 'b']) {
        "" => "B",
        "K" | "k" => "KiB",
        "M" | "m" => "MiB",
        "G" | "g" => "GiB",
        "T" | "t" => "TiB",
        _ => return Err(format!("its size `{}` depends on the disk, or is none", text.escape_debug())),
    };
    reading.draft.put(&format!("{path}.size"), format!("{number}{unit}"), from);
    Ok(())
}
