//! Asks the firmware to boot the installed disk next.
//!
//! A convenience, never a condition: the boot media find the done file and boot the disk by themselves. An entry for the
//! disk's ESP is used or made; the boot order isn't touched.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use uuid::Uuid;

use crate::spec::image::ImagePartition;

const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// Kept over restarts, and visible to loader and system.
const ATTRIBUTES: [u8; 4] = 7_u32.to_le_bytes();
/// The load option is active.
const ACTIVE: [u8; 4] = 1_u32.to_le_bytes();
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

    /// Sets `BootNext` to an entry for this ESP. If there is none, the entry for one of the `former` ESPs, which this one
    /// replaced, becomes it; else one is made. The firmware's memory is small, and would fill up with each reinstall.
    ///
    /// # Errors
    /// No UEFI, or the firmware refuses to store variables.
    pub fn boot_next(&self, esp: &ImagePartition, former: &[Uuid]) -> Result<()> {
        let number = match self.find(&[esp.guid])? {
            Some(number) => number,
            None => {
                let number = self.find(former)?.map_or_else(|| self.free(), Ok)?;
                self.write(&format!("Boot{number:04X}"), &load_option(esp))?;
                number
            }
        };
        self.write("BootNext", &number.to_le_bytes())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}-{GLOBAL}"))
    }

    fn entries(&self) -> Result<Vec<(u16, Vec<u8>)>> {
        let mut entries = Vec::new();
        let directory = std::fs::read_dir(&self.directory).context("reading the firmware's variables")?;
        for file in directory.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(number) = name.strip_suffix(GLOBAL).and_then(|name| name.strip_prefix("Boot")) else {
                continue;
            };
            if let Ok(number) = u16::from_str_radix(number.trim_end_matches('-'), 16) {
                let content = std::fs::read(file.path()).unwrap_or_default();
                entries.push((number, content.get(ATTRIBUTES.len()..).unwrap_or_default().to_vec()));
            }
        }
        entries.sort();
        Ok(entries)
    }

    /// The entry that starts one of these ESPs by its loader for every machine.
    fn find(&self, esps: &[Uuid]) -> Result<Option<u16>> {
        let ours = |option: &[u8]| {
            esps.iter().any(|esp| contains(option, &esp.to_bytes_le())) && contains(option, &utf16(LOADER))
        };
        Ok(self.entries()?.into_iter().find(|(_, option)| ours(option)).map(|(number, _)| number))
    }

    fn free(&self) -> Result<u16> {
        let taken: Vec<u16> = self.entries()?.into_iter().map(|(number, _)| number).collect();
        let free = (0..=u16::MAX).find(|number| !taken.contains(number));
        free.context("the firmware has no free boot entry")
    }

    fn write(&self, name: &str, value: &[u8]) -> Result<()> {
        let path = self.path(name);
        ensure!(self.directory.is_dir(), "the machine has no UEFI variables");
        make_mutable(&path);
        // one write call: efivarfs takes a variable whole
        std::fs::write(&path, [&ATTRIBUTES[..], value].concat()).with_context(|| format!("setting {name}"))
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

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// `EFI_LOAD_OPTION`: attributes, length of the path, name, and the path (hard drive, file, end).
fn load_option(esp: &ImagePartition) -> Vec<u8> {
    const HARD_DRIVE: [u8; 4] = [4, 1, 42, 0];
    const END: [u8; 4] = [0x7f, 0xff, 4, 0];
    const GPT_BY_GUID: [u8; 2] = [2, 2];
    let file = utf16(LOADER);
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
    [&ACTIVE[..], &(path.len() as u16).to_le_bytes(), &utf16(NAME), &path].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn esp() -> ImagePartition {
        ImagePartition {
            number: 2,
            kind: crate::sys::gpt::ESP,
            guid: Uuid::from_u128(0x1234_5678_9abc_def0),
            offset: 2 << 20,
            length: 64 << 20,
            name: "ESP".to_owned(),
        }
    }

    #[test]
    fn an_entry_is_made_once_and_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let variable = |name: &str| dir.path().join(format!("{name}-{GLOBAL}"));
        std::fs::write(variable("Boot0000"), b"\x07\0\0\0other").unwrap();
        std::fs::write(variable("BootOrder"), b"\x07\0\0\0\0\0").unwrap();
        let entries = BootEntries::new(dir.path());
        entries.boot_next(&esp(), &[]).unwrap();
        entries.boot_next(&esp(), &[]).unwrap();
        assert_eq!(std::fs::read(variable("BootNext")).unwrap(), [7, 0, 0, 0, 1, 0]);
        assert!(!variable("Boot0002").exists());
        let option = std::fs::read(variable("Boot0001")).unwrap();
        assert_eq!(option[8..10], (option.len() as u16 - 4 - 6 - 20).to_le_bytes(), "length of the path");
        assert!(option.ends_with(&[0x7f, 0xff, 4, 0]));
    }

    #[test]
    fn the_entry_of_the_install_before_becomes_the_new_ones() {
        let dir = tempfile::tempdir().unwrap();
        let entries = BootEntries::new(dir.path());
        let variable = |name: &str| dir.path().join(format!("{name}-{GLOBAL}"));
        let [older, other] = [1, 2].map(|n| ImagePartition { guid: Uuid::from_u128(n), ..esp() });
        entries.boot_next(&other, &[]).unwrap();
        entries.boot_next(&older, &[]).unwrap();
        let kept = std::fs::read(variable("Boot0000")).unwrap();
        entries.boot_next(&esp(), &[Uuid::from_u128(9), older.guid]).unwrap();
        assert_eq!(std::fs::read(variable("BootNext")).unwrap(), [7, 0, 0, 0, 1, 0]);
        assert_eq!(std::fs::read(variable("Boot0001")).unwrap()[4..], load_option(&esp()));
        assert_eq!(std::fs::read(variable("Boot0000")).unwrap(), kept);
        assert!(!variable("Boot0002").exists());
    }

    #[test]
    fn a_machine_without_uefi_says_so() {
        let entries = BootEntries::new(Path::new("/nonexistent"));
        assert!(entries.boot_next(&esp(), &[]).is_err());
    }
}
