//! Disks, and what is made on them.
//!
//! A Kickstart names disks by kernel name or takes what is there; a profile names them by what is written on them. So what
//! stands on the first disk goes to the target, and further disks need the operator's word (`--disk sdb=SERIAL`). A layout that uses
//! what is on a disk already is refused: ironstrap starts from empty disks.

mod content;

use std::collections::HashMap;

use super::Given;
use crate::import::ledger::Id;
use crate::import::{Reading, identifier};
use content::{autopart, content, mount, size};

const KEEPS: &str =
    "it doesn't clear the whole disk (`--all`), and ironstrap does: no layout of this file is taken over";

/// The storage commands of a file.
#[derive(Default)]
pub struct Storage<'f> {
    parts: Vec<(&'static str, Given<'f>)>,
    /// The target's kernel name, as far as the file says it.
    target: Option<String>,
    /// Names that the file gives to parts, and the draft's ids for them.
    names: HashMap<String, String>,
    /// How many parts would be called so.
    counts: HashMap<String, usize>,
}

impl<'f> Storage<'f> {
    /// Reads a command; parts wait for the others, which they may name.
    pub fn add(&mut self, name: &str, given: Given<'f>, reading: &mut Reading<'_>) {
        let arguments = &given.arguments;
        match name {
            "part" | "partition" => self.parts.push(("part", given)),
            "raid" => self.parts.push(("raid", given)),
            "volgroup" => self.parts.push(("volgroup", given)),
            "logvol" => self.parts.push(("logvol", given)),
            "btrfs" => self.parts.push(("btrfs", given)),
            "ignoredisk" => {
                if let [disk] = arguments.list("--only-use").as_slice() {
                    self.target.get_or_insert_with(|| bare(disk));
                }
                reading.ledger.note(given.id, "only the disks that the profile names are touched");
            }
            // without --all nothing is removed, or only what is listed; --initlabel alone is for disks that have no table
            "clearpart" if !arguments.has("--all") => {
                reading.keeps_disk = true;
                reading.ledger.refuse(given.id, KEEPS);
            }
            "clearpart" => {
                let note = "the disks that get partitions are cleared, no others; data that nobody claimed stops the install, unless the profile says `storage: { wipe: foreign }`";
                reading.ledger.note(given.id, note);
            }
            "zerombr" => {}
            "autopart" => autopart(&given, reading),
            "reqpart" => reading.ledger.note(given.id, "an EFI system partition is made in any case"),
            _ => self.boot_loader(&given, reading),
        }
    }

    fn boot_loader(&mut self, given: &Given<'_>, reading: &mut Reading<'_>) {
        let arguments = &given.arguments;
        if let Some(drive) = arguments.text("--boot-drive") {
            self.target.get_or_insert_with(|| bare(drive));
        }
        for argument in arguments.text("--append").unwrap_or_default().split_whitespace() {
            match argument.strip_prefix("console=") {
                Some(console) => reading.draft.push("boot.consoles", console, given.id),
                None => reading.draft.push("kernel_args", argument, given.id),
            }
        }
        match arguments.text("--password") {
            Some(hash) if arguments.has("--iscrypted") => {
                _ = reading.draft.put("boot.password", hash, given.id)
            }
            Some(_) => {
                let note = "a clear password isn't taken over: make a hash with grub-mkpasswd-pbkdf2, and set `boot: { password: … }`";
                reading.ledger.lose(given.id, note);
            }
            None => {}
        }
        if matches!(arguments.text("--location"), Some("none" | "partition")) || arguments.has("--disabled") {
            reading.ledger.lose(given.id, "the boot loader goes to the target disk in any case");
        }
        let notes = [
            ("--location", "the boot loader goes to the target disk"),
            ("--boot-drive", "the target disk"),
            ("--timeout", "the distribution's own"),
        ];
        if arguments.has("--timeout") {
            reading.ledger.lose(given.id, "--timeout has no key in a profile");
        }
        given.explain(&notes[..2], reading);
        given.rest(
            &[
                "--append",
                "--password",
                "--iscrypted",
                "--location",
                "--boot-drive",
                "--timeout",
                "--disabled",
            ],
            reading,
        );
    }

    /// Makes a layout of all parts.
    pub fn finish(mut self, reading: &mut Reading<'_>) {
        let parts = std::mem::take(&mut self.parts);
        if parts.is_empty() {
            return;
        }
        // also where such a line is refused, or its part is not understood
        let flags = ["--onpart", "--usepart", "--useexisting", "--noformat"];
        reading.keeps_disk |=
            parts.iter().any(|(_, given)| flags.iter().any(|flag| given.arguments.has(flag)));
        let first_disk = parts.iter().find_map(|(_, given)| given.arguments.text("--ondisk"));
        self.target = self.target.take().or_else(|| first_disk.map(bare));
        if !parts.iter().any(|(_, given)| given.arguments.first() == Some("/boot/efi")) {
            // at the front of the disk, as everywhere
            for (key, value) in [("id", "esp"), ("role", "esp"), ("size", "512MiB")] {
                reading.draft.put(&format!("storage.partitions[esp].{key}"), value, Id::NOBODY);
            }
        }
        for (kind, given) in &parts {
            let done = match *kind {
                "part" => self.partition(given, reading),
                "raid" => self.raid(given, reading),
                "volgroup" => self.group(given, reading),
                "logvol" => self.volume(given, reading),
                _ => self.btrfs(given, reading),
            };
            if let Err(why) = done {
                reading.draft.remove(given.id);
                reading.ledger.refuse(given.id, why);
            }
        }
        if !reading.draft.has("storage.mounts") && !reading.draft.has("storage.btrfs") {
            reading.draft.remove_section("storage.partitions[esp]");
        }
    }

