//! curtin's actions as a layout.

use std::collections::BTreeMap;

use super::Given;
use crate::grammar::autoinstall::yaml::Node;
use crate::import::ledger::Id;
use crate::import::{Reading, identifier};

/// Reads `storage`.
pub fn read(given: &Given<'_>, reading: &mut Reading<'_>) {
    if let Some((id, name)) = given.text("storage.layout.name") {
        reading.ledger.taken(id);
        let note = "ironstrap's usual layout: an EFI system partition, and / on the rest (ext4)";
        match name {
            "direct" => reading.ledger.note(id, note),
            name => {
                reading.ledger.lose(id, format!("{}: {note}; say another in `storage:`", name.escape_debug()))
            }
        }
    }
    let Some(config) = given.get("storage.config") else { return };
    let mut layout = Layout::default();
    for (number, action) in config.items().iter().enumerate() {
        let id = given.id(&format!("storage.config[{number}]"));
        reading.ledger.taken(id);
        if let Err(why) = layout.add(action, id, reading) {
            reading.draft.remove(id);
            reading.ledger.refuse(id, why);
        }
    }
}

/// What is known of the actions so far, by their ids.
#[derive(Default)]
struct Layout {
    /// The target's id, and those of further disks with the draft's.
    disks: Vec<(String, String)>,
    /// Devices by the draft's names.
    devices: BTreeMap<String, String>,
    /// Formats by the device that they are on, with their kind and label.
    formats: BTreeMap<String, (String, String, Option<String>)>,
    /// Devices that are EFI system partitions.
    esps: Vec<String>,
}

impl Layout {
    fn add(&mut self, action: &Node, from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
        let text = |key: &str| action.get(key).and_then(Node::text);
        if action.get("preserve").is_some_and(Node::is_true) {
            reading.keeps_disk = true;
            return Err("it uses what is on the disk already: ironstrap starts from empty disks".to_owned());
        }
        let id = text("id").ok_or("it has no id")?;
        match text("type").ok_or("it has no type")? {
            "disk" => self.disk(id, action, from, reading),
            "partition" => self.partition(id, action, from, reading),
            "lvm_volgroup" => {
                let name = identifier(text("name").unwrap_or(id));
                let path = format!("storage.volume_groups[{name}]");
                reading.draft.put(&format!("{path}.id"), name.clone(), from);
                self.members(&format!("{path}.members"), action.get("devices"), from, reading)?;
                self.devices.insert(id.to_owned(), name);
                Ok(())
            }
            "lvm_partition" => {
                let name = identifier(text("name").unwrap_or(id));
                let path = format!("storage.logical_volumes[{name}]");
                reading.draft.put(&format!("{path}.id"), name.clone(), from);
                let group = self.device(text("volgroup").ok_or("it has no volgroup")?)?;
                reading.draft.put(&format!("{path}.group"), group, from);
                size(&path, text("size"), from, reading)?;
                self.devices.insert(id.to_owned(), name);
                Ok(())
            }
            "raid" => {
                let name = identifier(text("name").unwrap_or(id));
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
        let target = self.disks.is_empty();
        let name = if target { "target".to_owned() } else { identifier(id) };
        let place =
            if target { "storage.target".to_owned() } else { format!("storage.disks[{name}].select") };
        let known = target && reading.machine.target.is_some();
        let path = text("path").map(|path| path.trim_start_matches("/dev/"));
        let said = path.and_then(|path| reading.machine.disks.get(path).cloned());
        match (text("serial"), text("wwn")) {
            _ if known => {}
            (Some(serial), _) => _ = reading.draft.put(&format!("{place}.serial"), serial, from),
            (None, Some(wwn)) => _ = reading.draft.put(&format!("{place}.wwn"), wwn, from),
            (None, None) => match said {
                Some(serial) => _ = reading.draft.put(&format!("{place}.serial"), serial, from),
                None if target => {
                    reading.ledger.note(from, "the disk is the one that `storage.target` names");
                }
                None => {
                    return Err(format!(
                        "nothing in it is written on the disk: import with --disk {}=SERIAL",
                        path.unwrap_or("NAME").escape_debug()
                    ));
                }
            },
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
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let text = |key: &str| action.get(key).and_then(Node::text);
        let device = text("device").ok_or("it has no device")?;
        let (_, disk) =
            self.disks.iter().find(|(known, _)| known == device).ok_or("its disk wasn't taken over")?;
        let name = identifier(id);
        let path = format!("storage.partitions[{name}]");
        reading.draft.put(&format!("{path}.id"), name.clone(), from);
        if disk != "target" {
            reading.draft.put(&format!("{path}.disk"), disk.clone(), from);
        }
        match text("flag") {
            Some("boot") => {
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

/// A size as curtin reads it: bytes, or a number with a unit, all of which are powers of 1024; -1 for all that is left.
fn size(path: &str, text: Option<&str>, from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
    let text = text.ok_or("it has no size")?;
    if text == "-1" {
        reading.draft.put(&format!("{path}.min"), "1GiB", from);
        reading.ledger.note(from, "all that is left: at least 1 GiB");
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
