//! Disks, and what is made on them.
//!
//! A Kickstart names disks by kernel name or takes what is there; a profile names them by what is written on them. So the disk
//! under `/` is the target, and further disks need the operator's word (`--disk sdb=SERIAL`). A layout that uses what is on a disk
//! already is refused: ironstrap starts from empty disks.

mod boot;
mod content;
pub mod parts;
mod target;

use std::collections::HashMap;

use super::Given;
use crate::import::Reading;
use crate::import::device::Device;
use crate::import::draft::item;
use crate::import::line_report::Id;
use crate::import::names::{Names, identifier};
use content::{autopart, content, mount, size};
pub use parts::Makes;
use target::{Hints, Target, bare, device, group};

const KEEPS: &str =
    "it doesn't clear the whole disk (`--all`), and ironstrap does: no layout of this file is taken over";

/// The storage commands of a file.
#[derive(Default)]
pub struct Storage<'f> {
    parts: Vec<(Makes, Given<'f>)>,
    hints: Hints,
    /// The draft's ids for what the file names.
    names: HashMap<Device, String>,
    /// The draft's ids.
    ids: Names,
}

impl<'f> Storage<'f> {
    /// Reads a command; parts wait for the others, which they may name. Gives one back that isn't about storage.
    pub fn add(&mut self, name: &str, given: Given<'f>, reading: &mut Reading<'_>) -> Option<Given<'f>> {
        let arguments = &given.arguments;
        if let Some(makes) = Makes::of(name) {
            self.parts.push((makes, given));
            return None;
        }
        match name {
            "ignoredisk" => {
                if let [disk] = arguments.list("--only-use").as_slice() {
                    self.hints.only.get_or_insert_with(|| bare(disk));
                }
                reading.report.note(given.id, "only the disks that the profile names are touched");
            }
            // without --all nothing is removed, or only what is listed; --initlabel alone is for disks that have no table
            "clearpart" if !arguments.has("--all") => {
                reading.keeps_disk = true;
                reading.report.refuse(given.id, KEEPS);
            }
            "clearpart" => {
                let note = "the disks that get partitions are cleared, no others; data that nobody claimed stops the install, unless the profile says `storage: { wipe: foreign }`";
                reading.report.note(given.id, note);
            }
            "zerombr" => {}
            "autopart" => autopart(&given, reading),
            "mount" => {
                reading.keeps_disk = true;
                reading
                    .report
                    .refuse(given.id, "it uses what is on a disk already: ironstrap starts from empty disks");
            }
            "reqpart" => {
                reading.report.note(given.id, "an EFI system partition is made in any case");
                if arguments.has("--add-boot") {
                    reading.report.lose(given.id, "--add-boot: say a partition for /boot in `storage:`");
                }
            }
            "bootloader" => {
                if let Some(drive) = arguments.text("--boot-drive") {
                    self.hints.boot.get_or_insert_with(|| bare(drive));
                }
                boot::loader(&given, reading);
            }
            _ => return Some(given),
        }
        None
    }

    /// Makes a layout of all parts.
    pub fn finish(mut self, reading: &mut Reading<'_>) {
        let parts = std::mem::take(&mut self.parts);
        let target = Target::of(&parts, &self.hints);
        if let Target::Named(disk) = &target {
            reading.target.is_called(disk);
        }
        // also where such a line is refused, or its part is not understood
        let flags = ["--onpart", "--usepart", "--useexisting", "--noformat"];
        reading.keeps_disk |=
            parts.iter().any(|(_, given)| flags.iter().any(|flag| given.arguments.has(flag)));
        let place = |wanted: &str| parts.iter().find(|(_, given)| given.arguments.first() == Some(wanted));
        if let (Some((_, root)), None) = (place("/"), place("/boot/efi")) {
            reading.put_esp(&mut self.ids, root.id);
        }
        for (makes, given) in &parts {
            let done = match makes {
                Makes::Partition => self.partition(given, &target, reading),
                Makes::Array => self.array(given, reading),
                Makes::Group => self.group(given, reading),
                Makes::Volume => self.volume(given, reading),
                Makes::Btrfs => self.btrfs(given, reading),
            };
            if let Err(why) = done {
                reading.draft.remove(given.id);
                reading.report.refuse(given.id, why);
                continue;
            }
            reading
                .layout
                .extend(parts::of_command(*makes, &given.arguments, "").map(|part| (given.id, part)));
        }
    }

    fn partition(
        &mut self,
        given: &Given<'_>,
        target: &Target,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        let arguments = &given.arguments;
        let place = arguments.first().ok_or("it has no place")?;
        if arguments.has("--onpart") || arguments.has("--useexisting") || arguments.has("--noformat") {
            return Err("it uses a partition that is there already: ironstrap starts from empty disks, so say how large it shall be".to_owned());
        }
        if place == "prepboot" || arguments.has("--encrypted") {
            let what = if place == "prepboot" { "a PReP partition" } else { "a passphrase in the file" };
            return Err(format!(
                "a profile has no {what}; encrypted devices stand in `storage: {{ luks: … }}`"
            ));
        }
        let fs = arguments.text("--fstype");
        let efi = place == "/boot/efi";
        if efi != matches!(fs, Some("efi")) && !(efi && matches!(fs, None | Some("vfat"))) {
            return Err("an EFI system partition is FAT (`--fstype=efi`) at /boot/efi, and nothing else is"
                .to_owned());
        }
        let bios = place == "biosboot";
        if bios != (fs == Some("biosboot")) && !(bios && fs.is_none()) {
            return Err(
                "a BIOS boot partition is `part biosboot --fstype=biosboot`, and holds no file system"
                    .to_owned(),
            );
        }
        let taken = || format!("`{}` is there already", place.escape_debug());
        let wanted = if efi { "esp" } else { place };
        let id = self.id_of(wanted).ok_or_else(taken)?;
        let path = format!("storage.partitions[{id}]");
        reading.draft.put(&format!("{path}.id"), id.clone(), given.id);
        if let Some(disk) = arguments.text("--ondisk") {
            self.disk(&path, &bare(disk), target, given.id, reading)?;
        }
        if efi || place == "biosboot" {
            reading.draft.put(&format!("{path}.role"), if efi { "esp" } else { "bios-boot" }, given.id);
        }
        size(&path, given, reading)?;
        if !efi && place != "biosboot" {
            content(place, &id, given, reading)?;
        }
        given.explain(&[("--asprimary", "a GPT knows no other partitions")], reading);
        let known = [
            "--fstype",
            "--size",
            "--grow",
            "--maxsize",
            "--ondisk",
            "--label",
            "--fsoptions",
            "--asprimary",
            "--hibernation",
            "--recommended",
        ];
        given.rest(&known, reading);
        Ok(())
    }

    fn disk(
        &mut self,
        path: &str,
        disk: &str,
        target: &Target,
        from: Id,
        reading: &mut Reading<'_>,
    ) -> Result<(), String> {
        match target {
            Target::Named(target) if target == disk => return Ok(()),
            Target::Named(_) => {}
            Target::Unnamed => {
                return Err(format!(
                    "the file doesn't say which disk / is on, so that nobody can tell whether `{}` is the same: give / an --ondisk as well",
                    disk.escape_debug()
                ));
            }
        }
        let serial = reading.target.serial_of_other(disk)?;
        let name = self.names.entry(Device::Disk(disk.to_owned()));
        let id = name.or_insert_with(|| self.ids.fresh(disk)).clone();
        reading.draft.put(&format!("storage.disks[{id}].id"), id.clone(), from);
        reading.draft.put(&format!("storage.disks[{id}].select.serial"), serial, from);
        reading.draft.put(&format!("{path}.disk"), id, from);
        Ok(())
    }

    /// The draft's name for `/var/log`, `pv.01` or `swap`; `None` where the place is taken already.
    fn id_of(&mut self, place: &str) -> Option<String> {
        let device = device(place);
        if place != "swap" && self.names.contains_key(&device) {
            return None;
        }
        let id = self.ids.fresh(match place {
            "/" => "root",
            "biosboot" => "bios",
            place => place.trim_start_matches('/'),
        });
        self.names.insert(device, id.clone());
        Some(id)
    }

    /// The draft's id for what the file names.
    fn known(&self, device: &Device) -> Result<String, String> {
        let found = self.names.get(device).cloned();
        let shown = || device.to_string().escape_debug().to_string();
        found.ok_or_else(|| format!("nothing that was taken over is called `{}`", shown()))
    }

    fn members(&self, path: &str, words: &[&str], from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
        for word in words {
            reading.draft.push(path, self.known(&device(word))?, from);
        }
        Ok(())
    }

    fn array(&mut self, given: &Given<'_>, reading: &mut Reading<'_>) -> Result<(), String> {
        let arguments = &given.arguments;
        let words: Vec<_> = arguments.words().collect();
        let (place, members) = words.split_first().ok_or("it has no place")?;
        if arguments.has("--useexisting") || arguments.has("--noformat") || arguments.has("--encrypted") {
            return Err(
                "an array that is there already, or with a passphrase in the file, has no place in a profile"
                    .to_owned(),
            );
        }
        let array = arguments.text("--device").ok_or("it has no --device")?;
        let id = reading.device_name(&mut self.ids, array.trim_start_matches("/dev/md/"), given.id);
        let path = format!("storage.raids[{id}]");
        reading.draft.put(&format!("{path}.id"), id.clone(), given.id);
        let level = arguments.text("--level").unwrap_or_default().to_lowercase();
        let level = format!("raid{}", level.trim_start_matches("raid"));
        reading.draft.put(&format!("{path}.level"), level, given.id);
        let spares = usize::try_from(arguments.number("--spares").unwrap_or(0)).unwrap_or(0);
        let (members, waiting) = members.split_at(members.len().saturating_sub(spares));
        self.members(&format!("{path}.members"), members, given.id, reading)?;
        self.members(&format!("{path}.spares"), waiting, given.id, reading)?;
        self.names.insert(device(place), id.clone());
        content(place, &id, given, reading)?;
        given.rest(&["--device", "--level", "--spares", "--fstype", "--label", "--fsoptions"], reading);
        Ok(())
    }

    fn group(&mut self, given: &Given<'_>, reading: &mut Reading<'_>) -> Result<(), String> {
        let arguments = &given.arguments;
        let words: Vec<_> = arguments.words().collect();
        let (name, members) = words.split_first().ok_or("it has no name")?;
        if arguments.has("--useexisting") || arguments.has("--noformat") || members.is_empty() {
            return Err("it is there already: ironstrap starts from empty disks".to_owned());
        }
        let id = reading.device_name(&mut self.ids, name, given.id);
        self.names.insert(group(name), id.clone());
        reading.draft.put(&format!("storage.volume_groups[{id}].id"), id.clone(), given.id);
        self.members(&format!("storage.volume_groups[{id}].members"), members, given.id, reading)?;
        given.rest(&[], reading);
        Ok(())
    }

    fn volume(&mut self, given: &Given<'_>, reading: &mut Reading<'_>) -> Result<(), String> {
        let arguments = &given.arguments;
        let place = arguments.first().ok_or("it has no place")?;
        if arguments.has("--useexisting") || arguments.has("--noformat") || arguments.has("--encrypted") {
            return Err(
                "a volume that is there already, or with a passphrase in the file, has no place in a profile"
                    .to_owned(),
            );
        }
        let name = arguments.text("--name").ok_or("it has no --name")?;
        let group_name = arguments.text("--vgname").ok_or("it has no --vgname")?;
        let in_group = self.known(&group(group_name))?;
        let id = reading.device_name(&mut self.ids, name, given.id);
        let volume = |name: &str| Device::Volume { group: group_name.to_owned(), name: name.to_owned() };
        self.names.insert(volume(name), id.clone());
        let pool = arguments.has("--thinpool");
        let path = format!("storage.{}[{id}]", if pool { "thin_pools" } else { "logical_volumes" });
        reading.draft.put(&format!("{path}.id"), id.clone(), given.id);
        reading.draft.put(&format!("{path}.group"), in_group, given.id);
        if let Some(name) = arguments.text("--poolname") {
            let pool = self.known(&volume(name))?;
            reading.draft.put(&format!("{path}.pool"), pool, given.id);
        }
        size(&path, given, reading)?;
        if !pool {
            self.names.insert(device(place), id.clone());
            content(place, &id, given, reading)?;
        }
        let known = [
            "--name",
            "--vgname",
            "--thinpool",
            "--thin",
            "--poolname",
            "--fstype",
            "--size",
            "--grow",
            "--maxsize",
            "--label",
            "--fsoptions",
            "--recommended",
            "--hibernation",
        ];
        given.rest(&known, reading);
        Ok(())
    }

    fn btrfs(&mut self, given: &Given<'_>, reading: &mut Reading<'_>) -> Result<(), String> {
        let arguments = &given.arguments;
        let words: Vec<_> = arguments.words().collect();
        let (place, on) = words.split_first().ok_or("it has no place")?;
        if arguments.has("--subvol") {
            let label = on
                .first()
                .and_then(|word| word.strip_prefix("LABEL="))
                .ok_or("name its volume as LABEL=…")?;
            let path = format!("storage.btrfs[{}].subvolumes[{}]", identifier(label), item(place));
            reading.draft.put(
                &format!("{path}.name"),
                identifier(arguments.text("--name").ok_or("it has no --name")?),
                given.id,
            );
            reading.draft.put(&format!("{path}.path"), *place, given.id);
            given.rest(&["--subvol", "--name"], reading);
            return Ok(());
        }
        if *place != "none" {
            let [only] = on else {
                return Err("one file system on one device is all that a profile can say".to_owned());
            };
            let id = self.known(&device(only))?;
            mount(place, "btrfs", &id, given, reading);
            given.rest(&["--label"], reading);
            return Ok(());
        }
        let id = identifier(arguments.text("--label").ok_or("it has no --label")?);
        reading.draft.put(&format!("storage.btrfs[{id}].id"), id.clone(), given.id);
        self.members(&format!("storage.btrfs[{id}].on"), on, given.id, reading)?;
        given.rest(&["--label"], reading);
        Ok(())
    }
}