    fn partition(&mut self, given: &Given<'_>, reading: &mut Reading<'_>) -> Result<(), String> {
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
        let efi = place == "/boot/efi" || arguments.text("--fstype") == Some("efi");
        let taken = || format!("`{}` is there already", place.escape_debug());
        let id = if efi { "esp".to_owned() } else { self.id_of(place).ok_or_else(taken)? };
        let path = format!("storage.partitions[{id}]");
        if reading.draft.has(&path) {
            return Err(taken());
        }
        reading.draft.put(&format!("{path}.id"), id.clone(), given.id);
        if let Some(disk) = arguments.text("--ondisk") {
            self.disk(&path, &bare(disk), given.id, reading)?;
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

    fn disk(&self, path: &str, disk: &str, from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
        if self.target.as_deref().is_none_or(|target| target == disk) {
            return Ok(());
        }
        let shown = disk.escape_debug();
        let Some(serial) = reading.machine.disks.get(disk).cloned() else {
            return Err(format!(
                "`{shown}` is a kernel name, which may be another disk's tomorrow: import with --disk {shown}=SERIAL"
            ));
        };
        let id = identifier(disk);
        reading.draft.put(&format!("storage.disks[{id}].id"), id.clone(), from);
        reading.draft.put(&format!("storage.disks[{id}].select.serial"), serial, from);
        reading.draft.put(&format!("{path}.disk"), id, from);
        Ok(())
    }

    /// The draft's name for `/var/log`, `pv.01` or `swap`; `None` where the place is taken already.
    fn id_of(&mut self, place: &str) -> Option<String> {
        let wanted = match place {
            "/" => "root".to_owned(),
            "biosboot" => "bios".to_owned(),
            place => identifier(place.trim_start_matches('/')),
        };
        if place != "swap" && self.names.contains_key(place) {
            return None;
        }
        let count = self.counts.entry(wanted.clone()).or_default();
        *count += 1;
        let id = if *count == 1 { wanted } else { identifier(&format!("{wanted}_{count}")) };
        self.names.insert(place.to_owned(), id.clone());
        Some(id)
    }

    /// What the file calls `pv.01`, in the draft.
    fn known(&self, name: &str) -> Result<String, String> {
        let found = self.names.get(name).cloned();
        found.ok_or_else(|| format!("nothing that was taken over is called `{}`", name.escape_debug()))
    }

    fn members(&self, path: &str, words: &[&str], from: Id, reading: &mut Reading<'_>) -> Result<(), String> {
        for word in words {
            reading.draft.push(path, self.known(word)?, from);
        }
        Ok(())
    }

    fn raid(&mut self, given: &Given<'_>, reading: &mut Reading<'_>) -> Result<(), String> {
        let arguments = &given.arguments;
        let words: Vec<_> = arguments.words().collect();
        let (place, members) = words.split_first().ok_or("it has no place")?;
        if arguments.has("--useexisting") || arguments.has("--noformat") || arguments.has("--encrypted") {
            return Err(
                "an array that is there already, or with a passphrase in the file, has no place in a profile"
                    .to_owned(),
            );
        }
        let device = arguments.text("--device").ok_or("it has no --device")?;
        let id = identifier(device.trim_start_matches("/dev/md/"));
        let path = format!("storage.raids[{id}]");
        reading.draft.put(&format!("{path}.id"), id.clone(), given.id);
        let level = arguments.text("--level").unwrap_or_default().to_lowercase();
        let level = format!("raid{}", level.trim_start_matches("raid"));
        reading.draft.put(&format!("{path}.level"), level, given.id);
        let spares = usize::try_from(arguments.number("--spares").unwrap_or(0)).unwrap_or(0);
        let (members, waiting) = members.split_at(members.len().saturating_sub(spares));
        self.members(&format!("{path}.members"), members, given.id, reading)?;
        self.members(&format!("{path}.spares"), waiting, given.id, reading)?;
        self.names.insert((*place).to_owned(), id.clone());
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
        let id = identifier(name);
        self.names.insert((*name).to_owned(), id.clone());
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
        let id = identifier(arguments.text("--name").ok_or("it has no --name")?);
        let group = self.known(arguments.text("--vgname").ok_or("it has no --vgname")?)?;
        let pool = arguments.has("--thinpool");
        let path = format!("storage.{}[{id}]", if pool { "thin_pools" } else { "logical_volumes" });
        reading.draft.put(&format!("{path}.id"), id.clone(), given.id);
        reading.draft.put(&format!("{path}.group"), group, given.id);
        if let Some(name) = arguments.text("--poolname") {
            reading.draft.put(&format!("{path}.pool"), identifier(name), given.id);
        }
        size(&path, given, reading)?;
        if !pool {
            self.names.insert(place.to_owned(), id.clone());
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
            let path = format!("storage.btrfs[{}].subvolumes[{place}]", identifier(label));
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
            let [device] = on else {
                return Err("one file system on one device is all that a profile can say".to_owned());
            };
            let id = self.known(device)?;
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

/// A disk's name without its directory.
fn bare(disk: &str) -> String {
    disk.trim_start_matches("/dev/").to_owned()
}
