//! Facts without what names the machine: for a bug report, or a repository that others read.
//!
//! MAC addresses, serial numbers, the machine's UUID, world-wide names and names of hosts are exchanged for made-up ones, the same
//! one always for the same one, so that a disk which is named twice still is. In fields it is the whole value that is exchanged; in
//! free text (errors, what a disk looks like, names of interfaces) each word that is such a value. What a disk is (sizes, models,
//! kinds of file systems, UUIDs of those, names of orders) stays. A masked claim has no seal.

use std::collections::BTreeMap;

use crate::spec::claim::Claim;
use crate::spec::facts::{Disk, DiskContent, Facts, Machine, Nic};
use crate::value::{DiskSelector, HostName, Mac, Seal, SerialNumber, SystemUuid};

/// Masks facts.
pub fn mask(facts: Facts) -> Facts {
    let mut names = Names::default();
    let machine = machine(facts.machine, &mut names);
    // all values of fields first: any of them may stand in the text of another disk
    let disks: Vec<_> = facts.disks.into_iter().map(|disk| fields(disk, &mut names)).collect();
    let disks = disks.into_iter().map(|disk| texts(disk, &names)).collect();
    Facts { machine, disks, ..facts }
}

/// What tools put before such values: udev before addresses in names of interfaces (systemd.net-naming-scheme(7)), and before names
/// of disks; the agent before what a disk is known by.
const PREFIXES: [&str; 15] = [
    "", "enx", "ibx", "slx", "wlx", "wwx", "wwn-", "wwn:", "serial:", "0x", "wwn-0x", "naa.", "wwn:naa.",
    "eui.", "wwn:eui.",
];

/// What a value is. The same text may be several: a machine's serial number may be an address of it, and its host be called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Mac,
    Wwn,
    Serial,
    Uuid,
    Host,
}

/// What is exchanged for what; texts are in lower case, since tools differ in that.
#[derive(Debug, Default)]
struct Names(BTreeMap<(String, Kind), String>);

impl Names {
    /// The made-up one of this value; `new` makes it of a number that no other has.
    fn of(&mut self, kind: Kind, real: &str, new: impl FnOnce(usize) -> String) -> String {
        let number = self.0.len() + 1;
        self.0.entry((real.trim().to_ascii_lowercase(), kind)).or_insert_with(|| new(number)).clone()
    }

    /// The made-up one of a word, whatever it is.
    fn known(&self, word: &str) -> Option<&String> {
        let first = (word.to_owned(), Kind::Mac);
        self.0.range(first..).next().filter(|((real, _), _)| real == word).map(|(_, made)| made)
    }

    fn serial(&mut self, real: &str) -> String {
        self.of(Kind::Serial, real, |number| format!("MASKED{number}"))
    }

    fn uuid(&mut self, real: SystemUuid) -> Option<SystemUuid> {
        let new = |number: usize| format!("00000000-0000-4000-8000-{number:012x}");
        self.of(Kind::Uuid, &real.to_string(), new).parse().ok()
    }

    fn host(&mut self, real: &HostName) -> Option<HostName> {
        self.of(Kind::Host, real.as_str(), |number| format!("host{number}")).parse().ok()
    }

    /// Its prefix stays: it says who gave the name.
    fn wwn(&mut self, real: &str) -> String {
        let plain = DiskSelector::plain_wwn(real);
        let prefix = real.trim().to_ascii_lowercase();
        let prefix = prefix.strip_suffix(&plain).unwrap_or_default().to_owned();
        prefix + &self.of(Kind::Wwn, &plain, |number| format!("{number:016x}"))
    }

    /// Locally administered (IEEE 802, section 8.4): no maker gives such a one.
    fn mac(&mut self, real: Mac) -> Option<Mac> {
        let new = |number: usize| format!("02:00:00:00:{:02x}:{:02x}", number / 256 % 256, number % 256);
        let made = self.of(Kind::Mac, &real.to_string(), new);
        // as names of interfaces and DHCP clients write it
        for between in ["", "-"] {
            let real = real.to_string().replace(':', between).to_ascii_lowercase();
            self.0.insert((real, Kind::Mac), made.replace(':', between));
        }
        made.parse().ok()
    }

