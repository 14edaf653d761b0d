//! What the firmware is told to boot next, and what it keeps for us.
//!
//! A convenience, never a condition: the boot media find the done file and boot the disk by themselves. An entry for the
//! disk's ESP is used or made; there is one entry of ours at most, so that reinstalls don't fill the firmware's memory. The boot
//! order isn't touched.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use uuid::Uuid;

use crate::spec::image::ImagePartition;

const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Variables of our own.
const OWN: &str = "5d1f0c52-3c1b-4e0e-9c7a-6f2b8a90d4e7";
const TRIES: &str = "IronstrapTries";
/// Kept over restarts, and visible to loader and system.
const ATTRIBUTES: [u8; 4] = 7_u32.to_le_bytes();
/// The load option is active.
const ACTIVE: u32 = 1;
const LOADER: &str = "\\EFI\\BOOT\\BOOTX64.EFI";
const NAME: &str = "ironstrap";

/// The firmware's variables.
#[derive(Debug, Clone)]
pub struct BootEntries {
    directory: PathBuf,
}

impl BootEntries {
    /// Variables below this directory, `/sys/firmware/efi/efivars` on a machine.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Sets `BootNext` to an entry for this ESP: one for the loader that needs none (made where it lacks), or, if there is no
    /// such loader or the firmware's memory is full, any other that names the ESP.
    ///
    /// # Errors
    /// No UEFI, or the firmware refuses to store variables.
    pub fn boot_next(&self, esp: &ImagePartition, has_loader: bool) -> Result<()> {
        let entries = self.entries()?;
        let of_esp = |entry: &&Entry| entry.active && entry.esp == Some(esp.guid);
        let ours = entries.iter().filter(of_esp).find(|entry| entry.starts_loader());
        let number = match ours {
            Some(entry) => entry.number,
            None => {
                let made = match has_loader {
                    true => self.create(&entries, esp),
                    false => bail_no_entry(esp),
                };
                let other = entries.iter().find(of_esp).map(|entry| entry.number);
                made.or_else(|error| other.ok_or(error))?
            }
        };
        self.write_global("BootNext", &number.to_le_bytes())
    }

    /// Sets `BootNext` to the entry that was booted now, so that a medium that was chosen once is chosen again.
    ///
    /// # Errors
    /// No UEFI, the firmware doesn't say what it booted, or refuses to store variables.
    pub fn boot_same(&self) -> Result<()> {
        let number = self.read(&self.path("BootCurrent", GLOBAL)).context("asking what was booted")?;
        ensure!(number.len() == 2, "the firmware doesn't say what it booted");
        self.write_global("BootNext", &number)
    }

    /// EFI system partitions that the firmware's boot order names, first ones first; then those of its other entries.
    pub fn system_partitions(&self) -> Vec<Uuid> {
        let order = self.read(&self.path("BootOrder", GLOBAL)).unwrap_or_default();
        let order: Vec<_> =
            order.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let mut entries = self.entries().unwrap_or_default();
        entries.retain(|entry| entry.active);
        entries.sort_by_key(|entry| {
            order.iter().position(|number| *number == entry.number).unwrap_or(order.len())
        });
        entries.into_iter().filter_map(|entry| entry.esp).collect()
    }

    /// What [`BootEntries::remember`] kept.
    pub fn recall(&self) -> Option<Vec<u8>> {
        self.read(&self.path(TRIES, OWN))
    }

    /// Keeps a few bytes over restarts, in place of those that were kept before.
    ///
    /// # Errors
    /// No UEFI, or the firmware refuses to store variables.
    pub fn remember(&self, bytes: &[u8]) -> Result<()> {
        self.write(TRIES, OWN, bytes)
    }

    fn path(&self, name: &str, vendor: &str) -> PathBuf {
        self.directory.join(format!("{name}-{vendor}"))
    }

