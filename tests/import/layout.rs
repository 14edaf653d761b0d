//! What a layout means: no two mount points are one, and an EFI system partition is FAT at /boot/efi.

use ironstrap::host::Os;
use ironstrap::import::{Entry, Imported, Verdict};
use serde_json::Value;

use super::imported;

fn entry<'i>(imported: &'i Imported, text: &str) -> &'i Entry {
    imported.report.entries.iter().find(|entry| entry.text.contains(text)).unwrap()
}

fn storage(imported: &Imported) -> Value {
    let profile: Value = serde_yaml::from_str(&imported.profile).unwrap();
    profile["storage"].clone()
}

/// Mount points with their file systems, and the names of EFI system partitions.
fn laid_out(imported: &Imported) -> (Vec<String>, Vec<String>) {
    let storage = storage(imported);
    let items = |key: &str| storage[key].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mounts = items("mounts")
        .iter()
        .map(|mount| format!("{} {}", text(&mount["path"]), text(&mount["fs"])))
        .collect();
    let esps = items("partitions")
        .iter()
        .filter(|part| part["role"] == "esp")
        .map(|part| text(&part["id"]))
        .collect();
    (mounts, esps)
}

/// A disk with `/` and one more partition.
fn curtin(flag: &str, format: &str, mount: &str) -> String {
    let mut text = "autoinstall:\n  version: 1\n  storage:\n    config:\n    - {type: disk, id: d, ptable: gpt, serial: S1}\n    - {type: partition, id: esp0, device: d, size: 512M, flag: boot}\n    - {type: format, id: fe, volume: esp0, fstype: fat32}\n    - {type: mount, id: me, device: fe, path: /boot/efi}\n".to_owned();
    if mount == "/boot/efi" || mount.is_empty() && flag == "boot" {
        // the one in question is the only one
        text = text.lines().take(5).map(|line| format!("{line}\n")).collect();
    }
    text.push_str("    - {type: partition, id: root, device: d, size: 20G}\n    - {type: format, id: fr, volume: root, fstype: ext4}\n    - {type: mount, id: mr, device: fr, path: /}\n");
    let flag = if flag.is_empty() { String::new() } else { format!(", flag: {flag}") };
    text.push_str(&format!("    - {{type: partition, id: x, device: d, size: 1G{flag}}}\n"));
    if !format.is_empty() {
        text.push_str(&format!("    - {{type: format, id: fx, volume: x, fstype: {format}}}\n"));
    }
    if !mount.is_empty() {
        text.push_str(&format!("    - {{type: mount, id: mx, device: fx, path: {mount}}}\n"));
    }
    text
}

#[test]
fn an_autoinstall_s_efi_system_partition_is_fat_at_boot_efi() {
    for (flag, format, mount, esp, at) in [
        ("boot", "fat32", "/boot/efi", true, None),
        ("boot", "vfat", "", true, None),
        ("", "fat32", "/boot/efi", true, None),
        ("boot", "ext4", "/boot", false, Some("/boot ext4")),
        ("boot", "xfs", "/srv", false, Some("/srv xfs")),
        ("", "ext4", "/srv", false, Some("/srv ext4")),
    ] {
        let text = curtin(flag, format, mount);
        let imported = imported("a.yaml", &text, Os::Ubuntu2404);
        let (mounts, esps) = laid_out(&imported);
        assert_eq!(esps.contains(&"x".to_owned()), esp, "{text}\n{}", imported.profile);
        if let Some(at) = at {
            assert!(mounts.contains(&at.to_owned()), "{text}\n{mounts:?}\n{}", imported.profile);
        }
        let flagged = entry(&imported, "id: x,");
        let told = flag != "boot" || esp || flagged.verdict == Verdict::Partly;
        assert!(told, "{flagged:?}");
    }
}

#[test]
fn a_flag_without_fat_and_a_loader_s_partition_with_a_file_system_are_refused() {
    for (flag, format, mount) in
        [("boot", "", ""), ("bios_grub", "vfat", "/srv"), ("boot", "ext4", "/boot/efi")]
    {
        let text = curtin(flag, format, mount);
        let imported = imported("a.yaml", &text, Os::Ubuntu2404);
        let (mounts, esps) = laid_out(&imported);
        assert!(!esps.contains(&"x".to_owned()), "{text}\n{}", imported.profile);
        assert!(
            !mounts.iter().any(|at| at.starts_with(&format!("{mount} ")) && !mount.is_empty()),
            "{mounts:?}"
        );
        assert!(matches!(entry(&imported, "id: x,").verdict, Verdict::Refused | Verdict::Partly));
    }
}

#[test]
fn no_mount_is_written_as_another_one() {
    let text = std::fs::read_to_string(super::root().join("tests/import/cases/autoinstall-bios/input.yaml"))
        .unwrap();
    for text in [text.clone(), text.replace("fstype: xfs", "fstype: zfs")] {
        let imported = imported("a.yaml", &text, Os::Ubuntu2404);
        for place in ["/boot", "/srv", "/"] {
            let mount = entry(&imported, &format!("path: {place} }}"));
            for note in mount.notes.iter().filter(|note| note.starts_with("written as")) {
                assert!(note.contains(&format!("\"path\": \"{place}\"")), "{mount:?}");
            }
        }
    }
}

#[test]
fn a_kickstart_s_efi_system_partition_is_fat_at_boot_efi() {
    let root = "part / --fstype=xfs --size=9000 --ondisk=sda\n";
    for (line, taken) in [
        ("part /boot/efi --fstype=efi --size=600", true),
        ("part /boot/efi --fstype=vfat --size=600", true),
        ("part /boot/efi --size=600", true),
        ("part /boot/efi --fstype=ext4 --size=600", false),
        ("part /srv --fstype=efi --size=600", false),
        ("part /srv --fstype=biosboot --size=600", false),
        ("part /srv --fstype=swap --size=600", false),
        ("part biosboot --fstype=biosboot --size=1", true),
        ("part biosboot --fstype=ext4 --size=1", false),
    ] {
        let text = format!("{root}{line} --ondisk=sda\n");
        let imported = imported("a.ks", &text, Os::El9);
        let entry = entry(&imported, line);
        assert_eq!(entry.verdict != Verdict::Refused, taken, "{entry:?}\n{}", imported.profile);
    }
}

#[test]
fn a_file_system_that_becomes_another_is_told_as_lost() {
    let text = "part / --fstype=ext3 --size=9000\n";
    let imported = imported("a.ks", text, Os::El9);
    assert_eq!(imported.report.entries[0].verdict, Verdict::Partly);
    assert_eq!(laid_out(&imported).0, ["/ ext4"]);
}
