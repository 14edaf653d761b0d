//! Facts without what names the machine: for a bug report, or a repository that others read.
//!
//! Every MAC address, serial number, UUID of the machine and world-wide name is exchanged for a made-up one, wherever it stands,
//! in a claim and in an error as well; the same one always for the same one, so that a disk which is named twice still is. Nothing
//! of the old one is left in the new one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::spec::facts::Facts;
use crate::value::DiskSelector;

/// Masks facts.
///
/// # Errors
/// When what comes out isn't facts any more, which is a bug.
pub fn mask(facts: &Facts) -> serde_json::Result<Facts> {
    let names = made_up(facts);
    let mut value = serde_json::to_value(facts)?;
    exchange(&mut value, &names);
    serde_json::from_value(value)
}

/// What is exchanged for what, the longest first: one serial number may be the beginning of another.
fn made_up(facts: &Facts) -> Vec<(String, String)> {
    let mut names = BTreeMap::new();
    let mut put = |real: Option<String>, new: &dyn Fn(usize) -> String| {
        let number = names.len() + 1;
        if let Some(real) = real.filter(|real| !real.is_empty()) {
            names.entry(real).or_insert_with(|| new(number));
        }
    };
    let machine = &facts.machine;
    for nic in &machine.nics {
        // locally administered (IEEE 802, section 8.4): no maker gives such a one
        put(Some(nic.mac.to_string()), &|number| {
            format!("02:00:00:00:{:02x}:{:02x}", number / 256, number % 256)
        });
    }
    put(machine.uuid.map(|uuid| uuid.to_string()), &|number| {
        format!("00000000-0000-4000-8000-{number:012x}")
    });
    put(machine.serial.as_ref().map(ToString::to_string), &|number| format!("MASKED{number}"));
    for disk in &facts.disks {
        put(disk.serial.clone(), &|number| format!("MASKED{number}"));
        let name = disk.wwn.as_deref().map(DiskSelector::plain_wwn);
        put(name, &|number| format!("{number:016x}"));
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(real, _)| std::cmp::Reverse(real.len()));
    names
}

fn exchange(value: &mut Value, names: &[(String, String)]) {
    match value {
        Value::String(text) => {
            for (real, new) in names {
                *text = replace(text, real, new);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| exchange(item, names)),
        Value::Object(fields) => fields.values_mut().for_each(|field| exchange(field, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whatever case it stands in: tools differ in that.
fn replace(text: &str, real: &str, new: &str) -> String {
    let (lower, wanted) = (text.to_ascii_lowercase(), real.to_ascii_lowercase());
    let (mut out, mut from) = (String::new(), 0);
    while let Some(at) = lower[from..].find(&wanted) {
        out += &text[from..from + at];
        out += new;
        from += at + wanted.len();
    }
    out + &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::fixture;
    use crate::spec::facts::DiskContent;

    #[test]
    fn what_names_a_machine_is_gone_and_what_was_the_same_still_is() {
        let mut facts = fixture::facts(1 << 30);
        facts.machine.serial = Some("CZ1234".parse().unwrap());
        facts.machine.uuid = Some("8b3f12ac-7d01-4a7e-9f44-0c5b1f0a2d33".parse().unwrap());
        let mut twin = facts.disks[0].clone();
        twin.serial = Some("CZ1234-EXTENDED".to_owned());
        twin.wwn = Some("naa.5000C500A1B2C3D4".to_owned());
        twin.content = DiskContent::Unreadable { error: "no answer of wwn-0x5000c500a1b2c3d4".to_owned() };
        facts.disks.push(twin.clone());
        facts.disks.push(twin);
        let before = serde_json::to_string(&facts).unwrap().to_lowercase();
        let masked = mask(&facts).unwrap();
        let after = serde_json::to_string(&masked).unwrap().to_lowercase();
        for name in
            [&*facts.machine.nics[0].mac.to_string(), "cz1234", "8b3f12ac", "5000c500a1b2c3d4", "extended"]
        {
            assert!(before.contains(name), "{name}");
            assert!(!after.contains(name), "{name}: {after}");
        }
        assert_eq!(masked.disks[1], masked.disks[2]);
        assert!(masked.disks[1].wwn.as_ref().unwrap().starts_with("naa."));
        assert_eq!(masked.disks[0].size, facts.disks[0].size);
    }
}
