//! Entries of the Boot Loader Specification, where GRUB's configuration asks for them: what Fedora's, RHEL's and their kin start.
//!
//! How GRUB reads them is `grub-core/commands/blscfg.c`, which Red Hat's and openSUSE's GRUB have as a patch ("blscfg: add blscfg module
//! to parse Boot Loader Specification snippets"): `find_entry` (`/loader/entries` of `$root`, else `/boot/loader/entries`),
//! `read_entry` (a line without a blank ends a file), `bls_cmp` and `is_default_entry` (the newest is first, `default` by id, title or
//! number), `create_entry_bls_config` (paths are of `$root`), `expand_val` (a variable that isn't set is nothing).
//!
//! Promises: only the entry is judged that is started by itself. What else decides isn't guessed: another directory (`blsdir`),
//! unified kernels, entries in the ESP, variables that nobody sets; those images pass.

use std::cmp::Ordering;

use anyhow::{Result, bail, ensure};

use super::{MENUS, is_roots_name, text};
use crate::image::names::Names;
use crate::image::system::by_version;
use crate::image::tree::{EntryType, FatTree, ReadTree};

/// Where entries are, in the tree with what is mounted at `/boot`.
const ENTRIES: &str = "/boot/loader/entries";
/// They come first where `$root` is what has them, and no `/boot` is mounted.
const ENTRIES_OF_ROOT: &str = "/loader/entries";
/// The environment of GRUB stands beside its configuration.
const ENVIRONMENT: &str = "grubenv";

/// Judges the entry that is started, where a configuration asks for entries. `apart` says that `/boot` is a file system of its own.
///
/// # Errors
/// No entry, or one whose kernel, initrd or root the image doesn't have; names the file and its key.
pub fn judge(root: &dyn ReadTree, esp: &FatTree, names: &Names, apart: bool) -> Result<()> {
    let Some(config) = Config::find(root, esp)? else { return Ok(()) };
    // others than the usual entries may be started
    if config.sets("blsdir") || esp.exists(ENTRIES_OF_ROOT)? || esp.exists("/EFI/Linux")? {
        return Ok(());
    }
    let folder = if !apart && root.exists(ENTRIES_OF_ROOT)? { ENTRIES_OF_ROOT } else { ENTRIES };
    let mut entries = read(root, folder)?;
    if entries.is_empty() {
        ensure!(
            config.has_kernel(),
            "{} asks for the entries in {folder}, and none there names a kernel: GRUB's menu would be empty; make them in the image (`kernel-install add`, or reinstall the kernel's package)",
            config.place
        );
        return Ok(());
    }
    entries.sort_by(|one, other| newest_first(&one.id, &other.id));
    started(&entries, config.saved().as_deref()).judge(root, names, &config, apart)
}

/// What GRUB's configuration and the environment beside it say.
struct Config {
    place: String,
    text: String,
    environment: String,
}

impl Config {
    /// The one that asks for entries. Where the root has a menu, that counts; what is in the ESP leads to it, or is left over.
    fn find(root: &dyn ReadTree, esp: &FatTree) -> Result<Option<Self>> {
        let mut has_menu = false;
        for place in MENUS {
            let Some(text) = text(root, place)? else { continue };
            has_menu = true;
            if asks(&text) {
                return Self::of(root, place, text, "the image").map(Some);
            }
        }
        let folders = if has_menu { Vec::new() } else { esp.list("/EFI")? };
        for folder in folders.iter().filter(|folder| folder.kind == EntryType::Directory) {
            let place = format!("/EFI/{}/grub.cfg", folder.name);
            if let Some(text) = text(esp, &place)?.filter(|text| asks(text)) {
                return Self::of(esp, &place, text, "the image's ESP").map(Some);
            }
        }
        Ok(None)
    }

    fn of(tree: &dyn ReadTree, place: &str, config: String, called: &str) -> Result<Self> {
        let beside =
            place.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/{ENVIRONMENT}"));
        let environment = text(tree, &beside)?.unwrap_or_default();
        Ok(Self { place: format!("{place} in {called}"), text: config, environment })
    }