    /// Each word of a text that is known here, exchanged in one go.
    fn text(&self, text: &str) -> String {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
        let mut out = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let length = rest.find(|c| !is_inner(c)).unwrap_or(rest.len()).max(c.len_utf8());
            let (word, after) = rest.split_at(length);
            out += &self.word(word);
            rest = after;
        }
        out
    }

    /// A word, also behind what tools put before such values, and before what ends a sentence.
    fn word(&self, word: &str) -> String {
        let core = word.trim_end_matches([':', '.', '-', '_']);
        let lower = core.to_ascii_lowercase();
        let known =
            PREFIXES.iter().find_map(|prefix| Some((prefix.len(), self.known(lower.strip_prefix(prefix)?)?)));
        match known {
            Some((prefix, new)) => word[..prefix].to_owned() + new + &word[core.len()..],
            None => word.to_owned(),
        }
    }
}

fn machine(machine: Machine, names: &mut Names) -> Machine {
    let serial = machine.serial.map(|serial| names.serial(&serial.to_string()));
    let uuid = machine.uuid.and_then(|uuid| names.uuid(uuid));
    // all addresses first: an interface may be named after that of another one
    let masked: Vec<_> =
        machine.nics.into_iter().filter_map(|nic| Some(Nic { mac: names.mac(nic.mac)?, ..nic })).collect();
    let nics = masked.into_iter().map(|nic| Nic { name: names.text(&nic.name), ..nic }).collect();
    Machine { serial: serial.and_then(|serial| serial.parse::<SerialNumber>().ok()), uuid, nics, ..machine }
}

fn fields(mut disk: Disk, names: &mut Names) -> Disk {
    disk.serial = disk.serial.map(|serial| names.serial(&serial));
    disk.wwn = disk.wwn.map(|wwn| names.wwn(&wwn));
    disk.content = match disk.content {
        DiskContent::Ours { claim, closed, beside } => match masked_claim(*claim, names) {
            Some(claim) => DiskContent::Ours { claim: claim.into(), closed, beside },
            None => DiskContent::Foreign { looks_like: "a claim that can't be masked".to_owned() },
        },
        other => other,
    };
    disk
}

fn masked_claim(mut claim: Claim, names: &mut Names) -> Option<Claim> {
    claim.grant.host = names.host(&claim.grant.host)?;
    claim.seal = Seal::from_bytes([0; 64]);
    claim.disk = match claim.disk.split_once(':') {
        Some(("wwn", wwn)) => format!("wwn:{}", names.wwn(wwn)),
        Some(("serial", serial)) => format!("serial:{}", names.serial(serial)),
        _ => claim.disk,
    };
    Some(claim)
}