    fn entries(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let directory = std::fs::read_dir(&self.directory).context("reading the firmware's variables")?;
        for file in directory.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(number) = name.strip_suffix(GLOBAL).and_then(|name| name.strip_prefix("Boot")) else {
                continue;
            };
            if let Ok(number) = u16::from_str_radix(number.trim_end_matches('-'), 16) {
                let option = self.read(&file.path()).unwrap_or_default();
                entries.push(Entry::parse(number, &option));
            }
        }
        entries.sort_by_key(|entry| entry.number);
        Ok(entries)
    }

    /// In the place of an entry of ours for a disk that was, if there is one.
    fn create(&self, entries: &[Entry], esp: &ImagePartition) -> Result<u16> {
        let former = entries.iter().find(|entry| entry.name == NAME && entry.starts_loader());
        let is_free = |number: &u16| entries.iter().all(|entry| entry.number != *number);
        let free = former.map(|entry| entry.number).or_else(|| (0..=u16::MAX).find(is_free));
        let number = free.context("the firmware has no free boot entry")?;
        self.write_global(&format!("Boot{number:04X}"), &load_option(esp))?;
        Ok(number)
    }

    /// The value behind the attributes.
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(path).ok()?.get(ATTRIBUTES.len()..).map(<[u8]>::to_vec)
    }

    fn write_global(&self, name: &str, value: &[u8]) -> Result<()> {
        self.write(name, GLOBAL, value)
    }

    fn write(&self, name: &str, vendor: &str, value: &[u8]) -> Result<()> {
        let path = self.path(name, vendor);
        ensure!(self.directory.is_dir(), "the machine has no UEFI variables");
        make_mutable(&path);
        // one write call: efivarfs takes a variable whole
        std::fs::write(&path, [&ATTRIBUTES[..], value].concat()).with_context(|| format!("setting {name}"))
    }
}

fn bail_no_entry(esp: &ImagePartition) -> Result<u16> {
    bail!("ESP {} has no {LOADER}, and no boot entry names it", esp.guid)
}

/// One `Boot####` variable (UEFI specification 2.10, 3.1.3 "Load Options").
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    number: u16,
    active: bool,
    name: String,
    /// GUID of the partition that its path begins with.
    esp: Option<Uuid>,
    /// The file there.
    file: Option<String>,
}

impl Entry {
    /// What can't be understood names nothing; its number is taken all the same.
    fn parse(number: u16, option: &[u8]) -> Self {
        let unknown = Self { number, active: false, name: String::new(), esp: None, file: None };
        let Some((head, rest)) = option.split_at_checked(6) else { return unknown };
        let active = head[0] & ACTIVE as u8 != 0;
        let length = usize::from(u16::from_le_bytes([head[4], head[5]]));
        let units: Vec<u16> =
            rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let Some(end) = units.iter().position(|unit| *unit == 0) else { return unknown };
        let name = String::from_utf16_lossy(&units[..end]);
        let path = rest.get((end + 1) * 2..).unwrap_or_default();
        let mut entry = Self { active, name, ..unknown };
        entry.read_path(&path[..length.min(path.len())]);
        entry
    }

    /// Hard drive and file nodes (UEFI specification 2.10, 10.3.5 "Media Device Path").
    fn read_path(&mut self, mut path: &[u8]) {
        while let Some((head, rest)) = path.split_at_checked(4) {
            let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let Some((node, after)) = length.checked_sub(4).and_then(|length| rest.split_at_checked(length))
            else {
                return;
            };
            match (head[0], head[1]) {
                (4, 1) if node.len() >= 38 && node[37] == 2 => {
                    self.esp = node[20..36].try_into().ok().map(Uuid::from_bytes_le);
                }
                (4, 4) => {
                    let units = node.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
                    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
                    self.file = Some(String::from_utf16_lossy(&units));
                }
                _ => {}
            }
            path = after;
        }
    }

    fn starts_loader(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.eq_ignore_ascii_case(LOADER))
    }
}

/// The kernel marks variables that a careless `rm` must not remove.
fn make_mutable(path: &Path) {
    if let Ok(file) = std::fs::File::open(path)
        && let Ok(flags) = rustix::fs::ioctl_getflags(&file)
    {
        let _ = rustix::fs::ioctl_setflags(&file, flags - rustix::fs::IFlags::IMMUTABLE);
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// `EFI_LOAD_OPTION`: attributes, length of the path, name, and the path (hard drive, file, end).
fn load_option(esp: &ImagePartition) -> Vec<u8> {
    option_for(esp, NAME, LOADER)
}

fn option_for(esp: &ImagePartition, name: &str, loader: &str) -> Vec<u8> {
    const HARD_DRIVE: [u8; 4] = [4, 1, 42, 0];
    const END: [u8; 4] = [0x7f, 0xff, 4, 0];
    const GPT_BY_GUID: [u8; 2] = [2, 2];
    let file = utf16(loader);
    let mut path = HARD_DRIVE.to_vec();
    path.extend(esp.number.to_le_bytes());
    path.extend((esp.offset / 512).to_le_bytes());
    path.extend((esp.length / 512).to_le_bytes());
    path.extend(esp.guid.to_bytes_le());
    path.extend(GPT_BY_GUID);
    path.extend([4, 4]);
    path.extend((file.len() as u16 + 4).to_le_bytes());
    path.extend(file);
    path.extend(END);
    [&ACTIVE.to_le_bytes()[..], &(path.len() as u16).to_le_bytes(), &utf16(name), &path].concat()
}

#[cfg(test)]
#[path = "efi_tests.rs"]
mod tests;
