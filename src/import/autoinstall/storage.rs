//! curtin's actions as a layout.

mod parts;

use std::collections::BTreeMap;

use super::Given;
use crate::grammar::autoinstall::yaml::Node;
use crate::import::Reading;
use crate::import::layout::Part;
use crate::import::line_report::Id;
use crate::import::names::{Names, identifier};
use crate::import::stack::Stack;
use parts::Uses;

/// Reads `storage`.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    if let Some((id, name)) = given.text("storage.layout.name") {
        reading.report.taken(id);
        let note = "ironstrap's usual layout: an EFI system partition, and / on the rest (ext4)";
        match name {
            "direct" => reading.report.note(id, note),
            name => {
                reading.report.lose(id, format!("{}: {note}; say another in `storage:`", name.escape_debug()))
            }
        }
    }
    let Some(config) = given.get("storage.config") else { return };
    let uses = Uses::of(config.items());
    let mut layout = Layout::of(config.items(), reading);
    let own_esp = config.items().iter().any(|action| is_esp(action, &uses));
    if let (Some(number), false) = (root(config.items()), own_esp) {
        // at the front of the disk, as everywhere; it goes when `/` does
        let (esp, id) = (layout.ids.fresh("esp"), given.id(&format!("storage.config[{number}]")));
        for (key, value) in [("id", esp.as_str()), ("role", "esp"), ("size", "512MiB")] {
            reading.draft.put(&format!("storage.partitions[{esp}].{key}"), value, id);
        }
        reading.report.note(id, "with an EFI system partition of 512 MiB, which the file doesn't have");
    }
    for (number, action) in config.items().iter().enumerate() {
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
fn is_esp(action: &Node, uses: &Uses<'_>) -> bool {
    let text = |key: &str| action.get(key).and_then(Node::text);
    text("type") == Some("partition") && text("id").is_some_and(|id| uses.is_esp(id, text("flag")))
}

/// Which action mounts `/`.
fn root(actions: &[Node]) -> Option<usize> {
    let text = |action: &Node, key: &str, value: &str| action.get(key).and_then(Node::text) == Some(value);
    actions.iter().position(|action| text(action, "type", "mount") && text(action, "path", "/"))
}

/// What a rendered configuration lays out; `shown` is how a person reads an action.
pub fn laid_out(config: &Node, shown: impl Fn(&Node) -> String) -> Vec<Part> {
    let actions = config.get("storage").and_then(|storage| storage.get("config"));
    let actions = actions.map(Node::items).unwrap_or_default();
    let uses = Uses::of(actions);
    let part = |action| parts::of_action(action, &uses, &shown(action));
    actions.iter().filter_map(part).collect()
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
    /// Formats by the device that they are on, with their kind and label.
    formats: BTreeMap<String, (String, String, Option<String>)>,
    /// Devices that are EFI system partitions.
    esps: Vec<String>,
}

impl Layout {
    /// With the disk under `/`, and the name that its draft has.
    fn of(actions: &[Node], reading: &mut Reading<'_>) -> Self {
        let mut layout = Self { target: target(actions), ..Self::default() };
        layout.ids.fresh("target");
        let is_target = |action: &&Node| action.get("id").and_then(Node::text) == layout.target.as_deref();
        if let Some(path) = actions.iter().find(is_target).and_then(|disk| disk.get("path")?.text()) {
            reading.name_target(bare(path));
        }
        layout
    }

    /// The draft's id for a thing with a name of its own, which says so where it is another one.
    fn id_for(&mut self, name: &str, from: Id, reading: &mut Reading<'_>) -> String {
        let id = self.ids.fresh(name);
        if id != identifier(name) {
            reading.report.note(from, format!("called `{id}` in the profile: another has its name"));
        }
        id
    }

    fn add(
        &mut self,
        action: &Node,
        uses: &Uses<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let text = |key: &str| action.get(key).and_then(Node::text);
        if action.get("preserve").is_some_and(Node::is_true) {
            reading.keeps_disk = true;
            return Err("it uses what is on the disk already: ironstrap starts from empty disks".to_owned());
        }
        let id = text("id").ok_or("it has no id")?;
        if self.devices.contains_key(id)
            || self.formats.contains_key(id)
            || self.disks.iter().any(|(known, _)| known == id)
        {
            return Err("an action before it has its id".to_owned());
        }
        match text("type").ok_or("it has no type")? {
            "disk" => self.disk(id, action, from, reading),
            "partition" => self.partition(id, action, uses, from, reading),
            "lvm_volgroup" => {
                let name = self.id_for(text("name").unwrap_or(id), from, reading);
                let path = format!("storage.volume_groups[{name}]");
                reading.draft.put(&format!("{path}.id"), name.clone(), from);
                self.members(&format!("{path}.members"), action.get("devices"), from, reading)?;
                self.devices.insert(id.to_owned(), name);
                Ok(())
            }
            "lvm_partition" => {
                let name = self.id_for(text("name").unwrap_or(id), from, reading);
                let path = format!("storage.logical_volumes[{name}]");
                reading.draft.put(&format!("{path}.id"), name.clone(), from);
                let group = self.device(text("volgroup").ok_or("it has no volgroup")?)?;
                reading.draft.put(&format!("{path}.group"), group, from);
                size(&path, text("size"), from, reading)?;
                self.devices.insert(id.to_owned(), name);
                Ok(())
            }
            "raid" => {
                let name = self.id_for(text("name").unwrap_or(id), from, reading);
                let path = format!("storage.raids[{name}]");
                reading.draft.put(&format!("{path}.id"), name.clone(), from);
                let level = text("raidlevel").ok_or("it has no raidlevel")?;
                let level = format!("raid{}", level.trim_start_matches("raid"));
                reading.draft.put(&format!("{path}.level"), level, from);
                self.members(&format!("{path}.members"), action.get("devices"), from, reading)?;
                self.members(&format!("{path}.spares"), action.get("spare_devices"), from, reading)?;
                self.devices.insert(id.to_owned(), name);
                Ok(())
            }
            "format" => {
                let on = self.device(text("volume").ok_or("it has no volume")?)?;
                let fs = match text("fstype").ok_or("it has no fstype")? {
                    "fat32" | "vfat" | "fat" => "vfat",
                    fs => fs,
                };
                self.formats
                    .insert(id.to_owned(), (on.clone(), fs.to_owned(), text("label").map(str::to_owned)));
                if fs == "swap" {
                    self.mount(&on, "swap", None, None, from, reading);
                }
                Ok(())
            }
            "mount" => {
                let (on, fs, label) = self
                    .formats
                    .get(text("device").ok_or("it has no device")?)
                    .cloned()
                    .ok_or("its format wasn't taken over")?;
                if fs != "swap" && !self.esps.contains(&on) {
                    self.mount(&on, &fs, text("path"), label, from, reading);
                    let options = text("options").unwrap_or_default();
                    let options: Vec<_> =
                        options.split(',').filter(|option| !matches!(*option, "" | "defaults")).collect();
                    if !options.is_empty() {
                        reading.draft.put(&format!("storage.mounts[{on}].options"), options, from);
                    }
                }
                Ok(())
            }
            other => Err(format!("a profile has no `{}`", other.escape_debug())),
        }
    }

    fn disk(&mut self, id: &str, action: &Node, from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
        let rule = action.get("match");
        let text = |key: &str| {
            let own = action.get(key).and_then(Node::text);
            own.or_else(|| rule?.get(key)?.text()).filter(|text| !text.contains(['*', '?']))
        };
        if action.get("ptable").and_then(Node::text).is_some_and(|table| table != "gpt") {
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
                let serial = reading.serial_of(path)?;
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
        action: &Node,
        uses: &Uses<'_>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let text = |key: &str| action.get(key).and_then(Node::text);
        let esp = uses.is_esp(id, text("flag"));
        match text("flag") {
            Some("bios_grub" | "prep") if uses.file_systems(id).next().is_some() => {
                return Err("the boot loader's own partition holds no file system".to_owned());
            }
            Some("boot") if !esp && uses.file_systems(id).next().is_none() => {
                return Err(NO_FAT.to_owned());
            }
            Some("boot") if !esp => reading.report.lose(from, NO_ESP),
            _ => {}
        }
        let device = text("device").ok_or("it has no device")?;
        let (_, disk) =
            self.disks.iter().find(|(known, _)| known == device).ok_or("its disk wasn't taken over")?;
        let disk = disk.clone();
        let name = self.id_for(id, from, reading);
        let path = format!("storage.partitions[{name}]");
        reading.draft.put(&format!("{path}.id"), name.clone(), from);
        if disk != "target" {
            reading.draft.put(&format!("{path}.disk"), disk, from);
        }
        match text("flag") {
            _ if esp => {
                reading.draft.put(&format!("{path}.role"), "esp", from);
                self.esps.push(name.clone());
            }
            Some("bios_grub") => _ = reading.draft.put(&format!("{path}.role"), "bios-boot", from),
            Some("extended" | "logical" | "prep") => return Err("a GPT has no such partition".to_owned()),
            _ => {}
        }
        size(&path, text("size"), from, reading)?;
        self.devices.insert(id.to_owned(), name);
        Ok(())
    }

    fn device(&self, id: &str) -> Result<String, String> {
        self.devices.get(id).cloned().ok_or_else(|| format!("`{}` wasn't taken over", id.escape_debug()))
    }

    fn members(
        &self,
        path: &str,
        list: Option<&Node>,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        for member in list.map(Node::items).unwrap_or_default() {
            reading.draft.push(path, self.device(member.text().unwrap_or_default())?, from);
        }
        Ok(())
    }

    fn mount(
        &self,
        on: &str,
        fs: &str,
        path: Option<&str>,
        label: Option<String>,
        from: Id,
        reading: &mut Reading<'_>,
    ) {
        let mut put = |key: &str, value: String| {
            _ = reading.draft.put(&format!("storage.mounts[{on}].{key}"), value, from)
        };
        put("on", on.to_owned());
        put("fs", fs.to_owned());
        if let Some(path) = path {
            put("path", path.to_owned());
        }
        if let Some(label) = label {
            put("label", label);
        }
    }
}

/// Said of a flag that makes an EFI system partition of a GPT's.
const NO_ESP: &str =
    "`flag: boot` isn't taken over: an EFI system partition is FAT at /boot/efi, and this is something else";
const NO_FAT: &str =
    "`flag: boot` makes an EFI system partition, and no action makes FAT on it: give it a `format`";

/// The id of the disk under `/`, through formats, volumes, groups and arrays; of several the one with the boot loader.
fn target(actions: &[Node]) -> Option<String> {
    let mut stack = Stack::default();
    let place = |path: &str| format!("path {path}");
    let (mut disks, mut boot) = (Vec::new(), Vec::new());
    for action in actions {
        let text = |key: &str| action.get(key).and_then(Node::text);
        let Some(id) = text("id") else { continue };
        let list =
            |key: &str| action.get(key).map(Node::items).unwrap_or_default().iter().filter_map(Node::text);
        match text("type").unwrap_or_default() {
            "disk" => {
                stack.on_disk(id, id);
                disks.push(id);
                boot.extend(action.get("grub_device").filter(|node| node.is_true()).map(|_| id));
            }
            "mount" => text("device").into_iter().for_each(|device| {
                text("path").into_iter().for_each(|path| stack.on_part(&place(path), device));
            }),
            _ => {
                let one = ["device", "volume", "volgroup"].into_iter().filter_map(text);
                let many = ["devices", "spare_devices"].into_iter().flat_map(list);
                one.chain(many).for_each(|other| stack.on_part(id, other));
            }
        }
    }
    boot.extend(stack.disks_under(&place("/boot/efi")));
    let root = stack.disk_under(&place("/"), &boot);
    let only = if let [disk] = disks.as_slice() { Some(*disk) } else { None };
    root.or(only).map(ToOwned::to_owned)
}

/// A disk's name without its directory.
fn bare(path: &str) -> &str {
    path.trim_start_matches("/dev/")
}

/// A size as curtin reads it: bytes, or a number with a unit, all of which are powers of 1024; -1 for all that is left.
fn size(path: &str, text: Option<&str>, from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
    let text = text.ok_or("it has no size")?;
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