fn texts(mut disk: Disk, names: &Names) -> Disk {
    match &mut disk.content {
        DiskContent::Ours { beside: Some(text), .. }
        | DiskContent::Foreign { looks_like: text }
        | DiskContent::Unreadable { error: text } => *text = names.text(text),
        DiskContent::Ours { beside: None, .. } | DiskContent::Unsampled | DiskContent::Blank => {}
    }
    disk.unread = disk.unread.map(|text| names.text(&text));
    disk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::fixture;
    use crate::spec::claim;

    fn facts() -> Facts {
        let mut facts = fixture::facts(1 << 30);
        facts.machine.serial = Some("CZ1234".parse().unwrap());
        facts.machine.uuid = Some("8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33".parse().unwrap());
        facts.machine.nics[0].name = "enx525400123456".to_owned();
        facts
    }

    #[test]
    fn what_names_a_machine_is_gone_and_what_was_the_same_still_is() {
        let mut facts = facts();
        let mut twin = facts.disks[0].clone();
        twin.serial = Some("CZ1234-EXTENDED".to_owned());
        twin.wwn = Some("naa.5000C500A1B2C3D4".to_owned());
        twin.content = DiskContent::Unreadable {
            error: "no answer of wwn-0x5000c500a1b2c3d4, of CZ1234-EXTENDED.".to_owned(),
        };
        facts.disks.extend([twin.clone(), twin]);
        let mut ours = facts.disks[0].clone();
        let mut claim = claim::tests::claim();
        claim.grant.host = "db07.fra.example.com".parse().unwrap();
        claim.disk = "serial:GONE-DISK-7".to_owned();
        ours.content = DiskContent::Ours { claim: claim.into(), closed: false, beside: None };
        facts.disks.push(ours);
        let before = serde_json::to_string(&facts).unwrap().to_lowercase();
        let masked = mask(facts.clone());
        let after = serde_json::to_string(&masked).unwrap().to_lowercase();
        let mac = facts.machine.nics[0].mac.to_string();
        let secrets =
            ["cz1234", "8b3f12ac", "5000c500a1b2c3d4", "extended", "db07", "gone-disk", "525400123456", &mac];
        for name in secrets {
            assert!(before.contains(name), "{name}");
            assert!(!after.contains(name), "{name}: {after}");
        }
        assert_eq!(masked.disks[1], masked.disks[2]);
        assert!(masked.disks[1].wwn.as_ref().unwrap().starts_with("naa."));
        let DiskContent::Unreadable { error } = &masked.disks[1].content else {
            panic!("{:?}", masked.disks[1])
        };
        assert!(error.starts_with("no answer of wwn-0x00000"), "{error}");
        assert!(error.contains(masked.disks[1].serial.as_ref().unwrap()), "{error}");
        assert!(masked.machine.nics[0].name.starts_with("enx020000"), "{}", masked.machine.nics[0].name);
        let DiskContent::Ours { claim, .. } = &masked.disks[3].content else {
            panic!("{:?}", masked.disks[3])
        };
        assert!(claim.disk.starts_with("serial:MASKED"), "{}", claim.disk);
    }

    #[test]
    fn what_is_called_by_an_address_is_masked_as_what_it_is() {
        let mut facts = facts();
        let mac = facts.machine.nics[0].mac.to_string();
        let plain = mac.replace(':', "");
        facts.machine.serial = Some(mac.parse().unwrap());
        facts.machine.nics[0].name = format!("wlx{plain}");
        let mut twin = facts.machine.nics[0].clone();
        twin.mac = "3c:ec:ef:12:34:ab".parse().unwrap();
        twin.name = "br0".to_owned();
        facts
            .machine
            .nics
            .insert(0, Nic { name: "ibx3cecef1234ab".to_owned(), ..facts.machine.nics[0].clone() });
        facts.machine.nics.push(twin);
        let mut claim = claim::tests::claim();
        claim.grant.host = "3cecef1234ab".parse().unwrap();
        claim.disk = format!("serial:{plain}");
        facts.disks[0].content = DiskContent::Ours { claim: claim.into(), closed: false, beside: None };
        let masked = mask(facts);
        let after = serde_json::to_string(&masked).unwrap().to_lowercase();
        for real in [&*mac, &*plain, "3c:ec:ef:12:34:ab", "3cecef1234ab"] {
            assert!(!after.contains(real), "{real}: {after}");
        }
        assert!(masked.machine.nics[1].name.starts_with("wlx0200"), "{}", masked.machine.nics[1].name);
        assert_eq!(masked.machine.nics.len(), 3);
        let DiskContent::Ours { claim, .. } = &masked.disks[0].content else { panic!("{masked:?}") };
        assert!(claim.grant.host.as_str().starts_with("host"), "{}", claim.grant.host);
    }

    #[test]
    fn a_serial_number_that_stands_in_everything_masks_itself_alone() {
        for serial in ["0", "1", "00000000", "a", "is"] {
            let mut facts = facts();
            facts.disks[0].serial = Some(serial.to_owned());
            facts.disks[0].unread = Some("reading 10 bytes at byte 100 is impossible".to_owned());
            let masked = mask(facts.clone());
            assert!(masked.disks[0].serial.as_ref().unwrap().starts_with("MASKED"), "{serial}");
            assert_eq!((masked.clock, masked.disks[0].size), (facts.clock, facts.disks[0].size), "{serial}");
            assert!(masked.disks[0].unread.as_ref().unwrap().starts_with("reading 10 bytes at byte 100"));
        }
    }
}
