//! The firmware's variables on a directory.

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

struct Firmware(tempfile::TempDir);

impl Firmware {
    fn new(variables: &[(&str, Vec<u8>)]) -> Self {
        let firmware = Self(tempfile::tempdir().unwrap());
        for (name, value) in variables {
            std::fs::write(firmware.path(name), [&ATTRIBUTES[..], value].concat()).unwrap();
        }
        firmware
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(format!("{name}-{GLOBAL}"))
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        Some(std::fs::read(self.path(name)).ok()?[4..].to_vec())
    }

    fn entries(&self) -> BootEntries {
        BootEntries::new(self.0.path())
    }

    /// What boots next, and how many entries there are, after this.
    fn after(&self, esp: &ImagePartition, has_loader: bool) -> (Option<Vec<u8>>, usize) {
        self.entries().boot_next(esp, has_loader).unwrap();
        (self.get("BootNext"), self.entries().entries().unwrap().len())
    }
}

const SHIM: &str = "\\EFI\\debian\\shimx64.efi";

#[test]
fn an_entry_is_made_once_and_used_again() {
    let firmware = Firmware::new(&[("Boot0000", b"other".to_vec()), ("BootOrder", vec![0, 0])]);
    assert_eq!(firmware.after(&esp(), true), (Some(vec![1, 0]), 2));
    assert_eq!(firmware.after(&esp(), true), (Some(vec![1, 0]), 2));
    let option = firmware.get("Boot0001").unwrap();
    assert_eq!(option[4..6], (option.len() as u16 - 6 - 20).to_le_bytes(), "length of the path");
    assert!(option.ends_with(&[0x7f, 0xff, 4, 0]));
    assert_eq!(firmware.get("BootOrder"), Some(vec![0, 0]));
}

#[test]
fn an_entry_of_the_installed_system_is_not_taken_for_the_loader_that_needs_none() {
    let firmware = Firmware::new(&[("Boot0000", option_for(&esp(), "debian", SHIM))]);
    assert_eq!(firmware.after(&esp(), true), (Some(vec![1, 0]), 2));
    // where that loader isn't there, it is all there is
    let firmware = Firmware::new(&[("Boot0007", option_for(&esp(), "debian", SHIM))]);
    assert_eq!(firmware.after(&esp(), false), (Some(vec![7, 0]), 1));
    let nothing = Firmware::new(&[("Boot0000", b"other".to_vec())]);
    assert!(nothing.entries().boot_next(&esp(), false).unwrap_err().to_string().contains("no boot entry"));
    // entries that the firmware ignores say nothing
    let mut off = option_for(&esp(), NAME, LOADER);
    off[0] = 0;
    let firmware = Firmware::new(&[("Boot0003", off), ("Boot0004", option_for(&esp(), "debian", SHIM))]);
    assert_eq!(firmware.after(&esp(), false), (Some(vec![4, 0]), 2));
}

#[test]
fn reinstalls_leave_one_entry_of_ours() {
    let firmware = Firmware::new(&[("Boot0000", b"other".to_vec())]);
    for life in 1..=5 {
        let esp = ImagePartition { guid: Uuid::from_u128(life), ..esp() };
        assert_eq!(firmware.after(&esp, true), (Some(vec![1, 0]), 2), "life {life}");
        assert_eq!(firmware.entries().system_partitions(), [esp.guid]);
    }
}

#[test]
fn the_boot_order_tells_which_disk_comes_first() {
    let esp = |number| ImagePartition { guid: Uuid::from_u128(number), ..esp() };
    let option = |number| option_for(&esp(number), "system", SHIM);
    let firmware = Firmware::new(&[
        ("Boot0000", option(10)),
        ("Boot0001", b"network".to_vec()),
        ("Boot0002", option(12)),
        ("Boot000A", option(11)),
        ("BootOrder", vec![1, 0, 10, 0, 0, 0]),
    ]);
    assert_eq!(firmware.entries().system_partitions(), [11, 10, 12].map(Uuid::from_u128));
}

#[test]
fn what_was_booted_is_booted_again() {
    let firmware = Firmware::new(&[("BootCurrent", vec![4, 0])]);
    firmware.entries().boot_same().unwrap();
    assert_eq!(firmware.get("BootNext"), Some(vec![4, 0]));
    assert!(Firmware::new(&[]).entries().boot_same().is_err());
}

#[test]
fn a_few_bytes_outlive_a_restart() {
    let firmware = Firmware::new(&[]);
    assert_eq!(firmware.entries().recall(), None);
    firmware.entries().remember(b"first and longer").unwrap();
    firmware.entries().remember(b"second").unwrap();
    assert_eq!(firmware.entries().recall().unwrap(), b"second");
}

#[test]
fn damaged_entries_name_nothing() {
    let whole = option_for(&esp(), NAME, LOADER);
    for length in 0..whole.len() {
        let entry = Entry::parse(1, &whole[..length]);
        assert!(entry.file.is_none() || entry.file.as_deref() == Some(LOADER), "{length}");
    }
    let mut endless = whole.clone();
    endless[28..30].fill(0);
    assert_eq!(Entry::parse(1, &endless).esp, None);
}

#[test]
fn a_machine_without_uefi_says_so() {
    let entries = BootEntries::new(Path::new("/nonexistent"));
    assert!(entries.boot_next(&esp(), true).is_err());
    assert!(entries.remember(b"x").is_err());
    assert!(entries.system_partitions().is_empty());
}
