//! The machine that a file is imported for, as far as the operator names it.
//!
//! Answer files know devices by kernel names, which may be another device's tomorrow; profiles know what is written on the parts.
//! Only the operator can say which is which: nothing here guesses.

use std::collections::BTreeMap;

use crate::value::Mac;

/// A machine, as far as the operator names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedMachine {
    /// Addresses by which the machine is recognised.
    pub macs: Vec<Mac>,
    /// Serial number of the disk that the system is installed on.
    pub target: Option<String>,
    /// Serial numbers of disks by kernel name.
    pub disks: BTreeMap<String, String>,
    /// Addresses of network interfaces by kernel name.
    pub interfaces: BTreeMap<String, Mac>,
}

impl NamedMachine {
    /// Whose address a file means by a name: what the operator says of it, or the address that it is.
    pub(super) fn interface(&self, name: &str) -> Option<Mac> {
        self.interfaces.get(name).copied().or_else(|| name.parse().ok())
    }
}

/// Where a file means any interface: that is what a profile without interfaces says.
pub(super) const ANY_INTERFACE: &str = "DHCP on every card with a link";

/// Why an interface that only a kernel name tells isn't taken over.
pub(super) fn unknown_interface(name: &str) -> String {
    let name = name.escape_debug();
    format!("`{name}` is a kernel name, which may be another card's tomorrow: import with --card {name}=MAC")
}

/// The disk that the system goes to, as far as the operator says it.
#[derive(Debug)]
pub(super) struct TargetDisk<'m> {
    machine: &'m NamedMachine,
    known: Known,
}

#[derive(Debug)]
enum Known {
    /// Nothing that is known to be about it.
    Nothing,
    Serial(String),
    /// Two things: none counts. The reason is for people.
    Contradicted(String),
}

impl<'m> TargetDisk<'m> {
    /// What is known before the file is read.
    pub fn of(machine: &'m NamedMachine) -> Self {
        Self { machine, known: machine.target.clone().map_or(Known::Nothing, Known::Serial) }
    }

    /// The file installs on a disk that it calls so: what the operator says of that name is about the target.
    pub fn is_called(&mut self, disk: &str) {
        let Some(said) = self.machine.disks.get(disk) else { return };
        match &self.known {
            Known::Nothing => self.known = Known::Serial(said.clone()),
            Known::Serial(serial) if serial != said => {
                let disk = disk.escape_debug();
                self.known = Known::Contradicted(format!(
                    "the file installs on `{disk}`: --disk {serial} and --disk {disk}={said} name two disks for it, and none is taken"
                ));
            }
            Known::Serial(_) | Known::Contradicted(_) => {}
        }
    }

    /// Its serial number.
    pub fn serial(&self) -> Option<&str> {
        if let Known::Serial(serial) = &self.known { Some(serial) } else { None }
    }

    /// Why it is none of those that the operator named.
    pub fn contradiction(&self) -> Option<&str> {
        if let Known::Contradicted(why) = &self.known { Some(why) } else { None }
    }

    /// The serial number of a further disk.
    ///
    /// # Errors
    /// For people: nobody said it, or it is the target's.
    pub fn serial_of_other(&self, disk: &str) -> Result<String, String> {
        let shown = disk.escape_debug();
        match self.machine.disks.get(disk) {
            Some(serial) if self.serial() == Some(serial) => Err(format!(
                "--disk {shown}={serial} is the disk that the system goes to, and the file means another one"
            )),
            Some(serial) => Ok(serial.clone()),
            None => Err(format!(
                "`{shown}` is a kernel name, which may be another disk's tomorrow: import with --disk {shown}=SERIAL"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(target: Option<&str>) -> NamedMachine {
        let disks = [("sda", "A"), ("sdb", "B")].map(|(name, serial)| (name.to_owned(), serial.to_owned()));
        NamedMachine { target: target.map(str::to_owned), disks: disks.into(), ..NamedMachine::default() }
    }

    #[test]
    fn the_name_of_the_target_says_its_serial_number_and_no_further_disk_has_it() {
        let machine = machine(None);
        let mut target = TargetDisk::of(&machine);
        assert_eq!(target.serial(), None);
        target.is_called("sda");
        assert_eq!(target.serial(), Some("A"));
        assert!(target.serial_of_other("sda").unwrap_err().contains("the disk that the system goes to"));
        assert_eq!(target.serial_of_other("sdb").as_deref(), Ok("B"));
        assert!(target.serial_of_other("sdc").unwrap_err().contains("--disk sdc=SERIAL"));
    }

    #[test]
    fn two_serial_numbers_for_the_target_are_none() {
        let machine = machine(Some("C"));
        let mut target = TargetDisk::of(&machine);
        target.is_called("sdc");
        assert_eq!((target.serial(), target.contradiction()), (Some("C"), None));
        target.is_called("sda");
        assert_eq!(target.serial(), None);
        assert!(target.contradiction().unwrap().contains("--disk C and --disk sda=A"));
    }
}