    fn sets(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A variable: as the environment has it, else as the configuration first sets it.
    fn value(&self, name: &str) -> Option<String> {
        let assigned = |line: &str| {
            let value = line.trim_start().strip_prefix(name)?.strip_prefix('=')?.trim_end();
            Some(value.trim_matches(['"', '\'']).to_owned())
        };
        let set = |line: &str| assigned(line.trim_start().strip_prefix("set ")?);
        self.environment.lines().find_map(assigned).or_else(|| self.text.lines().find_map(set))
    }

    fn saved(&self) -> Option<String> {
        self.value("saved_entry").filter(|saved| !saved.is_empty() && !saved.contains('$'))
    }

    fn has_kernel(&self) -> bool {
        self.text.lines().any(|line| line.trim_start().starts_with("linux"))
    }

    /// The value of an entry's key with variables in the place of their names.
    fn expand(&self, value: &str) -> Vec<String> {
        let mut words = Vec::new();
        for word in value.split_whitespace() {
            match word.strip_prefix('$').map(|name| name.trim_matches(['{', '}'])) {
                Some(name) => {
                    let value = self.value(name).unwrap_or_default();
                    words.extend(value.split_whitespace().map(str::to_owned));
                }
                None => words.push(word.to_owned()),
            }
        }
        words
    }
}

fn asks(text: &str) -> bool {
    let mut commands = text.lines().filter_map(|line| line.split_whitespace().next());
    commands.any(|command| ["blscfg", "bls_import"].contains(&command))
}

/// One file of `loader/entries`.
struct Entry {
    id: String,
    place: String,
    keys: Vec<(String, String)>,
}

/// Those of a directory that GRUB makes a line of its menu of.
fn read(root: &dyn ReadTree, folder: &str) -> Result<Vec<Entry>> {
    let files = if root.exists(folder)? { root.list(folder)? } else { Vec::new() };
    let mut entries = Vec::new();
    for file in files {
        let Some(id) = file.name.strip_suffix(".conf").filter(|id| !id.is_empty() && !id.starts_with('.'))
        else {
            continue;
        };
        let place = format!("{folder}/{}", file.name);
        let entry = text(root, &place)?.map(|text| Entry { id: id.to_owned(), keys: keys(&text), place });
        entries.extend(entry.filter(|entry| entry.get("linux").is_some() && entry.get("efi").is_none()));
    }
    Ok(entries)
}

fn keys(text: &str) -> Vec<(String, String)> {
    let lines =
        text.lines().map(|line| line.trim_start_matches([' ', '\t'])).filter(|line| !line.starts_with('#'));
    let pairs = lines.map_while(|line| line.split_once([' ', '\t']).filter(|(_, value)| !value.is_empty()));
    pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
}

/// As in the menu: `bls_cmp` takes ids apart into name, version and release, and compares numbers in them by value.
fn newest_first(one: &str, other: &str) -> Ordering {
    by_version(other, one)
}

/// The entry that is started where nobody chooses.
fn started<'a>(entries: &'a [Entry], saved: Option<&str>) -> &'a Entry {
    let by_name =
        |saved: &str| entries.iter().find(|entry| entry.id == saved || entry.get("title") == Some(saved));
    let by_number = |saved: &str| entries.get(saved.parse::<usize>().ok()?);
    saved.and_then(|saved| by_name(saved).or_else(|| by_number(saved))).unwrap_or(&entries[0])
}

impl Entry {
    fn get(&self, key: &str) -> Option<&str> {
        self.keys.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn judge(&self, root: &dyn ReadTree, names: &Names, config: &Config, apart: bool) -> Result<()> {
        let kernel = self.get("linux").unwrap_or_default().split_whitespace().take(1).map(str::to_owned);
        let initrds =
            self.keys.iter().filter(|(key, _)| key == "initrd").flat_map(|(_, value)| config.expand(value));
        let of_root = if apart { "/boot" } else { "" };
        let files = kernel.map(|file| ("linux", file)).chain(initrds.map(|file| ("initrd", file)));
        for (key, file) in files.filter(|(_, file)| !file.contains(['$', '('])) {
            let place = format!("{of_root}/{}", file.trim_start_matches('/'));
            if !root.exists(&place)? {
                bail!(
                    "`{key}` of {} in the image, which GRUB starts, is {file}, and there is no {place}; make the entry anew in the image (`kernel-install add`), or choose another one (`grub2-set-default`)",
                    self.place
                );
            }
        }
        let options =
            self.get("options").map_or_else(|| config.value("default_kernelopts"), |it| Some(it.to_owned()));
        let words = options.map(|options| config.expand(&options)).unwrap_or_default();
        // the kernel takes the last one
        let Some(wanted) = words.iter().rev().find_map(|word| word.strip_prefix("root=")) else {
            return Ok(());
        };
        ensure!(
            is_roots_name(wanted, names),
            "{} in the image starts the kernel with root={wanted}, which installed machines don't have; name the root by root=UUID=… (`grubby --update-kernel=ALL --args=root=UUID=…`, in the image)",
            self.place
        );
        Ok(())
    }
}

#[cfg(test)]
#[path = "bls_tests.rs"]
mod tests;
